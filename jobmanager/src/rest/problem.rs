//! Errors as problem details (RFC 9457).

use std::ops::Range;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use planner::tap::Refusal;

use super::types::Problem;
use crate::jobs::{Error, Rejected};
use crate::letters;

/// A problem with a code for programs and a sentence for people.
pub(super) fn problem(status: StatusCode, code: &str, detail: impl Into<String>) -> Problem {
    Problem {
        status: status.as_u16(),
        code: code.to_owned(),
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        detail: detail.into(),
        ..Problem::default()
    }
}

impl Problem {
    /// Says what part of the request is at fault.
    #[must_use]
    pub(super) fn place(mut self, place: &str) -> Self {
        self.place = Some(place.to_owned());
        self
    }

    /// Adds what a person can do about it.
    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::Unknown { .. }
            | Error::NoVersion { .. }
            | Error::NoArchive { .. }
            | Error::Letters(letters::Error::Nowhere | letters::Error::Unknown(_)) => StatusCode::NOT_FOUND,
            Error::AlreadyThere { .. }
            | Error::Over { .. }
            | Error::FinishedOther { .. }
            | Error::Incompatible { .. }
            | Error::Unchanged { .. }
            | Error::Unfit { .. }
            | Error::Archive(_)
            | Error::Savepoint(_) => StatusCode::CONFLICT,
            Error::Name { .. } | Error::Tap(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Error::Letters(letters::Error::Store)
            | Error::Taps { .. }
            | Error::Silent { .. }
            | Error::Garbage(_)
            | Error::ShuttingDown
            | Error::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let shown = error.shown().cloned();
        let problem = problem(status, error.code(), error.to_string()).help(error.help());
        if let Error::Tap(refusal) = &error {
            return untapped(problem, refusal);
        }
        Self {
            diagnostics: shown.as_ref().map(|shown| shown.diagnostics.clone()),
            rendered: shown.map(|shown| shown.rendered),
            ..problem
        }
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        let Rejected {
            diagnostics,
            rendered,
            summary,
        } = rejected;
        let problem = problem(StatusCode::UNPROCESSABLE_ENTITY, "diagnostics", summary);
        Self {
            diagnostics: Some(diagnostics),
            rendered: Some(rendered),
            ..problem
        }
    }
}

/// Why there is nothing to look at, with the place in the condition.
fn untapped(problem: Problem, refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::Step { .. } => problem.place("step"),
        Refusal::Condition { sql, range, .. } => {
            let place = format!("where:{}-{}", range.start, range.end);
            let rendered = pointed(sql, range, &problem);
            Problem {
                place: Some(place),
                rendered: Some(rendered),
                ..problem
            }
        }
    }
}

/// The condition with a mark under the part that is wrong.
fn pointed(sql: &str, range: &Range<usize>, problem: &Problem) -> String {
    let whole = |end: usize| sql.get(..end).unwrap_or(sql);
    let line = |text: &str| text.replace(['\n', '\t', '\r'], " ");
    let before = whole(range.start).chars().count();
    let marked = whole(range.end).chars().count().saturating_sub(before).max(1);
    let (indent, mark) = (" ".repeat(before), "^".repeat(marked));
    let help = problem.help.as_ref().map(|help| format!("\n  help: {help}"));
    format!(
        "error: {}\n  {}\n  {indent}{mark}{}",
        problem.detail,
        line(sql),
        help.unwrap_or_default()
    )
}
