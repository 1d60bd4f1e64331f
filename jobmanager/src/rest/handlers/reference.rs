//! What can be looked up: what a document can be made of, and what the codes of mistakes mean.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use planner::components::{self, Component};
use planner::diagnostic;

use crate::rest::Api;
use crate::rest::asked::Named;
use crate::rest::problem::problem;
use crate::rest::types::Problem;

/// Every connector, format and step, with its options.
pub(crate) async fn connectors(State(api): State<Api>) -> Json<Vec<Component>> {
    Json(components::list(api.jobs.registry()))
}

/// The page of a code, as `weir explain CODE` prints it.
pub(crate) async fn explain(Named(code): Named<String>) -> Result<impl IntoResponse, Problem> {
    let Some(page) = diagnostic::page(&code) else {
        let known = diagnostic::pages().iter().map(|(code, _)| *code);
        let help = match diagnostic::nearest(&code, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "a code is written like `E0101`".to_owned(),
        };
        let text = format!("there is no code `{code}`");
        return Err(problem(StatusCode::NOT_FOUND, "not-found", text)
            .place("path")
            .help(help));
    };
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], page))
}
