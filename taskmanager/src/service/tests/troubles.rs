//! Sinks that hang, readers that fail, operators that panic, messages that make no sense, a job manager that is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{Schema, SchemaRef};
use dataflow::element::Roll;
use dataflow::recipe::{self, Format, Node, Port, Recipe, Target};
use dataflow::time::Clock as _;
use proto::v1::{self, State, from_task_manager as from, to_task_manager as to};
use serde_json::Value;
use tokio::sync::mpsc;

use super::chains::{node, source_chain};
use super::play::{Play, fence};
use crate::testing::Toys;

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_sink_holds_up_its_stream_grows_no_memory_and_cancel_answers_at_once() {
    let mut play = Play::begin().await;
    play.toys.hang();
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.assign(0, &[Toys::split(0, i64::MAX / 2, None)]).await;
    let waits = |task: &v1::SubtaskGauges| {
        task.subtask.is_some_and(|subtask| subtask.vertex == 1) && task.waits_for == "sink shelf"
    };
    let read = |beat: &v1::Heartbeat| beat.subtasks.iter().map(|task| task.records_in).sum::<u64>();
    let held_up = |message: &from::Message| match message {
        from::Message::Heartbeat(beat) if beat.subtasks.iter().any(waits) => Some(read(beat)),
        _ => None,
    };
    play.next(held_up).await;
    let source_waits = |message: &from::Message| match message {
        from::Message::Heartbeat(beat)
            if beat
                .subtasks
                .iter()
                .any(|task| task.waits_for.starts_with("credit of edge-0")) =>
        {
            Some(read(beat))
        }
        _ => None,
    };
    let before = play.next(source_waits).await;
    let later = play.next(source_waits).await;
    assert_eq!(before, later, "nothing is read while nobody takes it");
    let asked = play.clock.now();
    play.say(to::Message::Cancel(v1::Cancel {
        fence: fence(1),
        reason: "a test".to_owned(),
    }))
    .await;
    for (vertex, index) in [(0, 0), (0, 1), (1, 0)] {
        play.status(vertex, index, State::Cancelled).await;
    }
    assert!(play.clock.now().since(asked) < Duration::from_secs(1));
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_fails_says_why_and_the_process_goes_on() {
    let mut play = Play::begin().await;
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.assign(0, &[Toys::split(0, 1000, Some(500))]).await;
    let failure = play.status(0, 0, State::Failed).await.failure.unwrap();
    assert_eq!(
        (failure.disposition.as_str(), failure.message.as_str()),
        ("fail", "the world has changed")
    );
    play.deploy(2, &BTreeMap::new()).await;
    let next = |message: &from::Message| match message {
        from::Message::Status(status) if status.attempt == "a2" && status.state() == State::Running => Some(()),
        _ => None,
    };
    play.next(next).await;
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_an_operator_is_a_bug_of_its_subtask_and_of_no_other() {
    let mut play = Play::begin().await;
    let decode = recipe::Decode {
        format: Format {
            name: "json".to_owned(),
            options: Value::Null,
        },
    };
    let open: SchemaRef = Arc::new(Schema::new(vec![dataflow::element::columns::raw()]));
    let wrong = Node {
        input: open,
        ..node("decode", Recipe::Decode(decode), vec![])
    };
    let mut source = source_chain();
    source.nodes[0].targets = vec![(Port::Main, Target::Node(1))];
    source.nodes.push(wrong);
    let subtask = v1::SubtaskDeployment {
        subtask: Some(v1::Subtask { vertex: 0, index: 0 }),
        attempt: "a1".to_owned(),
        parallelism: 1,
        chain: source.encode().into(),
        ..v1::SubtaskDeployment::default()
    };
    let deploy = v1::Deploy {
        fence: fence(1),
        subtasks: vec![subtask],
        ..v1::Deploy::default()
    };
    play.say(to::Message::Deploy(deploy)).await;
    play.status(0, 0, State::Running).await;
    play.assign(0, &[Toys::split(0, 10, None)]).await;
    let failure = play.status(0, 0, State::Failed).await.failure.unwrap();
    assert_eq!(failure.disposition, "bug");
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_makes_no_sense_is_refused_and_strangers_are_not_heard() {
    let mut play = Play::begin().await;
    let subtask = v1::SubtaskDeployment {
        subtask: Some(v1::Subtask { vertex: 0, index: 0 }),
        chain: vec![1, 2, 3].into(),
        ..v1::SubtaskDeployment::default()
    };
    let deploy = v1::Deploy {
        fence: fence(1),
        subtasks: vec![subtask],
        ..v1::Deploy::default()
    };
    play.say(to::Message::Deploy(deploy)).await;
    assert_eq!(
        play.status(0, 0, State::Failed).await.failure.unwrap().disposition,
        "bug"
    );
    play.trigger(9, 1, Roll::Keep).await;
    play.say(to::Message::Trigger(v1::Trigger {
        fence: None,
        barrier: None,
        overtake: false,
    }))
    .await;
    let dropped = "weir_control_messages_dropped_total 2";
    play.until("both are counted", |task_manager, _| {
        task_manager.metrics().contains(dropped)
    })
    .await;
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_job_manager_ends_all_subtasks_and_is_registered_with_again() {
    let mut play = Play::begin().await;
    let first = play.task_manager.incarnation().to_owned();
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    assert_eq!(play.task_manager.subtask_count(), 3);
    let connection = play.connections.recv();
    let (lost, _) = mpsc::channel(1);
    drop(std::mem::replace(&mut play.connection.outgoing, lost));
    let connection = connection.await.unwrap();
    play.connection = connection;
    play.heard.clear();
    assert_eq!(play.register().await.incarnation, first);
    assert_eq!(play.task_manager.subtask_count(), 0);
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.end().await;
}
