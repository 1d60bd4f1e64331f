//! What changes something: documents submitted, datastreams stopped, saved, made wider.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;

use crate::gc::Mode;
use crate::job::When;
use crate::jobs::Fresh;
use crate::rest::Api;
use crate::rest::asked::{Named, Options, Submission, Sweep, Text, Wish};
use crate::rest::problem::problem;
use crate::rest::types::{Operation, Problem, Rescale, SavepointRequest, Stop, Submitted, Summary, Swept};
use crate::restore::Dropping;
use crate::savepoint::From;

type Accepted<T> = Result<(StatusCode, Json<T>), Problem>;

/// Plans the whole text first: one mistake in it and nothing of it is submitted.
pub(crate) async fn submit(
    State(api): State<Api>,
    Options(submission): Options<Submission>,
    Text(text): Text,
) -> Accepted<Vec<Submitted>> {
    let Submission {
        fresh,
        apply,
        allow_dropped_state,
        from_savepoint,
        from_checkpoint,
    } = submission;
    let planned = api.plan.plan(&text).await?;
    if planned.is_empty() {
        return Err(problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "empty",
            "there is no datastream in this text",
        )
        .place("body"));
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
            return Err(problem(StatusCode::BAD_REQUEST, "query", text).place("query"));
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

/// Stops with a last checkpoint, or drains.
pub(crate) async fn stop(
    State(api): State<Api>,
    Named(name): Named<String>,
    Wish(stop): Wish<Stop>,
) -> Accepted<Summary> {
    api.jobs.stop(&name, stop).await?;
    Ok((StatusCode::ACCEPTED, Json(api.jobs.summary(&name)?)))
}

pub(crate) async fn cancel(State(api): State<Api>, Named(name): Named<String>) -> Accepted<Summary> {
    api.jobs.cancel(&name).await?;
    Ok((StatusCode::ACCEPTED, Json(api.jobs.summary(&name)?)))
}

/// Begins a savepoint; what comes of it is asked for by the operation's id.
pub(crate) async fn savepoint(
    State(api): State<Api>,
    Named(name): Named<String>,
    Wish(SavepointRequest { label }): Wish<SavepointRequest>,
) -> Accepted<Operation> {
    let operation = api.jobs.savepoint(&name, label, When::Now).await?;
    Ok((StatusCode::ACCEPTED, Json(operation)))
}

/// Begins a rescale; what comes of it is asked for by the operation's id.
pub(crate) async fn rescale(
    State(api): State<Api>,
    Named(name): Named<String>,
    wanted: Result<Json<Rescale>, JsonRejection>,
) -> Accepted<Operation> {
    let Json(Rescale { parallelism }) =
        wanted.map_err(|error| problem(error.status(), "body", error.body_text()).place("body"))?;
    let text = api.jobs.describe(&name).await?.document;
    let planned = api.plan.rescaled(&text, parallelism).await?;
    let [planned] = <[_; 1]>::try_from(planned)
        .map_err(|_several| problem(StatusCode::CONFLICT, "not-changed", "its document is not one document"))?;
    let operation = api.jobs.rescale(planned, parallelism).await?;
    Ok((StatusCode::ACCEPTED, Json(operation)))
}

/// Takes away what nobody needs any more, or only names it.
pub(crate) async fn sweep(
    State(api): State<Api>,
    Options(Sweep { name, dry_run }): Options<Sweep>,
) -> Result<Json<Vec<Swept>>, Problem> {
    let mode = if dry_run { Mode::Look } else { Mode::Take };
    Ok(Json(api.jobs.sweep(name.as_deref(), mode).await?))
}
