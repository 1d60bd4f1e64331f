//! A coordinator that takes over subtasks which ran before it.

use super::*;

fn adopted(coordinator: &mut Coordinator, counter: u64, owed: Option<u64>, now: Instant) -> Vec<Action> {
    let head = coordinator.head();
    coordinator.on(
        Event::Adopted {
            generation: generation(1),
            head,
            members: members(),
            counter,
            owed,
        },
        now,
    )
}

#[test]
fn who_is_adopted_commits_the_head_before_the_next_barrier_and_counts_on() {
    let mut coordinator = Coordinator::new(Config::every(Duration::from_secs(1)), Epoch(7));
    let barrier = BarrierId {
        generation: generation(1),
        counter: 4,
    };
    let epoch = Epoch(7);
    assert_eq!(
        adopted(&mut coordinator, 5, Some(4), at(0)),
        [Action::Commit { epoch, barrier }]
    );
    assert!(!coordinator.is_published());
    assert_eq!(
        coordinator.on(Event::Tick, at(5_000)),
        [],
        "the head's commits come first"
    );
    let done = coordinator.on(Event::Committed { subtask: sub(1), epoch }, at(5_000));
    assert!(matches!(done[..], [Action::Done { epoch: Epoch(7), .. }]), "{done:?}");
    let next = coordinator.on(Event::Tick, at(9_000));
    assert!(
        matches!(
            next[..],
            [Action::Trigger {
                barrier: BarrierId { counter: 6, .. },
                ..
            }]
        ),
        "{next:?}"
    );
}

#[test]
fn who_is_adopted_and_was_restored_from_the_head_owes_nothing() {
    let mut coordinator = Coordinator::new(Config::every(Duration::from_secs(1)), Epoch(7));
    assert_eq!(adopted(&mut coordinator, 0, None, at(0)), []);
    assert!(coordinator.is_published());
    let next = coordinator.on(Event::Tick, at(1_000));
    assert!(
        matches!(
            next[..],
            [Action::Trigger {
                barrier: BarrierId { counter: 1, .. },
                ..
            }]
        ),
        "{next:?}"
    );
}
