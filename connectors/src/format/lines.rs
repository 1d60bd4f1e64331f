//! Records that leave byte for byte as they came: the encoder of streams that still have their bytes.

use arrow::array::{Array, AsArray, BinaryViewArray};
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use dataflow::contract::format::{BadRecord, Encoder, Lines};
use dataflow::element::columns;

/// Writes the bytes of each record and a line feed.
pub(super) struct RawEncoder {
    column: usize,
}

impl RawEncoder {
    /// An encoder for rows of this schema, if they have their bytes.
    pub(super) fn new(schema: &SchemaRef) -> Option<Self> {
        let (column, field) = schema.column_with_name(columns::RAW)?;
        (*field.data_type() == DataType::BinaryView).then_some(Self { column })
    }
}

impl Encoder for RawEncoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Lines) -> Vec<BadRecord> {
        let records = rows.column(self.column).as_binary_view();
        if records.null_count() > 0 {
            return one_by_one(records, out);
        }
        out.block(records.lengths().map(|length| length as usize), |bytes| {
            append(records, bytes)
        });
        Vec::new()
    }
}

fn one_by_one(records: &BinaryViewArray, out: &mut Lines) -> Vec<BadRecord> {
    let tried = records.iter().enumerate().map(|(row, record)| {
        let written = out.line(|bytes| record.map(|record| bytes.extend_from_slice(record)).ok_or(()));
        (row, written)
    });
    let bad = tried.filter(|(_, written)| written.is_err());
    bad.map(|(row, _)| BadRecord {
        row,
        error: "there are no bytes of this record".to_owned(),
    })
    .collect()
}

/// A stretch of a buffer that is written in one go.
#[derive(Clone, Copy, Default)]
struct Run {
    buffer: usize,
    from: usize,
    to: usize,
}

/// Appends all records. Where they stand one behind another in their buffer, line feeds between them, they are copied at once:
/// of what was read as lines and filtered by few conditions, most do.
fn append(records: &BinaryViewArray, out: &mut Vec<u8>) {
    let buffers = records.data_buffers();
    let mut run = Run::default();
    let flush = |run: Run, out: &mut Vec<u8>| {
        if run.from < run.to {
            out.extend_from_slice(&buffers[run.buffer].as_slice()[run.from..run.to]);
        }
    };
    for (row, view) in records.views().iter().enumerate() {
        let [len, _, buffer, offset] = parts(*view);
        if len > 12 {
            let end = offset + len;
            if buffers[buffer].as_slice().get(end) == Some(&b'\n') {
                if buffer == run.buffer && offset == run.to {
                    run.to = end + 1;
                } else {
                    flush(run, out);
                    run = Run {
                        buffer,
                        from: offset,
                        to: end + 1,
                    };
                }
                continue;
            }
        }
        flush(std::mem::take(&mut run), out);
        out.extend_from_slice(records.value(row));
        out.push(b'\n');
    }
    flush(run, out);
}

/// The four 32-bit parts of a view: length, prefix, buffer, offset.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "a view is four parts of 32 bits")]
pub(super) fn parts(view: u128) -> [usize; 4] {
    [
        view as u32 as usize,
        (view >> 32) as u32 as usize,
        (view >> 64) as u32 as usize,
        (view >> 96) as u32 as usize,
    ]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::StringViewArray;
    use arrow::buffer::Buffer;
    use arrow_schema::Schema;

    use super::*;

    fn encoded(records: BinaryViewArray) -> String {
        let schema = Arc::new(Schema::new(vec![columns::raw()]));
        let mut encoder = RawEncoder::new(&schema).unwrap();
        let mut out = Lines::default();
        let rows = RecordBatch::try_new(schema, vec![Arc::new(records)]).unwrap();
        assert_eq!(encoder.encode(&rows, &mut out), []);
        let text = String::from_utf8(out.bytes().to_vec()).unwrap();
        let lines = out.into_rows();
        assert!(
            lines
                .column(0)
                .as_binary::<i64>()
                .iter()
                .all(|line| line.unwrap().ends_with(b"\n"))
        );
        assert_eq!(lines.num_rows(), rows.num_rows());
        assert_eq!(
            Lines::take_bytes(lines.slice(1, lines.num_rows() - 1)).unwrap(),
            &text.as_bytes()[text.find('\n').unwrap() + 1..]
        );
        assert_eq!(Lines::take_bytes(lines).unwrap(), text.as_bytes());
        text
    }

    #[test]
    fn runs_and_single_records_leave_as_they_came() {
        let text = "the first record\nthe second record\nshort\nthe fourth record\r\nthe last record";
        let buffer = Buffer::from(text.as_bytes());
        let all = arrow::array::GenericByteViewBuilder::<arrow::datatypes::BinaryViewType>::new();
        let mut builder = all;
        let block = builder.append_block(buffer);
        let mut lines = Vec::new();
        let mut from = 0;
        for line in text.split('\n') {
            let kept = line.trim_end_matches('\r');
            builder
                .try_append_view(block, from, u32::try_from(kept.len()).unwrap())
                .unwrap();
            lines.push(kept);
            from += u32::try_from(line.len()).unwrap() + 1;
        }
        let records = builder.finish();
        assert_eq!(encoded(records.clone()), lines.join("\n") + "\n");
        // Each way to leave one out.
        for gone in 0..lines.len() {
            let kept: Vec<u64> = (0..lines.len() as u64).filter(|row| *row != gone as u64).collect();
            let array = arrow::compute::take(&records, &arrow::array::UInt64Array::from(kept.clone()), None).unwrap();
            let expected: Vec<&str> = kept.iter().map(|row| lines[usize::try_from(*row).unwrap()]).collect();
            assert_eq!(encoded(array.as_binary_view().clone()), expected.join("\n") + "\n");
        }
        let strings = StringViewArray::from(vec!["", "a"]);
        assert_eq!(encoded(strings.to_binary_view()), "\na\n");
    }
}
