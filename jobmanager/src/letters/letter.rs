//! A line of a file of dead letters, as people are shown it. Pure.

use dataflow::Hidden;
use dataflow::hidden::MASK;
use serde::Deserialize;

use crate::rest::types::DeadLetter;

/// So much of a record stands in a list.
const EXCERPT_BYTES: usize = 1 << 10;

/// What was written: the columns of `dataflow::contract::dead`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written {
    pub(super) datastream: String,
    pub(super) step: String,
    pub(super) error: String,
    #[serde(default)]
    split: Option<String>,
    #[serde(default)]
    position: Option<u64>,
    #[serde(default)]
    attempt: String,
    pub(super) failed_at: i64,
    #[serde(default)]
    record: Option<String>,
    #[serde(default)]
    record_bytes: Option<String>,
}

/// How much of the record is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Excerpt,
    Whole,
}

impl Written {
    /// A line; none of what is no dead letter.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    pub(super) fn shown(self, id: String, hidden: &Hidden, extent: Extent) -> DeadLetter {
        let original = self.record.as_deref().unwrap_or_default();
        let error = hidden.scrub(&self.error, original.as_bytes());
        let bytes = original
            .len()
            .max(self.record_bytes.as_ref().map_or(0, |base64| base64.len() / 4 * 3)) as u64;
        let (mut record, mut base64) = match hidden.is_empty() {
            true => (self.record, self.record_bytes),
            // Where nobody knows what is hidden in it, all of it is.
            false => (
                Some(hidden.mask(original.as_bytes()).unwrap_or_else(|| MASK.to_owned())),
                None,
            ),
        };
        let mut cut = false;
        if extent == Extent::Excerpt {
            for text in [&mut record, &mut base64].into_iter().flatten() {
                // Base64 is cut behind whole groups of four.
                let end = text.floor_char_boundary(EXCERPT_BYTES);
                cut |= end < text.len();
                text.truncate(end);
            }
        }
        DeadLetter {
            id,
            step: self.step,
            error,
            split: self.split,
            position: self.position,
            attempt: self.attempt,
            failed_at_ms: self.failed_at,
            record,
            record_base64: base64,
            bytes,
            cut,
        }
    }
}
