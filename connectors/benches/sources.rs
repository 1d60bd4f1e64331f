//! How fast sources yield records, with nobody behind them.
//!
//! What to expect: a shop event is 395 bytes of text, most of it copied, with three Zipf draws of 60 ns: 400 ns, so 2.5 million a
//! second. Lines from the page cache cost one copy (10 GB/s), one search for line feeds (20 GB/s) and 15 ns a record for its
//! view and position: 3 to 4 GB/s.
#![expect(missing_docs, reason = "criterion makes a public function without one")]

use std::fs;
use std::sync::Arc;

use connectors::registry;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use dataflow::contract::{Polled, Split};
use dataflow::store::OpenStores;
use dataflow::store::open::{AllowPaths, S3};
use dataflow::testing::source::{Harness, Subject};
use serde_json::{Value, json};

/// Shop events of one run.
const EVENTS: u64 = 400_000;

fn harness(connector: &str, options: Value) -> Harness {
    let stores = Arc::new(OpenStores::new(AllowPaths::All, S3::default()));
    let connector = Arc::clone(registry().connector(connector).expect("a connector of this crate"));
    Harness::new(Subject::new(connector, options, stores))
}

/// Polls to the end; the rows, and how many bytes of input they were.
fn drain(harness: &Harness, splits: Vec<Split>) -> (u64, u64) {
    let mut reader = harness.reader(splits).expect("good splits").reader;
    reader.no_more_splits();
    let mut rows = 0;
    loop {
        match reader.poll().expect("good input") {
            Polled::Batch(batch) => rows += batch.num_rows() as u64,
            Polled::Finished(_) => {}
            Polled::Wait => std::thread::yield_now(),
            Polled::End => return (rows, reader.progress().bytes_read),
        }
    }
}

fn sources(criterion: &mut Criterion) {
    let generator = harness("generator", json!({ "count": EVENTS, "splits": 1 }));
    let splits = generator.splits().expect("splits of the generator");
    let mut group = criterion.benchmark_group("generator");
    group.sample_size(10).throughput(Throughput::Elements(EVENTS));
    group.bench_function("shop", |bench| {
        bench.iter_batched(
            || splits.clone(),
            |splits| drain(&generator, splits),
            BatchSize::PerIteration,
        );
    });
    group.finish();

    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let path = folder.path().join("shop.json");
    let text = generator.read_all().expect("events").records().join(&b'\n');
    let bytes = text.len() as u64;
    fs::write(&path, text).expect("room for the events");
    let files = harness("file", json!({ "path": path }));
    let splits = files.splits().expect("the file that was just written");
    assert_eq!(drain(&files, splits.clone()), (EVENTS, bytes));
    let mut group = criterion.benchmark_group("file");
    group.sample_size(10).throughput(Throughput::Bytes(bytes));
    group.bench_function("lines", |bench| {
        bench.iter_batched(
            || splits.clone(),
            |splits| drain(&files, splits),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, sources);
criterion_main!(benches);
