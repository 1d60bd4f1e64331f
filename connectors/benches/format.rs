//! How fast records are checked and read, beside what the same work costs with `sonic-rs` and nothing around it.
//!
//! What to expect: an event of the shop is 395 bytes in 83 tokens. The first pass takes 1,200 instructions for its seven blocks
//! of 64 bytes, the second 25 for each token: 3,400 in all, at 4 in a cycle some 280 ns, so 3.5 million records a second and
//! core. `sonic-rs` takes 6,800 instructions and 760 ns for the same check.
//!
//! `WEIR_BENCH_EVENTS` may name a file of other events, one a line.
#![expect(missing_docs, reason = "criterion makes a public function without one")]

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{BinaryViewArray, BinaryViewBuilder};
use arrow::buffer::Buffer;
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, Field, Fields, Schema};
use connectors::format;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dataflow::contract::{Format, Lines};
use dataflow::element::columns;
use serde_json::Value;

const ROWS: u64 = 8192;

/// Events of a shop, or those of a file.
fn events() -> Vec<u8> {
    #[expect(clippy::disallowed_methods, reason = "a bench has no configuration to get it from")]
    if let Ok(path) = std::env::var("WEIR_BENCH_EVENTS") {
        let text = std::fs::read(&path).expect("WEIR_BENCH_EVENTS names a file that can be read");
        let end = memchr::memchr_iter(b'\n', &text)
            .nth(8191)
            .map_or(text.len(), |end| end + 1);
        return text[..end].to_vec();
    }
    let mut text = String::new();
    for n in 0..ROWS {
        let kind = [
            "PAGE_VIEW",
            "ADD_TO_CART",
            "ORDER_CONFIRMED",
            "PURCHASE",
            "EMAIL_OPENED",
        ][usize::try_from(n * n % 5).expect("below 5")];
        let items: Vec<String> = (0..=n % 3)
            .map(|item| {
                format!(
                    r#"{{"sku":"sku-{}","qty":{},"price":{}.{}}}"#,
                    n * 7919 % 100_000,
                    item + 1,
                    n % 977,
                    10 + n % 90
                )
            })
            .collect();
        text.push_str(&format!(
            r#"{{"eventId":"{:016x}-{:016x}","eventType":"{kind}","subscriberId":{},"companyId":{},"eventTime":{},"payload":{{"sessionId":"s{:011x}","url":"https://shop{}.example.com/category/product{n}","country":"NL","device":"ios","currency":"USD","total":{}.{},"items":[{}]}}}}"#,
            n.wrapping_mul(0x9e37_79b9_7f4a_7c15), n, n * 31 % 2_000_000, n % 1000, 1_700_000_000_000_u64 + n,
            n * 1_000_003, n % 1000, n % 2000, 10 + n % 90, items.join(",")
        ));
        text.push('\n');
    }
    text.into_bytes()
}

/// Lines as a source gives them: views over one read buffer.
fn records(text: &[u8]) -> BinaryViewArray {
    let mut builder = BinaryViewBuilder::new();
    let block = builder.append_block(Buffer::from(text));
    let mut from = 0;
    for end in memchr::memchr_iter(b'\n', text) {
        let place = |at: usize| u32::try_from(at).expect("the buffer is small");
        builder
            .try_append_view(block, place(from), place(end - from))
            .expect("the line is in the buffer");
        from = end + 1;
    }
    builder.finish()
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8View, true)
}

fn double(name: &str) -> Field {
    Field::new(name, DataType::Float64, true)
}

fn cases() -> Vec<(&'static str, Vec<Field>)> {
    let item = Field::new(
        "item",
        DataType::Struct(Fields::from(vec![
            text("sku"),
            Field::new("qty", DataType::Int64, true),
            double("price"),
        ])),
        true,
    );
    let payload = |members: Vec<Field>| Field::new("payload", DataType::Struct(Fields::from(members)), true);
    let long = |name| Field::new(name, DataType::Int64, true);
    vec![
        ("check", vec![]),
        ("event_type", vec![text("eventType")]),
        (
            "type_time_total",
            vec![
                text("eventType"),
                Field::new("eventTime", columns::timestamp(), true),
                payload(vec![double("total")]),
            ],
        ),
        (
            "all",
            vec![
                text("eventId"),
                text("eventType"),
                long("subscriberId"),
                long("companyId"),
                Field::new("eventTime", columns::timestamp(), true),
                payload(vec![
                    text("sessionId"),
                    text("url"),
                    text("country"),
                    text("device"),
                    text("currency"),
                    double("total"),
                    Field::new("items", DataType::List(Arc::new(item)), true),
                ]),
            ],
        ),
    ]
}

fn decode(c: &mut Criterion) {
    let text = events();
    let records = records(&text);
    let mut group = c.benchmark_group("json");
    group.throughput(Throughput::Elements(records.views().len() as u64));
    for (name, fields) in cases() {
        let mut decoder = format::json::Json
            .decoder(&Value::Null, Arc::new(Schema::new(fields)))
            .expect("types of a schema");
        assert_eq!(decoder.decode(&records).bad, []);
        group.bench_function(name, |b| b.iter(|| decoder.decode(black_box(&records))));
    }
    let find = memchr::memmem::Finder::new(br#""eventType":""#);
    group.bench_function("sonic_lazy_value_and_memmem", |b| {
        b.iter(|| {
            let mut found = 0;
            for line in black_box(&records).iter().flatten() {
                let Some(at) = find.find(line) else { continue };
                let Some(len) = memchr::memchr(b'"', &line[at + 13..]) else {
                    continue;
                };
                if sonic_rs::from_slice::<sonic_rs::LazyValue<'_>>(line).is_ok() {
                    found += len;
                }
            }
            found
        });
    });
    let schema = Arc::new(Schema::new(vec![columns::raw()]));
    let mut encoder = format::json::Json
        .encoder(&Value::Null, Arc::clone(&schema))
        .expect("bytes");
    let rows = RecordBatch::try_new(schema, vec![Arc::new(records.clone())]).expect("one column");
    group.bench_function("encode_raw", |b| {
        b.iter(|| {
            let mut out = Lines::with_capacity(rows.num_rows(), 2 << 20);
            encoder.encode(black_box(&rows), &mut out);
            out
        });
    });
    let (_, fields) = cases().remove(3);
    let schema = Arc::new(Schema::new(fields));
    let decoded = format::json::Json
        .decoder(&Value::Null, Arc::clone(&schema))
        .expect("types")
        .decode(&records);
    let rows = RecordBatch::try_new(Arc::clone(&schema), decoded.columns).expect("the columns of the schema");
    let mut encoder = format::json::Json.encoder(&Value::Null, schema).expect("columns");
    group.bench_function("encode_all", |b| {
        b.iter(|| {
            let mut out = Lines::with_capacity(rows.num_rows(), 2 << 20);
            encoder.encode(black_box(&rows), &mut out);
            out
        });
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
