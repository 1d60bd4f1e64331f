//! What is remembered of datastreams that are over, after the job manager that saw them is gone.

use std::sync::Arc;

use crate::jobs::*;
use crate::rest::types::{Datastream, Outcome, State, Stop, Summary};
use crate::run::KEPT;
use crate::store::tests::Memory;
use crate::testing::{Bench, Fake, planned};

/// Waits until the job manager has read what it remembers.
async fn summary(bench: &Bench, wanted: impl Fn(&Summary) -> bool) -> Summary {
    for _ in 0..10_000 {
        let summary = bench.jobs().summary("orders").unwrap();
        if wanted(&summary) {
            return summary;
        }
        tokio::task::yield_now().await;
    }
    panic!("never as wanted: {:?}", bench.jobs().list());
}

async fn describe(bench: &Bench) -> Datastream {
    bench.jobs().describe("orders").await.unwrap()
}

/// Runs it, lets it fail once, and takes it down by a person's word.
async fn cancelled(bench: &Bench) -> Datastream {
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    fake.checkpoint().await;
    fake.fail("out", "retry", "the target hung up").await;
    fake.go().await;
    fake.run().await;
    fake.checkpoint().await;
    bench.jobs().cancel("orders").await.unwrap();
    fake.go().await;
    bench.until_state(State::Cancelled).await;
    describe(bench).await
}

#[tokio::test]
async fn one_that_is_over_is_as_it_was_after_another_job_manager_has_begun() {
    let store = Arc::new(Memory::default());
    let bench = Bench::start(&store).await;
    let before = cancelled(&bench).await;
    let lines = bench.jobs().logs("orders", 0).await.unwrap();
    assert_eq!((before.exceptions.len(), before.summary.restarts), (1, 1));
    assert!(before.summary.started_ms.unwrap() <= before.summary.since_ms);
    assert!(before.checkpoints.completed >= 2);
    for state in ["created", "running", "restarting", "cancelled"] {
        assert!(before.moved_ms.contains_key(state), "{state}: {:?}", before.moved_ms);
    }
    bench.kill().await;

    let bench = Bench::start(&store).await;
    assert_eq!(describe(&bench).await, before);
    let listed = summary(&bench, |summary| summary.epoch > 0).await;
    assert_eq!(listed, before.summary);
    let texts = |lines: Vec<crate::rest::types::LogLine>| lines.into_iter().map(|line| line.text).collect::<Vec<_>>();
    assert_eq!(texts(bench.jobs().logs("orders", 0).await.unwrap()), texts(lines));
    let newest = bench.jobs().logs("orders", u64::MAX).await.unwrap();
    assert_eq!(newest, [], "only lines after the number");
}

#[tokio::test]
async fn the_start_of_a_run_outlives_the_job_manager_and_another_run_begins_anew() {
    let store = Arc::new(Memory::default());
    let bench = Bench::start(&store).await;
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    let begun = bench.jobs().summary("orders").unwrap().started_ms;
    bench.kill().await;
    let bench = Bench::start(&store).await;
    assert_eq!(summary(&bench, |_| true).await.started_ms, begun);
    bench.jobs().stop("orders", Stop::default()).await.unwrap();
    let stopped = bench.until_state(State::Stopped).await;
    assert_eq!(stopped.started_ms, begun);
    let again = bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    assert_eq!((again.outcome, again.job.as_str()), (Outcome::Resumed, "orders@1"));
    let second = bench.until(|summary| summary.reason.is_some()).await;
    assert!(second.started_ms >= Some(stopped.since_ms), "{second:?}");
    let runs = bench.jobs().runs("orders").await.unwrap();
    assert_eq!(
        runs.iter()
            .map(|(number, run)| (*number, run.datastream.summary.state))
            .collect::<Vec<_>>(),
        [(0, State::Stopped)]
    );
}

#[tokio::test]
async fn the_newest_runs_of_a_name_stay_and_the_others_go() {
    let store = Arc::new(Memory::default());
    let bench = Bench::start(&store).await;
    for round in 0..KEPT + 5 {
        let fresh = if round % 2 == 0 { Fresh::Anew } else { Fresh::Resume };
        bench.jobs().submit(planned(1), fresh).await.unwrap();
        bench.jobs().cancel("orders").await.unwrap();
        bench.until_state(State::Cancelled).await;
    }
    let runs = bench.jobs().runs("orders").await.unwrap();
    let numbers: Vec<u64> = runs.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (5..KEPT + 5).rev().collect::<Vec<_>>());
    let objects = store
        .paths()
        .into_iter()
        .filter(|path| path.starts_with("datastreams/runs/"));
    assert_eq!(objects.count() as u64, KEPT);
    assert!(bench.jobs().run("orders", 3).await.unwrap().is_none());
    assert!(bench.jobs().run("orders", KEPT).await.unwrap().is_some());
}

#[tokio::test]
async fn a_run_that_is_damaged_or_gone_leaves_what_the_ledger_says() {
    let store = Arc::new(Memory::default());
    let bench = Bench::start(&store).await;
    let before = cancelled(&bench).await;
    bench.kill().await;
    let path = "datastreams/runs/orders/0.json";
    store
        .objects
        .lock()
        .insert(path.to_owned(), bytes::Bytes::from_static(b"{}"));
    let bench = Bench::start(&store).await;
    let after = describe(&bench).await.summary;
    assert_eq!(
        (after.state, after.since_ms, after.started_ms, after.epoch),
        (State::Cancelled, before.summary.since_ms, before.summary.started_ms, 0)
    );
}

#[tokio::test]
async fn an_end_that_the_ledger_never_named_is_passed_over() {
    let store = Arc::new(Memory::default());
    let bench = Bench::start(&store).await;
    // Left by a job manager that died between the run and the ledger.
    store.objects.lock().insert(
        "datastreams/runs/orders/0.json".to_owned(),
        bytes::Bytes::from_static(b"another's"),
    );
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    bench.jobs().cancel("orders").await.unwrap();
    bench.until_state(State::Cancelled).await;
    let runs = bench.jobs().runs("orders").await.unwrap();
    assert_eq!(runs.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1]);
}
