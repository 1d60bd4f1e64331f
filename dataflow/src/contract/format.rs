//! Formats: how bytes become columns and columns become bytes, whole batches at a time.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryViewArray, LargeBinaryArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::record_batch::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use serde_json::Value;

use super::InvalidOptions;
use crate::element::columns;
use crate::expr::Path;

/// A format by name: `json`, `csv`, `raw`.
pub trait Format: Send + Sync {
    /// Its key under `format:`.
    fn name(&self) -> &'static str;

    /// The JSON Schema of its options. The key `schema`, where allowed, is the document's schema of a record and belongs to the planner.
    fn schema(&self) -> Value;

    /// Whether records have columns only by a `schema:` in the document.
    fn needs_schema(&self) -> bool;

    /// How a stream of bytes is cut into records.
    ///
    /// # Errors
    /// Options that cannot work.
    fn framing(&self, options: &Value) -> Result<Framing, InvalidOptions>;

    /// A decoder that makes `columns` (records as structs, pruned to what is read) of each record.
    ///
    /// # Errors
    /// Options or types that this format cannot give.
    fn decoder(&self, options: &Value, columns: SchemaRef) -> Result<Box<dyn Decoder>, InvalidOptions>;

    /// An encoder of rows with these columns. Where they hold `$raw`, the bytes leave as they came.
    ///
    /// # Errors
    /// Options or types that this format cannot write.
    fn encoder(&self, options: &Value, columns: SchemaRef) -> Result<Box<dyn Encoder>, InvalidOptions>;

    /// Rewrites records without decoding them, if this format can: what `drop` and `unnest` need in streams without a schema.
    fn splicer(&self) -> Option<&dyn Splicer> {
        None
    }
}

/// How bytes are cut into records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One record a line; a carriage return before the line feed is not part of it; empty lines are no records.
    Lines,
    /// As lines, but a line feed between two of these quotes belongs to the record. `header` is the first line every file must have.
    QuotedLines {
        /// The quote.
        quote: u8,
        /// What the first line of each file must say, if it is not a record.
        header: Option<Vec<u8>>,
    },
}

/// Makes columns of records. Keeps nothing between batches but its scratch memory.
pub trait Decoder: Send {
    /// Decodes each record; the columns have one row for each record, whatever is in it.
    ///
    /// A bad record is reported with its row and never stops the others; its values in the columns are arbitrary.
    fn decode(&mut self, records: &BinaryViewArray) -> Decoded;
}

/// What came of a batch of records.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The columns asked for, each as long as the batch.
    pub columns: Vec<ArrayRef>,
    /// The records that could not be read, in order of their rows.
    pub bad: Vec<BadRecord>,
}

/// A record that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRecord {
    /// Its row in the batch.
    pub row: usize,
    /// What is wrong with it, for a person: lower case, with the place in the record.
    pub error: String,
}

/// Makes bytes of rows.
pub trait Encoder: Send {
    /// What comes before the first record of a file, if anything.
    fn header(&self) -> Option<Vec<u8>> {
        None
    }

    /// Adds a line for each row.
    ///
    /// A row that cannot be written adds none, is reported, in order of the rows, and never stops the others.
    fn encode(&mut self, rows: &RecordBatch, out: &mut Lines) -> Vec<BadRecord>;
}

/// Rows as bytes, one behind another, each with a line feed behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    bytes: Vec<u8>,
    /// Where each line begins, and where the last one ends.
    bounds: Vec<i64>,
}

impl Default for Lines {
    fn default() -> Self {
        Self::with_capacity(0, 0)
    }
}

impl Lines {
    /// None yet, with room for so many.
    #[must_use]
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut bounds = Vec::with_capacity(rows + 1);
        bounds.push(0);
        Self {
            bytes: Vec::with_capacity(bytes),
            bounds,
        }
    }

    /// Adds what `write` appends, and a line feed; nothing where it fails.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn line<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let start = self.bytes.len();
        let written = write(&mut self.bytes);
        if written.is_err() {
            self.bytes.truncate(start);
            return written;
        }
        self.bytes.push(b'\n');
        self.bound(self.bytes.len());
        Ok(())
    }

    /// Adds lines that `write` appends at once, line feeds and all; `lengths` are theirs without the line feeds.
    pub fn block(&mut self, lengths: impl Iterator<Item = usize>, write: impl FnOnce(&mut Vec<u8>)) {
        let mut end = self.bytes.len();
        for length in lengths {
            end += length + 1;
            self.bound(end);
        }
        write(&mut self.bytes);
        debug_assert_eq!(self.bytes.len(), end, "the lines are as long as was said");
    }

    fn bound(&mut self, end: usize) {
        self.bounds
            .push(i64::try_from(end).expect("memory is smaller than 2^63 bytes"));
    }

    /// All the bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many lines.
    #[must_use]
    pub fn count(&self) -> usize {
        self.bounds.len() - 1
    }

    /// Rows of the one column [`columns::LINE`]; the bytes are not copied.
    ///
    /// # Panics
    /// Never: lines end behind one another.
    #[must_use]
    pub fn into_rows(self) -> RecordBatch {
        let bounds = OffsetBuffer::new(ScalarBuffer::from(self.bounds));
        let lines = LargeBinaryArray::new(bounds, Buffer::from_vec(self.bytes), None);
        let schema = Schema::new(vec![columns::line()]);
        RecordBatch::try_new(schema.into(), vec![Arc::new(lines)]).expect("one column, as the schema says")
    }

    /// All bytes of rows that were [`Lines`]; not copied where nobody else holds them. None of other rows.
    #[must_use]
    pub fn take_bytes(rows: RecordBatch) -> Option<Vec<u8>> {
        let lines = rows.column_by_name(columns::LINE)?.as_binary_opt::<i64>()?.clone();
        drop(rows);
        let (bounds, bytes, _) = lines.into_parts();
        let place = |bound: i64| usize::try_from(bound).unwrap_or(usize::MAX);
        let (first, last) = (place(bounds[0]), place(bounds[bounds.len() - 1]));
        if first > 0 || last < bytes.len() {
            return bytes.get(first..last).map(<[u8]>::to_vec);
        }
        Some(bytes.into_vec().unwrap_or_else(|shared| shared.to_vec()))
    }
}

/// Rewrites the bytes of records; what is not touched stays byte for byte.
///
/// Records were checked by a decoder before: one that is not whole stays as it is, and never panics.
pub trait Splicer: Send + Sync {
    /// Removes the fields at `paths`, every occurrence of them. A path that a record does not have is no mistake.
    ///
    /// As many records as before; those that lose nothing still point into the buffers they came in.
    fn remove_fields(&self, records: &BinaryViewArray, paths: &[Path]) -> BinaryViewArray;

    /// Replaces the list at `path` by each of its elements in turn, one record for each.
    ///
    /// A record whose list is empty, null or absent makes none; one that has something else there is bad and makes none.
    fn unnest(&self, records: &BinaryViewArray, path: &Path) -> Unnested;
}

/// What came of [`Splicer::unnest`].
#[derive(Clone, Debug)]
pub struct Unnested {
    /// The new records, in the order of the old ones and of the elements in each.
    pub records: BinaryViewArray,
    /// For each new record, the row it was made of.
    pub rows: Vec<u32>,
    /// The old records that have no list at the path, in order of their rows.
    pub bad: Vec<BadRecord>,
}
