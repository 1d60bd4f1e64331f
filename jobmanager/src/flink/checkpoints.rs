//! A job's checkpoints.

use axum::Json;
use axum::extract::{Path, State as Extract};
use serde_json::{Value, json};

use super::fault::Fault;
use super::ids;
use crate::rest::Api;
use crate::rest::asked::Named;
use crate::rest::types::{Checkpoint, Datastream, Problem};

pub(super) async fn all(Extract(api): Extract<Api>, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    let datastream = ids::datastream(&api, &id).await?;
    let (checkpoints, subtasks) = (&datastream.checkpoints, subtasks(&datastream));
    let history: Vec<_> = checkpoints.history.iter().map(|one| item(one, subtasks)).collect();
    let completed: Vec<_> = checkpoints.history.iter().filter(|one| one.aborted.is_none()).collect();
    let failed = checkpoints.history.iter().find(|one| one.aborted.is_some());
    let in_progress = u64::from(checkpoints.current.is_some());
    Ok(Json(json!({
        "counts": {
            "restored": datastream.summary.restarts,
            "total": checkpoints.completed + checkpoints.aborted + in_progress,
            "in_progress": in_progress,
            "completed": checkpoints.completed,
            "failed": checkpoints.aborted,
        },
        "summary": {
            "checkpointed_size": spread(&completed, |one| one.bytes),
            "state_size": spread(&completed, |one| one.bytes),
            "end_to_end_duration": spread(&completed, |one| one.duration_ms),
            "alignment_buffered": spread(&completed, |_| 0),
            "persisted_data": spread(&completed, |one| one.overtook_bytes.unwrap_or(0)),
        },
        "latest": {
            "completed": completed.first().map(|one| item(one, subtasks)),
            "savepoint": null,
            "failed": failed.map(|one| item(one, subtasks)),
            "restored": null,
        },
        "history": history,
    })))
}

pub(super) async fn one(
    Extract(api): Extract<Api>,
    named: Result<Named<(String, u64)>, Problem>,
) -> Result<Json<Value>, Fault> {
    let Named((job, id)) = named?;
    let datastream = ids::datastream(&api, &job).await?;
    let found = datastream.checkpoints.history.iter().find(|one| number(one) == id);
    let found = found.ok_or_else(|| Fault::unknown(format!("Could not find checkpoint {id}")))?;
    Ok(Json(item(found, subtasks(&datastream))))
}

pub(super) async fn config(Extract(api): Extract<Api>, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    ids::summary(&api, &id)?;
    Ok(Json(json!({
        "mode": "exactly_once",
        "state_backend": "rocksdb",
        "checkpoint_storage": "the state folder",
        "unaligned_checkpoints": true,
        "externalization": { "enabled": true, "delete_on_cancellation": false },
    })))
}

fn subtasks(datastream: &Datastream) -> usize {
    datastream.vertices.iter().map(|vertex| vertex.subtasks.len()).sum()
}

/// The epoch; the counter of the barrier where it never got one.
fn number(one: &Checkpoint) -> u64 {
    let counter = || one.barrier.rsplit('.').next().and_then(|counter| counter.parse().ok());
    one.epoch.or_else(counter).unwrap_or(0)
}

fn item(one: &Checkpoint, subtasks: usize) -> Value {
    let failed = one.aborted.is_some();
    let mut body = json!({
        "className": if failed { "failed" } else { "completed" },
        "id": number(one),
        "status": if failed { "FAILED" } else { "COMPLETED" },
        "is_savepoint": false,
        "savepointFormat": null,
        "trigger_timestamp": one.triggered_ms,
        "latest_ack_timestamp": one.triggered_ms + i64::try_from(one.collect_ms).unwrap_or(i64::MAX),
        "checkpointed_size": one.bytes,
        "state_size": one.bytes,
        "end_to_end_duration": one.duration_ms,
        "alignment_buffered": 0,
        "persisted_data": one.overtook_bytes.unwrap_or(0),
        "num_subtasks": subtasks,
        "num_acknowledged_subtasks": if failed { 0 } else { subtasks },
        "checkpoint_type": if one.overtook_bytes.is_some() { "UNALIGNED_CHECKPOINT" } else { "CHECKPOINT" },
        "tasks": {},
    });
    match &one.aborted {
        Some(reason) => body["failure_message"] = reason.clone().into(),
        None => body["discarded"] = false.into(),
    }
    body
}

/// The least, the most, the mean and the quantiles of what is remembered.
fn spread(all: &[&Checkpoint], of: fn(&Checkpoint) -> u64) -> Value {
    let mut values: Vec<u64> = all.iter().map(|one| of(one)).collect();
    values.sort_unstable();
    let at = |share: usize| {
        values
            .get(values.len().saturating_sub(1) * share / 1_000)
            .copied()
            .unwrap_or(0)
    };
    let mean = values.iter().sum::<u64>().checked_div(values.len() as u64).unwrap_or(0);
    json!({
        "min": at(0),
        "max": at(1_000),
        "avg": mean,
        "p50": at(500),
        "p90": at(900),
        "p95": at(950),
        "p99": at(990),
        "p999": at(999),
    })
}
