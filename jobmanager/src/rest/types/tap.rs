//! Rows of a running step, as events of a stream.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The event `open`: what is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TapOpened {
    /// The step.
    pub step: String,
    /// The vertex that runs it, `vtx-<n>`.
    pub vertex: String,
    /// How many subtasks that has.
    pub parallelism: u32,
    /// How many of them show rows.
    pub subtasks: u32,
    /// The columns of its rows that are known; records without a schema may have any.
    pub columns: Vec<String>,
    /// Paths whose values are shown as `•••`.
    pub hidden: Vec<String>,
    /// It ends after so many rows.
    pub rows: u32,
    /// It ends after so many seconds.
    pub seconds: u32,
}

/// The event `row`: one row, as JSON where it is that, else as text, else as base64.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TapRow {
    /// The subtask that it was seen in.
    pub subtask: String,
    /// Its event time, in milliseconds since 1970 UTC.
    pub event_time_ms: Option<i64>,
    /// Of a stream of changes: `before` for what a row was, `after` for what it has become; none for a new row.
    pub kind: Option<String>,
    /// The row.
    #[schemars(with = "Option<serde_json::Value>")]
    pub row: Option<Box<RawValue>>,
    /// The text of a row that is not JSON, or of the beginning of one that is too long.
    pub text: Option<String>,
    /// The bytes of one that is not text.
    pub base64: Option<String>,
    /// How long all of it is, in bytes.
    pub bytes: u64,
    /// Whether something of it is missing here.
    pub cut: bool,
}

/// The event `count`: rows since the tap was opened, each number a part of the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TapCount {
    /// That went by.
    pub passed: u64,
    /// That were looked at.
    pub looked_at: u64,
    /// Of these, for which the condition could not be computed: a value is of another type than it wants, or the record of
    /// another format.
    pub failed: u64,
    /// Why it could not be, of the first of them.
    pub failure: Option<String>,
    /// For which the condition was true.
    pub matched: u64,
    /// That were shown.
    pub shown: u64,
    /// That would have been worth showing, and were left out so that nothing waits.
    pub dropped: u64,
}

/// The event `end`: why there are no further rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TapEnd {
    /// `rows`, `time`, `job`, `stalled`, `trouble`, `left`.
    pub code: String,
    /// In words.
    pub reason: String,
}

/// Any of the events of a tap, by its name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TapEvent {
    /// `open`.
    Open(TapOpened),
    /// `row`.
    Row(TapRow),
    /// `count`.
    Count(TapCount),
    /// `end`.
    End(TapEnd),
}
