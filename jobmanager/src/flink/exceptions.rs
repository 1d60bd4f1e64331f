//! What went wrong with a job.

use axum::Json;
use axum::extract::{Path, State as Extract};
use serde_json::{Value, json};

use super::fault::Fault;
use super::ids;
use crate::rest::Api;
use crate::rest::types::Exception;

pub(super) async fn all(Extract(api): Extract<Api>, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    let datastream = ids::datastream(&api, &id).await?;
    let newest = datastream.exceptions.first();
    let entries: Vec<_> = datastream.exceptions.iter().map(entry).collect();
    Ok(Json(json!({
        "root-exception": newest.map(text),
        "timestamp": newest.map(|one| one.at_ms),
        "all-exceptions": [],
        "truncated": false,
        "exceptionHistory": { "entries": entries, "truncated": false },
    })))
}

fn text(one: &Exception) -> String {
    let lines = [
        Some(&one.message),
        one.cause.as_ref(),
        one.help.as_ref(),
        Some(&one.answer),
    ];
    lines.into_iter().flatten().cloned().collect::<Vec<_>>().join("\n")
}

fn entry(one: &Exception) -> Value {
    json!({
        "exceptionName": one.disposition,
        "stacktrace": text(one),
        "timestamp": one.at_ms,
        "failureLabels": {},
        "taskName": one.vertex.as_ref().or(one.subtask.as_ref()),
        "location": one.task_manager,
        "endpoint": one.task_manager,
        "taskManagerId": one.task_manager,
        "concurrentExceptions": [],
    })
}
