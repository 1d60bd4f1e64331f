//! What Flink's client asks for: cancel, savepoint, stop, and what came of them.

use axum::Json;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::Fault;
use super::ids;
use crate::job::When;
use crate::rest::Api;
use crate::rest::asked::{Options, Wish};
use crate::rest::types::{Outlook, Problem, Stop};

type Taken = Result<(StatusCode, Json<Value>), Fault>;

/// How a job is to end.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Mode {
    mode: Option<String>,
}

pub(super) async fn cancel(
    Extract(api): Extract<Api>,
    Path(id): Path<String>,
    wanted: Result<Options<Mode>, Problem>,
) -> Taken {
    let Options(Mode { mode }) = wanted?;
    if mode.as_deref().is_some_and(|mode| mode != "cancel") {
        return Err(Fault::refused(
            "the mode `cancel` is the only one; to stop is a POST to `stop`",
        ));
    }
    let name = ids::summary(&api, &id)?.name;
    api.jobs.cancel(&name).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

/// What a savepoint is to be.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Savepoint {
    target_directory: Option<String>,
    #[serde(default)]
    cancel_job: bool,
}

pub(super) async fn savepoint(
    Extract(api): Extract<Api>,
    Path(id): Path<String>,
    wanted: Result<Wish<Savepoint>, Problem>,
) -> Taken {
    let Wish(Savepoint {
        target_directory,
        cancel_job,
    }) = wanted?;
    let name = ids::summary(&api, &id)?.name;
    if cancel_job {
        return Err(Fault::refused("a cancel with a savepoint is a stop: POST to `stop`"));
    }
    begin(&api, &name, label(target_directory)?, When::Now).await
}

/// How a job is to be stopped.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stopping {
    target_directory: Option<String>,
    #[serde(default)]
    drain: bool,
}

pub(super) async fn stop(
    Extract(api): Extract<Api>,
    Path(id): Path<String>,
    wanted: Result<Wish<Stopping>, Problem>,
) -> Taken {
    let Wish(Stopping {
        target_directory,
        drain,
    }) = wanted?;
    let name = ids::summary(&api, &id)?.name;
    let begun = begin(&api, &name, label(target_directory)?, When::AtStop).await?;
    api.jobs.stop(&name, Stop { drain, savepoint: None }).await?;
    Ok(begun)
}

/// Savepoints lie in the state folder under a label: what is given as a place can only be that.
fn label(target: Option<String>) -> Result<Option<String>, Fault> {
    match target {
        Some(target) if target.contains('/') => Err(Fault::refused(format!(
            "savepoints are kept in the state folder: give no folder, or a label in place of `{target}`"
        ))),
        label => Ok(label.filter(|label| !label.is_empty())),
    }
}

async fn begin(api: &Api, name: &str, label: Option<String>, when: When) -> Taken {
    let operation = api.jobs.savepoint(name, label, when).await?;
    let trigger = ids::trigger(&operation.id);
    Ok((StatusCode::ACCEPTED, Json(json!({ "request-id": trigger }))))
}

pub(super) async fn outcome(
    Extract(api): Extract<Api>,
    Path((job, trigger)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    let operations = ids::datastream(&api, &job).await?.operations;
    let found = operations.into_iter().find(|one| ids::trigger(&one.id) == trigger);
    let found = found.ok_or_else(|| Fault::unknown(format!("Could not find trigger {trigger}")))?;
    let reason = [found.reason, found.help]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("; ");
    Ok(Json(match found.state {
        Outlook::UnderWay => json!({ "status": { "id": "IN_PROGRESS" } }),
        Outlook::Done => json!({ "status": { "id": "COMPLETED" }, "operation": { "location": found.result } }),
        Outlook::Failed => json!({
            "status": { "id": "COMPLETED" },
            "operation": { "failure-cause": { "class": "weir", "stack-trace": reason } },
        }),
    }))
}
