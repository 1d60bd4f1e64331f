//! Dead letters, read back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A record that a step could not take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Where it lies: a file of the folder and a place in it.
    pub id: String,
    /// The step that could not take it.
    pub step: String,
    /// Why.
    pub error: String,
    /// The split of the source that it came from, where that is known.
    pub split: Option<String>,
    /// Its place in the split.
    pub position: Option<u64>,
    /// The attempt that met it.
    pub attempt: String,
    /// When, in milliseconds since 1970 UTC, by the clock of its task manager.
    pub failed_at_ms: i64,
    /// The record as it came; hidden fields show `•••`.
    pub record: Option<String>,
    /// The bytes of one that is not text.
    pub record_base64: Option<String>,
    /// How long the record is, in bytes.
    pub bytes: u64,
    /// Whether only the beginning of it stands here; by its id there is all of it.
    pub cut: bool,
}

/// Some dead letters, the newest file first and each from its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterPage {
    /// Whether the document says where they are kept; without that there are only counts and the first few.
    pub kept: bool,
    /// Those that fit what was asked for.
    pub letters: Vec<DeadLetter>,
    /// Where to go on: `after` of the next request; none at the end. A page may be empty and have a next one.
    pub next: Option<String>,
    /// How many letters were looked at.
    pub looked_at: u64,
    /// Files of the folder that cannot be shown, being compressed or of another kind; the first few.
    pub unread: Vec<String>,
}
