//! The count, across attempts.

use std::sync::Arc;

use dataflow::element::Roll;
use dataflow::store::open::{AllowPaths, OpenStores, S3};
use dataflow::testing::sink::{Rows, Subject, check_options};
use dataflow::time::ManualClock;
use futures::FutureExt as _;

use super::*;

fn subject(rows: Rows) -> Subject {
    Subject {
        connector: Arc::new(Blackhole),
        options: serde_json::json!({}),
        format: None,
        rows,
        stores: Arc::new(OpenStores::new(AllowPaths::Only(Vec::new()), S3::default())),
        visible: Arc::new(|| Box::pin(async { Vec::new() })),
    }
}

const CUT: Cut = Cut { roll: Roll::Keep };

#[test]
fn unknown_options_are_refused_and_none_are_fine() {
    check_options(&subject(Rows::Open));
    assert!(Blackhole.plan(&Value::Null, &subject(Rows::Open).input()).is_ok());
}

#[test]
fn a_pace_that_is_none_is_refused() {
    let input = subject(Rows::Open).input();
    assert!(
        Blackhole
            .plan(&serde_json::json!({ "throughput": 0.5 }), &input)
            .is_ok()
    );
    let refused = Blackhole
        .plan(&serde_json::json!({ "throughput": 0 }), &input)
        .unwrap_err();
    assert_eq!(refused.pointer, "/throughput");
}

#[tokio::test]
async fn a_slow_one_takes_its_time_for_every_row() {
    let clock = ManualClock::new();
    let subject = Subject {
        options: serde_json::json!({ "throughput": 10 }),
        ..subject(Rows::Typed)
    };
    let mut sink = subject.sink(&clock, Vec::new());
    let mut write = sink.write(subject.batch(0..70));
    assert!((&mut write).now_or_never().is_none(), "it waits");
    clock.advance(Duration::from_secs(7));
    write.await.unwrap();
}

#[test]
fn every_column_is_asked_for() {
    assert_eq!(
        subject(Rows::Open).wants().reserved,
        ["$raw", "$split", "$position", "$time"]
    );
    assert_eq!(subject(Rows::Typed).wants().reserved, ["$split", "$position", "$time"]);
}

#[tokio::test]
async fn rows_are_counted_once_whatever_crashes() {
    let (subject, clock) = (subject(Rows::Typed), ManualClock::new());
    let mut sink = subject.sink(&clock, Vec::new());
    assert_eq!(sink.prepare(CUT).await.unwrap(), Prepared::default());
    sink.write(subject.batch(0..70)).await.unwrap();
    let recorded = sink.prepare(CUT).await.unwrap();
    sink.write(subject.batch(70..100)).await.unwrap();
    drop(sink);
    let mut sink = subject.sink(&clock, vec![recorded.state]);
    sink.commit(recorded.committables).await.unwrap();
    sink.write(subject.batch(70..100)).await.unwrap();
    let first = sink.prepare(CUT).await.unwrap();
    assert_eq!(first.committables[0].0["rows"], 100);
    let again = sink.prepare(CUT).await.unwrap();
    assert!(
        again.committables.is_empty(),
        "an epoch without rows has nothing to commit"
    );
    assert_eq!(again.state, first.state);
    let mut sink = subject.sink(&clock, vec![again.state.clone(), SinkState::default(), again.state]);
    assert_eq!(
        sink.prepare(CUT).await.unwrap().state.0["rows"],
        200,
        "one subtask goes on for several"
    );
}
