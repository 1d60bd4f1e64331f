//! The cluster: `/overview`, `/config`, `/taskmanagers`.

use axum::Json;
use axum::extract::{Path, State as Extract};
use serde_json::{Value, json};

use super::fault::Fault;
use crate::rest::Api;
use crate::rest::types::{State, TaskManager};

/// The version whose API this is; clients compare it.
pub(super) const FLINK: &str = "2.3.0";

pub(super) async fn overview(Extract(api): Extract<Api>) -> Json<Value> {
    let (cluster, jobs) = (api.cluster.describe(), api.jobs.list());
    let count = |is: fn(State) -> bool| jobs.iter().filter(|job| is(job.state)).count();
    Json(json!({
        "taskmanagers": cluster.task_managers.len(),
        "taskmanagers-blocked": 0,
        "slots-total": cluster.slots,
        "slots-available": cluster.slots_free,
        "slots-free-and-blocked": 0,
        "jobs-running": count(|state| !state.is_over()),
        "jobs-finished": count(|state| matches!(state, State::Finished | State::Stopped)),
        "jobs-cancelled": count(|state| state == State::Cancelled),
        "jobs-failed": count(|state| state == State::Failed),
        "flink-version": FLINK,
        "flink-commit": format!("weir-{}", cluster.build),
    }))
}

pub(super) async fn config(Extract(api): Extract<Api>) -> Json<Value> {
    Json(json!({
        "refresh-interval": 3000,
        "timezone-name": "Coordinated Universal Time",
        "timezone-offset": 0,
        "flink-version": FLINK,
        "flink-revision": format!("weir-{}", api.cluster.identity().build),
        "features": { "web-submit": false, "web-cancel": true, "web-rescale": false, "web-history": false },
    }))
}

/// What a job manager was told is its own affair; who leads is not.
pub(super) async fn jobmanager_config(Extract(api): Extract<Api>) -> Json<Value> {
    let identity = api.cluster.identity();
    let pair = |key: &str, value: String| json!({ "key": key, "value": value });
    Json(json!([
        pair("weir.build", identity.build.clone()),
        pair("weir.term", identity.term.to_string()),
        pair("state.backend.type", "rocksdb".to_owned()),
        pair("execution.checkpointing.mode", "EXACTLY_ONCE".to_owned()),
    ]))
}

pub(super) async fn taskmanagers(Extract(api): Extract<Api>) -> Json<Value> {
    let now = api.clock.wall().0;
    let all = api.cluster.describe().task_managers;
    let all: Vec<_> = all.iter().map(|one| taskmanager_of(one, now)).collect();
    Json(json!({ "taskmanagers": all }))
}

pub(super) async fn taskmanager(Extract(api): Extract<Api>, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    let all = api.cluster.describe().task_managers;
    let found = all.iter().find(|one| one.name == id);
    let found = found.ok_or_else(|| Fault::unknown(format!("TaskExecutor {id} not found")))?;
    let mut body = taskmanager_of(found, api.clock.wall().0);
    // What its process holds altogether; Flink has the parts of a Java heap here.
    body["metrics"] = json!({ "residentSetSize": found.rss_bytes });
    body["allocatedSlots"] = found
        .jobs
        .iter()
        .map(|job| json!({ "jobId": super::ids::job(job) }))
        .collect();
    Ok(Json(body))
}

fn taskmanager_of(one: &TaskManager, now: i64) -> Value {
    let port = one
        .data_address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    let managed_mib = one.memory_bytes >> 20;
    json!({
        "id": one.name,
        "path": one.data_address,
        "dataPort": port.unwrap_or(-1_i64),
        "jmxPort": -1,
        "timeSinceLastHeartbeat": now.saturating_sub(i64::try_from(one.silent_ms).unwrap_or(i64::MAX)),
        "slotsNumber": one.slots,
        "freeSlots": one.slots_free,
        "totalResource": { "managedMemory": managed_mib, "extendedResources": {} },
        "freeResource": { "extendedResources": {} },
        "hardware": { "managedMemory": one.memory_bytes },
        "blocked": false,
    })
}
