//! Our states in Flink's words.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::rest::types::{Datastream, State, Vertex};

/// Flink's states of a task, in the order in which it lists them.
const TASK_STATES: [&str; 10] = [
    "CREATED",
    "SCHEDULED",
    "DEPLOYING",
    "RUNNING",
    "FINISHED",
    "CANCELING",
    "CANCELED",
    "FAILED",
    "RECONCILING",
    "INITIALIZING",
];

/// The state of a job. A datastream that was stopped with its state is what Flink calls finished after a stop with savepoint.
pub(super) fn of_job(state: State) -> &'static str {
    match state {
        State::Created | State::Scheduling | State::Deploying => "CREATED",
        State::Running | State::Finishing | State::Stopping | State::Changing => "RUNNING",
        State::Restarting => "RESTARTING",
        State::Finished | State::Stopped => "FINISHED",
        State::Cancelling => "CANCELLING",
        State::Cancelled => "CANCELED",
        State::Failing => "FAILING",
        State::Failed => "FAILED",
    }
}

/// When a job came into each of Flink's states last; 0 for those that it was never in, as Flink has it.
pub(super) fn times(datastream: &Datastream) -> BTreeMap<&'static str, i64> {
    const JOB_STATES: [&str; 10] = [
        "INITIALIZING",
        "CREATED",
        "RUNNING",
        "FAILING",
        "FAILED",
        "CANCELLING",
        "CANCELED",
        "FINISHED",
        "RESTARTING",
        "SUSPENDED",
    ];
    let mut times: BTreeMap<_, i64> = JOB_STATES.into_iter().map(|state| (state, 0)).collect();
    let moved = datastream
        .moved_ms
        .iter()
        .filter_map(|(state, at)| Some((named(state)?, *at)));
    let newest = (datastream.summary.state, datastream.summary.since_ms);
    for (state, at) in moved.chain([newest]) {
        let known = times.entry(of_job(state)).or_default();
        *known = at.max(*known);
    }
    times
}

/// A state of ours by its name.
fn named(state: &str) -> Option<State> {
    serde_json::from_value(Value::from(state)).ok()
}

/// The state of a subtask.
pub(super) fn of_subtask(state: &str) -> &'static str {
    match state {
        "planned" => "SCHEDULED",
        "deploying" => "INITIALIZING",
        "running" => "RUNNING",
        "ended" => "FINISHED",
        "cancelling" => "CANCELING",
        "cancelled" => "CANCELED",
        "failed" | "lost" => "FAILED",
        _ => "CREATED",
    }
}

/// The state of a vertex: what most says that something is wrong or not there yet.
pub(super) fn of_vertex(vertex: &Vertex) -> &'static str {
    const WORST_FIRST: [&str; 7] = [
        "FAILED",
        "CANCELING",
        "CANCELED",
        "SCHEDULED",
        "INITIALIZING",
        "RUNNING",
        "FINISHED",
    ];
    let there = |state: &&&str| vertex.subtasks.iter().any(|one| of_subtask(&one.state) == **state);
    WORST_FIRST.iter().find(there).copied().unwrap_or("CREATED")
}

/// How many subtasks are in each state, lower case as Flink has it for jobs; `total` beside them.
pub(super) fn tasks<'a>(vertices: impl Iterator<Item = &'a Vertex>) -> Value {
    let counted = counts(vertices);
    let total: u64 = counted.values().sum();
    let mut tasks: Map<String, Value> = counted
        .into_iter()
        .map(|(state, count)| (state.to_lowercase(), count.into()))
        .collect();
    tasks.insert("total".to_owned(), total.into());
    Value::Object(tasks)
}

/// How many subtasks are in each state.
pub(super) fn counts<'a>(vertices: impl Iterator<Item = &'a Vertex>) -> BTreeMap<&'static str, u64> {
    let mut counts: BTreeMap<_, u64> = TASK_STATES.into_iter().map(|state| (state, 0)).collect();
    for subtask in vertices.flat_map(|vertex| &vertex.subtasks) {
        *counts.entry(of_subtask(&subtask.state)).or_default() += 1;
    }
    counts
}
