//! The coordinator and the commits, by hand and under random events.

mod adopted;
mod fates;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use dataflow::element::Roll;
use dataflow::id::{BarrierId, Epoch, Generation, SubtaskId, VertexId};
use dataflow::time::Instant;

use super::*;

fn sub(vertex: u32) -> SubtaskId {
    SubtaskId {
        vertex: VertexId(vertex),
        index: 0,
    }
}

/// A source (0) and a sink (1).
fn members() -> Members {
    Members {
        all: [sub(0), sub(1)].into(),
        sinks: [sub(1)].into(),
    }
}

fn at(ms: u64) -> Instant {
    Instant::from_start(Duration::from_millis(ms))
}

fn generation(deployment: u32) -> Generation {
    Generation { term: 1, deployment }
}

fn running(coordinator: &mut Coordinator, deployment: u32, now: Instant) -> Vec<Action> {
    let head = coordinator.head();
    coordinator.on(
        Event::Running {
            generation: generation(deployment),
            head,
            members: members(),
        },
        now,
    )
}

fn acknowledge(coordinator: &mut Coordinator, vertex: u32, barrier: BarrierId, now: Instant) -> Vec<Action> {
    let snapshot = Bytes::from(format!("{{\"nodes\":{{\"s\":{vertex}}}}}"));
    coordinator.on(
        Event::Acknowledged(Acknowledgement {
            subtask: sub(vertex),
            barrier,
            snapshot,
            aligned: Aligned::default(),
        }),
        now,
    )
}

fn start() -> Coordinator {
    let mut coordinator = Coordinator::new(Config::every(Duration::from_secs(1)), Epoch(0));
    assert_eq!(running(&mut coordinator, 1, at(0)), []);
    coordinator
}

fn triggered(actions: &[Action]) -> (BarrierId, Purpose) {
    match actions {
        [Action::Trigger { barrier, purpose }] => (*barrier, *purpose),
        other => panic!("expected one trigger, got {other:?}"),
    }
}

fn through(coordinator: &mut Coordinator, barrier: BarrierId, now: Instant) -> Vec<Action> {
    acknowledge(coordinator, 0, barrier, now);
    acknowledge(coordinator, 1, barrier, now);
    let epoch = Epoch(coordinator.head().0 + 1);
    coordinator.on(Event::Recorded(epoch), now);
    coordinator.on(Event::Committed { subtask: sub(1), epoch }, now)
}

#[test]
fn a_barrier_becomes_a_record_and_its_commits_before_the_next_one_goes_out() {
    let mut coordinator = start();
    assert_eq!(coordinator.on(Event::Tick, at(999)), []);
    let (barrier, purpose) = triggered(&coordinator.on(Event::Tick, at(1000)));
    assert_eq!(purpose, Purpose::Periodic);
    assert!(coordinator.is_barrier_in_flight());
    assert_eq!(acknowledge(&mut coordinator, 0, barrier, at(1100)), []);
    let actions = acknowledge(&mut coordinator, 1, barrier, at(1200));
    assert!(matches!(&actions[..], [Action::Record { epoch: Epoch(1), snapshots, .. }] if snapshots.len() == 2));
    assert!(!coordinator.is_settled());
    assert_eq!(
        coordinator.on(Event::Recorded(Epoch(1)), at(1300)),
        [Action::Commit {
            epoch: Epoch(1),
            barrier
        }]
    );
    assert!(
        !coordinator.is_barrier_in_flight(),
        "splits may move once the record is there"
    );
    assert_eq!(
        coordinator.on(Event::Tick, at(9000)),
        [],
        "nothing goes out before the commits are done"
    );
    let actions = coordinator.on(
        Event::Committed {
            subtask: sub(1),
            epoch: Epoch(1),
        },
        at(9000),
    );
    assert!(matches!(&actions[..], [Action::Done { epoch: Epoch(1), .. }]));
}

#[test]
fn a_slow_checkpoint_leaves_the_stream_half_of_its_time() {
    let mut coordinator = start();
    let (barrier, _) = triggered(&coordinator.on(Event::Tick, at(1000)));
    through(&mut coordinator, barrier, at(5000));
    assert_eq!(coordinator.deadline(), Some(at(7000)));
}

#[test]
fn answers_to_another_barrier_or_from_a_stranger_do_not_count() {
    let mut coordinator = start();
    let (barrier, _) = triggered(&coordinator.on(Event::Tick, at(1000)));
    let old = BarrierId {
        generation: generation(0),
        ..barrier
    };
    let other = BarrierId {
        counter: barrier.counter + 1,
        ..barrier
    };
    for strange in [old, other] {
        assert_eq!(acknowledge(&mut coordinator, 0, strange, at(1001)), []);
        assert_eq!(acknowledge(&mut coordinator, 1, strange, at(1001)), []);
    }
    assert_eq!(acknowledge(&mut coordinator, 7, barrier, at(1001)), []);
    assert_eq!(acknowledge(&mut coordinator, 0, barrier, at(1001)), []);
    assert_eq!(
        acknowledge(&mut coordinator, 0, barrier, at(1001)),
        [],
        "the same answer twice is one"
    );
}

#[test]
fn a_barrier_nobody_answers_is_given_up_and_the_next_one_has_another_id() {
    let mut coordinator = start();
    let (first, _) = triggered(&coordinator.on(Event::Tick, at(1000)));
    let actions = coordinator.on(Event::Tick, at(601_000));
    assert!(matches!(&actions[..], [Action::Aborted { reason, .. }] if reason.contains("sub-0.0")));
    let due = coordinator.deadline().unwrap();
    let (second, _) = triggered(&coordinator.on(Event::Tick, due));
    assert_ne!(first, second);
    assert_eq!(acknowledge(&mut coordinator, 0, first, due), []);
    assert_eq!(acknowledge(&mut coordinator, 1, first, due), []);
}

#[test]
fn a_record_under_way_when_the_subtasks_are_lost_becomes_the_head() {
    let mut coordinator = start();
    let (barrier, _) = triggered(&coordinator.on(Event::Tick, at(1000)));
    acknowledge(&mut coordinator, 0, barrier, at(1001));
    acknowledge(&mut coordinator, 1, barrier, at(1001));
    assert_eq!(coordinator.on(Event::Lost, at(1002)), []);
    assert!(!coordinator.is_settled());
    assert_eq!(
        running(&mut coordinator, 2, at(1003)),
        [],
        "nobody may run on before the head is known"
    );
    assert_eq!(coordinator.on(Event::Tick, at(9_000)), []);
    assert_eq!(
        coordinator.on(Event::Recorded(Epoch(1)), at(9_001)),
        [Action::Settled(Epoch(1))]
    );
    running(&mut coordinator, 2, at(9_002));
    assert!(
        matches!(triggered(&coordinator.on(Event::Tick, at(10_002))), (barrier, _) if barrier.generation == generation(2))
    );
}

#[test]
fn the_end_of_all_subtasks_brings_the_last_checkpoint_at_once() {
    let mut coordinator = start();
    assert_eq!(coordinator.on(Event::Ended(sub(0)), at(10)), []);
    let (barrier, purpose) = triggered(&coordinator.on(Event::Ended(sub(1)), at(11)));
    assert_eq!(purpose, Purpose::Final);
    let actions = through(&mut coordinator, barrier, at(12));
    assert!(matches!(
        &actions[..],
        [Action::Done {
            purpose: Purpose::Final,
            ..
        }]
    ));
    assert_eq!(coordinator.on(Event::Tick, at(99_000)), []);
}

#[test]
fn an_end_during_a_barrier_waits_for_it() {
    let mut coordinator = start();
    let (barrier, _) = triggered(&coordinator.on(Event::Tick, at(1000)));
    coordinator.on(Event::Ended(sub(0)), at(1001));
    coordinator.on(Event::Ended(sub(1)), at(1001));
    let actions = through(&mut coordinator, barrier, at(1002));
    assert!(matches!(
        &actions[..],
        [
            Action::Done {
                purpose: Purpose::Periodic,
                ..
            },
            Action::Trigger {
                purpose: Purpose::Final,
                ..
            }
        ]
    ));
}

#[test]
fn a_stop_takes_its_checkpoint_at_once_and_then_none() {
    let mut coordinator = start();
    let (barrier, purpose) = triggered(&coordinator.on(Event::StopAsked, at(10)));
    assert_eq!(purpose, Purpose::Stop);
    through(&mut coordinator, barrier, at(12));
    assert_eq!(coordinator.deadline(), None);
}

#[test]
fn a_savepoint_goes_out_at_once_rolls_and_is_followed_by_others() {
    let mut coordinator = start();
    let (barrier, purpose) = triggered(&coordinator.on(Event::SavepointAsked, at(10)));
    assert_eq!((purpose, purpose.roll()), (Purpose::Savepoint, Roll::All));
    through(&mut coordinator, barrier, at(12));
    let due = coordinator.deadline().unwrap();
    assert!(matches!(
        triggered(&coordinator.on(Event::Tick, due)),
        (_, Purpose::Periodic)
    ));
}

#[test]
fn a_savepoint_asked_for_during_a_barrier_waits_for_it_and_outlives_a_restart() {
    let mut coordinator = start();
    let (barrier, _) = triggered(&coordinator.on(Event::Tick, at(1000)));
    assert_eq!(coordinator.on(Event::SavepointAsked, at(1001)), []);
    let actions = through(&mut coordinator, barrier, at(1002));
    assert!(matches!(
        &actions[..],
        [
            Action::Done { .. },
            Action::Trigger {
                purpose: Purpose::Savepoint,
                ..
            }
        ]
    ));
    coordinator.on(Event::Lost, at(1003));
    assert!(matches!(
        triggered(&running(&mut coordinator, 2, at(1004))),
        (_, Purpose::Savepoint)
    ));
}

#[test]
fn nothing_of_a_graph_follows_its_last_checkpoint_and_the_next_one_begins_behind_its_document() {
    let mut coordinator = start();
    let (barrier, purpose) = triggered(&coordinator.on(Event::ChangeAsked, at(10)));
    assert_eq!(purpose, Purpose::Change);
    through(&mut coordinator, barrier, at(12));
    assert!(coordinator.is_published());
    assert_eq!(
        (coordinator.deadline(), coordinator.on(Event::StopAsked, at(20))),
        (None, vec![])
    );
    coordinator.on(Event::Amended(Epoch(2)), at(21));
    assert_eq!(coordinator.head(), Epoch(2));
    let (_, purpose) = triggered(&running(&mut coordinator, 2, at(22)));
    assert_eq!(purpose, Purpose::Stop);
}

#[test]
fn a_change_is_forgotten_with_its_deployment() {
    let mut coordinator = start();
    triggered(&coordinator.on(Event::ChangeAsked, at(10)));
    coordinator.on(Event::Lost, at(11));
    assert_eq!(running(&mut coordinator, 2, at(12)), []);
}

#[test]
fn a_stop_outlives_a_restart() {
    let mut coordinator = start();
    triggered(&coordinator.on(Event::StopAsked, at(10)));
    coordinator.on(Event::Lost, at(11));
    let (_, purpose) = triggered(&running(&mut coordinator, 2, at(12)));
    assert_eq!(purpose, Purpose::Stop);
}

#[test]
fn commits_that_never_come_are_reported() {
    let mut coordinator = start();
    let (barrier, _) = triggered(&coordinator.on(Event::Tick, at(1000)));
    acknowledge(&mut coordinator, 0, barrier, at(1000));
    acknowledge(&mut coordinator, 1, barrier, at(1000));
    coordinator.on(Event::Recorded(Epoch(1)), at(1000));
    assert_eq!(
        coordinator.on(Event::Tick, at(601_000)),
        [Action::CommitsOverdue(Epoch(1))]
    );
    assert_eq!(coordinator.on(Event::Tick, at(601_001)), []);
}

fn overtaking() -> Config {
    Config::every(Duration::from_secs(1)).overtaking_after(Some(Duration::from_secs(2)))
}

#[test]
fn a_barrier_that_is_not_aligned_in_time_overtakes_once_and_is_given_up_no_earlier() {
    let mut coordinator = Coordinator::new(overtaking(), Epoch(0));
    running(&mut coordinator, 1, at(0));
    let (barrier, purpose) = triggered(&coordinator.on(Event::Tick, at(1_000)));
    let answer = |vertex, longest, overtook| {
        Event::Acknowledged(Acknowledgement {
            subtask: sub(vertex),
            barrier,
            snapshot: Bytes::from_static(b"{}"),
            aligned: Aligned {
                longest: Duration::from_millis(longest),
                overtook,
                written_bytes: 5,
                ..Aligned::default()
            },
        })
    };
    coordinator.on(answer(0, 3, None), at(1_010));
    assert_eq!(coordinator.deadline(), Some(at(3_000)));
    assert_eq!(coordinator.on(Event::Tick, at(2_999)), []);
    let overtake = [Action::Overtake { barrier, purpose }];
    assert_eq!(coordinator.on(Event::Tick, at(3_000)), overtake);
    assert_eq!(coordinator.seen().unwrap().phase, "overtaking");
    assert_eq!(coordinator.deadline(), Some(at(601_000)));
    assert_eq!(coordinator.on(Event::Tick, at(4_000)), [], "once");
    // The same answer again counts once.
    coordinator.on(answer(0, 9, Some(9)), at(4_000));
    coordinator.on(answer(1, 2_000, Some(70)), at(4_100));
    coordinator.on(Event::Recorded(Epoch(1)), at(4_100));
    let epoch = Epoch(1);
    let done = coordinator.on(Event::Committed { subtask: sub(1), epoch }, at(4_200));
    let Some(Action::Done { timing, .. }) = done.first() else {
        panic!("it is done, and not {done:?}")
    };
    let aligned = Aligned {
        longest: Duration::from_secs(2),
        overtook: Some(70),
        written_bytes: 10,
        last_of: Some(sub(1)),
        ..Aligned::default()
    };
    assert_eq!(timing.aligned, aligned);
}

#[test]
fn a_savepoint_is_aligned_however_long_that_takes() {
    let mut coordinator = Coordinator::new(overtaking(), Epoch(0));
    running(&mut coordinator, 1, at(0));
    let (_, purpose) = triggered(&coordinator.on(Event::SavepointAsked, at(10)));
    assert_eq!(purpose, Purpose::Savepoint);
    assert_eq!(coordinator.deadline(), Some(at(600_010)));
    assert_eq!(coordinator.on(Event::Tick, at(500_000)), []);
}

#[test]
fn a_commit_of_another_epoch_pays_nothing() {
    let mut commits = Commits::owed(Epoch(3), [sub(1), sub(2)].into());
    assert_eq!(commits.on(sub(1), Epoch(2)), Heard::Stale);
    assert_eq!(commits.on(sub(0), Epoch(3)), Heard::Stale);
    assert_eq!(commits.on(sub(1), Epoch(3)), Heard::Paid);
    assert_eq!(commits.on(sub(1), Epoch(3)), Heard::Stale);
    assert_eq!(commits.on(sub(2), Epoch(3)), Heard::Done);
}
