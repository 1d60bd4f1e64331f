//! Formats: how bytes become columns and columns become bytes, whole batches at a time.

use arrow::array::{ArrayRef, BinaryViewArray};
use arrow::record_batch::RecordBatch;
use arrow_schema::SchemaRef;
use serde_json::Value;

use super::InvalidOptions;

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

    /// Appends each row and a line feed to `out`.
    ///
    /// # Errors
    /// The row that cannot be written, with the reason; rows before it are in `out`, the others are not.
    fn encode(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), BadRecord>;
}
