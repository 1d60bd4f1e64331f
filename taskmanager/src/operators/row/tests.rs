//! Rows come back as they were written, and in the columns that are wanted now.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
    Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StringViewArray, StructArray,
    TimestampMillisecondArray, UInt64Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Int32Type;
use proptest::prelude::*;

use super::*;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    RecordBatch::try_new(
        Arc::new(schema),
        columns.into_iter().map(|(_, column)| column).collect(),
    )
    .unwrap()
}

fn written(records: &RecordBatch) -> Vec<Vec<u8>> {
    let writer = RowWriter::new(records).unwrap();
    let row = |row| {
        let mut out = vec![];
        writer.write(row, &mut out);
        out
    };
    (0..records.num_rows()).map(row).collect()
}

fn rows(records: &RecordBatch) -> Rows {
    Rows::new(&records.schema(), []).unwrap()
}

fn back(rows: &Rows, fingerprint: u32, bytes: &[Vec<u8>]) -> Result<Vec<ArrayRef>, Failure> {
    rows.columns(fingerprint, bytes.iter().map(Vec::as_slice))
}

fn of_every_type() -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
    let texts: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a\0"), None, None]));
    let fields = vec![
        Field::new("n", DataType::Int64, true),
        Field::new("t", DataType::Utf8View, true),
    ];
    let nulls = NullBuffer::from(vec![true, true, false]);
    let record = StructArray::new(fields.into(), vec![Arc::clone(&numbers), texts], Some(nulls));
    let dictionary: DictionaryArray<Int32Type> = vec![Some("b"), None, Some("a")].into_iter().collect();
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    let decimal = Decimal128Array::from(vec![-1, 0, 99])
        .with_precision_and_scale(10, 2)
        .unwrap();
    batch(vec![
        (
            "boolean",
            Arc::new(BooleanArray::from(vec![None, Some(false), Some(true)])),
        ),
        ("int32", Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(7)]))),
        ("int64", numbers),
        (
            "uint64",
            Arc::new(UInt64Array::from(vec![Some(1), Some(u64::MAX), None])),
        ),
        ("float", Arc::new(Float32Array::from(vec![-0.0, f32::INFINITY, 0.1]))),
        (
            "double",
            Arc::new(Float64Array::from(vec![Some(-0.1), None, Some(f64::MAX)])),
        ),
        ("decimal", Arc::new(decimal)),
        (
            "text",
            Arc::new(StringArray::from(vec![Some(""), None, Some("\u{1f30a}")])),
        ),
        (
            "view",
            Arc::new(StringViewArray::from(vec![Some("longer than twelve"), None, Some("x")])),
        ),
        (
            "binary",
            Arc::new(BinaryViewArray::from(vec![
                Some(&[0, 0xff, 0][..]),
                Some(&[][..]),
                None,
            ])),
        ),
        ("date", Arc::new(Date32Array::from(vec![-1, 1, 20_000]))),
        (
            "time",
            Arc::new(TimestampMillisecondArray::from(vec![Some(-1), None, Some(1)]).with_timezone("UTC")),
        ),
        ("dictionary", Arc::new(dictionary)),
        ("record", Arc::new(record)),
        ("list", Arc::new(list)),
    ])
}

#[test]
fn rows_of_every_type_come_back_as_they_were() {
    let records = of_every_type();
    // Also of a part of a batch: offsets are not forgotten.
    for records in [records.clone(), records.slice(1, 2)] {
        let rows = rows(&records);
        let columns = back(&rows, rows.fingerprint(), &written(&records)).unwrap();
        assert_eq!(columns, records.columns());
    }
}

#[test]
fn the_bytes_of_a_row_are_what_they_always_were() {
    let records = batch(vec![
        ("n", Arc::new(Int32Array::from(vec![Some(1), None]))),
        ("t", Arc::new(StringViewArray::from(vec!["ab", ""]))),
        ("b", Arc::new(BooleanArray::from(vec![None, Some(true)]))),
    ]);
    assert_eq!(
        written(&records),
        [
            vec![0b100, 1, 0, 0, 0, 2, 0, 0, 0, b'a', b'b'],
            vec![0b001, 0, 0, 0, 0, 1]
        ]
    );
    let layout = Layout::of(&records.schema()).unwrap();
    let text = r#"[{"name":"n","kind":"int32"},{"name":"t","kind":"text"},{"name":"b","kind":"boolean"}]"#;
    assert_eq!(serde_json::to_string(&layout).unwrap(), text);
    assert_eq!(layout.fingerprint(), 0xacec_2a16);
}

#[test]
fn rows_are_read_into_columns_that_were_added_widened_and_dropped() {
    let old = batch(vec![
        ("n", Arc::new(Int32Array::from(vec![Some(5), None]))),
        ("gone", Arc::new(StringViewArray::from(vec!["x", "y"]))),
        ("t", Arc::new(StringViewArray::from(vec!["a", "b"]))),
    ]);
    let written_by = rows(&old);
    let wanted = batch(vec![
        ("t", Arc::new(StringViewArray::from(vec!["a", "b"]))),
        ("n", Arc::new(Int64Array::from(vec![Some(5), None]))),
        ("new", Arc::new(Float64Array::from(vec![None, None]))),
    ]);
    let rows = Rows::new(&wanted.schema(), [written_by.layouts()]).unwrap();
    let columns = back(&rows, written_by.fingerprint(), &written(&old)).unwrap();
    assert_eq!(columns, wanted.columns());
    // A third form of the rows still knows the first.
    let third = Rows::new(&wanted.schema(), [rows.layouts()]).unwrap();
    assert!(back(&third, written_by.fingerprint(), &written(&old)).is_ok());
}

#[test]
fn a_value_that_does_not_fit_and_a_layout_that_nobody_named_are_refused() {
    let old = batch(vec![("n", Arc::new(Int64Array::from(vec![1 << 40])))]);
    let written_by = rows(&old);
    let narrow = batch(vec![("n", Arc::new(Int32Array::from(vec![1])))]);
    let known = Rows::new(&narrow.schema(), [written_by.layouts()]).unwrap();
    assert!(back(&known, written_by.fingerprint(), &written(&old)).is_err());
    assert!(back(&rows(&narrow), written_by.fingerprint(), &written(&old)).is_err());
}

#[test]
fn bytes_that_end_early_or_go_on_are_refused() {
    let records = of_every_type();
    let rows = rows(&records);
    for row in written(&records) {
        for end in 0..row.len() {
            assert!(
                back(&rows, rows.fingerprint(), &[row[..end].to_vec()]).is_err(),
                "{end}"
            );
        }
        assert!(back(&rows, rows.fingerprint(), &[[row, vec![0]].concat()]).is_err());
    }
}

proptest! {
    #[test]
    fn any_rows_come_back(values in prop::collection::vec((any::<Option<i64>>(), any::<Option<String>>(), any::<f64>()), 0..30)) {
        let records = batch(vec![
            ("n", Arc::new(Int64Array::from_iter(values.iter().map(|row| row.0)))),
            ("t", Arc::new(StringViewArray::from_iter(values.iter().map(|row| row.1.clone())))),
            ("f", Arc::new(Float64Array::from_iter_values(values.iter().map(|row| row.2)))),
        ]);
        let rows = rows(&records);
        let columns = back(&rows, rows.fingerprint(), &written(&records)).unwrap();
        prop_assert_eq!(columns, records.columns());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let rows = rows(&of_every_type());
        let _ = back(&rows, rows.fingerprint(), &[bytes]);
    }
}
