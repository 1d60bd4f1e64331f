//! Who has more than its share of the rows, and who has none: keys that are uneven, splits with nothing in them.

use std::time::Duration;

use dataflow::time::WallTime;

use super::finding;
use crate::rest::types::{Datastream, Finding, Severity, Subtask, Vertex};

/// One that gets this many times as many rows as the one in the middle has more than its share.
const UNEVEN: f64 = 3.0;
/// Fewer rows a second than these are no matter.
const ROWS_LEAST: f64 = 100.0;
/// It matters where the one with most of them works for this share of its time.
const BUSY: f64 = 0.5;
/// One that does nothing is so for this share of its time, and for so long.
const IDLE: f64 = 0.95;
const IDLE_SECONDS: f64 = 30.0;

/// A subtask with more than its share of the rows, where that makes it work; not where it was named as the bottleneck.
pub(super) fn skew(datastream: &Datastream, named: Option<&str>) -> Option<Finding> {
    let (vertex, subtask) = datastream
        .vertices
        .iter()
        .filter_map(most)
        .max_by(|(_, one), (_, other)| one.busy.total_cmp(&other.busy))?;
    if Some(subtask.id.as_str()) == named {
        return None;
    }
    let all: f64 = vertex.subtasks.iter().map(|one| one.records_in_rate).sum();
    let text = format!(
        "{} gets {:.0} % of the rows of `{}`, which has {} subtasks: keys are uneven",
        subtask.id,
        subtask.records_in_rate / all * 100.0,
        vertex.name,
        vertex.subtasks.len()
    );
    Some(Finding {
        subtask: Some(subtask.id.clone()),
        help: Some("a few keys have most of the rows; a wider parallelism does not spread one key".to_owned()),
        ..finding(Severity::Note, "skew", text)
    })
}

/// The subtask of a vertex that has more than its share.
fn most(vertex: &Vertex) -> Option<(&Vertex, &Subtask)> {
    let mut rates: Vec<f64> = vertex.subtasks.iter().map(|one| one.records_in_rate).collect();
    rates.sort_by(f64::total_cmp);
    let middle = *rates.get(rates.len().checked_sub(1)? / 2)?;
    let first = |one: &&Subtask, other: &&Subtask| one.records_in_rate.total_cmp(&other.records_in_rate);
    let subtask = vertex.subtasks.iter().max_by(first)?;
    let rate = subtask.records_in_rate;
    let uneven = vertex.subtasks.len() > 1 && rate > ROWS_LEAST && rate > UNEVEN * middle && subtask.busy > BUSY;
    uneven.then_some((vertex, subtask))
}

/// Sources that have had nothing to read for a while: all of them, or some beside others that read.
pub(super) fn idle(datastream: &Datastream, now: WallTime) -> Option<Finding> {
    let is_source = |vertex: &&Vertex| vertex.steps.first().is_some_and(|step| step.kind == "source");
    let readers: Vec<&Subtask> = datastream
        .vertices
        .iter()
        .filter(is_source)
        .flat_map(|vertex| &vertex.subtasks)
        .collect();
    let does_nothing = |one: &&&Subtask| {
        one.state == "running" && one.idle > IDLE && one.waits_seconds > IDLE_SECONDS && one.waits_for == "input"
    };
    let idle: Vec<&&Subtask> = readers.iter().filter(does_nothing).collect();
    let longest = idle
        .iter()
        .max_by(|one, other| one.waits_seconds.total_cmp(&other.waits_seconds))?;
    let waited = Duration::try_from_secs_f64(longest.waits_seconds).unwrap_or_default();
    let since = now
        .0
        .saturating_sub(i64::try_from(waited.as_millis()).unwrap_or(i64::MAX));
    let (text, help) = match idle.len() == readers.len() {
        true => (
            "nothing comes in: its sources have nothing to read".to_owned(),
            "whoever fills them may have stopped; nothing here holds them up",
        ),
        false => (
            format!(
                "{} of {} readers have nothing to read, such as {}",
                idle.len(),
                readers.len(),
                longest.id
            ),
            "there are fewer splits than subtasks, or their splits are idle; `idleTimeout` lets event time go on without them",
        ),
    };
    Some(Finding {
        subtask: Some(longest.id.clone()),
        since_ms: Some(since),
        help: Some(help.to_owned()),
        ..finding(Severity::Note, "idle", text)
    })
}
