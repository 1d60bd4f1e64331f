//! What flows along every edge: one closed set, in one order.
//!
//! Enters: batches from sources, with watermarks and barriers between them. Leaves: the same, at the sinks.
//! Must stay true: nothing overtakes a barrier on its channel; after `End` nothing follows.
//! Not here: control (deploy, cancel, commit), which goes to a subtask's mailbox.

pub mod columns;
mod size;

pub use size::row_bytes;

use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};

use crate::id::BarrierId;

/// A batch holds at most this many rows.
pub const BATCH_ROWS_MAX: usize = 8_192;

/// A batch aims at this many bytes of row data at most; a single larger row still travels alone.
pub const BATCH_BYTES_TARGET: usize = 1 << 20;

/// What travels from one operator to the next.
#[derive(Clone, Debug)]
pub enum Element {
    /// Rows.
    Batch(Batch),
    /// No row with an event time up to this one will follow, except late ones.
    Watermark(Watermark),
    /// Everything before it belongs to the checkpoint, everything after it does not.
    Barrier(Barrier),
    /// This input has nothing to say about time until its next element.
    Idle,
    /// The input is complete. Counts as every later barrier.
    End,
}

/// Rows and what they weigh, so that credit is counted without looking at the columns again.
#[derive(Clone, Debug)]
pub struct Batch {
    records: RecordBatch,
    bytes: usize,
}

impl Batch {
    /// Weighs `records` once.
    #[must_use]
    pub fn new(records: RecordBatch) -> Self {
        let bytes = row_bytes(&records);
        Self { records, bytes }
    }

    /// The rows.
    #[must_use]
    pub fn records(&self) -> &RecordBatch {
        &self.records
    }

    /// The rows, owned.
    #[must_use]
    pub fn into_records(self) -> RecordBatch {
        self.records
    }

    /// Bytes of row data: what the rows reach, not the buffers they share with others.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.records.num_rows()
    }
}

impl From<RecordBatch> for Batch {
    fn from(records: RecordBatch) -> Self {
        Self::new(records)
    }
}

/// Event time in milliseconds since 1970 UTC up to which a stream is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watermark(pub i64);

impl Watermark {
    /// Raised only by the natural end of input and by `--drain`.
    pub const MAX: Self = Self(i64::MAX);
}

/// The cut of one checkpoint through the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barrier {
    /// Which attempt at a checkpoint.
    pub id: BarrierId,
    /// What the sinks do with open files at this barrier.
    pub roll: Roll,
}

/// Whether a checkpoint closes all open files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Roll {
    /// Files go on across the checkpoint as sealed segments and are rolled by their own size and time.
    Keep,
    /// Every open file is closed and becomes a committable: the last checkpoint before a stop, and `roll` checkpoints.
    All,
}
