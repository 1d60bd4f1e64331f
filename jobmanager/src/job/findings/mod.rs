//! What holds a datastream up, in sentences: the rules by which an operator reads the numbers, the worst first.
//!
//! Pure: the view of a datastream and the time in, findings out. Nothing is decided from them.

use std::time::Duration;

use dataflow::time::WallTime;

use crate::rest::types::{Datastream, Finding, Severity, State, Subtask, Vertex};

/// A subtask is held up, or at work, where it is so for this share of its time.
const MUCH: f64 = 0.5;
const BUSY: f64 = 0.8;
const ALL_THE_TIME: f64 = 0.95;
/// One that works this many times as much as the one in the middle has more than its share of the keys.
const UNEVEN: f64 = 3.0;
/// A checkpoint under way is worth a word after this.
const CHECKPOINT_SLOW_MS: u64 = 10_000;
/// So many in a row that were given up are worth a word.
const ABORTED_MANY: usize = 3;
/// Event time that is held back by less is nothing.
const AHEAD_MS: i64 = 60_000;
/// A failure that was overcome is told for so long.
const RECOVERED_MS: i64 = 10 * 60_000;
/// A share of dead letters that is more than the odd bad record.
const DEAD_MANY: f64 = 0.01;

/// Everything that a person should know now.
pub(super) fn find(datastream: &Datastream, now: WallTime) -> Vec<Finding> {
    let state = datastream.summary.state;
    let mut findings: Vec<Finding> = life(datastream).into_iter().collect();
    if !state.is_over() {
        findings.extend(checkpoint(datastream));
        findings.extend(given_up(datastream));
    }
    if matches!(
        state,
        State::Running | State::Finishing | State::Stopping | State::Changing
    ) {
        findings.extend(bottleneck(datastream, now));
        findings.extend(pace(datastream));
        findings.extend(held(datastream, now));
        findings.extend(watermark(datastream));
        findings.extend(recovered(datastream, now));
    }
    findings.extend(dead_letters(datastream));
    findings.extend(late(datastream));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn finding(severity: Severity, code: &str, text: impl Into<String>) -> Finding {
    Finding {
        severity,
        code: code.to_owned(),
        text: text.into(),
        help: None,
        subtask: None,
        since_ms: None,
    }
}

/// The reason that its life gives: it failed, starts again, or waits for slots.
fn life(datastream: &Datastream) -> Option<Finding> {
    let summary = &datastream.summary;
    let reason = summary.reason.as_deref()?;
    let (code, severity) = match summary.state {
        State::Failed | State::Failing => ("failed", Severity::Bad),
        State::Restarting => ("restarting", Severity::Bad),
        State::Created | State::Scheduling | State::Deploying => ("waiting", Severity::Bad),
        State::Running | State::Changing | State::Finishing | State::Stopping | State::Cancelling => {
            ("trouble", Severity::Bad)
        }
        State::Finished | State::Stopped | State::Cancelled => ("ended", Severity::Note),
    };
    let text = match summary.state {
        State::Restarting => format!("{reason}; it is being started again, restart {}", summary.restarts),
        _ => reason.to_owned(),
    };
    Some(Finding {
        help: summary.help.clone(),
        since_ms: Some(summary.since_ms),
        ..finding(severity, code, text)
    })
}

/// A checkpoint that takes long, and for whom it waits.
fn checkpoint(datastream: &Datastream) -> Option<Finding> {
    let current = datastream.checkpoints.current.as_ref()?;
    if current.age_ms < CHECKPOINT_SLOW_MS {
        return None;
    }
    let waits = match current.waits_for.is_empty() {
        true => String::new(),
        false => format!(" and waits for {}", current.waits_for.join(", ")),
    };
    let text = format!("the checkpoint under way is {}{waits}", current.phase);
    Some(Finding {
        subtask: current.waits_for.first().cloned(),
        ..finding(Severity::Warning, "checkpoint", text)
    })
}

/// Checkpoints that are given up one after the other.
fn given_up(datastream: &Datastream) -> Option<Finding> {
    let aborted = datastream
        .checkpoints
        .history
        .iter()
        .map_while(|checkpoint| checkpoint.aborted.as_deref());
    let aborted: Vec<&str> = aborted.collect();
    let reason = aborted.first().filter(|_| aborted.len() >= ABORTED_MANY)?;
    let text = format!("the last {} checkpoints were given up: {reason}", aborted.len());
    Some(finding(Severity::Warning, "checkpoints", text))
}

/// Whoever is behind the back-pressure: a sink that others wait for, a state that is being written, or a vertex that
/// works all the time while those before it wait.
fn bottleneck(datastream: &Datastream, now: WallTime) -> Option<Finding> {
    let all = || datastream.vertices.iter().flat_map(|vertex| &vertex.subtasks);
    let pressed = all().filter(|subtask| subtask.backpressured > MUCH).count();
    if pressed == 0 {
        return None;
    }
    let longest = |word: &str| {
        all()
            .filter(|subtask| subtask.backpressured > MUCH && subtask.waits_for.starts_with(word))
            .max_by(|one, other| one.waits_seconds.total_cmp(&other.waits_seconds))
    };
    let of = |subtask: &Subtask, text: String| Finding {
        subtask: Some(subtask.id.clone()),
        since_ms: Some(since(subtask, now)),
        ..finding(Severity::Warning, "backpressure", text)
    };
    if let Some(subtask) = longest("sink ") {
        let sink = subtask.waits_for.trim_start_matches("sink ");
        let text = format!(
            "sink `{sink}` takes rows more slowly than they come: {} waits for it",
            subtask.id
        );
        return Some(Finding {
            help: Some("look at what the sink writes to; the rows wait in bounded memory, nothing is lost".to_owned()),
            ..of(subtask, text)
        });
    }
    if let Some(vertex) = busiest_behind(datastream) {
        return Some(overworked(vertex));
    }
    if let Some(subtask) = longest("state of ") {
        let step = subtask.waits_for.trim_start_matches("state of ");
        return Some(of(subtask, format!("`{step}` waits for its state to be written")));
    }
    let subtask = longest("credit of ")?;
    Some(of(subtask, format!("{} waits for {}", subtask.id, subtask.waits_for)))
}

fn since(subtask: &Subtask, now: WallTime) -> i64 {
    let waits = Duration::try_from_secs_f64(subtask.waits_seconds).unwrap_or_default();
    now.0
        .saturating_sub(i64::try_from(waits.as_millis()).unwrap_or(i64::MAX))
}

/// Of the vertices that work all the time and have somebody waiting before them, the last one.
fn busiest_behind(datastream: &Datastream) -> Option<&Vertex> {
    let is_pressed = |id: &str| {
        let vertex = datastream.vertices.iter().find(|vertex| vertex.id == id);
        vertex.is_some_and(|vertex| vertex.subtasks.iter().any(|one| one.backpressured > MUCH))
    };
    let works = |vertex: &&Vertex| vertex.subtasks.iter().any(|one| one.busy > BUSY);
    let behind = |vertex: &&Vertex| {
        let mut into = datastream.edges.iter().filter(|edge| edge.to == vertex.id);
        into.any(|edge| is_pressed(&edge.from))
    };
    datastream.vertices.iter().rev().filter(works).find(behind)
}

fn overworked(vertex: &Vertex) -> Finding {
    let mut shares: Vec<f64> = vertex.subtasks.iter().map(|subtask| subtask.busy).collect();
    shares.sort_by(f64::total_cmp);
    let middle = shares
        .get(shares.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or_default();
    let busiest = vertex
        .subtasks
        .iter()
        .max_by(|one, other| one.busy.total_cmp(&other.busy));
    let busy = busiest.map_or(0.0, |subtask| subtask.busy);
    let (uneven, help) = match shares.len() > 1 && busy > UNEVEN * middle {
        true => (
            format!(", the others {:.0} %: keys are uneven", middle * 100.0),
            "a few keys have most of the rows; a wider parallelism does not spread one key",
        ),
        false => (String::new(), "`weir rescale` makes it wider"),
    };
    let id = busiest.map(|subtask| subtask.id.clone());
    let text = format!(
        "`{}` is the bottleneck: {} is {:.0} % busy{uneven}",
        vertex.name,
        id.as_deref().unwrap_or(&vertex.id),
        busy * 100.0
    );
    Finding {
        subtask: id,
        help: Some(help.to_owned()),
        ..finding(Severity::Warning, "backpressure", text)
    }
}

/// Who sets the pace where nobody is held up: somebody who works all the time.
fn pace(datastream: &Datastream) -> Option<Finding> {
    let all = || datastream.vertices.iter().flat_map(|vertex| &vertex.subtasks);
    if all().any(|subtask| subtask.backpressured > MUCH) {
        return None;
    }
    let busiest = all().max_by(|one, other| one.busy.total_cmp(&other.busy))?;
    if busiest.busy < ALL_THE_TIME {
        return None;
    }
    let has = |vertex: &&Vertex| vertex.subtasks.iter().any(|one| one.id == busiest.id);
    let vertex = datastream.vertices.iter().find(has)?;
    let text = format!("`{}` sets the pace: {} works all the time", vertex.name, busiest.id);
    Some(Finding {
        subtask: Some(busiest.id.clone()),
        help: Some("nobody is held up; `weir rescale` makes it wider where more is to come in".to_owned()),
        ..finding(Severity::Note, "pace", text)
    })
}

/// Rows that are held back on purpose.
fn held(datastream: &Datastream, now: WallTime) -> Option<Finding> {
    let all = datastream.vertices.iter().flat_map(|vertex| &vertex.subtasks);
    let held = |subtask: &&Subtask| {
        subtask.backpressured > MUCH
            && (subtask.waits_for.starts_with("rows held back") || subtask.waits_for.contains("maxDrift"))
    };
    let subtask = all.into_iter().find(held)?;
    let text = format!("as its document says, {} waits for {}", subtask.id, subtask.waits_for);
    Some(Finding {
        subtask: Some(subtask.id.clone()),
        since_ms: Some(since(subtask, now)),
        ..finding(Severity::Note, "held", text)
    })
}

/// Somebody whose event time is far behind the others'.
fn watermark(datastream: &Datastream) -> Option<Finding> {
    let holder = datastream
        .watermark
        .as_ref()
        .filter(|holder| holder.ahead_ms > AHEAD_MS)?;
    let text = format!(
        "{} of `{}` holds event time back: others are up to {} s ahead",
        holder.subtask,
        holder.step,
        holder.ahead_ms / 1_000
    );
    Some(Finding {
        subtask: Some(holder.subtask.clone()),
        help: Some("`idleTimeout` lets time go on without a split that has nothing to say".to_owned()),
        ..finding(Severity::Warning, "watermark", text)
    })
}

/// The last failure, where it was overcome lately.
fn recovered(datastream: &Datastream, now: WallTime) -> Option<Finding> {
    let exception = datastream.exceptions.first()?;
    let took = exception.recovered_ms?;
    if now.0.saturating_sub(exception.at_ms) > RECOVERED_MS {
        return None;
    }
    let text = format!(
        "recovered from epoch {} in {took} ms: {}",
        exception.epoch, exception.message
    );
    Some(Finding {
        subtask: exception.subtask.clone(),
        since_ms: Some(exception.at_ms),
        ..finding(Severity::Note, "recovered", text)
    })
}

fn dead_letters(datastream: &Datastream) -> Option<Finding> {
    let worst = datastream.dead_letters.iter().max_by_key(|letters| letters.count)?;
    let count: u64 = datastream.dead_letters.iter().map(|letters| letters.count).sum();
    let rows = datastream.summary.progress.rows_in;
    let share = if rows == 0 { 1.0 } else { count as f64 / rows as f64 };
    let severity = if share > DEAD_MANY {
        Severity::Warning
    } else {
        Severity::Note
    };
    let text = format!(
        "{count} records went to the dead letters since its last start, most of them at `{}`",
        worst.step
    );
    Some(Finding {
        help: worst.samples.first().cloned(),
        ..finding(severity, "deadLetters", text)
    })
}

fn late(datastream: &Datastream) -> Option<Finding> {
    let steps = || datastream.vertices.iter().flat_map(|vertex| &vertex.steps);
    let count: u64 = steps().map(|step| step.late).sum();
    let worst = steps().max_by_key(|step| step.late).filter(|_| count > 0)?;
    let text = format!("{count} rows came after their time, most of them at `{}`", worst.name);
    Some(finding(Severity::Note, "late", text))
}

#[cfg(test)]
pub(super) mod tests;
