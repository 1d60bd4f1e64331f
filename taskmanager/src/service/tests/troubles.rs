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
        subtasks: Vec::new(),
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
        incarnation: play.task_manager.incarnation().to_owned(),
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
        incarnation: play.task_manager.incarnation().to_owned(),
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
    // A deployment for another start of this process.
    play.say(to::Message::Deploy(v1::Deploy {
        fence: fence(2),
        incarnation: "another".to_owned(),
        ..v1::Deploy::default()
    }))
    .await;
    let dropped = "weir_control_messages_dropped_total 3";
    play.until("all are counted", |task_manager, _| {
        task_manager.metrics().text().contains(dropped)
    })
    .await;
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_goes_on_without_a_job_manager_and_obeys_who_adopts_it_and_nobody_else() {
    let mut play = Play::begin().await;
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.splits_wanted(0).await;
    play.splits_wanted(1).await;
    play.trigger(1, 4, Roll::Keep).await;
    play.acknowledged(1, 0, 4).await;
    let first = play.task_manager.incarnation().to_owned();
    play.lose().await;
    let register = play.register().await;
    assert_eq!(register.incarnation, first);
    let [standing] = register.running.as_slice() else {
        panic!("one deployment runs: {:?}", register.running);
    };
    assert_eq!((standing.fence.clone(), standing.adopted_epoch), (fence(1), 0));
    assert!(standing.subtasks.iter().all(|one| one.state() == State::Running));
    assert_eq!((standing.subtasks.len(), play.task_manager.subtask_count()), (3, 3));
    let adopt = v1::Adopt {
        fence: fence(1),
        anew: fence(2),
        epoch: 7,
    };
    play.say(to::Message::Adopt(adopt.clone())).await;
    for (vertex, index) in [(0, 0), (0, 1), (1, 0)] {
        let subtask = Some(v1::Subtask { vertex, index });
        let adopted = |message: &from::Message| match message {
            from::Message::Adopted(adopted) if adopted.subtask == subtask => Some(adopted.clone()),
            _ => None,
        };
        let adopted = play.next(adopted).await;
        assert_eq!(
            (adopted.fence, adopted.attempt.as_str()),
            (fence(2), "a1"),
            "the same try"
        );
        assert_eq!((adopted.state, adopted.counter), (State::Running.into(), 4));
        assert_eq!(adopted.wants_splits, vertex == 0);
    }
    // The fence that they obeyed before, and the message again.
    play.trigger(1, 9, Roll::Keep).await;
    play.say(to::Message::Adopt(adopt)).await;
    let dropped = "weir_control_messages_dropped_total 2";
    play.until("both are counted", |task_manager, _| {
        task_manager.metrics().text().contains(dropped)
    })
    .await;
    play.trigger(2, 5, Roll::Keep).await;
    for (vertex, index) in [(0, 0), (0, 1), (1, 0)] {
        play.acknowledged(vertex, index, 5).await;
    }
    play.lose().await;
    let register = play.register().await;
    assert_eq!(
        (register.running[0].fence.clone(), register.running[0].adopted_epoch),
        (fence(2), 7)
    );
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_adopts_goes_at_the_end_of_its_lease() {
    let mut play = Play::begin_leasing(300).await;
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.lose().await;
    // Nobody answers the registration.
    play.until("the lease ends", |task_manager, _| task_manager.subtask_count() == 0)
        .await;
    play.lose().await;
    let register = play.register().await;
    assert_eq!(register.running, []);
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.end().await;
}
