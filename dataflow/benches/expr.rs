//! Expressions over batches of 8,192 rows.
//!
//! Expected, by the price list of DESIGN.md 10: a list of a few short texts costs some compares of words a row, 2 to 5 ns,
//! against about 10 ns for hashing each text and asking a table; a comparison with a number about 1 ns.
#![expect(missing_docs, reason = "criterion makes a public function without one")]

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringViewArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dataflow::expr::{Evaluator, Expression};

const ROWS: u32 = 8_192;
const TYPES: [&str; 20] = [
    "ADD_TO_CART",
    "CART_UPDATED",
    "CHECKOUT",
    "ORDER_CONFIRMED",
    "PAGE_VIEW",
    "PRODUCT_VIEW",
    "PURCHASE",
    "REPLENISHMENT",
    "SEARCH",
    "LOGIN",
    "LOGOUT",
    "EMAIL_OPENED",
    "EMAIL_CLICKED",
    "SMS_SENT",
    "SMS_CLICKED",
    "SUBSCRIBED",
    "UNSUBSCRIBED",
    "WISHLIST_UPDATED",
    "REVIEW_WRITTEN",
    "SUPPORT_CONTACTED",
];

fn batch() -> RecordBatch {
    // A fixed sequence without a pattern that a branch predictor could learn.
    let numbers = (0..ROWS).scan(1_u32, |state, _| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(*state >> 8)
    });
    let numbers: Vec<u32> = numbers.collect();
    let types = StringViewArray::from_iter_values(numbers.iter().map(|number| TYPES[*number as usize % TYPES.len()]));
    let totals: ArrayRef = Arc::new(Float64Array::from_iter_values(
        numbers.iter().map(|number| f64::from(number % 1_000)),
    ));
    let payload = StructArray::new(
        Fields::from(vec![Field::new("total", DataType::Float64, true)]),
        vec![totals],
        None,
    );
    let columns: [(&str, ArrayRef); 2] = [("eventType", Arc::new(types)), ("payload", Arc::new(payload))];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn filters(criterion: &mut Criterion) {
    let batch = batch();
    let listed = |count: usize| {
        TYPES[..count]
            .iter()
            .map(|text| format!("'{text}'"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut group = criterion.benchmark_group("expr");
    group.throughput(Throughput::Elements(u64::from(ROWS)));
    for (name, sql) in [
        ("in 8 of 20 texts", format!("eventType IN ({})", listed(8))),
        ("in 2 of 20 texts", format!("eventType IN ({})", listed(2))),
        (
            "in 40 texts, by hash",
            format!(
                "eventType IN ({}, {})",
                listed(20),
                (0..20).map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", ")
            ),
        ),
        ("equals one text", "eventType = 'PURCHASE'".to_owned()),
        ("number in a record", "payload.total > 500".to_owned()),
        ("both", format!("eventType IN ({}) AND payload.total > 500", listed(8))),
        (
            "regexp_extract",
            "regexp_extract(eventType, '_([A-Z]+)$', 1) IS NOT NULL".to_owned(),
        ),
    ] {
        let evaluator = Evaluator::compile(&Expression::new(sql), &batch.schema()).expect("a good expression");
        group.bench_function(name, |bencher| bencher.iter(|| evaluator.evaluate(&batch)));
    }
    let evaluator = Evaluator::compile(
        &Expression::new(format!("eventType IN ({})", listed(8))),
        &batch.schema(),
    )
    .expect("a good expression");
    group.bench_function("filter by 8 of 20 texts", |bencher| {
        bencher.iter(|| evaluator.filter(&batch))
    });
    group.finish();
}

criterion_group!(benches, filters);
criterion_main!(benches);
