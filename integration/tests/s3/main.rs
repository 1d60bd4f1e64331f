//! Stores and sinks on a real S3 server: SeaweedFS, one process per test, installed by `integration/servers.sh`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod away;
mod hang;
mod kept;
mod rows;
mod server;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use connectors::format::json::Json;
use connectors::parquet::Parquet;
use dataflow::contract::Connector;
use dataflow::store::open::{AllowPaths, OpenStores, S3};
use dataflow::store::{Error, Stores};
use dataflow::testing::sink::{Rows, Subject, check, check_walks};
use dataflow::{Disposition, Failure};
use integration::cluster::Deadline;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rows::published;
use serde_json::{Value, json};
use server::Server;

fn numbers_of_lines(bytes: &[u8]) -> Vec<i64> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice::<Value>(line).unwrap()["n"].as_i64().unwrap())
        .collect()
}

fn numbers_of_parquet(bytes: Bytes) -> Vec<i64> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .unwrap()
        .build()
        .unwrap();
    let records = reader.flat_map(|batch| {
        let raw = batch.unwrap().column_by_name("raw").unwrap().clone();
        let raw: &arrow::array::BinaryArray = raw.as_any().downcast_ref().unwrap();
        raw.iter()
            .flat_map(|record| numbers_of_lines(record.unwrap()))
            .collect::<Vec<_>>()
    });
    records.collect()
}

/// A sink under test that writes to a folder of the server's bucket.
fn subject(server: &Server, connector: Arc<dyn Connector>, more: &Value) -> Subject {
    let url = format!("s3://{}/{}", server::BUCKET, connector.name());
    let mut options = json!({ "path": url });
    options
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let stores: Arc<dyn Stores> = Arc::new(OpenStores::new(AllowPaths::Only(Vec::new()), server.settings()));
    let store = stores.open(&url).unwrap();
    let visible = move || {
        let store = Arc::clone(&store);
        let visible: futures::future::BoxFuture<'static, Vec<i64>> = Box::pin(async move {
            let mut numbers = Vec::new();
            for path in published(store.as_ref()).await.unwrap() {
                let bytes = store.read(&path).await.unwrap();
                numbers.extend(if path.ends_with(".parquet") {
                    numbers_of_parquet(bytes)
                } else {
                    numbers_of_lines(&bytes)
                });
            }
            numbers
        });
        visible
    };
    let format: Arc<dyn dataflow::contract::Format> = Arc::new(Json);
    Subject {
        connector,
        options,
        format: Some((format, Value::Null)),
        rows: Rows::Open,
        stores,
        visible: Arc::new(visible),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_keeps_the_contract_of_stores() {
    let server = Server::start().await.unwrap();
    for url in ["s3://weir", "s3://weir/a/prefix"] {
        let store = OpenStores::new(AllowPaths::Only(Vec::new()), server.settings())
            .open(url)
            .unwrap();
        dataflow::testing::store::check(store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sinks_on_s3_keep_the_contract_of_sinks() {
    let server = Server::start().await.unwrap();
    let roll = json!({ "roll": { "size": "2kB", "every": "3s" } });
    let registry = connectors::registry();
    let file = registry.connector("file").expect("the connector `file`");
    for (connector, more) in [
        (Arc::clone(file), roll),
        (Arc::new(Parquet), json!({ "partitionBy": ["hour"] })),
    ] {
        let subject = subject(&server, connector, &more);
        check(&subject).await;
        check_walks(&subject, 0..2).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_named_in_bounded_time() {
    let server = Server::start().await.unwrap();
    let settings = server.settings();
    drop(server);
    let store = OpenStores::new(AllowPaths::Only(Vec::new()), settings)
        .open("s3://weir/x")
        .unwrap();
    let deadline = Deadline::of(Duration::from_secs(90));
    let error = store.create("one", Bytes::new()).await.unwrap_err();
    assert!(!deadline.has_passed(), "retries are bounded");
    let failure = Failure::from(error);
    assert_eq!(failure.disposition, Disposition::Retry, "it may come back");
    assert!(
        failure.message.contains("s3://weir/x") && failure.message.contains("127.0.0.1"),
        "{failure}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_keys_and_missing_buckets_are_told_apart() {
    let server = Server::start().await.unwrap();
    let wrong = S3 {
        secret_key: Some("wrong".to_owned()),
        ..server.settings()
    };
    let denied = OpenStores::new(AllowPaths::Only(Vec::new()), wrong)
        .open("s3://weir/x")
        .unwrap();
    let outcome = denied.create("one", Bytes::new()).await;
    assert!(matches!(outcome, Err(Error::Denied { .. })), "{outcome:?}");
    let stores = OpenStores::new(AllowPaths::Only(Vec::new()), server.settings());
    // This server makes a bucket for whoever writes to one, so the question is a reader's.
    let outcome = stores.open("s3://no-such-bucket/x").unwrap().list("").await;
    assert!(
        matches!(&outcome, Err(Error::Refused { reason, .. }) if reason.contains("no such bucket")),
        "{outcome:?}"
    );
}
