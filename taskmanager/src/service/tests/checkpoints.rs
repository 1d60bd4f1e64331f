//! Barriers, what they prepare, and what is restored from it.

use std::collections::BTreeMap;

use dataflow::contract::Split;
use dataflow::element::Roll;
use proto::v1::{self, State, to_task_manager as to};
use serde_json::{Value, json};

use super::play::{Play, fence};
use crate::checkpoint::Snapshot;
use crate::testing::Toys;

fn even(numbers: std::ops::Range<i64>) -> Vec<i64> {
    numbers.filter(|number| number % 2 == 0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounded_job_runs_to_its_final_record_and_every_row_arrives_once() {
    let mut play = Play::begin().await;
    play.toys.hold_at(600);
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.splits_wanted(0).await;
    play.splits_wanted(1).await;
    play.assign(0, &[Toys::split(0, 1000, None)]).await;
    play.assign(1, &[Toys::split(1000, 1500, None)]).await;
    // The second source is held up at once (its numbers are above 600), the first at 600.
    play.trigger(1, 1, Roll::Keep).await;
    assert_eq!(
        play.acknowledged(0, 1, 1).await.splits("numbers"),
        [Toys::split(1000, 1500, None)]
    );
    let position = play.acknowledged(0, 0, 1).await.splits("numbers")[0]
        .position
        .as_i64()
        .unwrap();
    play.acknowledged(1, 0, 1).await;
    assert_eq!(
        play.toys.shelf(),
        Vec::<i64>::new(),
        "nothing is visible before the record"
    );
    play.commit(1, 1, 1).await;
    play.committed(1, 1).await;
    assert_eq!(
        play.toys.shelf(),
        even(0..position),
        "what the snapshot of the source says, and no more"
    );
    play.toys.hold_at(i64::MAX);
    for (vertex, index) in [(0, 0), (0, 1), (1, 0)] {
        play.status(vertex, index, State::Ended).await;
    }
    play.trigger(1, 2, Roll::All).await;
    for (vertex, index) in [(0, 0), (0, 1), (1, 0)] {
        play.acknowledged(vertex, index, 2).await;
    }
    play.commit(1, 2, 2).await;
    play.committed(1, 2).await;
    assert_eq!(play.toys.shelf(), even(0..1500));
    play.say(to::Message::Recorded(v1::Recorded {
        fence: fence(1),
        epoch: 2,
        r#final: true,
    }))
    .await;
    play.until("all threads leave", |task_manager, _| task_manager.subtask_count() == 0)
        .await;
    let metrics = play.task_manager.metrics().text();
    assert!(
        metrics.contains("weir_records_in_total{datastream=\"numbers\",vertex=\"vertex 0\"} 1500"),
        "{metrics}"
    );
    assert!(
        metrics.contains("weir_step_dropped_total{datastream=\"numbers\",vertex=\"vertex 1\",step=\"even\"} 750"),
        "{metrics}"
    );
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_aborted_barrier_prepared_is_committed_with_the_next_record() {
    let mut play = Play::begin().await;
    play.toys.hold_at(200);
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.assign(0, &[Toys::split(0, 1000, None)]).await;
    play.assign(1, &[]).await;
    play.status(0, 1, State::Ended).await;
    play.trigger(1, 1, Roll::Keep).await;
    let first = play.acknowledged(1, 0, 1).await.sink("shelf").committables;
    play.toys.hold_at(400);
    play.trigger(1, 2, Roll::Keep).await;
    let position = play.acknowledged(0, 0, 2).await.splits("numbers")[0]
        .position
        .as_i64()
        .unwrap();
    let second = play.acknowledged(1, 0, 2).await.sink("shelf").committables;
    assert!(first.iter().all(|committable| second.contains(committable)));
    play.commit(1, 1, 2).await;
    play.committed(1, 1).await;
    assert_eq!(play.toys.shelf(), even(0..position));
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_sink_commits_before_the_first_row_and_sources_go_on_at_their_positions() {
    let mut play = Play::begin().await;
    let node = |name: &str, value: Value| Snapshot {
        nodes: BTreeMap::from([(name.to_owned(), value)]),
        ..Snapshot::default()
    };
    let committable = json!({"name": "of an earlier attempt", "rows": [-2, -4]});
    let restored = BTreeMap::from([
        (
            (0, 0),
            node(
                "numbers",
                json!([Split {
                    position: json!(90),
                    ..Toys::split(0, 100, None)
                }]),
            ),
        ),
        (
            (1, 0),
            node("shelf", json!({"committables": [committable], "state": 1})),
        ),
    ]);
    play.toys.hold_at(0);
    play.deploy(1, &restored).await;
    play.status(1, 0, State::Running).await;
    assert_eq!(play.toys.shelf(), [-4, -2]);
    play.toys.hold_at(i64::MAX);
    play.assign(0, &[]).await;
    play.assign(1, &[]).await;
    play.status(1, 0, State::Ended).await;
    play.trigger(1, 1, Roll::All).await;
    play.acknowledged(1, 0, 1).await;
    play.commit(1, 1, 1).await;
    play.committed(1, 1).await;
    assert_eq!(play.toys.shelf(), [-4, -2, 90, 92, 94, 96, 98]);
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barrier_that_crosses_the_end_of_the_input_is_answered() {
    let mut play = Play::begin().await;
    play.toys.hold_at(0);
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    // The sink is asked while it waits for its sources, which then end without having seen a barrier.
    play.assign(0, &[]).await;
    play.assign(1, &[]).await;
    play.status(0, 0, State::Ended).await;
    play.status(0, 1, State::Ended).await;
    play.trigger(1, 1, Roll::Keep).await;
    for (vertex, index) in [(0, 0), (0, 1), (1, 0)] {
        play.acknowledged(vertex, index, 1).await;
    }
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_source_ends_where_it_stands() {
    let mut play = Play::begin().await;
    play.toys.hold_at(100);
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.assign(0, &[Toys::split(0, 1000, None)]).await;
    play.assign(1, &[]).await;
    play.status(0, 1, State::Ended).await;
    play.say(to::Message::Drain(v1::Drain { fence: fence(1) })).await;
    play.status(0, 0, State::Ended).await;
    play.status(1, 0, State::Ended).await;
    play.trigger(1, 1, Roll::All).await;
    let position = play.acknowledged(0, 0, 1).await.splits("numbers")[0]
        .position
        .as_i64()
        .unwrap();
    play.acknowledged(1, 0, 1).await;
    play.commit(1, 1, 1).await;
    play.committed(1, 1).await;
    assert_eq!(play.toys.shelf(), even(0..position));
    play.end().await;
}

/// Rows that a snapshot's sink has prepared.
fn prepared(snapshot: &Snapshot) -> usize {
    let committables = snapshot.sink("shelf").committables;
    let rows = |committable: &dataflow::contract::Committable| committable.0["rows"].as_array().unwrap().len();
    committables.iter().map(rows).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barrier_overtakes_the_rows_before_a_stuck_sink_and_all_rows_are_restored_once() {
    const ROWS: i64 = 200_000;
    let mut play = Play::begin_small(tempfile::tempdir().unwrap()).await;
    play.toys.allow_writes(Some(2));
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.assign(0, &[Toys::split(0, ROWS, None)]).await;
    play.assign(1, &[Toys::split(ROWS, 2 * ROWS, None)]).await;
    play.waits_for(0, 0, "credit").await;
    play.waits_for(0, 1, "credit").await;
    play.waits_for(1, 0, "sink").await;
    play.trigger(1, 1, Roll::Keep).await;
    play.overtake(1, 1).await;
    let mut restored = BTreeMap::new();
    for (vertex, index) in [(0, 0), (0, 1), (1, 0)] {
        let snapshot = play.acknowledged_slowly(vertex, index, 1).await;
        restored.insert((vertex, index), snapshot);
    }
    let sink = &restored[&(1, 0)];
    let overtaken = sink.overtaken.as_ref().expect("rows waited for the sink");
    let folder = play.state.as_ref().unwrap().path().to_owned();
    let length = std::fs::metadata(folder.join(&overtaken.object)).unwrap().len();
    assert_eq!(length, overtaken.bytes);
    assert!(overtaken.rows > 1_000, "{} rows", overtaken.rows);
    assert!(overtaken.bytes < 4 << 20, "bounded by the channels and the queue");
    let in_outlets = |index| restored[&(0, index)].overtaken.is_some();
    assert!(in_outlets(0) || in_outlets(1), "rows waited for credit");
    play.commit(1, 1, 1).await;
    play.committed_slowly(1, 1).await;
    let published = play.toys.shelf();
    assert_eq!(published.len(), prepared(sink));
    goes_on_to_the_end(play, &restored, 2 * ROWS).await;
}

/// Another deployment takes the place of the first, goes on from the barrier, and comes to the end of so many rows.
async fn goes_on_to_the_end(mut play: Play, restored: &BTreeMap<(u32, u32), Snapshot>, rows: i64) {
    play.deploy(2, restored).await;
    play.running().await;
    play.toys.allow_writes(None);
    for index in [0, 1] {
        play.assign_to(2, index, &[]).await;
    }
    for (vertex, index) in [(0, 0), (0, 1), (1, 0)] {
        play.status(vertex, index, State::Ended).await;
    }
    play.trigger(2, 1, Roll::All).await;
    play.acknowledged(1, 0, 1).await;
    play.commit(2, 2, 1).await;
    play.committed(1, 2).await;
    let (found, wanted) = (play.toys.shelf(), even(0..rows));
    // Two hundred thousand numbers are no message.
    let first = found.iter().zip(&wanted).find(|(found, wanted)| found != wanted);
    assert!(
        found == wanted,
        "each row once: {} of {}, first {first:?}, last {:?}",
        found.len(),
        wanted.len(),
        found.last()
    );
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barrier_that_was_given_up_and_one_that_overtakes_later_share_their_rows_rightly() {
    const ROWS: i64 = 200_000;
    let mut play = Play::begin_small(tempfile::tempdir().unwrap()).await;
    play.toys.allow_writes(Some(0));
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.assign(0, &[Toys::split(0, ROWS, None)]).await;
    play.assign(1, &[Toys::split(ROWS, 2 * ROWS, None)]).await;
    play.waits_for(0, 0, "credit").await;
    play.waits_for(0, 1, "credit").await;
    // Two barriers overtake; nobody makes a record of the first.
    play.trigger(1, 1, Roll::Keep).await;
    play.overtake(1, 1).await;
    play.acknowledged(0, 0, 1).await;
    play.acknowledged(0, 1, 1).await;
    play.trigger(1, 2, Roll::Keep).await;
    play.overtake(1, 2).await;
    let mut restored = BTreeMap::new();
    for (vertex, index) in [(0, 0), (0, 1), (1, 0)] {
        restored.insert((vertex, index), play.acknowledged_slowly(vertex, index, 2).await);
    }
    play.commit(1, 1, 2).await;
    play.committed_slowly(1, 1).await;
    goes_on_to_the_end(play, &restored, 2 * ROWS).await;
}
