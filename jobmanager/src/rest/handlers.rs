//! One function for each path and method.

use axum::Json;
use axum::extract::rejection::{JsonRejection, StringRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;

use super::Api;
use super::problem::problem;
use super::types::{
    Cluster, Datastream, Health, LogLine, Operation, Problem, Rescale, SavepointRequest, Stop, Submitted, Summary,
    Swept,
};
use crate::gc::Mode;
use crate::job::When;
use crate::jobs::Fresh;
use crate::restore::Dropping;
use crate::savepoint::From;

type Answer<T> = Result<Json<T>, Problem>;

/// Options of a submission.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "flags of a query")]
pub(super) struct Submission {
    /// Whether the datastreams begin anew.
    #[serde(default)]
    fresh: bool,
    /// Whether what runs is changed to what the text says.
    #[serde(default)]
    apply: bool,
    /// Whether state may be left behind that no step takes over.
    #[serde(default)]
    allow_dropped_state: bool,
    /// The label or the URL of a savepoint to begin from.
    from_savepoint: Option<String>,
    /// The checkpoint to begin from: a datastream or a job, and perhaps `:<epoch>`.
    from_checkpoint: Option<String>,
}

/// Which lines of a log.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    /// The number of the last line that is known.
    #[serde(default)]
    after: u64,
}

pub(super) async fn list(State(api): State<Api>) -> Json<Vec<Summary>> {
    Json(api.jobs.list())
}

/// Plans the whole text first: one mistake in it and nothing of it is submitted.
pub(super) async fn submit(
    State(api): State<Api>,
    options: Result<Query<Submission>, axum::extract::rejection::QueryRejection>,
    text: Result<String, StringRejection>,
) -> Result<(StatusCode, Json<Vec<Submitted>>), Problem> {
    let Query(Submission {
        fresh,
        apply,
        allow_dropped_state,
        from_savepoint,
        from_checkpoint,
    }) = options.map_err(|error| problem(error.status(), "query", error.body_text()))?;
    let text = text.map_err(|error| problem(error.status(), "body", error.body_text()))?;
    let planned = api.plan.plan(&text).await?;
    if planned.is_empty() {
        return Err(problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "empty",
            "there is no datastream in this text",
        ));
    }
    let fresh = if fresh { Fresh::Anew } else { Fresh::Resume };
    let dropping = if allow_dropped_state {
        Dropping::Allowed
    } else {
        Dropping::Refused
    };
    let from = match (from_savepoint, from_checkpoint) {
        (None, None) => None,
        (Some(place), None) => Some(From::Savepoint(place)),
        (None, Some(place)) => Some(api.jobs.checkpoint(&place).await?),
        (Some(_), Some(_)) => {
            let text = "a datastream begins from a savepoint or from a checkpoint, not from both";
            return Err(problem(StatusCode::BAD_REQUEST, "query", text));
        }
    };
    if from.is_some() && planned.len() != 1 {
        let text = format!(
            "one datastream begins from a savepoint, and there are {} in this text",
            planned.len()
        );
        return Err(
            problem(StatusCode::UNPROCESSABLE_ENTITY, "savepoint", text).help("submit a file with one document")
        );
    }
    let mut submitted: Vec<Submitted> = Vec::new();
    for one in planned {
        let outcome = match (&from, apply) {
            (Some(from), _) => api.jobs.submit_from(one, from.clone(), dropping).await,
            (None, true) => api.jobs.apply(one, dropping).await,
            (None, false) => api.jobs.submit_dropping(one, fresh, dropping).await,
        };
        match outcome {
            Ok(one) => submitted.push(one),
            Err(error) => return Err(after(&submitted, error.into())),
        }
    }
    Ok((StatusCode::CREATED, Json(submitted)))
}

/// Says which datastreams of the same text were taken before the one that was not.
fn after(submitted: &[Submitted], problem: Problem) -> Problem {
    let names: Vec<String> = submitted.iter().map(|one| one.name.clone()).collect();
    match names.is_empty() {
        true => problem,
        false => Problem {
            detail: format!("{}; submitted before it: {}", problem.detail, names.join(", ")),
            submitted: names,
            ..problem
        },
    }
}

pub(super) async fn describe(State(api): State<Api>, Path(name): Path<String>) -> Answer<Datastream> {
    Ok(Json(api.jobs.describe(&name).await?))
}

pub(super) async fn logs(
    State(api): State<Api>,
    Path(name): Path<String>,
    after: Result<Query<After>, axum::extract::rejection::QueryRejection>,
) -> Answer<Vec<LogLine>> {
    let Query(After { after }) = after.map_err(|error| problem(error.status(), "query", error.body_text()))?;
    Ok(Json(api.jobs.logs(&name, after).await?))
}

/// Stops with a last checkpoint, or drains.
pub(super) async fn stop(
    State(api): State<Api>,
    Path(name): Path<String>,
    stop: Result<Json<Stop>, JsonRejection>,
) -> Result<(StatusCode, Json<Summary>), Problem> {
    let stop = match stop {
        Ok(Json(stop)) => stop,
        // Without a body: as it is by default.
        Err(JsonRejection::MissingJsonContentType(_)) => Stop::default(),
        Err(error) => return Err(problem(error.status(), "body", error.body_text())),
    };
    api.jobs.stop(&name, stop).await?;
    Ok((StatusCode::ACCEPTED, Json(api.jobs.summary(&name)?)))
}

pub(super) async fn cancel(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<Summary>), Problem> {
    api.jobs.cancel(&name).await?;
    Ok((StatusCode::ACCEPTED, Json(api.jobs.summary(&name)?)))
}

/// Begins a savepoint; what comes of it is asked for by the operation's id.
pub(super) async fn savepoint(
    State(api): State<Api>,
    Path(name): Path<String>,
    wanted: Result<Json<SavepointRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<Operation>), Problem> {
    let SavepointRequest { label } = match wanted {
        Ok(Json(wanted)) => wanted,
        // Without a body: as it is by default.
        Err(JsonRejection::MissingJsonContentType(_)) => SavepointRequest::default(),
        Err(error) => return Err(problem(error.status(), "body", error.body_text())),
    };
    let operation = api.jobs.savepoint(&name, label, When::Now).await?;
    Ok((StatusCode::ACCEPTED, Json(operation)))
}

/// Begins a rescale; what comes of it is asked for by the operation's id.
pub(super) async fn rescale(
    State(api): State<Api>,
    Path(name): Path<String>,
    wanted: Result<Json<Rescale>, JsonRejection>,
) -> Result<(StatusCode, Json<Operation>), Problem> {
    let Json(Rescale { parallelism }) = wanted.map_err(|error| problem(error.status(), "body", error.body_text()))?;
    let text = api.jobs.describe(&name).await?.document;
    let planned = api.plan.rescaled(&text, parallelism).await?;
    let [planned] = <[_; 1]>::try_from(planned)
        .map_err(|_several| problem(StatusCode::CONFLICT, "not-changed", "its document is not one document"))?;
    let operation = api.jobs.rescale(planned, parallelism).await?;
    Ok((StatusCode::ACCEPTED, Json(operation)))
}

pub(super) async fn operation(State(api): State<Api>, Path((name, id)): Path<(String, String)>) -> Answer<Operation> {
    let operations = api.jobs.describe(&name).await?.operations;
    let found = operations.into_iter().find(|operation| operation.id == id);
    let unknown = || {
        problem(
            StatusCode::NOT_FOUND,
            "not-found",
            format!("`{name}` knows no operation `{id}`"),
        )
        .help("a job manager remembers the last ones of its own time; `weir describe` shows how the datastream is")
    };
    found.map(Json).ok_or_else(unknown)
}

/// Whose garbage, and whether it goes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Sweep {
    /// The datastream; none for all.
    name: Option<String>,
    /// Whether it is only named.
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn sweep(
    State(api): State<Api>,
    options: Result<Query<Sweep>, axum::extract::rejection::QueryRejection>,
) -> Answer<Vec<Swept>> {
    let Query(Sweep { name, dry_run }) =
        options.map_err(|error| problem(error.status(), "query", error.body_text()))?;
    let mode = if dry_run { Mode::Look } else { Mode::Take };
    Ok(Json(api.jobs.sweep(name.as_deref(), mode).await?))
}

pub(super) async fn cluster(State(api): State<Api>) -> Json<Cluster> {
    Json(api.cluster.describe())
}

pub(super) async fn health(State(api): State<Api>) -> Json<Health> {
    let identity = api.cluster.identity().clone();
    Json(Health {
        term: identity.term,
        incarnation: identity.incarnation,
        build: identity.build,
    })
}

pub(super) async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    let text = crate::metrics::render(&api.jobs.list(), &api.cluster.describe(), api.cluster.dropped());
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
}

pub(super) async fn nothing_here() -> Problem {
    problem(StatusCode::NOT_FOUND, "no-such-path", "there is nothing at this path")
        .help("/v1/datastreams, /v1/cluster, /v1/health, /metrics")
}

pub(super) async fn not_that_way() -> Problem {
    problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "no-such-method",
        "this path does not take that method",
    )
}
