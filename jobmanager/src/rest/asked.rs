//! What a request carries, taken apart: every mistake in it is a problem with its place, never a plain text.

use std::num::NonZero;

use axum::Json;
use axum::extract::rejection::{JsonRejection, StringRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::problem;
use super::types::Problem;

/// At most so many items in one answer.
pub(super) const LIMIT_MAX: usize = 1_000;

/// The parts of the path that stand for something: a datastream's name.
pub(crate) struct Named<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::from_request_parts(parts, state).await;
        named
            .map(|Path(named)| Self(named))
            .map_err(|error| problem(error.status(), "path", error.body_text()).place("path"))
    }
}

/// The options behind the question mark; a word that is none is refused.
pub(crate) struct Options<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Options<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let options = Query::from_request_parts(parts, state).await;
        options
            .map(|Query(options)| Self(options))
            .map_err(|error| problem(error.status(), "query", error.body_text()).place("query"))
    }
}

/// A body of JSON; where there is none, what is meant by default.
pub(crate) struct Wish<T>(pub(crate) T);

impl<T: DeserializeOwned + Default + Send, S: Send + Sync> FromRequest<S> for Wish<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::from_request(request, state).await {
            Ok(Json(wish)) => Ok(Self(wish)),
            Err(JsonRejection::MissingJsonContentType(_)) => Ok(Self(T::default())),
            Err(error) => Err(problem(error.status(), "body", error.body_text()).place("body")),
        }
    }
}

/// A body of text: documents.
pub(super) struct Text(pub(super) String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let text = String::from_request(request, state).await;
        let refused = |error: StringRejection| problem(error.status(), "body", error.body_text()).place("body");
        text.map(Self).map_err(refused)
    }
}

/// A part of a list that grows. The answer's header `Link` leads to the next part.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// Only those behind this name.
    pub(super) after: Option<String>,
    /// At most so many, and at most 1000; all, where it is not given.
    pub(super) limit: Option<NonZero<usize>>,
}

/// Which lines of a log.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    /// The number of the last line that is known; 0 for all that are kept.
    #[serde(default)]
    pub(super) after: u64,
    /// At most so many of the newest.
    pub(super) limit: Option<usize>,
}

/// How much of lag and loss.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LagOf {
    /// So many minutes of each step, the newest ones; 60 where it is not given, and at most 180.
    pub(super) minutes: Option<usize>,
    /// A step; with `to`, what is missing between the input of this one and the output of that one.
    pub(super) from: Option<String>,
    /// The other step.
    pub(super) to: Option<String>,
}

/// Which versions of a document.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Earlier {
    /// Only those before this number.
    pub(super) before: Option<u64>,
    /// At most so many, and at most 100.
    pub(super) limit: Option<u64>,
}

/// Which files of an archive.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Shelf {
    /// The sink whose files are meant; what is called `archive:`, or the first one, unless given.
    pub(super) sink: Option<String>,
    /// Only files below this folder, such as `date=2026-11-22`.
    pub(super) under: Option<String>,
    /// Only files behind this path.
    pub(super) after: Option<String>,
    /// At most so many, and at most 200.
    pub(super) limit: Option<usize>,
}

/// Which rows of an archive.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rows {
    /// The sink whose file is meant, as in the list of files.
    pub(super) sink: Option<String>,
    /// The file, as the list of files names it.
    pub(super) file: String,
    /// At most so many rows, and at most 100; 20 unless given.
    pub(super) limit: Option<usize>,
}

/// How many of the newest.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Newest {
    /// At most so many, and at most 1000; 200 unless given.
    pub(super) limit: Option<usize>,
}

/// Two versions of a document.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Between {
    /// The number of the one before; that of the version before `to`, unless given.
    pub(super) from: Option<u64>,
    /// The number of the one after; that of the newest, unless given.
    pub(super) to: Option<u64>,
}

/// Which rows are looked at, and for how long.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tap {
    /// Rows behind this step; of a sink, the rows that it is handed.
    pub(super) step: String,
    /// Only those for which this SQL expression is true.
    #[serde(rename = "where")]
    pub(super) condition: Option<String>,
    /// At most so many rows, and at most 10000; 1000 where it is not given.
    pub(super) limit: Option<u32>,
    /// For so many seconds, and at most 600; 60 where it is not given.
    pub(super) seconds: Option<u32>,
}

/// Which dead letters.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Letters {
    /// Of this step.
    pub(super) step: Option<String>,
    /// With this in their errors; case does not matter.
    pub(super) error: Option<String>,
    /// Not before this, in milliseconds since 1970 UTC.
    pub(super) since_ms: Option<i64>,
    /// Before this, in milliseconds since 1970 UTC.
    pub(super) until_ms: Option<i64>,
    /// Where the last page ended: its `next`.
    pub(super) after: Option<String>,
    /// At most so many, and at most 1000; 100 where it is not given.
    pub(super) limit: Option<usize>,
}

/// Options of a submission.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "flags of a query")]
pub(super) struct Submission {
    /// Whether the datastreams begin anew.
    #[serde(default)]
    pub(super) fresh: bool,
    /// Whether what runs is changed to what the text says.
    #[serde(default)]
    pub(super) apply: bool,
    /// Whether state may be left behind that no step takes over.
    #[serde(default)]
    pub(super) allow_dropped_state: bool,
    /// The label or the URL of a savepoint to begin from.
    pub(super) from_savepoint: Option<String>,
    /// The checkpoint to begin from: a datastream or a job, and perhaps `:<epoch>`.
    pub(super) from_checkpoint: Option<String>,
}

/// Whose garbage, and whether it goes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Sweep {
    /// The datastream; none for all.
    pub(super) name: Option<String>,
    /// Whether it is only named.
    #[serde(default)]
    pub(super) dry_run: bool,
}
