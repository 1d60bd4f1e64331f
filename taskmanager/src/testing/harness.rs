//! One operator alone: rows in as JSON lines, rows out as JSON lines, the same for every way of cutting them into batches.

use std::sync::Arc;

use arrow::array::{
    Array, AsArray, BinaryViewArray, DictionaryArray, RecordBatch, TimestampMillisecondArray, UInt64Array,
};
use arrow::datatypes::Int32Type;
use arrow::json::{LineDelimitedWriter, ReaderBuilder};
use arrow_schema::{Schema, SchemaRef};
use dataflow::element::{BATCH_ROWS_MAX, Batch, columns};
use dataflow::recipe::{Node, Port};

use super::Footing;
use crate::operators::{Emitted, build};
use crate::state::{KeyGroups, Restored};

/// What an operator made of its rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Each row as JSON; rows of bytes as their text.
    pub(crate) rows: Vec<String>,
    /// The bytes beside each row that it came as, where they are kept.
    pub(crate) origins: Vec<String>,
    /// Each dead letter as `split@position error: record`.
    pub(crate) dead: Vec<String>,
    /// Each row that came after its time.
    pub(crate) late: Vec<String>,
    /// Rows left out on purpose.
    pub(crate) dropped: u64,
}

/// Typed rows.
pub(crate) fn typed(schema: &SchemaRef, lines: &[&str]) -> RecordBatch {
    let text = lines.join("\n");
    let reader = ReaderBuilder::new(Arc::clone(schema)).with_batch_size(lines.len().max(1));
    let mut reader = reader.build(text.as_bytes()).unwrap();
    reader.next().unwrap().unwrap()
}

/// Records as bytes, as a source of an open stream yields them: split `s`, positions from 100, arrival at 7000.
pub(crate) fn open(records: &[&str]) -> RecordBatch {
    let count = records.len();
    let split: DictionaryArray<Int32Type> = records.iter().map(|_| "s").collect();
    let times = TimestampMillisecondArray::from_value(7000, count).with_timezone("UTC");
    let schema = Schema::new(vec![
        columns::raw(),
        columns::split(),
        columns::position(),
        columns::time(),
    ]);
    let raw = BinaryViewArray::from_iter_values(records);
    let position = UInt64Array::from_iter_values((100..).take(count));
    RecordBatch::try_new(
        Arc::new(schema),
        vec![Arc::new(raw), Arc::new(split), Arc::new(position), Arc::new(times)],
    )
    .unwrap()
}

/// Runs the rows through the node's operator, in batches of at most `size`.
pub(crate) fn run(node: &Node, rows: &RecordBatch, size: usize) -> Outcome {
    let (footing, restored) = (Footing::of(node), Restored::default());
    let ground = footing.ground(KeyGroups::of(0, 1, 1024), &restored);
    let mut operator = build(node, &ground).unwrap();
    let mut outcome = Outcome::default();
    for start in (0..rows.num_rows()).step_by(size) {
        let part = rows.slice(start, size.min(rows.num_rows() - start));
        operator.push(Batch::new(part)).unwrap();
        while let Some(emitted) = operator.pull().unwrap() {
            let Emitted::Rows(port, batch) = emitted else {
                continue;
            };
            assert!((1..=BATCH_ROWS_MAX).contains(&batch.row_count()));
            match port {
                Port::Main => {
                    assert_eq!(batch.records().schema(), node.output, "the output is as planned");
                    outcome.rows.extend(picture(batch.records()));
                    outcome.origins.extend(origins(batch.records()));
                }
                Port::Late => outcome.late.extend(picture(batch.records())),
                Port::Dead => outcome.dead.extend(letters(batch.records())),
            }
        }
    }
    outcome.dropped = footing.gauges.dropped.get();
    assert_eq!(
        footing.gauges.dead.get(),
        outcome.dead.len() as u64,
        "every dead letter is counted"
    );
    outcome
}

/// Checks what comes of the rows, whatever batches they come in.
pub(crate) fn check(node: &Node, rows: &RecordBatch, expected: &[&str], dead: &[&str]) {
    for size in [rows.num_rows(), 1, 2, 3, 5] {
        let outcome = run(node, rows, size);
        assert_eq!(outcome.rows, expected, "rows, in batches of {size}");
        assert_eq!(outcome.dead, dead, "dead letters, in batches of {size}");
    }
}

pub(crate) fn picture(rows: &RecordBatch) -> Vec<String> {
    let schema = rows.schema();
    let user: Vec<usize> = (0..rows.num_columns())
        .filter(|index| !columns::is_reserved(schema.field(*index).name()))
        .collect();
    let mut text = Vec::new();
    let mut writer = LineDelimitedWriter::new(&mut text);
    writer.write(&rows.project(&user).unwrap()).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let mut lines: Vec<String> = String::from_utf8(text).unwrap().lines().map(str::to_owned).collect();
    lines.resize(rows.num_rows(), String::new());
    let raw = rows
        .column_by_name(columns::RAW)
        .map(|raw| raw.as_binary_view().clone());
    let time = rows.column_by_name(columns::TIME).map(|time| {
        time.as_primitive::<arrow::datatypes::TimestampMillisecondType>()
            .clone()
    });
    let shown = lines.into_iter().enumerate().map(|(row, line)| {
        let raw = raw
            .as_ref()
            .map(|raw| String::from_utf8_lossy(raw.value(row)).into_owned());
        let time = time.as_ref().filter(|time| time.is_valid(row));
        let time = time.map(|time| format!("@{}", time.value(row)));
        let line = Some(line).filter(|line| !line.is_empty() && line != "{}");
        [time, line, raw].into_iter().flatten().collect::<Vec<_>>().join(" ")
    });
    shown.collect()
}

fn origins(rows: &RecordBatch) -> Vec<String> {
    let origins = rows.column_by_name(columns::ORIGIN);
    let origins = origins.into_iter().flat_map(|origins| origins.as_binary_view().iter());
    origins
        .map(|origin| String::from_utf8_lossy(origin.unwrap()).into_owned())
        .collect()
}

pub(super) fn letters(rows: &RecordBatch) -> Vec<String> {
    let text = |name: &str| rows.column_by_name(name).unwrap().as_string::<i32>().clone();
    let (split, error) = (text("split"), text("error"));
    let position = rows
        .column_by_name("position")
        .unwrap()
        .as_primitive::<arrow::datatypes::UInt64Type>()
        .clone();
    let record = text("record");
    let bytes = rows.column_by_name("recordBytes").unwrap().as_binary::<i32>().clone();
    let place = |row| {
        if split.is_valid(row) {
            format!("{}@{} ", split.value(row), position.value(row))
        } else {
            String::new()
        }
    };
    (0..rows.num_rows())
        .map(|row| {
            assert_ne!(record.is_null(row), bytes.is_null(row), "either text or bytes");
            let record = Some(record.value(row)).filter(|_| record.is_valid(row));
            let record = record.map_or_else(|| format!("{:x?}", bytes.value(row)), str::to_owned);
            format!("{}{}: {record}", place(row), error.value(row))
        })
        .collect()
}
