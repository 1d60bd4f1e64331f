//! Errors as Flink gives them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::jobs::Error;
use crate::rest::types::Problem;

/// An error: the status, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    status: StatusCode,
    errors: Vec<String>,
}

impl Fault {
    /// There is no such thing.
    pub(super) fn unknown(text: String) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            errors: vec![text],
        }
    }

    /// The request is wrong.
    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            errors: vec![text.into()],
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Problem::from(error).into()
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        let Problem {
            status, detail, help, ..
        } = problem;
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            errors: [Some(detail), help].into_iter().flatten().collect(),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "errors": self.errors }))).into_response()
    }
}
