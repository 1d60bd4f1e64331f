//! Whatever happens, in any order: the chain has no gaps, and commits come before the next record.

use proptest::prelude::*;

use super::*;

/// What may happen to a coordinator; parameters choose among what is known, so that much of it hits.
#[derive(Clone, Debug)]
enum Fate {
    Run,
    Lose,
    Acknowledge { vertex: u32, back: u64 },
    Record,
    Refuse,
    Commit { vertex: u32 },
    End { vertex: u32 },
    Stop,
    Keep,
    Change,
    Wait { ms: u64 },
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => Just(Fate::Run),
        1 => Just(Fate::Lose),
        10 => (0..3_u32, 0..3_u64).prop_map(|(vertex, back)| Fate::Acknowledge { vertex, back: back.saturating_sub(1) }),
        4 => Just(Fate::Record),
        1 => Just(Fate::Refuse),
        4 => (0..3_u32).prop_map(|vertex| Fate::Commit { vertex }),
        1 => (0..2_u32).prop_map(|vertex| Fate::End { vertex }),
        1 => Just(Fate::Stop),
        2 => Just(Fate::Keep),
        1 => Just(Fate::Change),
        6 => (1..700_000_u64).prop_map(|ms| Fate::Wait { ms }),
    ]
}

/// The world around a coordinator, and what must stay true whatever happens.
#[expect(clippy::struct_excessive_bools, reason = "what chance has done so far")]
struct World {
    coordinator: Coordinator,
    now: u64,
    deployment: u32,
    barrier: Option<BarrierId>,
    in_flight: bool,
    recording: Option<Epoch>,
    head: u64,
    uncommitted: Option<Epoch>,
    committed: BTreeSet<SubtaskId>,
    answered: BTreeMap<BarrierId, BTreeSet<SubtaskId>>,
    over: bool,
    parked: bool,
}

impl World {
    fn new() -> Self {
        Self {
            coordinator: Coordinator::new(overtaking(), Epoch(0)),
            now: 0,
            deployment: 0,
            barrier: None,
            in_flight: false,
            recording: None,
            head: 0,
            uncommitted: None,
            committed: BTreeSet::new(),
            answered: BTreeMap::new(),
            over: false,
            parked: false,
        }
    }

    fn step(&mut self, fate: Fate) {
        let actions = match fate {
            Fate::Run => {
                self.deployment += 1;
                // Another graph.
                self.parked = false;
                // Whoever runs was restored from the head and has committed it.
                if self.recording.is_none() && self.coordinator.seen().is_none() {
                    self.uncommitted = None;
                }
                running(&mut self.coordinator, self.deployment, at(self.now))
            }
            Fate::Lose => self.coordinator.on(Event::Lost, at(self.now)),
            Fate::Acknowledge { vertex, back } => {
                let Some(barrier) = self.barrier else { return };
                let barrier = BarrierId {
                    counter: barrier.counter.saturating_sub(back),
                    ..barrier
                };
                self.answered.entry(barrier).or_default().insert(sub(vertex));
                acknowledge(&mut self.coordinator, vertex, barrier, at(self.now))
            }
            Fate::Record => {
                let Some(epoch) = self.recording.take() else { return };
                self.head = epoch.0;
                self.in_flight = false;
                self.uncommitted = Some(epoch);
                self.committed.clear();
                self.coordinator.on(Event::Recorded(epoch), at(self.now))
            }
            Fate::Refuse => {
                let Some(epoch) = self.recording.take() else { return };
                self.coordinator
                    .on(Event::Unrecordable(epoch, "it is too large".to_owned()), at(self.now))
            }
            Fate::Commit { vertex } => {
                let Some(epoch) = self.uncommitted else { return };
                self.committed.insert(sub(vertex));
                self.coordinator.on(
                    Event::Committed {
                        subtask: sub(vertex),
                        epoch,
                    },
                    at(self.now),
                )
            }
            Fate::End { vertex } => self.coordinator.on(Event::Ended(sub(vertex)), at(self.now)),
            Fate::Stop => self.coordinator.on(Event::StopAsked, at(self.now)),
            Fate::Keep => self.coordinator.on(Event::SavepointAsked, at(self.now)),
            Fate::Change => self.coordinator.on(Event::ChangeAsked, at(self.now)),
            Fate::Wait { ms } => {
                self.now += ms;
                self.coordinator.on(Event::Tick, at(self.now))
            }
        };
        for action in actions {
            self.check(action);
        }
        assert_eq!(
            self.coordinator.head().0,
            self.head,
            "the head is the newest record that is known to exist"
        );
    }

    fn check(&mut self, action: Action) {
        match action {
            Action::Trigger { barrier, .. } => {
                assert!(!self.in_flight, "one barrier in flight");
                assert!(self.recording.is_none(), "no barrier while a record is on its way");
                assert!(
                    self.uncommitted.is_none(),
                    "no barrier before the commits of the last epoch are done"
                );
                assert!(!self.over, "nothing after the last checkpoint");
                assert!(!self.parked, "nothing of this graph after its last checkpoint");
                assert!(self.barrier.is_none_or(|last| last < barrier), "barrier ids only grow");
                self.barrier = Some(barrier);
                self.in_flight = true;
            }
            Action::Overtake { barrier, purpose } => {
                assert_eq!(self.barrier, Some(barrier));
                assert!(
                    self.in_flight && self.recording.is_none(),
                    "who is through overtakes nothing"
                );
                assert_eq!(purpose, Purpose::Periodic, "what is kept or handed over is aligned");
            }
            Action::Aborted { barrier, .. } => {
                assert_eq!(self.barrier, Some(barrier));
                assert!(
                    self.in_flight && self.recording.is_none(),
                    "a record on its way is never given up"
                );
                self.in_flight = false;
            }
            Action::Record {
                epoch,
                barrier,
                snapshots,
                ..
            } => {
                assert_eq!(epoch.0, self.head + 1, "no gaps");
                assert!(self.uncommitted.is_none(), "record N+1 never before the commits of N");
                assert_eq!(snapshots.keys().copied().collect::<BTreeSet<_>>(), members().all);
                assert!(
                    self.answered[&barrier].is_superset(&members().all),
                    "all answered this very barrier"
                );
                self.recording = Some(epoch);
            }
            Action::Commit { epoch, .. } => assert_eq!(epoch.0, self.head, "commit only what is recorded"),
            Action::Done { epoch, purpose, .. } => {
                assert_eq!(Some(epoch), self.uncommitted);
                assert!(
                    self.committed.is_superset(&members().sinks),
                    "done means committed by all"
                );
                self.uncommitted = None;
                self.over = matches!(purpose, Purpose::Stop | Purpose::Final);
                self.parked = purpose == Purpose::Change;
            }
            Action::Settled(epoch) => assert_eq!(epoch.0, self.head),
            Action::CommitsOverdue(epoch) => assert_eq!(Some(epoch), self.uncommitted),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_happens_the_chain_has_no_gaps_and_commits_come_before_the_next_record(fates in prop::collection::vec(fate(), 1..120)) {
        let mut world = World::new();
        fates.into_iter().for_each(|fate| world.step(fate));
    }
}
