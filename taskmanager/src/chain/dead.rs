//! Dead letters: the rows a step could not take, with their bytes, their place and the error.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMillisecondArray, UInt32Array, UInt64Builder,
};
use arrow::compute::{take_arrays, take_record_batch};
use arrow::datatypes::{Int32Type, UInt64Type};
use dataflow::contract::{BadRecord, dead};
use dataflow::element::{Batch, columns};
use dataflow::tally::Fate;
use dataflow::time::Clock;
use dataflow::{Failure, Hidden, hidden, id};

use crate::chain::columns::batch;
use crate::meter::Which;
use crate::task::gauges::NodeGauges;

/// So many bytes of a record are shown in a sample.
const SAMPLE_BYTES: usize = 200;

/// Writes the dead letters of one node, and counts them.
pub(crate) struct DeadLetters {
    origin: Origin,
    gauges: Arc<NodeGauges>,
}

/// Whose dead letters they are.
#[derive(Clone)]
pub(crate) struct Origin {
    /// The job; its name is the datastream's.
    pub(crate) job: id::JobId,
    /// The attempt of the subtask.
    pub(crate) attempt: String,
    /// Says when.
    pub(crate) clock: Arc<dyn Clock>,
    /// What nobody is shown who looks at them; the letters themselves hold everything.
    pub(crate) hidden: Arc<Hidden>,
}

impl DeadLetters {
    /// Of the node whose gauges these are.
    pub(crate) fn new(origin: Origin, gauges: Arc<NodeGauges>) -> Self {
        Self { origin, gauges }
    }

    /// The letters of the `failed` rows of `rows`.
    pub(crate) fn write(&self, rows: &RecordBatch, failed: &[BadRecord]) -> Result<Batch, Failure> {
        self.gauges.book.tell(Fate::Dead, Which::Bad(rows, failed));
        self.letters(rows, failed)
    }

    /// The same of rows of which something else was said: they were late.
    pub(crate) fn letters(&self, rows: &RecordBatch, failed: &[BadRecord]) -> Result<Batch, Failure> {
        let count = failed.len();
        self.gauges.dead.add_size(count);
        let wrong =
            |error: arrow::error::ArrowError| Failure::bug("a dead letter that cannot be written").because(&error);
        let picked = UInt32Array::from_iter_values(failed.iter().map(|bad| u32::try_from(bad.row).unwrap_or(u32::MAX)));
        let rows = take_record_batch(rows, &picked).map_err(wrong)?;
        let records = records(&rows);
        let (splits, positions) = places(&rows);
        for (index, bad) in failed.iter().enumerate() {
            self.sample(bad, records.value(index), || place(&splits, &positions, index));
        }
        let name = &self.origin.job.name;
        let now = TimestampMillisecondArray::from_value(self.origin.clock.wall().0, count).with_timezone("UTC");
        let repeat = |text: &str| Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, count))) as ArrayRef;
        let columns = vec![
            repeat(name),
            repeat(&self.gauges.step),
            Arc::new(StringArray::from_iter_values(
                failed.iter().map(|bad| bad.error.as_str()),
            )),
            splits,
            positions,
            repeat(&self.origin.attempt),
            Arc::new(now),
            Arc::new(StringArray::from_iter(records.iter().map(|record| text(record?)))),
            Arc::new(BinaryArray::from_iter(
                records
                    .iter()
                    .map(|record| record.filter(|bytes| text(bytes).is_none())),
            )),
        ];
        Ok(Batch::new(batch(&dead::schema(), columns, count)?))
    }

    fn sample(&self, bad: &BadRecord, record: &[u8], place: impl FnOnce() -> String) {
        let sample = self.gauges.sample(|| {
            let (place, hidden) = (place(), &self.origin.hidden);
            let error = hidden.scrub(&bad.error, record);
            let masked = match hidden.is_empty() {
                true => None,
                false => Some(hidden.mask(record).unwrap_or_else(|| hidden::MASK.to_owned())),
            };
            let record = masked.as_deref().map_or(record, str::as_bytes);
            let cut = &record[..record.len().min(SAMPLE_BYTES)];
            let more = if cut.len() < record.len() { "…" } else { "" };
            format!("{place}{error}: {}{more}", String::from_utf8_lossy(cut))
        });
        if let Some(sample) = sample {
            tracing::warn!(step = self.gauges.step, sample, "a record went to the dead letters");
        }
    }
}

/// Where a record came from, for a person; nothing where that is not known.
fn place(splits: &ArrayRef, positions: &ArrayRef, index: usize) -> String {
    let (split, position) = (splits.as_string::<i32>(), positions.as_primitive::<UInt64Type>());
    match (split.is_valid(index), position.is_valid(index)) {
        (true, true) => format!("{} at {}: ", split.value(index), position.value(index)),
        (true, false) => format!("{}: ", split.value(index)),
        (false, _) => String::new(),
    }
}

fn text(record: &[u8]) -> Option<&str> {
    std::str::from_utf8(record).ok()
}

/// The original bytes, or the user's columns as JSON.
fn records(rows: &RecordBatch) -> BinaryArray {
    let mut builder = BinaryBuilder::new();
    let original = columns::original(rows.schema_ref()).and_then(|index| rows.column(index).as_binary_view_opt());
    if let Some(raw) = original {
        raw.iter()
            .for_each(|record| builder.append_value(record.unwrap_or_default()));
    } else {
        for index in 0..rows.num_rows() {
            builder.append_value(json(&rows.slice(index, 1)));
        }
    }
    builder.finish()
}

fn json(row: &RecordBatch) -> Vec<u8> {
    let schema = row.schema();
    let fields = schema.fields().iter().enumerate();
    let user: Vec<usize> = fields
        .filter(|(_, field)| !columns::is_reserved(field.name()))
        .map(|(index, _)| index)
        .collect();
    let mut text = Vec::new();
    let mut writer = arrow::json::LineDelimitedWriter::new(&mut text);
    let written = row
        .project(&user)
        .and_then(|row| writer.write(&row))
        .and_then(|()| writer.finish());
    drop(writer);
    match written {
        Ok(()) => text.trim_ascii_end().to_vec(),
        Err(error) => format!("(columns that JSON cannot show: {error})").into_bytes(),
    }
}

/// Splits and positions, NULL where the plan has dropped them.
fn places(rows: &RecordBatch) -> (ArrayRef, ArrayRef) {
    let count = rows.num_rows();
    let mut splits = StringBuilder::new();
    match rows
        .column_by_name(columns::SPLIT)
        .and_then(|column| column.as_dictionary_opt::<Int32Type>())
    {
        Some(dictionary) => {
            let ids = dictionary.values().as_string_opt::<i32>();
            for index in 0..count {
                splits.append_option(dictionary.key(index).and_then(|key| ids.map(|ids| ids.value(key))));
            }
        }
        None => splits.append_nulls(count),
    }
    let positions = rows
        .column_by_name(columns::POSITION)
        .filter(|column| column.as_primitive_opt::<UInt64Type>().is_some());
    let positions = positions.map_or_else(
        || {
            let mut none = UInt64Builder::new();
            none.append_nulls(count);
            Arc::new(none.finish()) as ArrayRef
        },
        Arc::clone,
    );
    (Arc::new(splits.finish()), positions)
}

/// The rows that did not fail. Views are filtered, not bytes.
pub(crate) fn without(columns: &[ArrayRef], rows: usize, failed: &[BadRecord]) -> Result<Vec<ArrayRef>, Failure> {
    let mut bad = failed.iter().map(|bad| bad.row).peekable();
    let kept = (0..rows).filter(|row| bad.next_if_eq(row).is_none());
    let kept = UInt32Array::from_iter_values(kept.map(|row| u32::try_from(row).unwrap_or(u32::MAX)));
    take_arrays(columns, &kept, None).map_err(|error| Failure::bug("rows that cannot be picked").because(&error))
}
