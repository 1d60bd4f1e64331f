//! The contract suite of formats: what every `Format` must do, whatever its bytes look like. Each format calls [`check`] from
//! a test with a case that suits it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryViewArray, BinaryViewBuilder, UInt64Array};
use arrow::buffer::Buffer;
use arrow::compute::{concat, take};
use arrow::record_batch::RecordBatch;
use arrow_schema::SchemaRef;
use serde_json::Value;

use crate::contract::{Decoded, Format, Lines};
use crate::element::columns;

/// What a format is tried with.
pub struct Case<'a> {
    /// The format.
    pub format: &'a dyn Format,
    /// Options under which it is tried.
    pub options: Value,
    /// The columns that are read; none for a format whose records are opaque.
    pub columns: SchemaRef,
    /// Records that have these columns, without their line ends.
    pub good: Vec<&'static str>,
    /// Records that cannot be read; none for a format that takes any.
    pub bad: Vec<&'static str>,
}

/// Runs the whole suite.
///
/// # Panics
/// Where the format breaks its contract.
pub fn check(case: &Case<'_>) {
    rows_are_records(case);
    a_bad_record_stops_no_other(case);
    any_batching_gives_the_same(case);
    what_is_encoded_is_decoded_again(case);
    bytes_leave_as_they_came(case);
    no_bytes_panic(case);
}

/// Lines as a source gives them: views over one read buffer, line feeds between the records.
#[must_use]
pub fn lines(records: &[&[u8]]) -> BinaryViewArray {
    let mut text = Vec::new();
    let mut places = Vec::new();
    for record in records {
        places.push((text.len(), record.len()));
        text.extend_from_slice(record);
        text.push(b'\n');
    }
    let mut builder = BinaryViewBuilder::new();
    let block = builder.append_block(Buffer::from_vec(text));
    let number = |place: usize| u32::try_from(place).expect("test records are small");
    for (offset, length) in places {
        builder
            .try_append_view(block, number(offset), number(length))
            .expect("the record is in the buffer");
    }
    builder.finish()
}

/// Decodes records and checks what is promised of every batch.
fn decoded(case: &Case<'_>, records: &BinaryViewArray) -> Decoded {
    let mut decoder = case
        .format
        .decoder(&case.options, Arc::clone(&case.columns))
        .expect("the case's columns can be decoded");
    let decoded = decoder.decode(records);
    promised(case, records, &decoded);
    decoded
}

fn promised(case: &Case<'_>, records: &BinaryViewArray, decoded: &Decoded) {
    assert_eq!(
        decoded.columns.len(),
        case.columns.fields().len(),
        "one column for each that was asked for"
    );
    for (column, field) in decoded.columns.iter().zip(case.columns.fields()) {
        assert_eq!(
            column.len(),
            records.len(),
            "`{}` has one row for each record",
            field.name()
        );
        assert_eq!(
            column.data_type(),
            field.data_type(),
            "`{}` has the type that was asked for",
            field.name()
        );
        column
            .to_data()
            .validate_full()
            .unwrap_or_else(|error| panic!("`{}` is a sound array: {error}", field.name()));
    }
    assert!(
        decoded.bad.windows(2).all(|pair| pair[0].row < pair[1].row),
        "bad records are in order of their rows"
    );
    assert!(
        decoded.bad.iter().all(|bad| bad.row < records.len()),
        "bad records are records"
    );
    assert!(
        decoded.bad.iter().all(|bad| !bad.error.is_empty()),
        "a bad record says why"
    );
}

fn good(case: &Case<'_>) -> Vec<&'static [u8]> {
    case.good.iter().map(|record| record.as_bytes()).collect()
}

fn rows_are_records(case: &Case<'_>) {
    assert!(!case.good.is_empty(), "a case has good records");
    assert_eq!(decoded(case, &lines(&good(case))).bad, [], "good records are read");
    assert_eq!(decoded(case, &lines(&[])).bad, [], "an empty batch is read");
}

/// Good records with the bad ones between them are read as without.
fn a_bad_record_stops_no_other(case: &Case<'_>) {
    let alone = decoded(case, &lines(&good(case)));
    let (mut mixed, mut kept, mut broken) = (Vec::new(), Vec::new(), Vec::new());
    for (index, record) in case.good.iter().enumerate() {
        kept.push(mixed.len() as u64);
        mixed.push(record.as_bytes());
        // After each good one all bad ones, in turn from another on.
        for shift in 0..case.bad.len() {
            broken.push(mixed.len());
            mixed.push(case.bad[(index + shift) % case.bad.len()].as_bytes());
        }
    }
    let records = lines(&mixed);
    let together = decoded(case, &records);
    let rows: Vec<usize> = together.bad.iter().map(|bad| bad.row).collect();
    assert_eq!(rows, broken, "just the bad records are bad: {:?}", together.bad);
    let kept = UInt64Array::from(kept);
    for (column, expected) in together.columns.iter().zip(&alone.columns) {
        let column = take(column, &kept, None).expect("rows of the batch");
        assert_eq!(&column, expected, "a bad record changes nothing of the others");
    }
}

/// One decoder, whatever the batches are, gives the same rows.
fn any_batching_gives_the_same(case: &Case<'_>) {
    let all: Vec<&[u8]> = case
        .good
        .iter()
        .chain(&case.bad)
        .chain(&case.good)
        .map(|record| record.as_bytes())
        .collect();
    let records = lines(&all);
    let whole = decoded(case, &records);
    for size in 1..=all.len() {
        let mut decoder = case
            .format
            .decoder(&case.options, Arc::clone(&case.columns))
            .expect("the case's columns can be decoded");
        let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); case.columns.fields().len()];
        let mut bad = Vec::new();
        for start in (0..all.len()).step_by(size) {
            let records = records.slice(start, size.min(all.len() - start));
            let part = decoder.decode(&records);
            promised(case, &records, &part);
            bad.extend(part.bad.into_iter().map(|bad| (bad.row + start, bad.error)));
            parts
                .iter_mut()
                .zip(part.columns)
                .for_each(|(parts, column)| parts.push(column));
        }
        let expected: Vec<_> = whole.bad.iter().map(|bad| (bad.row, bad.error.clone())).collect();
        assert_eq!(bad, expected, "batches of {size} have the same bad records");
        let rows: UInt64Array = (0..all.len())
            .filter(|row| bad.iter().all(|(bad, _)| bad != row))
            .map(|row| row as u64)
            .collect();
        for (parts, whole) in parts.iter().zip(&whole.columns) {
            let arrays: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            let joined = concat(&arrays).expect("parts of one column");
            let good = |column: &dyn Array| take(column, &rows, None).expect("rows of the batch");
            assert_eq!(&good(&joined), &good(whole), "batches of {size} give the same rows");
        }
    }
}

/// Columns, written and read again, are the same.
fn what_is_encoded_is_decoded_again(case: &Case<'_>) {
    if case.columns.fields().is_empty() {
        return;
    }
    let first = decoded(case, &lines(&good(case)));
    let rows = RecordBatch::try_new(Arc::clone(&case.columns), first.columns.clone()).expect("columns of the schema");
    let mut encoder = case
        .format
        .encoder(&case.options, Arc::clone(&case.columns))
        .expect("what is decoded can be encoded");
    let mut out = Lines::default();
    out.line(|bytes| {
        bytes.extend_from_slice(b"before");
        Ok::<_, ()>(())
    })
    .expect("bytes are written");
    assert_eq!(encoder.encode(&rows, &mut out), [], "what was decoded can be written");
    let text = out
        .bytes()
        .strip_prefix(b"before\n")
        .expect("what stood in the output stays");
    let text = text.strip_suffix(b"\n").expect("each row ends with a line feed");
    let records: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    assert_eq!(records.len(), case.good.len(), "one line for each row");
    let second = decoded(case, &lines(&records));
    assert_eq!(second.bad, [], "what was written can be read");
    assert_eq!(second.columns, first.columns, "what was written is read the same");
}

/// Rows that have their bytes leave with just these, if the format writes such rows.
fn bytes_leave_as_they_came(case: &Case<'_>) {
    let schema = Arc::new(arrow_schema::Schema::new(vec![columns::raw()]));
    let Ok(mut encoder) = case.format.encoder(&case.options, Arc::clone(&schema)) else {
        return;
    };
    let records = lines(&good(case));
    let mut out = Lines::default();
    let rows = RecordBatch::try_new(schema, vec![Arc::new(records)]).expect("one column");
    assert_eq!(encoder.encode(&rows, &mut out), [], "bytes can always be written");
    let expected: Vec<u8> = case
        .good
        .iter()
        .flat_map(|record| record.bytes().chain([b'\n']))
        .collect();
    assert_eq!(out.bytes(), expected, "records leave byte for byte");
    assert_eq!(out.count(), rows.num_rows(), "one line for each row");
}

/// Arbitrary bytes, and good records with some bytes changed, end as rows or as bad records, never in a panic.
fn no_bytes_panic(case: &Case<'_>) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..300 {
        let batch: Vec<Vec<u8>> = (0..random.below(8)).map(|_| random.record(&case.good)).collect();
        let records: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
        decoded(case, &lines(&records));
    }
}

/// A sequence that looks random and is the same in each run (xorshift of 64 bits).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).expect("below a usize")
    }

    fn byte(&mut self) -> u8 {
        // Half of them are bytes that mean something.
        const MARKS: &[u8] = b"\"\\{}[]:,-+.eE0179utfn \t\r\n;\x00\x1f\x7f\x80\xc3\xff";
        if self.below(2) == 0 {
            MARKS[self.below(MARKS.len())]
        } else {
            u8::try_from(self.below(256)).expect("a byte")
        }
    }

    /// Noise, or a good record with a few bytes changed, taken out or put in, or cut off.
    fn record(&mut self, good: &[&str]) -> Vec<u8> {
        if self.below(4) == 0 {
            return (0..self.below(200)).map(|_| self.byte()).collect();
        }
        let mut bytes = good[self.below(good.len())].as_bytes().to_vec();
        for _ in 0..self.below(4) {
            let place = self.below(bytes.len());
            match self.below(4) {
                0 => bytes.truncate(place),
                1 => bytes.insert(place, self.byte()),
                2 if place < bytes.len() => drop(bytes.remove(place)),
                _ if place < bytes.len() => bytes[place] = self.byte(),
                _ => {}
            }
        }
        bytes
    }
}
