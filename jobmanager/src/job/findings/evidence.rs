//! What is seen of a finding: who waits for what and for how long, who has most of the rows. A few lines each.

use crate::rest::types::{Datastream, Finding, Subtask};

/// So many lines stand under a finding.
const LINES_MAX: usize = 5;
/// A subtask is held up where it is so for this share of its time.
const MUCH: f64 = 0.5;

/// Adds what is seen, to each finding that has something to be seen.
pub(super) fn add(datastream: &Datastream, findings: &mut [Finding]) {
    for finding in findings {
        let mut seen = match finding.code.as_str() {
            "backpressure" => held_up(datastream, finding.subtask.as_deref()),
            "pace" | "skew" => beside(datastream, finding.subtask.as_deref()),
            "checkpoint" => awaited(datastream),
            "watermark" => times(datastream),
            "held" | "idle" => of(datastream, finding.subtask.as_deref())
                .map(waiting)
                .into_iter()
                .collect(),
            _ => Vec::new(),
        };
        seen.truncate(LINES_MAX);
        finding.evidence = seen;
    }
}

fn all(datastream: &Datastream) -> impl Iterator<Item = &Subtask> {
    datastream.vertices.iter().flat_map(|vertex| &vertex.subtasks)
}

fn of<'a>(datastream: &'a Datastream, id: Option<&str>) -> Option<&'a Subtask> {
    all(datastream).find(|subtask| Some(subtask.id.as_str()) == id)
}

fn place(subtask: &Subtask) -> String {
    match &subtask.task_manager {
        Some(on) => format!("{} on {on}", subtask.id),
        None => subtask.id.clone(),
    }
}

/// What a subtask does now, and what it did with its time.
fn waiting(subtask: &Subtask) -> String {
    let now = match subtask.waits_for.as_str() {
        "" => "works".to_owned(),
        what => format!("waits for {what} for {:.1} s", subtask.waits_seconds),
    };
    format!(
        "{} {now}; {:.0} % at work, {:.0} % held up, {:.0} rows/s in",
        place(subtask),
        subtask.busy * 100.0,
        subtask.backpressured * 100.0,
        subtask.records_in_rate
    )
}

/// Whoever is behind it first, then those who are held up, the longest first.
fn held_up(datastream: &Datastream, behind: Option<&str>) -> Vec<String> {
    let is_behind = |subtask: &&Subtask| Some(subtask.id.as_str()) == behind;
    let mut others: Vec<&Subtask> = all(datastream)
        .filter(|subtask| subtask.backpressured > MUCH && !is_behind(subtask))
        .collect();
    others.sort_by(|one, other| other.waits_seconds.total_cmp(&one.waits_seconds));
    of(datastream, behind).into_iter().chain(others).map(waiting).collect()
}

/// A subtask and those of the same vertex, the busiest first.
fn beside(datastream: &Datastream, id: Option<&str>) -> Vec<String> {
    let has = |subtasks: &[Subtask]| subtasks.iter().any(|one| Some(one.id.as_str()) == id);
    let vertex = datastream.vertices.iter().find(|vertex| has(&vertex.subtasks));
    let mut subtasks: Vec<&Subtask> = vertex.iter().flat_map(|vertex| &vertex.subtasks).collect();
    subtasks.sort_by(|one, other| other.records_in_rate.total_cmp(&one.records_in_rate));
    subtasks.into_iter().map(waiting).collect()
}

/// Those for whom a checkpoint waits.
fn awaited(datastream: &Datastream) -> Vec<String> {
    let current = datastream.checkpoints.current.as_ref();
    let names = current.into_iter().flat_map(|current| &current.waits_for);
    names
        .filter_map(|name| of(datastream, Some(name)))
        .map(waiting)
        .collect()
}

/// The steps whose event time one subtask holds back.
fn times(datastream: &Datastream) -> Vec<String> {
    let steps = datastream.vertices.iter().flat_map(|vertex| &vertex.steps);
    let held = steps.filter_map(|step| Some((step, step.held_by.as_ref()?)));
    held.map(|(step, by)| match step.watermark_ms {
        Some(at) => format!("event time of `{}` stands at {at} ms since 1970, by {by}", step.name),
        None => format!("`{}` has no event time yet, by {by}", step.name),
    })
    .collect()
}
