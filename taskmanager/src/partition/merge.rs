//! Small batches are merged before they are sent: after a shuffle each target gets but a part of every batch.

use arrow::compute::concat_batches;
use dataflow::element::{BATCH_BYTES_TARGET, BATCH_ROWS_MAX, Batch};
use dataflow::error::Failure;

use crate::channel::compact;

/// Batches of at least this share of a full one are not worth a copy.
const LARGE: usize = 2;

/// Rows of one target that wait for company.
#[derive(Default)]
pub(super) struct Merge {
    parts: Vec<Batch>,
    rows: usize,
    bytes: usize,
}

impl Merge {
    /// Adds rows; answers, in order, what is to be sent now.
    pub(super) fn push(&mut self, batch: Batch) -> Result<Vec<Batch>, Failure> {
        if batch.row_count() == 0 {
            return Ok(Vec::new());
        }
        let large = batch.row_count() >= BATCH_ROWS_MAX / LARGE || batch.bytes() >= BATCH_BYTES_TARGET / LARGE;
        let full = self.rows + batch.row_count() > BATCH_ROWS_MAX || self.bytes + batch.bytes() > BATCH_BYTES_TARGET;
        let mut out = Vec::new();
        if large || full {
            out.extend(self.finish()?);
        }
        if large {
            out.push(batch);
            return Ok(out);
        }
        // It stays: what it holds beyond its own rows must not.
        let batch = Batch::new(compact(batch.records()));
        self.rows += batch.row_count();
        self.bytes += batch.bytes();
        self.parts.push(batch);
        Ok(out)
    }

    /// All that waits, as one batch.
    pub(super) fn finish(&mut self) -> Result<Option<Batch>, Failure> {
        self.rows = 0;
        self.bytes = 0;
        let mut parts = std::mem::take(&mut self.parts);
        if parts.len() <= 1 {
            return Ok(parts.pop());
        }
        let schema = parts[0].records().schema();
        concat_batches(&schema, parts.iter().map(Batch::records))
            .map(|merged| Some(Batch::new(merged)))
            .map_err(|error| Failure::bug("batches of one edge do not fit together").because(&error))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes as u64
    }
}
