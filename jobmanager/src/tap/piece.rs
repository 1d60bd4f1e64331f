//! What subtasks show, and what of it a listener is told.

use dataflow::element::columns;
use dataflow::id::{Generation, SubtaskId};
use serde_json::value::RawValue;

use crate::rest::types::{TapCount, TapEnd, TapOpened, TapRow};

/// What a subtask shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tapped {
    /// Who is allowed to say it.
    pub generation: Generation,
    /// Which subtask.
    pub subtask: SubtaskId,
    /// For which tap.
    pub tap: u64,
    /// Some rows.
    pub rows: Vec<TappedRow>,
    /// What it has counted since it was asked.
    pub counts: Counts,
    /// Why the condition could not be computed for a row, the first time.
    pub failure: Option<String>,
    /// Why it shows nothing.
    pub trouble: Option<String>,
}

/// Rows, each a part of those before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// That went by.
    pub passed: u64,
    /// That were looked at.
    pub looked_at: u64,
    /// For which the condition could not be computed.
    pub failed: u64,
    /// For which the condition was true.
    pub matched: u64,
    /// That were sent.
    pub shown: u64,
}

impl Counts {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            passed: self.passed.saturating_add(other.passed),
            looked_at: self.looked_at.saturating_add(other.looked_at),
            failed: self.failed.saturating_add(other.failed),
            matched: self.matched.saturating_add(other.matched),
            shown: self.shown.saturating_add(other.shown),
        }
    }
}

/// A row, as its subtask says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TappedRow {
    /// Its event time.
    pub event_time_ms: Option<i64>,
    /// What it is of a change.
    pub kind: i32,
    /// The row as JSON; empty where it is not.
    pub json: String,
    /// The text of one that is not, or of the beginning of one that is too long.
    pub text: String,
    /// One that is not text.
    pub base64: String,
    /// How long all of it is.
    pub bytes: u64,
    /// Whether something of it is missing.
    pub cut: bool,
}

/// What a listener is told.
#[derive(Clone, Debug)]
pub enum Piece {
    /// What is looked at.
    Open(TapOpened),
    /// A row.
    Row(TapRow),
    /// How many there were.
    Count(TapCount),
    /// It is over.
    End(TapEnd),
}

impl TappedRow {
    /// As a listener is told.
    pub(super) fn row(self, subtask: SubtaskId) -> TapRow {
        let kind = match i8::try_from(self.kind) {
            Ok(columns::BEFORE) => Some("before"),
            Ok(columns::AFTER) => Some("after"),
            Ok(_) | Err(_) => None,
        };
        // What calls itself JSON is looked at again: it is put into an answer as it is.
        let row = RawValue::from_string(self.json).ok();
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        TapRow {
            subtask: subtask.to_string(),
            event_time_ms: self.event_time_ms,
            kind: kind.map(str::to_owned),
            text: given(self.text),
            base64: given(self.base64),
            row,
            bytes: self.bytes,
            cut: self.cut,
        }
    }
}
