//! Every function against a fold by hand: in any batches, merged from parts, and through bytes.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Int64Array, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{Decimal128Type, Field, Float64Type, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use dataflow::key::KeyReader;
use proptest::prelude::*;

use super::set::Measured;
use super::*;
use crate::state::Values;

/// What is folded, row by row: slot, time, value, and whether the filter is true.
type Rows = Vec<(u32, i64, Option<i64>, bool)>;

const SLOTS: usize = 4;

const ALL: [Function; 14] = [
    Function::Count,
    Function::CountDistinct,
    Function::Sum,
    Function::Min,
    Function::Max,
    Function::Avg,
    Function::First,
    Function::Last,
    Function::Stddev,
    Function::StddevPop,
    Function::Variance,
    Function::VariancePop,
    Function::ApproxDistinct,
    Function::ApproxPercentile(0.5),
];

fn argument(function: Function, values: &ArrayRef, passes: &[bool]) -> Argument {
    let schema = Arc::new(Schema::new(vec![Field::new("v", values.data_type().clone(), true)]));
    let records = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(values)]).unwrap();
    let keys = KeyReader::new(&schema, &["v".parse().unwrap()])
        .unwrap()
        .encode(&records)
        .unwrap();
    let folded = folded(function, values.data_type()).unwrap_or_else(|| values.data_type().clone());
    let passes = NullBuffer::from(passes.to_vec());
    Argument {
        values: Some(cast(values, &folded).unwrap()),
        counts: NullBuffer::union(Some(&passes), values.nulls()),
        keys: Some(Arc::new(keys)),
    }
}

fn fold(into: &mut dyn Accumulator, function: Function, rows: &Rows, as_type: &DataType) {
    let values: ArrayRef = Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.2)));
    let values = cast(&values, as_type).unwrap();
    let passes: Vec<bool> = rows.iter().map(|row| row.3).collect();
    let slots: Vec<u32> = rows.iter().map(|row| row.0).collect();
    let times: Vec<i64> = rows.iter().map(|row| row.1).collect();
    let places: Vec<u32> = (0..).take(rows.len()).collect();
    let fold = Fold {
        slots: &slots,
        rows: &places,
        times: Some(&times),
    };
    into.fold(fold, &argument(function, &values, &passes)).unwrap();
}

fn new(function: Function, as_type: &DataType) -> Box<dyn Accumulator> {
    let mut made = accumulator(function, Some(as_type)).unwrap();
    made.grow(SLOTS);
    made
}

fn results(of: &dyn Accumulator) -> Vec<Option<f64>> {
    let slots: Vec<u32> = (0..).take(SLOTS).collect();
    let found = cast(&of.finish(&slots).unwrap(), &DataType::Float64).unwrap();
    found.as_primitive::<Float64Type>().iter().collect()
}

/// By hand, one slot.
fn by_hand(function: Function, rows: &Rows, slot: u32) -> Option<f64> {
    let counted = rows.iter().filter(|row| row.0 == slot && row.3);
    let counted: Vec<(i64, i64)> = counted.filter_map(|row| Some((row.1, row.2?))).collect();
    let values: Vec<f64> = counted.iter().map(|(_, value)| *value as f64).collect();
    let (count, sum) = (values.len() as f64, values.iter().sum::<f64>());
    let there = !values.is_empty();
    let squares = values.iter().map(|value| (value - sum / count).powi(2)).sum::<f64>();
    match function {
        Function::Count => Some(count),
        Function::CountDistinct | Function::ApproxDistinct => {
            Some(counted.iter().map(|(_, value)| value).collect::<BTreeSet<_>>().len() as f64)
        }
        Function::Sum => there.then_some(sum),
        Function::Min => values.into_iter().reduce(f64::min),
        Function::Max => values.into_iter().reduce(f64::max),
        Function::Avg => there.then_some(sum / count),
        Function::First => counted
            .into_iter()
            .reduce(|one, other| if other.0 < one.0 { other } else { one })
            .map(|kept| kept.1 as f64),
        Function::Last => counted
            .into_iter()
            .reduce(|one, other| if other.0 >= one.0 { other } else { one })
            .map(|kept| kept.1 as f64),
        Function::Stddev => (count > 1.0).then(|| (squares / (count - 1.0)).sqrt()),
        Function::StddevPop => there.then(|| (squares / count).sqrt()),
        Function::Variance => (count > 1.0).then(|| squares / (count - 1.0)),
        Function::VariancePop => there.then(|| squares / count),
        Function::ApproxPercentile(_) => {
            let mut values = values;
            values.sort_by(f64::total_cmp);
            let middle = values.len() / 2;
            if there && values.len().is_multiple_of(2) {
                Some(f64::midpoint(values[middle - 1], values[middle]))
            } else {
                values.get(middle).copied()
            }
        }
    }
}

fn near(found: &[Option<f64>], expected: &[Option<f64>], context: &str) {
    for (found, expected) in found.iter().zip(expected) {
        let close = match (found, expected) {
            // Two values may fall into one register.
            (Some(found), Some(expected)) if context.starts_with("ApproxDistinct") => (found - expected).abs() <= 3.0,
            (Some(found), Some(expected)) => (found - expected).abs() <= 1e-6 * expected.abs().max(1.0),
            (found, expected) => found == expected,
        };
        assert!(close, "{context}: {found:?} is not {expected:?}");
    }
}

fn check(function: Function, rows: &Rows, cuts: &[usize], as_type: &DataType) {
    let expected: Vec<Option<f64>> = (0..4).map(|slot| by_hand(function, rows, slot)).collect();
    let mut whole = new(function, as_type);
    let mut batches = new(function, as_type);
    let mut merged = new(function, as_type);
    let mut carried = new(function, as_type);
    fold(whole.as_mut(), function, rows, as_type);
    let mut cuts: Vec<usize> = cuts
        .iter()
        .map(|cut| cut % (rows.len() + 1))
        .chain([0, rows.len()])
        .collect();
    cuts.sort_unstable();
    for cut in cuts.windows(2) {
        let part = rows[cut[0]..cut[1]].to_vec();
        fold(batches.as_mut(), function, &part, as_type);
        let mut apart = new(function, as_type);
        fold(apart.as_mut(), function, &part, as_type);
        merged
            .merge(
                Merge {
                    into: &[0, 1, 2, 3],
                    from: &[0, 1, 2, 3],
                },
                apart.as_ref(),
            )
            .unwrap();
        // Through bytes, into slots that held something else.
        fold(carried.as_mut(), function, &part, as_type);
        let mut next = new(function, as_type);
        fold(next.as_mut(), function, rows, as_type);
        for slot in 0..SLOTS {
            let mut bytes = Vec::new();
            carried.encode(slot, &mut bytes);
            let mut rest = &bytes[..];
            next.decode(slot, &mut rest).unwrap();
            assert!(rest.is_empty());
            for end in 0..bytes.len() {
                let mut other = new(function, as_type);
                assert!(
                    other.decode(0, &mut &bytes[..end]).is_none(),
                    "{function:?}: half a state"
                );
            }
        }
        carried = next;
    }
    for (way, found) in [
        ("whole", &whole),
        ("batches", &batches),
        ("merged", &merged),
        ("carried", &carried),
    ] {
        near(
            &results(found.as_ref()),
            &expected,
            &format!("{function:?} of {as_type}, {way}"),
        );
    }
    for slot in 0..SLOTS {
        whole.reset(slot);
    }
    near(
        &results(whole.as_ref()),
        &results(new(function, as_type).as_ref()),
        "begun anew",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_function_gives_what_a_fold_by_hand_gives(
        rows in prop::collection::vec((0_u32..4, 0_i64..6, prop::option::of(-9_i64..40), prop::bool::weighted(0.8)), 0..40),
        cuts in prop::collection::vec(any::<usize>(), 0..4),
    ) {
        for function in ALL {
            for as_type in [DataType::Int64, DataType::Int16, DataType::Float64, DataType::Decimal128(20, 0)] {
                check(function, &rows, &cuts, &as_type);
            }
        }
    }
}

#[test]
fn strings_have_a_least_and_a_greatest_a_first_and_a_last() {
    let texts: ArrayRef = Arc::new(StringViewArray::from(vec![
        Some("pear"),
        None,
        Some("apple"),
        Some("a longer word than twelve"),
    ]));
    for (function, expected) in [
        (Function::Min, "a longer word than twelve"),
        (Function::Max, "pear"),
        (Function::First, "apple"),
        (Function::Last, "pear"),
    ] {
        let mut made = new(function, &DataType::Utf8View);
        let fold = Fold {
            slots: &[2, 2, 2, 2],
            rows: &[0, 1, 2, 3],
            times: Some(&[9, 0, 1, 5]),
        };
        made.fold(fold, &argument(function, &texts, &[true; 4])).unwrap();
        let found = cast(&made.finish(&[2, 0]).unwrap(), &DataType::Utf8View).unwrap();
        assert_eq!(found.as_string_view().value(0), expected);
        assert!(found.is_null(1));
    }
}

#[test]
fn a_sum_that_does_not_fit_stops_the_job_and_one_that_only_passes_beyond_does_not() {
    let sum = |values: Vec<i64>| {
        let mut made = new(Function::Sum, &DataType::Int64);
        let rows = values.into_iter().map(|value| (0, 0, Some(value), true)).collect();
        fold(made.as_mut(), Function::Sum, &rows, &DataType::Int64);
        made.finish(&[0]).map(|sums| sums.as_primitive::<Int64Type>().value(0))
    };
    assert_eq!(sum(vec![i64::MAX, 5, -6]).unwrap(), i64::MAX - 1);
    let failure = sum(vec![i64::MAX, 1]).unwrap_err();
    assert!(failure.message.contains("outgrown"), "{failure}");
}

#[test]
fn decimals_keep_their_scale_and_averages_get_six_digits() {
    let prices: ArrayRef = Arc::new(
        Decimal128Array::from(vec![1000, 1, 1])
            .with_precision_and_scale(10, 2)
            .unwrap(),
    );
    for (function, scale, expected) in [(Function::Sum, 2, 1002), (Function::Avg, 6, 3_340_000)] {
        let mut made = new(function, prices.data_type());
        let fold = Fold {
            slots: &[0, 0, 0],
            rows: &[0, 1, 2],
            times: None,
        };
        made.fold(fold, &argument(function, &prices, &[true; 3])).unwrap();
        let found = made.finish(&[0]).unwrap();
        assert_eq!(found.data_type(), &DataType::Decimal128(38, scale));
        assert_eq!(found.as_primitive::<Decimal128Type>().value(0), expected);
    }
}

#[test]
fn what_cannot_be_folded_is_refused() {
    assert!(accumulator(Function::Sum, Some(&DataType::Utf8View)).is_err());
    assert!(accumulator(Function::Sum, Some(&DataType::Date32)).is_err());
    assert!(accumulator(Function::Max, None).is_err());
    assert!(accumulator(Function::Count, None).is_ok());
}

fn measured(name: &str, function: Function) -> Measured {
    Measured {
        name: name.to_owned(),
        function,
        argument: Some(DataType::Int64),
        apart: false,
    }
}

fn filled(shape: &Arc<Shape>) -> Accumulators {
    let mut made = Accumulators::new(shape).unwrap();
    made.grow(1);
    let values: ArrayRef = Arc::new(Int64Array::from(vec![4, 6]));
    let arguments: Vec<Argument> = shape
        .layouts()
        .last()
        .unwrap()
        .iter()
        .map(|measure| argument(measure.function, &values, &[true; 2]))
        .collect();
    made.fold(
        Fold {
            slots: &[0, 0],
            rows: &[0, 1],
            times: None,
        },
        &arguments,
    )
    .unwrap();
    made
}

fn shown(of: &Accumulators, measures: usize) -> Vec<Option<f64>> {
    let found = (0..measures).map(|measure| cast(&of.finish(measure, &[0]).unwrap(), &DataType::Float64).unwrap());
    found
        .map(|found| found.is_valid(0).then(|| found.as_primitive::<Float64Type>().value(0)))
        .collect()
}

#[test]
fn measures_may_be_added_dropped_and_moved_and_the_others_keep_what_they_have() {
    let before = vec![
        measured("n", Function::Count),
        measured("most", Function::Max),
        measured("sum", Function::Sum),
    ];
    let old = Arc::new(Shape::new(before.clone(), vec![]).unwrap());
    let mut bytes = Vec::new();
    filled(&old).encode(0, &mut bytes);
    let after = vec![
        measured("sum", Function::Sum),
        measured("least", Function::Min),
        measured("n", Function::Count),
    ];
    let new = Arc::new(Shape::new(after, old.layouts().to_vec()).unwrap());
    let mut migrated = Accumulators::new(&new).unwrap();
    migrated.grow(1);
    migrated.decode(0, &bytes).unwrap();
    assert_eq!(shown(&migrated, 3), [Some(10.0), None, Some(2.0)]);
    // And back again: the number of a layout stays.
    let mut bytes = Vec::new();
    migrated.encode(0, &mut bytes);
    let back = Arc::new(Shape::new(before, new.layouts().to_vec()).unwrap());
    assert_eq!(back.layouts().len(), 2);
    let mut restored = Accumulators::new(&back).unwrap();
    restored.grow(1);
    restored.decode(0, &bytes).unwrap();
    assert_eq!(shown(&restored, 3), [Some(2.0), None, Some(10.0)]);
    let other = Shape::new(vec![measured("sum", Function::Min)], new.layouts().to_vec());
    assert!(other.unwrap_err().message.contains("`sum` was another aggregate"));
}
