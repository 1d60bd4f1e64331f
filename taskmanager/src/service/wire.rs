//! What is said to the job manager, as messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::Schema;
use dataflow::error::Disposition;
use dataflow::expr::Expression;
use dataflow::id::SubtaskId;
use dataflow::metric::process::Usage;
use dataflow::tally::{Account, Histogram};
use dataflow::time::Instant;
use dataflow::{Failure, recipe};
use proto::v1::{self, FromTaskManager, State, from_task_manager::Message};

use super::lines::{Line, Taken};
use super::{Options, Running, Tasks};
use crate::meter::{Ages, Told};
use crate::tap::{Asked, Condition, Row, Shown};
use crate::task::gauges::{EdgeGauges, NodeGauges};
use crate::task::life::{Life, Status};
use crate::task::{Identity, Report};

/// What a tap may ask for at most, whoever leads.
const TAP_ROWS_MAX: u32 = 1_000;
const TAP_ROW_BYTES_MAX: usize = 64 << 10;
const TAP_DURATION_MAX: Duration = Duration::from_secs(3600);

/// The first message.
pub(super) fn register(options: &Options, incarnation: &str, running: Vec<v1::Standing>) -> FromTaskManager {
    let register = v1::Register {
        name: options.name.clone(),
        incarnation: incarnation.to_owned(),
        data_address: options.data_address.clone(),
        slots: options.slots,
        memory_bytes: options.memory_bytes,
        build: options.build.clone(),
        metrics_address: options.metrics_address.clone(),
        running,
    };
    FromTaskManager {
        message: Some(Message::Register(register)),
    }
}

fn fence(identity: &Identity) -> Option<v1::Fence> {
    let generation = identity.obeys;
    Some(v1::Fence {
        job: identity.job.to_string(),
        term: generation.term,
        deployment: generation.deployment,
    })
}

fn subtask(id: SubtaskId) -> Option<v1::Subtask> {
    Some(v1::Subtask {
        vertex: id.vertex.0,
        index: id.index,
    })
}

/// A subtask's report; none where it is not for the job manager.
pub(super) fn report(identity: &Identity, report: Report) -> Option<Message> {
    let (fence, subtask, attempt) = (fence(identity), subtask(identity.subtask), identity.attempt.clone());
    Some(match report {
        Report::Status(status) => Message::Status(status_of(identity, status)),
        Report::Acknowledged(done) => Message::Acknowledge(v1::Acknowledge {
            fence,
            subtask,
            attempt,
            counter: done.counter,
            snapshot: done.snapshot.encode().into(),
            alignment_us: micros(done.alignment),
            prepare_us: micros(done.prepare),
            overtook_bytes: done.overtook,
            sync_us: micros(done.sync),
            state_bytes: done.state_bytes,
            written_bytes: done.written_bytes,
        }),
        Report::Committed(epoch) => Message::Committed(v1::Committed {
            fence,
            subtask,
            attempt,
            epoch,
        }),
        Report::SplitsWanted => Message::SplitsWanted(v1::SplitsWanted {
            fence,
            subtask,
            attempt,
        }),
        Report::Reached(reached_ms) => Message::Reached(v1::Reached {
            fence,
            subtask,
            attempt,
            reached_ms,
        }),
        Report::SplitFinished(split) => Message::SplitFinished(v1::SplitFinished {
            fence,
            subtask,
            attempt,
            split,
        }),
        Report::Adopted(stand) => Message::Adopted(v1::Adopted {
            fence,
            subtask,
            attempt,
            state: state_of(stand.life).into(),
            counter: stand.counter,
            held: stand.held,
            finished: stand.finished,
            wants_splits: stand.wants,
        }),
        Report::Left => return None,
    })
}

/// What is said of a life that goes on.
fn state_of(life: Life) -> State {
    match life {
        Life::Running => State::Running,
        Life::Ended => State::Ended,
        Life::Restoring | Life::Over => State::Unspecified,
    }
}

/// What runs here, for whoever leads next.
pub(super) fn standings(tasks: &Tasks) -> Vec<v1::Standing> {
    let mut standings = BTreeMap::new();
    for running in tasks.running().filter(|running| running.stays()) {
        let identity = &running.handle.identity;
        let standing = standings
            .entry((identity.job.clone(), identity.generation))
            .or_insert_with(|| v1::Standing {
                fence: fence(identity),
                born_term: identity.generation.term,
                born_deployment: identity.generation.deployment,
                born_epoch: running.born_epoch,
                adopted_epoch: running.adopted_epoch,
                subtasks: Vec::new(),
            });
        standing.subtasks.push(v1::Standee {
            subtask: subtask(identity.subtask),
            attempt: identity.attempt.clone(),
            state: state_of(running.life).into(),
        });
    }
    standings.into_values().collect()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn status_of(identity: &Identity, status: Status) -> v1::SubtaskStatus {
    let (state, failure) = match status {
        Status::Running => (State::Running, None),
        Status::Ended => (State::Ended, None),
        Status::Cancelled => (State::Cancelled, None),
        Status::Failed(failure) => (State::Failed, Some(failure_of(&failure))),
    };
    v1::SubtaskStatus {
        fence: fence(identity),
        subtask: subtask(identity.subtask),
        attempt: identity.attempt.clone(),
        state: state.into(),
        failure,
    }
}

fn failure_of(failure: &Failure) -> v1::Failure {
    let disposition = match failure.disposition {
        Disposition::Retry => "retry",
        Disposition::Fail => "fail",
        Disposition::Bug => "bug",
    };
    v1::Failure {
        disposition: disposition.to_owned(),
        message: failure.message.clone(),
        help: failure.help.clone().unwrap_or_default(),
    }
}

/// A line for `weir logs`.
pub(super) fn log_line(Taken { line, at }: Taken) -> Message {
    let Line {
        job,
        subtask: speaker,
        attempt,
        level,
        text,
    } = line;
    let speaker = speaker.and_then(|speaker| speaker.parse().ok());
    Message::Log(v1::LogLine {
        job,
        wall_ms: at.0,
        level: level.to_string(),
        text,
        subtask: speaker.and_then(subtask),
        attempt: attempt.unwrap_or_default(),
    })
}

/// Rows of a step that somebody looks at.
pub(super) fn shown(shown: Shown) -> Message {
    let row = |row: Row| v1::TappedRow {
        event_time_ms: row.event_time_ms,
        kind: i32::from(row.kind),
        row: row.json,
        text: row.text,
        base64: row.base64,
        bytes: row.bytes,
        cut: row.cut,
    };
    Message::Tapped(v1::Tapped {
        fence: fence(&shown.identity),
        subtask: subtask(shown.identity.subtask),
        tap: shown.tap,
        rows: shown.rows.into_iter().map(row).collect(),
        passed: shown.counts.passed,
        looked_at: shown.counts.looked_at,
        matched: shown.counts.matched,
        shown: shown.counts.shown,
        failed: shown.counts.failed,
        failure: shown.failure.unwrap_or_default(),
        trouble: shown.trouble.unwrap_or_default(),
    })
}

/// What a tap is asked for.
pub(super) fn asked(tap: &v1::Tap) -> Result<Asked, Failure> {
    let wrong = |error: serde_json::Error| Failure::bug("a tap that makes no sense").because(&error);
    let open = match tap.fields.is_empty() {
        true => None,
        false => {
            let fields: Schema = serde_json::from_slice(&tap.fields).map_err(wrong)?;
            let format: recipe::Format = serde_json::from_slice(&tap.format).map_err(wrong)?;
            Some((Arc::new(fields), format))
        }
    };
    let expression = Some(tap.condition.as_str()).filter(|sql| !sql.is_empty());
    Ok(Asked {
        tap: tap.tap,
        condition: expression.map(|sql| Condition {
            expression: Expression::new(sql),
            open,
        }),
        rows_per_second: tap.rows_per_second.clamp(1, TAP_ROWS_MAX),
        row_bytes_max: usize::try_from(tap.row_bytes_max)
            .unwrap_or(usize::MAX)
            .min(TAP_ROW_BYTES_MAX),
        duration: Duration::from_millis(tap.duration_ms).min(TAP_DURATION_MAX),
    })
}

/// A subtask that was cancelled and does not let go.
pub(super) fn given_up(identity: &Identity) -> Message {
    let Identity {
        job, subtask, attempt, ..
    } = identity;
    tracing::warn!(%job, %subtask, attempt, "a cancelled subtask does not let go");
    Message::Status(status_of(identity, Status::Cancelled))
}

/// The subtasks that a deployment names, to be answered where it makes no sense.
pub(super) fn named(deploy: &v1::Deploy) -> Vec<v1::SubtaskStatus> {
    let named = deploy.subtasks.iter().map(|subtask| v1::SubtaskStatus {
        fence: deploy.fence.clone(),
        subtask: subtask.subtask,
        attempt: subtask.attempt.clone(),
        state: State::Failed.into(),
        failure: None,
    });
    named.collect()
}

/// The answer for one subtask of a deployment that makes no sense.
pub(super) fn refused(subtask: v1::SubtaskStatus, failure: &Failure) -> Message {
    Message::Status(v1::SubtaskStatus {
        failure: Some(failure_of(failure)),
        ..subtask
    })
}

/// What all subtasks have counted, and what they wait for.
pub(super) fn heartbeat(tasks: &Tasks, now: Instant) -> Message {
    let subtasks = tasks.running().map(|running| gauges(running, now)).collect();
    let [(_, tables), (_, cache)] = tasks.state_memory();
    let usage = Usage::now();
    Message::Heartbeat(v1::Heartbeat {
        subtasks,
        rss_bytes: usage.resident_bytes,
        cpu_us: usage.cpu_us,
        threads: usage.threads,
        memory: memory(tasks),
        tables_bytes: tables as u64,
        cache_bytes: cache as u64,
    })
}

/// What the deployments of each job may hold.
fn memory(tasks: &Tasks) -> Vec<v1::JobMemory> {
    let mut jobs: BTreeMap<String, v1::JobMemory> = BTreeMap::new();
    for (job, budget) in tasks.budgets() {
        let name = job.to_string();
        let sum = jobs.entry(name.clone()).or_default();
        sum.job = name;
        sum.network += budget.network;
        sum.state += budget.state;
        sum.sinks += budget.sinks;
        sum.readers += budget.readers;
        sum.chains += budget.chains;
    }
    jobs.into_values().collect()
}

fn gauges(running: &Running, now: Instant) -> v1::SubtaskGauges {
    let (identity, gauges) = (&running.handle.identity, &running.handle.gauges);
    let (waits_for, waited) = gauges.waiting(now).unwrap_or_default();
    let [busy_us, backpressured_us, idle_us] = gauges.spent(now);
    let told = gauges.to_be_told(identity.obeys);
    v1::SubtaskGauges {
        fence: fence(identity),
        subtask: subtask(identity.subtask),
        records_in: gauges.records_in.get(),
        records_out: gauges.records_out.get(),
        bytes_in: gauges.bytes_in.get(),
        bytes_out: gauges.bytes_out.get(),
        source_bytes_read: gauges.source_bytes_read.get(),
        dead_letters: gauges.dead(),
        busy_us,
        backpressured_us,
        idle_us,
        waits_for,
        waits_us: micros(waited),
        nodes: gauges.nodes.iter().map(|node| node_gauges(node, told)).collect(),
        edges: gauges.edges.iter().map(|edge| edge_gauges(edge)).collect(),
    }
}

fn edge_gauges(edge: &EdgeGauges) -> v1::EdgeGauges {
    v1::EdgeGauges {
        edge: edge.edge.0,
        rows: edge.rows.get(),
        bytes: edge.bytes.get(),
        backlog_bytes: edge.backlog_bytes.get(),
    }
}

fn minute((minute, account): (i64, Account)) -> v1::Minute {
    v1::Minute {
        minute,
        rows_in: account.rows_in,
        rows_out: account.rows_out,
        filtered: account.filtered,
        late: account.late,
        dead: account.dead,
    }
}

fn ages(ages: &Histogram) -> Option<v1::Ages> {
    let filled = ages
        .filled()
        .map(|(cell, rows)| (u32::try_from(cell).unwrap_or(u32::MAX), rows));
    let (cells, rows): (Vec<_>, Vec<_>) = filled.unzip();
    (!cells.is_empty()).then_some(v1::Ages { cells, rows })
}

fn node_gauges(node: &NodeGauges, told: Told) -> v1::NodeGauges {
    let (changes, Ages { came, left }) = node.book.say(told);
    v1::NodeGauges {
        minutes: changes.minutes.into_iter().map(minute).collect(),
        older: Some(minute((0, changes.older))),
        ahead: Some(minute((0, changes.ahead))),
        came: ages(&came),
        left: ages(&left),
        strangers: node.strangers.get(),
        step: node.step.clone(),
        records_in: node.records_in.get(),
        records_out: node.records_out.get(),
        dropped: node.dropped.get(),
        dead: node.dead.get(),
        dead_samples: node.samples(),
        watermark_ms: node.watermark.get().map(|watermark| watermark.0),
        late: node.late.get(),
    }
}
