//! Messages of task managers, as jobs take them: ids parsed, bytes kept, nothing else.

use std::time::Duration;

use bytes::Bytes;
use dataflow::id::{EdgeId, Generation, JobId, SubtaskId, VertexId};
use dataflow::tally::{Account, CELLS, Changes, Histogram};
use dataflow::time::WallTime;
use dataflow::{Disposition, Failure};
use proto::v1;
use proto::v1::from_task_manager::Message;

use super::vitals::Vitals;
use crate::checkpoint::{Aligned, Parts};
use crate::recover::{Standing, Works};
use crate::tap::{Counts, Tapped, TappedRow};

/// What a task manager says about one subtask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Who is allowed to say it.
    pub generation: Generation,
    /// Which subtask.
    pub subtask: SubtaskId,
    /// Which try at it.
    pub attempt: String,
    /// What.
    pub report: Report,
}

/// What is said about a subtask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Its state has changed.
    State(SubtaskState),
    /// It has met a barrier.
    Acknowledged {
        /// The barrier's counter.
        counter: u64,
        /// Its snapshot.
        snapshot: Bytes,
        /// How the barrier got through.
        aligned: Aligned,
    },
    /// It has committed an epoch.
    Committed(u64),
    /// Its reader has nothing to read.
    SplitsWanted,
    /// The slowest split that its reader reads has come to here in event time; or it reads none.
    Reached(Option<i64>),
    /// Its reader has read a split to its end.
    SplitFinished(String),
    /// It obeys another generation from here on.
    Adopted(Stand),
}

/// How a subtask stands when it is adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// Running, or ended.
    pub state: SubtaskState,
    /// The highest barrier that was asked for on its task manager.
    pub counter: u64,
    /// Splits that its reader holds.
    pub held: Vec<String>,
    /// Splits that it has read to their ends and that no record may know of.
    pub finished: Vec<String>,
    /// Whether it waits for splits.
    pub wants: bool,
}

/// The state of a subtask, as its task manager sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubtaskState {
    /// Restored, committed again, and at work.
    Running,
    /// At the end of its input.
    Ended,
    /// Gone as asked.
    Cancelled,
    /// Gone by a failure.
    Failed(Failure),
}

/// Counts since the start of an attempt, and what it does now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Who says so.
    pub generation: Generation,
    /// Rows in.
    pub records_in: u64,
    /// Rows out.
    pub records_out: u64,
    /// Bytes in.
    pub bytes_in: u64,
    /// Bytes out.
    pub bytes_out: u64,
    /// Bytes of input its source has read.
    pub source_bytes_read: u64,
    /// Records it sent to the dead letters.
    pub dead_letters: u64,
    /// Time at work.
    pub busy: Duration,
    /// Time waiting for those behind it.
    pub backpressured: Duration,
    /// Time without anything to do.
    pub idle: Duration,
    /// What it waits for; empty while it works.
    pub waits_for: String,
    /// For how long.
    pub waits: Duration,
    /// Its steps.
    pub nodes: Vec<NodeGauges>,
    /// The edges by which it sends.
    pub edges: Vec<EdgeGauges>,
}

impl Gauges {
    /// What is sent by an edge.
    #[must_use]
    pub fn edge(&self, edge: EdgeId) -> Option<&EdgeGauges> {
        self.edges.iter().find(|one| one.edge == edge)
    }
}

/// What is sent by one edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeGauges {
    /// Which.
    pub edge: EdgeId,
    /// Rows that were handed to it.
    pub rows: u64,
    /// Bytes of rows that wait there now.
    pub backlog_bytes: u64,
}

/// What a heartbeat says of the rows of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What became of them, by minute.
    pub changes: Changes,
    /// How old they were when they came.
    pub came: Histogram,
    /// And when they left.
    pub left: Histogram,
}

/// Counts of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeGauges {
    /// Its name in the document.
    pub step: String,
    /// Rows in.
    pub records_in: u64,
    /// Rows out.
    pub records_out: u64,
    /// Rows left out by a filter or a sample.
    pub dropped: u64,
    /// Rows sent to the dead letters.
    pub dead: u64,
    /// The first few of them, as a person reads them.
    pub samples: Vec<String>,
    /// Rows that came after their time.
    pub late: u64,
    /// How far event time has come, in milliseconds, if anything was said of it.
    pub watermark_ms: Option<i64>,
    /// Changes of keys that are another subtask's.
    pub strangers: u64,
    /// What became of its rows, and how old they were.
    pub said: Said,
}

/// What a task manager logged about a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// When, by its own clock.
    pub at: WallTime,
    /// `ERROR`, `WARN`, `INFO`.
    pub level: String,
    /// The subtask that says it, where one does, and which try at it.
    pub speaker: Option<(SubtaskId, String)>,
    /// What.
    pub text: String,
}

/// A message, and whom it is for.
pub(super) enum Routed {
    Register(v1::Register),
    Report(JobId, Reported),
    Heartbeat {
        vitals: Vitals,
        gauges: Vec<(JobId, SubtaskId, Gauges)>,
    },
    Log(JobId, Logged),
    Tapped(JobId, Tapped),
    /// Nothing that this build understands.
    Malformed,
}

/// At most this many samples of dead letters are taken of one step, each at most so many bytes.
const SAMPLES_MAX: usize = 10;
const SAMPLE_BYTES_MAX: usize = 2 << 10;
const MINUTES_MAX: usize = 256;
const TEXT_BYTES_MAX: usize = 16 << 10;
/// Rows that somebody looks at, in one message, and how long each may be.
const ROWS_MAX: usize = 1_000;
const ROW_BYTES_MAX: usize = 128 << 10;
/// A line of a log, and the words beside it. A thousand lines of a job are kept.
const LINE_BYTES_MAX: usize = 4 << 10;
const WORD_BYTES_MAX: usize = 64;

pub(super) fn route(message: v1::FromTaskManager) -> Routed {
    let Some(message) = message.message else {
        return Routed::Malformed;
    };
    match message {
        Message::Register(register) => Routed::Register(register),
        Message::Heartbeat(beat) => Routed::Heartbeat {
            vitals: Vitals::of(&beat),
            gauges: beat.subtasks.into_iter().filter_map(gauges).collect(),
        },
        Message::Status(v1::SubtaskStatus {
            fence,
            subtask,
            attempt,
            state,
            failure,
        }) => match status(state, failure) {
            Some(state) => report(fence, subtask, attempt, Report::State(state)),
            None => Routed::Malformed,
        },
        Message::Acknowledge(done) => acknowledged(done),
        Message::Committed(v1::Committed {
            fence,
            subtask,
            attempt,
            epoch,
        }) => report(fence, subtask, attempt, Report::Committed(epoch)),
        Message::SplitsWanted(v1::SplitsWanted {
            fence,
            subtask,
            attempt,
        }) => report(fence, subtask, attempt, Report::SplitsWanted),
        Message::Reached(v1::Reached {
            fence,
            subtask,
            attempt,
            reached_ms,
        }) => report(fence, subtask, attempt, Report::Reached(reached_ms)),
        Message::SplitFinished(v1::SplitFinished {
            fence,
            subtask,
            attempt,
            split,
        }) => report(fence, subtask, attempt, Report::SplitFinished(split)),
        Message::Adopted(message) => adopted(message),
        Message::Tapped(message) => tapped(message),
        Message::Log(v1::LogLine {
            job,
            wall_ms,
            level,
            text,
            subtask,
            attempt,
        }) => match job.parse() {
            Ok(job) => {
                let logged = Logged {
                    at: WallTime(wall_ms),
                    level: cut(level, WORD_BYTES_MAX),
                    speaker: subtask.map(|subtask| (named(subtask), cut(attempt, WORD_BYTES_MAX))),
                    text: cut(text, LINE_BYTES_MAX),
                };
                Routed::Log(job, logged)
            }
            Err(_) => Routed::Malformed,
        },
    }
}

fn acknowledged(done: v1::Acknowledge) -> Routed {
    let aligned = Aligned {
        longest: Duration::from_micros(done.alignment_us),
        overtook: done.overtook_bytes,
        state_bytes: done.state_bytes,
        written_bytes: done.written_bytes,
        last: Parts {
            alignment: Duration::from_micros(done.alignment_us),
            sync: Duration::from_micros(done.sync_us),
            upload: Duration::from_micros(done.prepare_us.saturating_sub(done.sync_us)),
        },
        last_of: None,
    };
    let acknowledged = Report::Acknowledged {
        counter: done.counter,
        snapshot: done.snapshot,
        aligned,
    };
    report(done.fence, done.subtask, done.attempt, acknowledged)
}

fn tapped(message: v1::Tapped) -> Routed {
    let (Some((job, generation)), Some(subtask)) = (message.fence.and_then(fenced), message.subtask) else {
        return Routed::Malformed;
    };
    let fits = |row: &v1::TappedRow| row.row.len() + row.text.len() + row.base64.len() <= ROW_BYTES_MAX;
    let row = |row: v1::TappedRow| TappedRow {
        event_time_ms: row.event_time_ms,
        kind: row.kind,
        json: row.row,
        text: row.text,
        base64: row.base64,
        bytes: row.bytes,
        cut: row.cut,
    };
    let tapped = Tapped {
        generation,
        subtask: named(subtask),
        tap: message.tap,
        rows: message.rows.into_iter().filter(fits).take(ROWS_MAX).map(row).collect(),
        counts: Counts {
            passed: message.passed,
            looked_at: message.looked_at,
            failed: message.failed,
            matched: message.matched,
            shown: message.shown,
        },
        failure: Some(cut(message.failure, SAMPLE_BYTES_MAX)).filter(|failure| !failure.is_empty()),
        trouble: Some(cut(message.trouble, SAMPLE_BYTES_MAX)).filter(|trouble| !trouble.is_empty()),
    };
    Routed::Tapped(job, tapped)
}

fn adopted(message: v1::Adopted) -> Routed {
    let stand = match status(message.state, None) {
        Some(state @ (SubtaskState::Running | SubtaskState::Ended)) => Stand {
            state,
            counter: message.counter,
            held: message.held,
            finished: message.finished,
            wants: message.wants_splits,
        },
        Some(SubtaskState::Cancelled | SubtaskState::Failed(_)) | None => return Routed::Malformed,
    };
    report(message.fence, message.subtask, message.attempt, Report::Adopted(stand))
}

/// What a task manager says that runs on it without a leader; what makes no sense is left out, and will be told to go.
pub(super) fn standings(register: &v1::Register) -> Vec<(JobId, Standing)> {
    let one = |standing: &v1::Standing| {
        let (job, generation) = fenced(standing.fence.clone()?)?;
        let works = |state| match v1::State::try_from(state) {
            Ok(v1::State::Running | v1::State::Ended) => Works::Yes,
            _ => Works::NotYet,
        };
        let subtasks = standing.subtasks.iter();
        let found = Standing {
            task_manager: register.name.clone(),
            generation,
            born: Generation {
                term: standing.born_term,
                deployment: standing.born_deployment,
            },
            born_epoch: standing.born_epoch,
            adopted_epoch: standing.adopted_epoch,
            subtasks: subtasks
                .filter_map(|one| Some((named(one.subtask?), works(one.state))))
                .collect(),
        };
        Some((job, found))
    };
    register.running.iter().filter_map(one).collect()
}

fn report(fence: Option<v1::Fence>, subtask: Option<v1::Subtask>, attempt: String, report: Report) -> Routed {
    let (Some((job, generation)), Some(subtask)) = (fence.and_then(fenced), subtask.map(named)) else {
        return Routed::Malformed;
    };
    Routed::Report(
        job,
        Reported {
            generation,
            subtask,
            attempt,
            report,
        },
    )
}

fn fenced(fence: v1::Fence) -> Option<(JobId, Generation)> {
    let job = fence.job.parse().ok()?;
    Some((
        job,
        Generation {
            term: fence.term,
            deployment: fence.deployment,
        },
    ))
}

fn named(subtask: v1::Subtask) -> SubtaskId {
    SubtaskId {
        vertex: VertexId(subtask.vertex),
        index: subtask.index,
    }
}

fn status(state: i32, failure: Option<v1::Failure>) -> Option<SubtaskState> {
    match v1::State::try_from(state).ok()? {
        v1::State::Running => Some(SubtaskState::Running),
        v1::State::Ended => Some(SubtaskState::Ended),
        v1::State::Cancelled => Some(SubtaskState::Cancelled),
        v1::State::Failed => Some(SubtaskState::Failed(failed(failure.unwrap_or_default()))),
        v1::State::Unspecified => None,
    }
}

fn failed(failure: v1::Failure) -> Failure {
    let disposition = match failure.disposition.as_str() {
        "retry" => Disposition::Retry,
        "fail" => Disposition::Fail,
        _ => Disposition::Bug,
    };
    let message = if failure.message.is_empty() {
        "it did not say why".to_owned()
    } else {
        cut(failure.message, TEXT_BYTES_MAX)
    };
    let help = Some(cut(failure.help, TEXT_BYTES_MAX)).filter(|help| !help.is_empty());
    Failure {
        disposition,
        message,
        help,
    }
}

fn edge(edge: v1::EdgeGauges) -> EdgeGauges {
    EdgeGauges {
        edge: EdgeId(edge.edge),
        rows: edge.rows,
        backlog_bytes: edge.backlog_bytes,
    }
}

fn dated(minute: v1::Minute) -> (i64, Account) {
    let account = Account {
        rows_in: minute.rows_in,
        rows_out: minute.rows_out,
        filtered: minute.filtered,
        late: minute.late,
        dead: minute.dead,
    };
    (minute.minute, account)
}

fn ages(ages: Option<v1::Ages>) -> Histogram {
    let mut histogram = Histogram::default();
    let v1::Ages { cells, rows } = ages.unwrap_or_default();
    for (cell, rows) in cells.into_iter().zip(rows).take(CELLS) {
        histogram.put(cell as usize, rows);
    }
    histogram
}

fn gauges(gauges: v1::SubtaskGauges) -> Option<(JobId, SubtaskId, Gauges)> {
    let (job, generation) = fenced(gauges.fence?)?;
    let subtask = named(gauges.subtask?);
    let node = |node: v1::NodeGauges| NodeGauges {
        step: node.step,
        records_in: node.records_in,
        records_out: node.records_out,
        dropped: node.dropped,
        dead: node.dead,
        late: node.late,
        watermark_ms: node.watermark_ms,
        strangers: node.strangers,
        said: Said {
            changes: Changes {
                minutes: node.minutes.into_iter().take(MINUTES_MAX).map(dated).collect(),
                older: node.older.map(|minute| dated(minute).1).unwrap_or_default(),
                ahead: node.ahead.map(|minute| dated(minute).1).unwrap_or_default(),
            },
            came: ages(node.came),
            left: ages(node.left),
        },
        samples: node
            .dead_samples
            .into_iter()
            .take(SAMPLES_MAX)
            .map(|sample| cut(sample, SAMPLE_BYTES_MAX))
            .collect(),
    };
    let gauges = Gauges {
        generation,
        records_in: gauges.records_in,
        records_out: gauges.records_out,
        bytes_in: gauges.bytes_in,
        bytes_out: gauges.bytes_out,
        source_bytes_read: gauges.source_bytes_read,
        dead_letters: gauges.dead_letters,
        busy: Duration::from_micros(gauges.busy_us),
        backpressured: Duration::from_micros(gauges.backpressured_us),
        idle: Duration::from_micros(gauges.idle_us),
        waits_for: gauges.waits_for,
        waits: Duration::from_micros(gauges.waits_us),
        nodes: gauges.nodes.into_iter().map(node).collect(),
        edges: gauges.edges.into_iter().map(edge).collect(),
    };
    Some((job, subtask, gauges))
}

/// Keeps what people read within bounds.
fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = (0..=bytes_max)
            .rev()
            .find(|end| text.is_char_boundary(*end))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
