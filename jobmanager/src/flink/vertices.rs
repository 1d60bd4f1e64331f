//! Vertices: what flows through their subtasks, and what they wait for.

use axum::Json;
use axum::extract::{Path, State as Extract};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::Fault;
use super::{ids, status};
use crate::rest::Api;
use crate::rest::asked::{Named, Options};
use crate::rest::types::{Datastream, Problem, Subtask, Vertex};

/// A value of a subtask under Flink's name.
type Metric = (&'static str, fn(&Subtask) -> f64);

/// What is known of each subtask, under Flink's names. Counts beyond 2^53 lose their last digits, as in Flink's own JSON.
#[expect(clippy::cast_precision_loss, reason = "counts as Flink's clients read them")]
const METRICS: [Metric; 9] = [
    ("numRecordsIn", |one| one.records_in as f64),
    ("numRecordsOut", |one| one.records_out as f64),
    ("numBytesIn", |one| one.bytes_in as f64),
    ("numBytesOut", |one| one.bytes_out as f64),
    ("numRecordsInPerSecond", |one| one.records_in_rate),
    ("numRecordsOutPerSecond", |one| one.records_out_rate),
    ("busyTimeMsPerSecond", |one| one.busy * 1e3),
    ("backPressuredTimeMsPerSecond", |one| one.backpressured * 1e3),
    ("idleTimeMsPerSecond", |one| one.idle * 1e3),
];

fn sums<'a>(subtasks: impl Iterator<Item = &'a Subtask> + Clone) -> Value {
    let sum = |count: fn(&Subtask) -> u64| subtasks.clone().map(count).fold(0, u64::saturating_add);
    json!({
        "read-bytes": sum(|one| one.bytes_in),
        "read-bytes-complete": true,
        "write-bytes": sum(|one| one.bytes_out),
        "write-bytes-complete": true,
        "read-records": sum(|one| one.records_in),
        "read-records-complete": true,
        "write-records": sum(|one| one.records_out),
        "write-records-complete": true,
    })
}

/// A vertex in its job.
pub(super) fn short(datastream: &Datastream, vertex: &Vertex, now: i64) -> Value {
    let job = &datastream.summary;
    let (over, start) = (job.state.is_over(), job.started_ms.unwrap_or(job.since_ms));
    let end = if over { job.since_ms } else { now };
    json!({
        "id": ids::vertex(&job.job, &vertex.id),
        "name": vertex.name,
        "parallelism": vertex.parallelism,
        "status": status::of_vertex(vertex),
        "start-time": start,
        "end-time": if over { end } else { -1 },
        "duration": end.saturating_sub(start).max(0),
        "tasks": status::counts(std::iter::once(vertex)),
        "metrics": sums(vertex.subtasks.iter()),
    })
}

fn subtask_of(one: &Subtask, index: usize) -> Value {
    let place = one.task_manager.clone().unwrap_or_else(|| "(unassigned)".to_owned());
    json!({
        "subtask": index,
        "status": status::of_subtask(&one.state),
        "attempt": 0,
        "endpoint": place,
        "taskmanager-id": place,
        "metrics": sums(std::iter::once(one)),
        "other-concurrent-attempts": [],
    })
}

pub(super) async fn one(
    Extract(api): Extract<Api>,
    Path((job, id)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    let datastream = ids::datastream(&api, &job).await?;
    let vertex = ids::vertex_of(&datastream, &id)?;
    let subtasks = vertex
        .subtasks
        .iter()
        .zip(0..)
        .map(|(one, index)| subtask_of(one, index));
    Ok(Json(json!({
        "id": id,
        "name": vertex.name,
        "parallelism": vertex.parallelism,
        "now": api.clock.wall().0,
        "subtasks": subtasks.collect::<Vec<_>>(),
    })))
}

pub(super) async fn subtask(
    Extract(api): Extract<Api>,
    named: Result<Named<(String, String, usize)>, Problem>,
) -> Result<Json<Value>, Fault> {
    let Named((job, id, index)) = named?;
    let datastream = ids::datastream(&api, &job).await?;
    let found = ids::vertex_of(&datastream, &id)?.subtasks.get(index);
    let found = found.ok_or_else(|| Fault::unknown(format!("subtask {index} not found")))?;
    Ok(Json(subtask_of(found, index)))
}

/// Flink's levels: up to a tenth is ok, up to a half low, above high.
fn level(share: f64) -> &'static str {
    match share {
        share if share <= 0.1 => "ok",
        share if share <= 0.5 => "low",
        _ => "high",
    }
}

pub(super) async fn backpressure(
    Extract(api): Extract<Api>,
    Path((job, id)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    let datastream = ids::datastream(&api, &job).await?;
    let vertex = ids::vertex_of(&datastream, &id)?;
    let worst = vertex.subtasks.iter().map(|one| one.backpressured).fold(0.0, f64::max);
    let one = |(one, index): (&Subtask, usize)| {
        json!({
            "subtask": index,
            "attempt-number": 0,
            "backpressureLevel": level(one.backpressured),
            "backpressure-level": level(one.backpressured),
            "ratio": one.backpressured,
            "idleRatio": one.idle,
            "busyRatio": one.busy,
        })
    };
    Ok(Json(json!({
        "status": "ok",
        "backpressureLevel": level(worst),
        "backpressure-level": level(worst),
        "end-timestamp": api.clock.wall().0,
        "subtasks": vertex.subtasks.iter().zip(0..).map(one).collect::<Vec<_>>(),
    })))
}

/// How far event time has come: what the subtask knows that is furthest back. Nothing is said of the others where they are ahead.
pub(super) async fn watermarks(
    Extract(api): Extract<Api>,
    Path((job, id)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    let datastream = ids::datastream(&api, &job).await?;
    let vertex = ids::vertex_of(&datastream, &id)?;
    let timed = vertex.steps.iter().filter_map(|step| Some((step.watermark_ms?, step)));
    let Some((watermark, step)) = timed.min_by_key(|(watermark, _)| *watermark) else {
        return Ok(Json(json!([])));
    };
    let meant = |one: &&(&Subtask, usize)| step.held_by.as_ref().is_none_or(|holder| *holder == one.0.id);
    let subtasks: Vec<(&Subtask, usize)> = vertex.subtasks.iter().zip(0..).collect();
    let one = |(_, index): &(&Subtask, usize)| json!({ "id": format!("{index}.currentInputWatermark"), "value": watermark.to_string() });
    Ok(Json(subtasks.iter().filter(meant).map(one).collect()))
}

/// Which metrics: none for a list of what there is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    get: Option<String>,
}

pub(super) async fn metrics(
    Extract(api): Extract<Api>,
    Path((job, id)): Path<(String, String)>,
    wanted: Result<Options<Wanted>, Problem>,
) -> Result<Json<Value>, Fault> {
    let Options(Wanted { get }) = wanted?;
    let datastream = ids::datastream(&api, &job).await?;
    let vertex = ids::vertex_of(&datastream, &id)?;
    let named = vertex
        .subtasks
        .iter()
        .zip(0..)
        .flat_map(|(one, index): (&Subtask, usize)| {
            METRICS
                .iter()
                .map(move |(name, value)| (format!("{index}.{name}"), value(one)))
        });
    let Some(get) = get else {
        return Ok(Json(named.map(|(id, _)| json!({ "id": id })).collect()));
    };
    let wanted: std::collections::BTreeSet<&str> = get.split(',').collect();
    let found = named.filter(|(id, _)| wanted.contains(id.as_str()));
    Ok(Json(
        found
            .map(|(id, value)| json!({ "id": id, "value": value.to_string() }))
            .collect(),
    ))
}
