//! What is remembered of runs that are over.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::rest::Api;
use crate::rest::asked::Named;
use crate::rest::problem::problem;
use crate::rest::types::{Datastream, PastRun, Problem};

pub(crate) async fn runs(State(api): State<Api>, Named(name): Named<String>) -> Result<Json<Vec<PastRun>>, Problem> {
    let runs = api.jobs.runs(&name).await?.into_iter();
    let short = runs.map(|(number, run)| PastRun {
        number,
        summary: run.datastream.summary,
    });
    Ok(Json(short.collect()))
}

pub(crate) async fn run(
    State(api): State<Api>,
    Named((name, number)): Named<(String, u64)>,
) -> Result<Json<Datastream>, Problem> {
    let unknown = || {
        problem(
            StatusCode::NOT_FOUND,
            "not-found",
            format!("no run {number} of `{name}` is remembered"),
        )
        .place("path")
        .help("ask for its runs without a number for those that are")
    };
    let run = api.jobs.run(&name, number).await?.ok_or_else(unknown)?;
    Ok(Json(run.datastream))
}
