//! What stands in a sink's place: rows as JSON, in the order in which they came.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::json::LineDelimitedWriter;
use dataflow::Failure;
use dataflow::element::{Batch, columns};
use parking_lot::Mutex;
use serde_json::Value;

use crate::operators::{Emitted, Operator};

/// The rows that a sink was handed.
#[derive(Clone, Debug, Default)]
pub(super) struct Collected(Arc<Mutex<Vec<Value>>>);

impl Collected {
    /// All of them, which are forgotten.
    pub(super) fn take(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock())
    }
}

/// Takes rows and gives none.
#[derive(Debug)]
pub(super) struct Collect(Collected);

impl Collect {
    pub(super) fn new(rows: Collected) -> Self {
        Self(rows)
    }
}

impl Operator for Collect {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let rows = values(batch.records())?;
        self.0.0.lock().extend(rows);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(None)
    }
}

/// Rows as JSON: of an open stream the records themselves, else the columns of the document.
fn values(rows: &RecordBatch) -> Result<Vec<Value>, Failure> {
    let malformed = |error: serde_json::Error| Failure::fail("a record that is not JSON").because(&error);
    let raw = rows
        .column_by_name(columns::RAW)
        .and_then(|raw| raw.as_binary_view_opt());
    if let Some(raw) = raw {
        let records = raw
            .iter()
            .map(|record| serde_json::from_slice(record.unwrap_or_default()));
        return records.collect::<Result<_, _>>().map_err(malformed);
    }
    let schema = rows.schema();
    let shown = |name: &str| !columns::is_reserved(name) || name == columns::KIND;
    let user: Vec<usize> = (0..rows.num_columns())
        .filter(|index| shown(schema.field(*index).name()))
        .collect();
    let mut text = Vec::new();
    let mut writer = LineDelimitedWriter::new(&mut text);
    let written = rows
        .project(&user)
        .and_then(|rows| writer.write(&rows))
        .and_then(|()| writer.finish());
    drop(writer);
    written.map_err(|error| Failure::fail("rows that cannot be shown as JSON").because(&error))?;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()
        .map_err(malformed)
}
