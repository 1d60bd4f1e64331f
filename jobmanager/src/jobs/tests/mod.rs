//! Whole lives of jobs: a real job manager, a scripted task manager on the wire, a store in memory.

mod changes;
mod past;

use std::sync::Arc;
use std::time::Duration;

use dataflow::time::{Clock, SystemClock};
use proto::v1;
use proto::v1::to_task_manager::Message as Told;

use crate::jobs::*;
use crate::rest::types::{LogLine, Outcome, State, Stop};
use crate::store::tests::{Fault, Memory};
use crate::testing::{Bench, Fake, planned};

#[tokio::test]
async fn a_document_becomes_records_and_commits_and_finishes() {
    let bench = Bench::start(&Arc::default()).await;
    let submitted = bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    assert_eq!(
        (submitted.outcome, submitted.job.as_str()),
        (Outcome::Started, "orders@1")
    );
    let waiting = bench.until(|summary| summary.reason.is_some()).await;
    assert_eq!(
        waiting.reason.as_deref(),
        Some("needs 1 slot, 0 are free on 0 task managers")
    );

    let mut fake = Fake::join(&bench.manager, "tm-1", 2).await;
    fake.run().await;
    assert_eq!((fake.deploy.epoch, fake.deploy.subtasks.len()), (0, 2));
    let barrier = fake.acknowledge().await;
    assert!(!barrier.roll_all);
    let epoch = fake.commit().await;
    assert_eq!(epoch, 1);
    assert!(
        bench
            .store
            .paths()
            .contains(&"jobs/orders@1/epochs/1.record".to_owned()),
        "commit only after the record"
    );
    assert_eq!(fake.recorded().await.epoch, 1);

    fake.end().await;
    let last = loop {
        let barrier = fake.acknowledge().await;
        fake.commit().await;
        if barrier.roll_all {
            break fake.recorded().await;
        }
    };
    assert!(last.r#final);
    let summary = bench.until_state(State::Finished).await;
    assert_eq!((summary.epoch, summary.progress.share), (last.epoch, Some(1.0)));
    let again = bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    assert_eq!(again.outcome, Outcome::AlreadyFinished);
}

#[tokio::test]
async fn a_lost_task_manager_brings_the_job_back_from_the_head_with_its_committables() {
    let bench = Bench::start(&Arc::default()).await;
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    fake.checkpoint().await;
    // Record 2 is made; the process dies before it has committed.
    let barrier = fake.acknowledge().await;
    fake.until(|told| matches!(told, Told::Commit(_)).then_some(())).await;
    let old = fake.deploy.clone();
    drop(fake);
    bench.until_state(State::Restarting).await;

    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    assert_eq!(fake.deploy.epoch, 2);
    assert!(fake.deploy.fence.as_ref().unwrap().deployment > old.fence.as_ref().unwrap().deployment);
    let restored: serde_json::Value = serde_json::from_slice(&fake.subtask("out").restored[0].snapshot).unwrap();
    assert_eq!(
        restored["nodes"]["out"]["committables"][0],
        format!("file-{}", barrier.counter)
    );
    fake.checkpoint().await;
    let described = bench.jobs().describe("orders").await.unwrap();
    assert_eq!(described.summary.restarts, 1);
    assert!(
        described.exceptions[0].message.contains("tm-1 is gone"),
        "{:?}",
        described.exceptions
    );
    assert!(described.exceptions[0].recovered_ms.is_some());
}

#[tokio::test]
async fn what_an_older_deployment_still_says_is_dropped_and_counted() {
    let bench = Bench::start(&Arc::default()).await;
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    let old = fake.deploy.clone();
    fake.fail("out", "retry", "the target hung up").await;
    fake.go().await;
    fake.run().await;
    let barrier = fake
        .until(|told| {
            if let Told::Trigger(trigger) = told {
                trigger.barrier
            } else {
                None
            }
        })
        .await;
    let new = std::mem::replace(&mut fake.deploy, old);
    for subtask in fake.deploy.subtasks.clone() {
        fake.acknowledge_one(&subtask, barrier.counter).await;
    }
    // The same words of the living deployment come after them on the same stream.
    fake.deploy = new;
    let source = fake.subtask("events");
    fake.acknowledge_one(&source, barrier.counter).await;
    let clock = SystemClock::start();
    while bench.manager.cluster().dropped() < 2 {
        clock.sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(
        bench.jobs().describe("orders").await.unwrap().summary.epoch,
        0,
        "one of two has answered"
    );
    let sink = fake.subtask("out");
    fake.acknowledge_one(&sink, barrier.counter).await;
    assert_eq!(fake.commit().await, 1);
}

/// The lines of a task manager, once there are so many.
async fn told(bench: &Bench, count: usize) -> Vec<LogLine> {
    let clock = SystemClock::start();
    loop {
        let mut lines = bench.jobs().logs("orders", 0).await.unwrap();
        lines.retain(|line| line.origin == "tm-1");
        if lines.len() >= count {
            return lines;
        }
        clock.sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_an_older_attempt_logged_is_kept_and_marked() {
    let bench = Bench::start(&Arc::default()).await;
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    let out = fake.subtask("out");
    let line = |text: &str| v1::LogLine {
        job: "orders@1".to_owned(),
        wall_ms: 7,
        level: "WARN".to_owned(),
        text: text.to_owned(),
        subtask: out.subtask,
        attempt: out.attempt.clone(),
    };
    fake.log(line("the target is slow")).await;
    let lines = told(&bench, 1).await;
    assert_eq!(
        (lines[0].vertex.as_deref(), lines[0].over, lines[0].at_ms),
        (Some("out"), false, 7)
    );
    fake.fail("out", "retry", "the target hung up").await;
    fake.go().await;
    fake.run().await;
    fake.log(line("the target was slow to the end")).await;
    let about_the_job = v1::LogLine {
        subtask: None,
        attempt: String::new(),
        ..line("deployed")
    };
    fake.log(about_the_job).await;
    let lines = told(&bench, 3).await;
    let marks: Vec<_> = lines.iter().map(|line| (line.text.as_str(), line.over)).collect();
    assert_eq!(
        marks,
        [
            ("the target is slow", false),
            ("the target was slow to the end", true),
            ("deployed", false)
        ]
    );
    assert!(lines[2].subtask.is_none() && lines[2].attempt.is_none());
}

#[tokio::test]
async fn splits_do_not_move_while_a_barrier_is_in_flight() {
    let bench = Bench::start(&Arc::default()).await;
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    // The first split may come after the first barriers.
    let barrier = loop {
        let barrier = fake
            .until(|told| {
                if let Told::Trigger(trigger) = told {
                    trigger.barrier
                } else {
                    None
                }
            })
            .await;
        if !fake.held.is_empty() {
            break barrier;
        }
        for subtask in fake.deploy.subtasks.clone() {
            fake.acknowledge_one(&subtask, barrier.counter).await;
        }
        fake.commit().await;
    };
    let held: Vec<_> = fake.held.iter().map(|split| split.id.clone()).collect();
    assert_eq!(held, ["one"]);
    let source = fake.subtask("events");
    fake.want(&source).await;
    for subtask in fake.deploy.subtasks.clone() {
        fake.acknowledge_one(&subtask, barrier.counter).await;
    }
    // The next split comes only now, after the record and before the word to commit.
    let assigned = fake
        .until(|told| {
            if let Told::AssignSplits(assigned) = told {
                Some(assigned.clone())
            } else {
                None
            }
        })
        .await;
    assert_eq!(assigned.splits.len(), 1);
    let epoch = fake.commit().await;
    let record = bench.store.objects.lock()[&format!("jobs/orders@1/epochs/{epoch}.record")].clone();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(
        record["body"]["sources"][0]["unassigned"][0]["id"], "two",
        "unassigned is discovered less held"
    );
}

#[tokio::test]
async fn a_new_job_manager_takes_the_job_up_behind_a_fence() {
    let store: Arc<Memory> = Arc::default();
    let bench = Bench::start(&store).await;
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    fake.checkpoint().await;
    bench.kill().await;
    drop(fake);
    let before = store.paths().iter().filter(|path| path.ends_with(".record")).count() as u64;

    let bench = Bench::start(&store).await;
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    assert_eq!(fake.deploy.epoch, before, "the fence is the next record");
    assert_eq!(fake.deploy.fence.as_ref().unwrap().term, 2);
    assert!(!fake.subtask("out").restored.is_empty());
    fake.checkpoint().await;
}

#[tokio::test]
async fn an_idle_job_manager_goes_on_only_with_the_document_at_hand() {
    let store: Arc<Memory> = Arc::default();
    let bench = Bench::start_idle(&store).await;
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    fake.checkpoint().await;
    bench.kill().await;
    drop(fake);
    let bench = Bench::start_idle(&store).await;
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    let mut other = planned(1);
    other.graph.vertices[1].chain.nodes[0].name = "elsewhere".to_owned();
    let refused = bench.jobs().submit(other, Fresh::Resume).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Incompatible { failure, .. } if failure.message.contains("`out`")),
        "{refused}"
    );
    let resumed = bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    assert_eq!(resumed.outcome, Outcome::Resumed);
    fake.run().await;
    assert!(!fake.subtask("out").restored.is_empty());
}

#[tokio::test]
async fn a_job_that_died_between_its_last_record_and_its_commits_only_repeats_them() {
    let store: Arc<Memory> = Arc::default();
    let bench = Bench::start(&store).await;
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    fake.end().await;
    while !fake.acknowledge().await.roll_all {
        fake.commit().await;
    }
    fake.until(|told| matches!(told, Told::Commit(_)).then_some(())).await;
    bench.kill().await;
    drop(fake);
    let before = store.paths();

    let bench = Bench::start(&store).await;
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    assert!(!fake.subtask("out").restored.is_empty());
    fake.go().await;
    bench.until_state(State::Finished).await;
    let records = |paths: &[String]| paths.iter().filter(|path| path.ends_with(".record")).count();
    assert_eq!(
        records(&store.paths()),
        records(&before),
        "nothing follows a last record"
    );
}

#[tokio::test]
async fn a_stop_takes_a_rolling_checkpoint_and_the_same_document_goes_on_from_it() {
    let bench = Bench::start(&Arc::default()).await;
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    bench.until_state(State::Running).await;
    let twice = bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap_err();
    assert!(
        matches!(&twice, Error::AlreadyThere { .. }) && twice.help().contains("weir stop orders"),
        "{twice}"
    );
    bench.jobs().stop("orders", Stop::default()).await.unwrap();
    while !fake.acknowledge().await.roll_all {
        fake.commit().await;
    }
    fake.commit().await;
    fake.go().await;
    let stopped = bench.until_state(State::Stopped).await;
    assert!(matches!(
        bench.jobs().cancel("orders").await,
        Err(Error::Over {
            state: State::Stopped,
            ..
        })
    ));

    let mut other = planned(1);
    other.graph.vertices[0].chain.nodes[0].name = "elsewhere".to_owned();
    let refused = bench.jobs().submit(other.clone(), Fresh::Resume).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Incompatible { .. }) && refused.help().contains("--fresh"),
        "{refused}"
    );
    let resumed = bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    assert_eq!((resumed.outcome, resumed.epoch), (Outcome::Resumed, stopped.epoch));
    fake.run().await;
    assert_eq!(fake.deploy.epoch, stopped.epoch + 1, "the fence");
    bench.jobs().cancel("orders").await.unwrap();
    fake.go().await;
    bench.until_state(State::Cancelled).await;
    let fresh = bench.jobs().submit(other, Fresh::Anew).await.unwrap();
    assert_eq!((fresh.outcome, fresh.job.as_str()), (Outcome::Started, "orders@2"));
}

#[tokio::test]
async fn a_drained_job_finishes_and_is_told_so_again_after_a_restart() {
    let bench = Bench::start(&Arc::default()).await;
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    bench.until_state(State::Running).await;
    bench
        .jobs()
        .stop(
            "orders",
            Stop {
                drain: true,
                savepoint: None,
            },
        )
        .await
        .unwrap();
    fake.until(|told| matches!(told, Told::Drain(_)).then_some(())).await;
    drop(fake);
    let mut fake = Fake::join(&bench.manager, "tm-2", 1).await;
    fake.run().await;
    fake.until(|told| matches!(told, Told::Drain(_)).then_some(())).await;
    fake.end().await;
    while !fake.acknowledge().await.roll_all {
        fake.commit().await;
    }
    fake.commit().await;
    bench.until_state(State::Finished).await;
}

#[tokio::test]
async fn a_failure_that_cannot_pass_is_remembered_over_restarts_of_the_job_manager() {
    let store: Arc<Memory> = Arc::default();
    let bench = Bench::start(&store).await;
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    bench.until_state(State::Running).await;
    fake.fail("events", "fail", "orders.jsonl changed while it was read")
        .await;
    fake.go().await;
    let failed = bench.until_state(State::Failed).await;
    assert_eq!(
        failed.reason.as_deref(),
        Some("sub-0.0 on tm-1: orders.jsonl changed while it was read")
    );
    bench.kill().await;
    let bench = Bench::start(&store).await;
    let listed = bench.jobs().list();
    assert_eq!((listed[0].state, &listed[0].reason), (State::Failed, &failed.reason));
}

#[tokio::test]
async fn a_record_whose_outcome_was_unknown_is_found_and_used() {
    let bench = Bench::start(&Arc::default()).await;
    bench.jobs().submit(planned(1), Fresh::Resume).await.unwrap();
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    fake.until(|told| matches!(told, Told::Trigger(_)).then_some(())).await;
    bench.store.faults.lock().extend([Fault::NotDone, Fault::Done]);
    for subtask in fake.deploy.subtasks.clone() {
        fake.acknowledge_one(&subtask, 1).await;
    }
    assert_eq!(fake.commit().await, 1);
}

#[tokio::test]
async fn a_second_job_manager_on_a_folder_is_refused_by_name_and_takes_over_after_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Memory {
        root: Some(folder.path().to_owned()),
        ..Memory::default()
    });
    let first = Bench::start(&store).await;
    let Err(refused) = Bench::try_start(&store).await else {
        panic!("two leaders")
    };
    assert!(
        refused
            .message
            .contains("another job manager works on memory://: pid 7, term 1"),
        "{refused}"
    );
    assert!(refused.help.unwrap().contains("--state"));
    first.kill().await;
    let second = Bench::start(&store).await;
    assert_eq!(second.manager.cluster().identity().term, 2);
}

#[tokio::test]
async fn a_store_that_makes_one_object_twice_is_refused() {
    let store = Arc::new(Memory {
        makes_twice: true,
        ..Memory::default()
    });
    let Err(refused) = Bench::try_start(&store).await else {
        panic!("nothing made once is safe there")
    };
    assert!(
        refused.message.contains("create-if-absent") && refused.help.is_some(),
        "{refused}"
    );
    assert!(
        store.paths().is_empty(),
        "and nothing is left behind: {:?}",
        store.paths()
    );
}

#[tokio::test]
async fn a_task_manager_of_another_build_is_told_why_it_may_not_join() {
    let bench = Bench::start(&Arc::default()).await;
    let other = v1::Register {
        build: "other".to_owned(),
        ..Fake::register("tm-1", 1)
    };
    let mut fake = Fake::connect(&bench.manager, other).await;
    match fake.next().await {
        Some(Told::Refused(refused)) => assert!(refused.reason.contains("build") && !refused.help.is_empty()),
        told => panic!("not refused: {told:?}"),
    }
    assert_eq!(fake.next().await, None, "and the stream ends");
}
