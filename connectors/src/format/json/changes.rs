//! A stream of changes as lines: `{"before": row or null, "after": row or null, "op": "c", "u" or "d"}`.
//!
//! What Debezium's envelope says of a table's changes, without its other members. A row that is taken back and the one
//! that takes its place, next to each other, are one line; apart they are two, which say the same.

use std::sync::Arc;

use arrow::array::{AsArray, Int8Array};
use arrow::datatypes::Int8Type;
use arrow::record_batch::RecordBatch;
use arrow_schema::SchemaRef;
use dataflow::contract::InvalidOptions;
use dataflow::contract::format::{BadRecord, Encoder, Lines};
use dataflow::element::columns;

use super::encode::Written;
use super::write;

/// Writes rows with [`columns::KIND`] as changes.
pub(super) struct ChangeEncoder {
    written: Written,
    kind: usize,
}

impl ChangeEncoder {
    /// For rows that say what kind they are of; none for others.
    pub(super) fn new(schema: &SchemaRef) -> Result<Option<Self>, InvalidOptions> {
        let Ok(kind) = schema.index_of(columns::KIND) else {
            return Ok(None);
        };
        Ok(Some(Self {
            written: Written::new(schema)?,
            kind,
        }))
    }
}

impl Encoder for ChangeEncoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Lines) -> Vec<BadRecord> {
        let kinds: Arc<Int8Array> = match rows.column(self.kind).as_primitive_opt::<Int8Type>() {
            Some(kinds) => Arc::new(kinds.clone()),
            None => Arc::new(Int8Array::from_value(columns::INSERT, rows.num_rows())),
        };
        let mut objects = Lines::with_capacity(rows.num_rows(), 0);
        let bad = self.written.each_row(rows, &mut objects, write::object);
        let mut failed = bad.iter().map(|bad| bad.row).peekable();
        let good = (0..rows.num_rows()).filter(|row| failed.next_if_eq(row).is_none());
        let lines = objects.bytes().split(|byte| *byte == b'\n');
        let mut rows = good
            .zip(lines)
            .map(|(row, object)| (kinds.value(row), object))
            .peekable();
        while let Some((kind, object)) = rows.next() {
            let (before, after, op) = match kind {
                columns::BEFORE => match rows.next_if(|(kind, _)| *kind == columns::AFTER) {
                    Some((_, after)) => (Some(object), Some(after), "u"),
                    None => (Some(object), None, "d"),
                },
                columns::AFTER => (None, Some(object), "u"),
                _ => (None, Some(object), "c"),
            };
            let written = out.line(|bytes| {
                change(before, after, op, bytes);
                Ok::<(), std::convert::Infallible>(())
            });
            let Ok(()) = written;
        }
        bad
    }
}

fn change(before: Option<&[u8]>, after: Option<&[u8]>, op: &str, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(b"{\"before\":");
    bytes.extend_from_slice(before.unwrap_or(b"null"));
    bytes.extend_from_slice(b",\"after\":");
    bytes.extend_from_slice(after.unwrap_or(b"null"));
    bytes.extend_from_slice(b",\"op\":\"");
    bytes.extend_from_slice(op.as_bytes());
    bytes.extend_from_slice(b"\"}");
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow_schema::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn a_row_and_what_it_has_become_are_one_line() {
        let schema: SchemaRef = Arc::new(Schema::new(vec![
            Arc::new(Field::new("n", DataType::Int64, true)),
            columns::kind(),
        ]));
        let kinds = [
            columns::INSERT,
            columns::BEFORE,
            columns::AFTER,
            columns::BEFORE,
            columns::BEFORE,
            columns::INSERT,
            columns::AFTER,
        ];
        let rows = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![
                Arc::new(Int64Array::from_iter_values(0..7)),
                Arc::new(Int8Array::from(kinds.to_vec())),
            ],
        );
        let mut lines = Lines::default();
        let mut encoder = ChangeEncoder::new(&schema).unwrap().unwrap();
        assert_eq!(encoder.encode(&rows.unwrap(), &mut lines), []);
        let expected = [
            r#"{"before":null,"after":{"n":0},"op":"c"}"#,
            r#"{"before":{"n":1},"after":{"n":2},"op":"u"}"#,
            r#"{"before":{"n":3},"after":null,"op":"d"}"#,
            r#"{"before":{"n":4},"after":null,"op":"d"}"#,
            r#"{"before":null,"after":{"n":5},"op":"c"}"#,
            r#"{"before":null,"after":{"n":6},"op":"u"}"#,
            "",
        ];
        assert_eq!(std::str::from_utf8(lines.bytes()).unwrap(), expected.join("\n"));
        assert_eq!(lines.count(), 6);
    }
}
