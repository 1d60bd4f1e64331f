//! Keys: golden vectors that must never change, order, and hashes the same on every way.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
    Int32Array, Int64Array, ListArray, StringArray, StringViewArray, StructArray, TimestampMillisecondArray,
    TimestampSecondArray, UInt64Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use arrow::record_batch::RecordBatch;
use proptest::prelude::*;

use super::*;
use crate::expr::Path;

fn reader(records: &RecordBatch, paths: &[&str]) -> KeyReader {
    let paths: Vec<Path> = paths.iter().map(|path| path.parse().unwrap()).collect();
    KeyReader::new(&records.schema(), &paths).unwrap()
}

fn one(column: ArrayRef) -> RecordBatch {
    let schema = Schema::new(vec![Field::new("k", column.data_type().clone(), true)]);
    RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap()
}

fn keys_of(column: ArrayRef) -> Vec<String> {
    let records = one(column);
    let keys = reader(&records, &["k"]).encode(&records).unwrap();
    keys.iter()
        .map(|key| key.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect()
}

fn hashes_of(records: &RecordBatch, paths: &[&str]) -> Vec<u64> {
    let mut hashes = vec![7];
    reader(records, paths).hashes(records, &mut hashes).unwrap();
    hashes
}

#[test]
fn the_bytes_of_keys_are_what_they_always_were() {
    let golden: Vec<(ArrayRef, Vec<&str>)> = vec![
        (
            Arc::new(BooleanArray::from(vec![None, Some(false), Some(true)])),
            vec!["00", "0800", "0801"],
        ),
        (
            Arc::new(Int64Array::from(vec![i64::MIN, -1, 0, 1])),
            vec![
                "100000000000000000",
                "107fffffffffffffff",
                "108000000000000000",
                "108000000000000001",
            ],
        ),
        (Arc::new(Int32Array::from(vec![-1])), vec!["107fffffffffffffff"]),
        (
            Arc::new(UInt64Array::from(vec![1, u64::MAX])),
            vec!["108000000000000001", "11ffffffffffffffff"],
        ),
        (
            Arc::new(Float64Array::from(vec![-1.5, -0.0, 0.0, 1.5, -f64::NAN])),
            vec![
                "204007ffffffffffff",
                "208000000000000000",
                "208000000000000000",
                "20bff8000000000000",
                "20fff8000000000000",
            ],
        ),
        (
            Arc::new(Decimal128Array::from(vec![-1]).with_precision_and_scale(10, 2).unwrap()),
            vec!["28827fffffffffffffffffffffffffffffff"],
        ),
        (
            Arc::new(StringViewArray::from(vec![Some(""), Some("a"), Some("a\0b"), None])),
            vec!["3000", "306100", "306100ff6200", "00"],
        ),
        (Arc::new(StringArray::from(vec!["a"])), vec!["306100"]),
        (
            Arc::new(Date32Array::from(vec![-1, 1])),
            vec!["407fffffff", "4080000001"],
        ),
        (
            Arc::new(TimestampMillisecondArray::from(vec![1]).with_timezone("UTC")),
            vec!["498000000000000001"],
        ),
        (
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([
                Some(vec![Some(1), None]),
                Some(vec![]),
            ])),
            vec!["5801108000000000000001010000", "5800"],
        ),
    ];
    for (column, expected) in golden {
        assert_eq!(keys_of(Arc::clone(&column)), expected, "{}", column.data_type());
    }
}

#[test]
fn the_hash_of_bytes_is_what_it_always_was() {
    let long: Vec<u8> = (0..=255).collect();
    let found: Vec<u64> = [
        b"".as_slice(),
        b"a",
        b"weir",
        b"0123456789abcdef",
        b"0123456789abcdefg",
        &long,
    ]
    .map(hash)
    .to_vec();
    assert_eq!(found, GOLDEN_HASHES);
}

// Computed by a second implementation of the description in `hash.rs`, in another language.
const GOLDEN_HASHES: [u64; 6] = [
    17_501_794_413_120_724_270,
    2_350_601_693_061_709_169,
    17_828_038_358_843_121_490,
    15_666_131_027_352_499_505,
    5_261_927_188_427_743_826,
    16_911_544_594_297_326_925,
];

#[test]
fn the_group_of_a_key_is_what_it_always_was() {
    let records = one(Arc::new(StringViewArray::from(vec![
        "company-1",
        "company-2",
        "company-3",
    ])));
    let groups: Vec<u32> = hashes_of(&records, &["k"])
        .into_iter()
        .map(|hash| key_group(hash, 1024))
        .collect();
    assert_eq!(groups, GOLDEN_GROUPS);
}

const GOLDEN_GROUPS: [u32; 3] = [126, 79, 316];

#[test]
fn the_layout_of_a_string_does_not_change_its_key() {
    let dictionary: DictionaryArray<Int32Type> = vec![Some("b"), None, Some("a")].into_iter().collect();
    let plain = StringViewArray::from(vec![Some("b"), None, Some("a")]);
    assert_eq!(keys_of(Arc::new(dictionary)), keys_of(Arc::new(plain)));
}

#[test]
fn a_field_of_a_null_record_is_null() {
    let inner: ArrayRef = Arc::new(Int64Array::from(vec![5, 6]));
    let fields = vec![Field::new("x", DataType::Int64, false)].into();
    let record = StructArray::new(fields, vec![inner], Some(NullBuffer::from(vec![true, false])));
    let records = one(Arc::new(record));
    let keys = reader(&records, &["k.x"]).encode(&records).unwrap();
    assert_eq!(keys.row(1), [0]);
    assert_eq!(hashes_of(&records, &["k.x"]), keys.iter().map(hash).collect::<Vec<_>>());
}

/// A column of every type that can be a key, with a NULL in it where that says more than another value.
fn columns_of_every_type() -> Vec<ArrayRef> {
    let record = |nulls| {
        let fields = vec![
            Field::new("n", DataType::Int64, true),
            Field::new("t", DataType::Utf8View, true),
        ];
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a\0"), None, None]));
        StructArray::new(fields.into(), vec![numbers, texts], nulls)
    };
    let nulls = NullBuffer::from(vec![true, true, false]);
    let dictionary: DictionaryArray<Int32Type> = vec![Some("b"), None, Some("a")].into_iter().collect();
    vec![
        Arc::new(BooleanArray::from(vec![None, Some(false), Some(true)])),
        Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(7)])),
        Arc::new(Int64Array::from(vec![i64::MIN, 0, i64::MAX])),
        Arc::new(UInt64Array::from(vec![Some(1), Some(u64::MAX), None])),
        Arc::new(Float32Array::from(vec![-1.5, f32::INFINITY, 0.1])),
        Arc::new(Float64Array::from(vec![Some(-0.1), None, Some(f64::MAX)])),
        Arc::new(
            Decimal128Array::from(vec![-1, 0, 99])
                .with_precision_and_scale(10, 2)
                .unwrap(),
        ),
        Arc::new(StringViewArray::from(vec![
            Some("\0"),
            Some("a\0\0b is a long one"),
            None,
        ])),
        Arc::new(StringArray::from(vec!["", "a", "b"])),
        Arc::new(BinaryViewArray::from(vec![
            Some(&[0, 0xff, 0][..]),
            Some(&[0xff][..]),
            None,
        ])),
        Arc::new(Date32Array::from(vec![-1, 1, 20_000])),
        Arc::new(TimestampMillisecondArray::from(vec![Some(-1), None, Some(1)]).with_timezone("UTC")),
        Arc::new(TimestampSecondArray::from(vec![-1, 0, 1])),
        Arc::new(dictionary),
        Arc::new(record(Some(nulls))),
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(1), None]),
            None,
            Some(vec![]),
        ])),
    ]
}

#[test]
fn keys_of_every_type_become_the_columns_they_were_made_of() {
    for column in columns_of_every_type() {
        let pair = vec![
            Arc::clone(&column),
            Arc::new(Int64Array::from(vec![7, 8, 9])) as ArrayRef,
        ];
        let schema = Schema::new(vec![
            Field::new("k", column.data_type().clone(), true),
            Field::new("n", DataType::Int64, true),
        ]);
        let records = RecordBatch::try_new(Arc::new(schema), pair.clone()).unwrap();
        let keys = reader(&records, &["k", "n"]).encode(&records).unwrap();
        let decoder = KeyDecoder::new(vec![column.data_type().clone(), DataType::Int64]).unwrap();
        assert_eq!(decoder.decode(keys.iter()).unwrap(), pair, "{}", column.data_type());
        // Nothing that was cut short, or goes on, is a key.
        for key in keys.iter() {
            for end in 0..key.len() {
                assert!(
                    decoder.decode([&key[..end]].into_iter()).is_err(),
                    "{key:x?} up to {end}"
                );
            }
            let longer = [key, &[0]].concat();
            assert!(decoder.decode([&longer[..]].into_iter()).is_err());
        }
    }
}

#[test]
fn a_key_is_read_as_a_wider_type_and_never_as_a_wrong_one() {
    let records = one(Arc::new(Int32Array::from(vec![-5])));
    let keys = reader(&records, &["k"]).encode(&records).unwrap();
    let read = |wanted: DataType| KeyDecoder::new(vec![wanted]).unwrap().decode(keys.iter());
    let wider: ArrayRef = Arc::new(Int64Array::from(vec![-5]));
    assert_eq!(read(DataType::Int64).unwrap(), [wider]);
    for wrong in [DataType::UInt64, DataType::UInt8, DataType::Utf8View, DataType::Float64] {
        assert!(read(wrong.clone()).is_err(), "{wrong}");
    }
    assert!(KeyDecoder::new(vec![DataType::Null]).is_err());
}

#[test]
fn what_is_no_key_is_refused() {
    let records = one(Arc::new(Int64Array::from(vec![1])));
    let refused = |path: &str| {
        KeyReader::new(&records.schema(), &[path.parse().unwrap()])
            .unwrap_err()
            .to_string()
    };
    assert_eq!(refused("other"), "the rows have no field `other`");
    assert_eq!(refused("k.inner"), "the rows have no field `k.inner`");
    assert!(KeyReader::new(&records.schema(), &[]).is_err());
}

#[test]
fn every_group_has_the_one_owner_whose_range_holds_it() {
    for (parallelism, max_parallelism) in [(1, 1024), (2, 1024), (3, 1024), (7, 10), (10, 10), (128, 1024), (3, 4)] {
        let mut next = 0;
        for subtask in 0..parallelism {
            let range = range(subtask, parallelism, max_parallelism);
            assert_eq!(range.start, next);
            next = range.end;
            assert!(
                range
                    .clone()
                    .all(|group| owner(group, parallelism, max_parallelism) == subtask)
            );
        }
        assert_eq!(next, max_parallelism);
    }
}

#[test]
fn hashes_spread_evenly_over_groups() {
    let records = one(Arc::new(Int64Array::from_iter_values(0..100_000)));
    let mut counts = vec![0u32; 128];
    for hash in hashes_of(&records, &["k"]) {
        counts[key_group(hash, 128) as usize] += 1;
    }
    // 781 are expected in each; five standard deviations are 140.
    assert!(counts.iter().all(|count| (640..925).contains(count)), "{counts:?}");
}

proptest! {
    #[test]
    fn keys_of_strings_compare_as_strings_null_first(texts in prop::collection::vec(prop::option::of("[\\x00-\\x02a-c]{0,5}"), 2..20)) {
        let records = one(Arc::new(StringViewArray::from(texts.clone())));
        let keys = reader(&records, &["k"]).encode(&records).unwrap();
        for left in 0..texts.len() {
            for right in 0..texts.len() {
                prop_assert_eq!(keys.row(left).cmp(keys.row(right)), texts[left].cmp(&texts[right]));
            }
        }
        prop_assert_eq!(hashes_of(&records, &["k"]), keys.iter().map(hash).collect::<Vec<_>>());
    }

    #[test]
    fn keys_of_pairs_compare_as_pairs(pairs in prop::collection::vec((any::<i64>(), "[\\x00ab]{0,3}"), 2..20)) {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(pairs.iter().map(|(number, _)| *number)));
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values(pairs.iter().map(|(_, text)| text)));
        let records = RecordBatch::try_from_iter([("n", numbers), ("t", texts)]).unwrap();
        let keys = reader(&records, &["t", "n"]).encode(&records).unwrap();
        for left in 0..pairs.len() {
            for right in 0..pairs.len() {
                let (a, b) = (&pairs[left], &pairs[right]);
                prop_assert_eq!(keys.row(left).cmp(keys.row(right)), (&a.1, a.0).cmp(&(&b.1, b.0)));
            }
        }
        let single = hashes_of(&records, &["n"]);
        let bytes = reader(&records, &["n"]).encode(&records).unwrap();
        prop_assert_eq!(single, bytes.iter().map(hash).collect::<Vec<_>>());
    }

    #[test]
    fn keys_become_what_they_were_made_of(rows in prop::collection::vec((prop::option::of(any::<i64>()), prop::option::of("[\\x00-\\x02a-c]{0,14}"), any::<f64>()), 0..20)) {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.0)));
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter(rows.iter().map(|row| row.1.clone())));
        let floats: ArrayRef = Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2 + 0.0)));
        let columns = vec![numbers, texts, floats];
        let schema = Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("t", DataType::Utf8View, true),
            Field::new("f", DataType::Float64, true),
        ]);
        let records = RecordBatch::try_new(Arc::new(schema), columns.clone()).unwrap();
        let keys = reader(&records, &["n", "t", "f"]).encode(&records).unwrap();
        let types = columns.iter().map(|column| column.data_type().clone()).collect();
        let decoded = KeyDecoder::new(types).unwrap().decode(keys.iter()).unwrap();
        prop_assert_eq!(decoded, columns);
    }

    #[test]
    fn keys_of_floats_compare_as_floats(values in prop::collection::vec(any::<f64>(), 2..20)) {
        let records = one(Arc::new(Float64Array::from(values.clone())));
        let keys = reader(&records, &["k"]).encode(&records).unwrap();
        for left in 0..values.len() {
            for right in 0..values.len() {
                if let Some(order) = values[left].partial_cmp(&values[right]) {
                    prop_assert_eq!(keys.row(left).cmp(keys.row(right)), order);
                }
            }
        }
    }
}
