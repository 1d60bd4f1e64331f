//! Jobs that are rescaled, changed and saved while they run: a real job manager, a scripted task manager.

use std::sync::Arc;
use std::time::Duration;

use dataflow::time::{Clock, SystemClock};
use proto::v1::to_task_manager::Message as Told;
use serde_json::Value;

use crate::job::When;
use crate::jobs::*;
use crate::rest::types::{Operation, Outcome, Outlook, State, Stop};
use crate::restore::Dropping;
use crate::savepoint::From;
use crate::store::tests::Memory;
use crate::testing::{Bench, Fake, planned};

async fn running(slots: u32) -> (Bench, Fake) {
    let bench = Bench::start(&Arc::default()).await;
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    let mut fake = Fake::join(&bench.manager, "tm-1", slots).await;
    fake.run().await;
    fake.checkpoint().await;
    (bench, fake)
}

/// Checkpoints until one closes all files.
async fn rolling(fake: &mut Fake) -> u64 {
    loop {
        let barrier = fake.acknowledge().await;
        fake.commit().await;
        let recorded = fake.recorded().await;
        if barrier.roll_all {
            return recorded.epoch;
        }
    }
}

async fn over(bench: &Bench, operation: &Operation) -> Operation {
    let clock = SystemClock::start();
    loop {
        let operations = bench.jobs().describe("orders").await.unwrap().operations;
        let found = operations.into_iter().find(|one| one.id == operation.id).unwrap();
        if found.state != Outlook::UnderWay {
            return found;
        }
        clock.sleep(Duration::from_millis(5)).await;
    }
}

/// What the subtasks of a vertex go on from, by index.
fn restored(fake: &Fake, name: &str) -> Vec<Vec<Value>> {
    let subtasks = fake.deploy.subtasks.iter().filter(|subtask| subtask.name == name);
    subtasks
        .map(|subtask| {
            let parts = subtask.restored.iter();
            parts
                .map(|part| serde_json::from_slice::<Value>(&part.snapshot).unwrap()["nodes"][name].clone())
                .filter(|value| !value.is_null())
                .collect()
        })
        .collect()
}

#[tokio::test]
async fn a_rescale_takes_a_rolling_checkpoint_and_deals_out_what_was_left() {
    let (bench, mut fake) = running(3).await;
    let begun = bench.jobs().rescale(planned(2), 2).await.unwrap();
    assert_eq!((begun.what.as_str(), begun.state), ("rescale to 2", Outlook::UnderWay));
    let epoch = rolling(&mut fake).await;
    fake.go().await;
    fake.run().await;
    assert_eq!(
        fake.deploy.epoch,
        epoch + 1,
        "behind the record with the other document"
    );
    assert_eq!(fake.deploy.subtasks.len(), 4);
    let done = over(&bench, &begun).await;
    assert_eq!((done.state, done.epoch), (Outlook::Done, Some(epoch + 1)));
    let splits: Vec<_> = restored(&fake, "events").concat();
    let held: usize = splits.iter().map(|list| list.as_array().unwrap().len()).sum();
    assert_eq!(held, fake.held.len(), "each split once: {splits:?}");
    let sinks = restored(&fake, "out").concat();
    assert!(
        sinks.iter().all(|sink| sink.get("committables").is_none()),
        "everything was published before: {sinks:?}"
    );
    fake.checkpoint().await;
    let described = bench.jobs().describe("orders").await.unwrap();
    assert_eq!((described.summary.restarts, described.vertices[0].parallelism), (0, 2));
}

#[tokio::test]
async fn a_rescale_that_finds_no_room_is_refused_before_anything_stops() {
    let (bench, mut fake) = running(2).await;
    let refused = bench.jobs().rescale(planned(3), 3).await.unwrap_err();
    let words = refused.to_string();
    assert!(words.contains("needs 3 slots, 2 are free"), "{words}");
    let refused = bench.jobs().rescale(planned(1), 1).await.unwrap_err();
    assert!(refused.to_string().contains("already"), "{refused}");
    fake.checkpoint().await;
    assert_eq!(bench.jobs().summary("orders").unwrap().state, State::Running);
}

#[tokio::test]
async fn a_task_manager_that_dies_before_the_commits_of_a_rescale_has_them_repeated_by_others() {
    let (bench, mut fake) = running(2).await;
    bench.jobs().rescale(planned(2), 2).await.unwrap();
    let barrier = loop {
        let barrier = fake.acknowledge().await;
        if barrier.roll_all {
            break barrier;
        }
        fake.commit().await;
        fake.recorded().await;
    };
    fake.until(|told| matches!(told, Told::Commit(_)).then_some(())).await;
    drop(fake);
    bench.until_state(State::Changing).await;
    let mut fake = Fake::join(&bench.manager, "tm-2", 2).await;
    fake.run().await;
    assert_eq!(fake.deploy.subtasks.len(), 4);
    let sinks = restored(&fake, "out");
    let owed: Vec<_> = sinks.concat().iter().map(|sink| sink["committables"].clone()).collect();
    assert_eq!(
        owed,
        [serde_json::json!([format!("file-{}", barrier.counter)])],
        "by one, once"
    );
    fake.checkpoint().await;
}

#[tokio::test]
async fn what_waits_for_slots_can_be_made_narrower() {
    let bench = Bench::start(&Arc::default()).await;
    bench.jobs().submit(planned(3), Fresh::Resume).await.unwrap();
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    bench.until(|summary| summary.reason.is_some()).await;
    bench.jobs().rescale(planned(1), 1).await.unwrap();
    fake.run().await;
    assert_eq!(fake.deploy.subtasks.len(), 2);
    fake.checkpoint().await;
}

#[tokio::test]
async fn an_applied_document_is_created_left_alone_changed_and_refused() {
    let bench = Bench::start(&Arc::default()).await;
    let apply = |one| bench.jobs().apply(one, Dropping::Refused);
    assert_eq!(apply(planned(1)).await.unwrap().outcome, Outcome::Started);
    let mut fake = Fake::join(&bench.manager, "tm-1", 2).await;
    fake.run().await;
    fake.checkpoint().await;
    assert_eq!(apply(planned(1)).await.unwrap().outcome, Outcome::Unchanged);
    let mut other = planned(1);
    other.graph.vertices[0].chain.nodes[0].name = "elsewhere".to_owned();
    let refused = apply(other).await.unwrap_err();
    assert!(refused.to_string().contains("`events`"), "{refused}");
    let mut longer = planned(1);
    longer.text.push_str(" # longer");
    assert_eq!(apply(longer.clone()).await.unwrap().outcome, Outcome::Changing);
    rolling(&mut fake).await;
    fake.go().await;
    fake.run().await;
    bench.until_state(State::Running).await;
    assert_eq!(bench.jobs().describe("orders").await.unwrap().document, longer.text);
}

#[tokio::test]
async fn a_new_job_manager_goes_on_with_the_changed_document() {
    let store: Arc<Memory> = Arc::default();
    let bench = Bench::start(&store).await;
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    let mut fake = Fake::join(&bench.manager, "tm-1", 2).await;
    fake.run().await;
    fake.checkpoint().await;
    bench.jobs().rescale(planned(2), 2).await.unwrap();
    rolling(&mut fake).await;
    fake.go().await;
    // The record with the other document is there; nothing was checkpointed since.
    fake.until(|told| matches!(told, Told::Deploy(_)).then_some(())).await;
    bench.kill().await;
    let held = fake.held.len();
    drop(fake);
    let bench = Bench::start(&store).await;
    let mut fake = Fake::join(&bench.manager, "tm-1", 2).await;
    fake.run().await;
    assert_eq!(fake.deploy.subtasks.len(), 4);
    let splits: usize = restored(&fake, "events")
        .concat()
        .iter()
        .map(|list| list.as_array().unwrap().len())
        .sum();
    assert_eq!(splits, held);
    fake.checkpoint().await;
}

#[tokio::test]
async fn a_savepoint_is_there_once_its_commits_are_and_begins_another_job() {
    let (bench, mut fake) = running(2).await;
    let begun = bench
        .jobs()
        .savepoint("orders", Some("one".to_owned()), When::Now)
        .await
        .unwrap();
    let again = bench
        .jobs()
        .savepoint("orders", Some("one".to_owned()), When::Now)
        .await
        .unwrap_err();
    assert!(again.to_string().contains("already"), "{again}");
    while !fake.acknowledge().await.roll_all {
        fake.commit().await;
        fake.recorded().await;
    }
    fake.until(|told| matches!(told, Told::Commit(_)).then_some(())).await;
    let there = |bench: &Bench| bench.store.paths().iter().any(|path| path.starts_with("savepoints/"));
    assert!(!there(&bench), "not before its commits");
    bench.jobs().stop("orders", Stop::default()).await.unwrap();
    for subtask in fake.deploy.subtasks.clone() {
        let (fence, attempt) = (fake.deploy.fence.clone(), subtask.attempt.clone());
        let committed = proto::v1::Committed {
            fence,
            subtask: subtask.subtask,
            attempt,
            epoch: bench.jobs().summary("orders").unwrap().epoch,
        };
        fake.say(proto::v1::from_task_manager::Message::Committed(committed))
            .await;
    }
    let done = over(&bench, &begun).await;
    assert_eq!(done.state, Outlook::Done, "{done:?}");
    assert!(there(&bench));
    rolling(&mut fake).await;
    fake.go().await;
    bench.until_state(State::Stopped).await;

    let mut other = planned(2);
    other.graph.name = "others".to_owned();
    let from = From::Savepoint("one".to_owned());
    let begun = bench.jobs().submit_from(other, from, Dropping::Refused).await.unwrap();
    assert_eq!((begun.job.as_str(), begun.outcome), ("others@1", Outcome::Started));
    let held = fake.held.len();
    fake.run().await;
    let splits: usize = restored(&fake, "events")
        .concat()
        .iter()
        .map(|list| list.as_array().unwrap().len())
        .sum();
    assert_eq!((splits, fake.deploy.epoch), (held, 0));
    assert!(
        restored(&fake, "out")
            .concat()
            .iter()
            .all(|sink| sink.get("committables").is_none())
    );
}

#[tokio::test]
async fn a_stop_can_keep_its_last_checkpoint_by_name_and_a_checkpoint_begins_a_new_life() {
    let (bench, mut fake) = running(1).await;
    let stop = Stop {
        drain: false,
        savepoint: Some("last".to_owned()),
    };
    bench.jobs().stop("orders", stop).await.unwrap();
    let epoch = rolling(&mut fake).await;
    fake.go().await;
    bench.until_state(State::Stopped).await;
    let operation = bench.jobs().describe("orders").await.unwrap().operations[0].clone();
    let done = over(&bench, &operation).await;
    assert_eq!((done.state, done.epoch), (Outlook::Done, Some(epoch)), "{done:?}");
    let from = bench.jobs().checkpoint("orders").await.unwrap();
    let begun = bench
        .jobs()
        .submit_from(planned(1), from, Dropping::Refused)
        .await
        .unwrap();
    assert_eq!(begun.job, "orders@2");
    fake.run().await;
    assert!(!restored(&fake, "events").concat().is_empty());
    for place in ["nobody", "orders@x", "orders:x"] {
        assert!(bench.jobs().checkpoint(place).await.is_err(), "{place}");
    }
}
