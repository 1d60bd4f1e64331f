//! When a barrier goes out, what makes a record of it, and when the next may follow. Pure.
//!
//! ```text
//!   Away ──Running──> Idle ──due, or all ended, or stop──> Collecting ──all acknowledged──> Recording
//!                                                          (not aligned in time: overtaking)
//!    ^                 ^ ^                                     │                               │
//!    │                 │ └──────── deadline: aborted ──────────┘                               │ Recorded
//!    │                 └────────────── all committed (not after the last one) ── Committing <──┘
//!    ├── the last one of a graph that is changed is committed
//!    └── Lost, from everywhere; a record on its way is waited for, because nobody knows whether it exists
//!                                                               last one committed ──> Over
//! ```
//!
//! Must stay true: one barrier in flight; acknowledgements count for its id only, one for each member; the record
//! holds one of every member; epoch numbers have no gaps; record N+1 is not made before N's commits are done, by the
//! sinks or, after a restart, by those who were restored from N.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use dataflow::element::Roll;
use dataflow::id::{BarrierId, Epoch, Generation, SubtaskId};
use dataflow::time::Instant;

use super::commit::{Commits, Heard};
use super::event::{Acknowledgement, Action, Event, Members};
use super::timing::{Aligned, Timing};
use super::{Config, Purpose};

#[derive(Clone, Debug)]
struct Flight {
    barrier: BarrierId,
    purpose: Purpose,
    triggered: Instant,
    collected: Option<Instant>,
    recorded: Option<Instant>,
    overtakes: bool,
    aligned: Aligned,
}

impl Flight {
    /// When it is to overtake. Whatever is kept by name, or handed to another graph, is aligned.
    fn overtakes_at(&self, config: &Config) -> Option<Instant> {
        let may = self.purpose == Purpose::Periodic && !self.overtakes;
        config
            .aligned_timeout
            .filter(|_| may)
            .map(|timeout| self.triggered + timeout)
    }

    fn timing(&self, over: Instant) -> Timing {
        Timing {
            triggered: self.triggered,
            collected: self.collected,
            recorded: self.recorded,
            over,
            aligned: self.aligned,
        }
    }
}

#[derive(Clone, Debug)]
enum Phase {
    Away,
    Idle,
    Collecting {
        flight: Flight,
        snapshots: BTreeMap<SubtaskId, Bytes>,
    },
    Recording {
        flight: Flight,
        epoch: Epoch,
        lost: bool,
    },
    Committing {
        flight: Flight,
        commits: Commits,
    },
    Over,
}

/// What a person may see of the checkpoint under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its barrier.
    pub barrier: BarrierId,
    /// `collecting`, `overtaking`, `recording`, `committing`.
    pub phase: &'static str,
    /// When it was triggered.
    pub triggered: Instant,
    /// Whose answer is awaited.
    pub waits_for: BTreeSet<SubtaskId>,
}

/// Decides about the checkpoints of one job.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
pub struct Coordinator {
    config: Config,
    generation: Generation,
    counter: u64,
    head: Epoch,
    members: Members,
    ended: BTreeSet<SubtaskId>,
    stop: bool,
    savepoint: bool,
    change: bool,
    published: bool,
    next_at: Instant,
    phase: Phase,
}

impl Coordinator {
    /// A coordinator of a job whose chain ends with `head`; nothing runs yet.
    #[must_use]
    pub fn new(config: Config, head: Epoch) -> Self {
        Self {
            config,
            generation: Generation::default(),
            counter: 0,
            head,
            members: Members::default(),
            ended: BTreeSet::new(),
            stop: false,
            savepoint: false,
            change: false,
            published: head == Epoch(0),
            next_at: Instant::default(),
            phase: Phase::Away,
        }
    }

    /// Follows another document's numbers from now on.
    pub fn reconfigure(&mut self, config: Config) {
        self.config = config;
    }

    /// The newest epoch known to exist.
    #[must_use]
    pub fn head(&self) -> Epoch {
        self.head
    }

    /// Whether it is known what the head of the chain is: no record is on its way.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !matches!(self.phase, Phase::Recording { .. })
    }

    /// Whether everything in the newest record is known to be published.
    ///
    /// After a restart it is, once those run who were restored from it.
    #[must_use]
    pub fn is_published(&self) -> bool {
        self.published
    }

    /// Whether a barrier is between its trigger and its record: splits must not move.
    #[must_use]
    pub fn is_barrier_in_flight(&self) -> bool {
        matches!(self.phase, Phase::Collecting { .. } | Phase::Recording { .. })
    }

    /// When [`Event::Tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Idle => Some(self.next_at),
            Phase::Collecting { flight, .. } => {
                let given_up = flight.triggered + self.config.collect_deadline;
                let overtakes = flight.overtakes_at(&self.config);
                Some(overtakes.map_or(given_up, |at| at.min(given_up)))
            }
            Phase::Committing { flight, .. } => flight.recorded.map(|at| at + self.config.commit_deadline),
            Phase::Away | Phase::Recording { .. } | Phase::Over => None,
        }
    }

    /// The checkpoint under way.
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        let (flight, phase, waits_for) = match &self.phase {
            Phase::Collecting { flight, snapshots } => {
                let silent = self
                    .members
                    .all
                    .iter()
                    .filter(|subtask| !snapshots.contains_key(subtask));
                let phase = if flight.overtakes { "overtaking" } else { "collecting" };
                (flight, phase, silent.copied().collect())
            }
            Phase::Recording { flight, .. } => (flight, "recording", BTreeSet::new()),
            Phase::Committing { flight, commits } => (flight, "committing", commits.waits_for().clone()),
            Phase::Away | Phase::Idle | Phase::Over => return None,
        };
        Some(Seen {
            barrier: flight.barrier,
            phase,
            triggered: flight.triggered,
            waits_for,
        })
    }

    /// Takes an event; says what is to be done.
    pub fn on(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Running {
                generation,
                head,
                members,
            } => self.running(generation, head, members, now),
            Event::Adopted {
                generation,
                head,
                members,
                counter,
                owed,
            } => {
                let was_away = matches!(self.phase, Phase::Away);
                self.running(generation, head, members, now);
                if was_away && matches!(self.phase, Phase::Idle) {
                    self.counter = counted(counter);
                    self.owe(owed, now, &mut actions);
                }
            }
            Event::Lost => self.lost(now, &mut actions),
            Event::Acknowledged(answer) => self.acknowledged(answer, now, &mut actions),
            Event::Recorded(epoch) => self.recorded(epoch, now, &mut actions),
            Event::Unrecordable(epoch, reason) => self.unrecordable(epoch, &reason, now, &mut actions),
            Event::Committed { subtask, epoch } => self.committed(subtask, epoch, now, &mut actions),
            Event::Ended(subtask) => {
                if self.members.all.contains(&subtask) {
                    self.ended.insert(subtask);
                }
            }
            Event::StopAsked => self.stop = true,
            Event::SavepointAsked => self.savepoint = true,
            Event::ChangeAsked => self.change = true,
            Event::Amended(epoch) => self.amended(epoch),
            Event::Tick => self.overdue(now, &mut actions),
        }
        self.trigger_if_due(now, &mut actions);
        actions
    }

    fn running(&mut self, generation: Generation, head: Epoch, members: Members, now: Instant) {
        // A deployment restored from anything but the head, or seen twice, must not be checkpointed.
        if !matches!(self.phase, Phase::Away) || head != self.head || generation <= self.generation {
            return;
        }
        self.generation = generation;
        self.counter = 0;
        self.members = members;
        self.ended.clear();
        self.next_at = now + self.config.interval;
        self.published = true;
        self.phase = Phase::Idle;
    }

    /// What the head holds is committed by those who made it, before anything else is recorded.
    fn owe(&mut self, owed: Option<u64>, now: Instant, actions: &mut Vec<Action>) {
        let Some(counter) = owed else { return };
        let barrier = BarrierId {
            generation: self.generation,
            counter,
        };
        let flight = Flight {
            barrier,
            purpose: Purpose::Periodic,
            triggered: now,
            collected: Some(now),
            recorded: Some(now),
            overtakes: false,
            aligned: Aligned::default(),
        };
        let epoch = self.head;
        let commits = Commits::owed(epoch, self.members.sinks.clone());
        self.published = false;
        actions.push(Action::Commit { epoch, barrier });
        if commits.is_done() {
            self.done(&flight, epoch, now, actions);
        } else {
            self.phase = Phase::Committing { flight, commits };
        }
    }

    /// Another document was put at the head of the chain while nothing ran.
    fn amended(&mut self, epoch: Epoch) {
        if matches!(self.phase, Phase::Away) && epoch.0 == self.head.0 + 1 {
            self.head = epoch;
        }
    }

    fn lost(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.ended.clear();
        self.change = false;
        match std::mem::replace(&mut self.phase, Phase::Away) {
            Phase::Collecting { flight, .. } => actions.push(aborted(&flight, "its subtasks were lost", now)),
            Phase::Recording { flight, epoch, .. } => {
                self.phase = Phase::Recording {
                    flight,
                    epoch,
                    lost: true,
                }
            }
            Phase::Over => self.phase = Phase::Over,
            Phase::Away | Phase::Idle | Phase::Committing { .. } => {}
        }
    }

    fn acknowledged(&mut self, answer: Acknowledgement, now: Instant, actions: &mut Vec<Action>) {
        let Phase::Collecting { flight, snapshots } = &mut self.phase else {
            return;
        };
        if answer.barrier != flight.barrier || !self.members.all.contains(&answer.subtask) {
            return;
        }
        // The first answer stands: a second one of the same barrier is the same message again.
        if let Entry::Vacant(place) = snapshots.entry(answer.subtask) {
            place.insert(answer.snapshot);
            let last_of = Some(answer.subtask);
            flight.aligned = flight.aligned.and(Aligned {
                last_of,
                ..answer.aligned
            });
        }
        if snapshots.len() < self.members.all.len() {
            return;
        }
        let mut flight = flight.clone();
        let snapshots = std::mem::take(snapshots);
        let epoch = Epoch(self.head.0 + 1);
        flight.collected = Some(now);
        actions.push(Action::Record {
            epoch,
            barrier: flight.barrier,
            purpose: flight.purpose,
            snapshots,
        });
        self.phase = Phase::Recording {
            flight,
            epoch,
            lost: false,
        };
    }

    fn recorded(&mut self, recorded: Epoch, now: Instant, actions: &mut Vec<Action>) {
        let Phase::Recording { flight, epoch, lost } = &self.phase else {
            return;
        };
        if recorded != *epoch {
            return;
        }
        let (mut flight, epoch, lost) = (flight.clone(), *epoch, *lost);
        flight.recorded = Some(now);
        self.head = epoch;
        self.published = false;
        if lost {
            // Whoever is restored from it commits it before the first row.
            self.phase = Phase::Away;
            actions.push(Action::Settled(epoch));
            return;
        }
        let commits = Commits::owed(epoch, self.members.sinks.clone());
        actions.push(Action::Commit {
            epoch,
            barrier: flight.barrier,
        });
        if commits.is_done() {
            self.done(&flight, epoch, now, actions);
        } else {
            self.phase = Phase::Committing { flight, commits };
        }
    }

    fn unrecordable(&mut self, refused: Epoch, reason: &str, now: Instant, actions: &mut Vec<Action>) {
        let Phase::Recording { flight, epoch, lost } = &self.phase else {
            return;
        };
        if refused != *epoch {
            return;
        }
        actions.push(aborted(flight, reason, now));
        self.next_at = self.next_after(flight.triggered, now);
        self.phase = if *lost { Phase::Away } else { Phase::Idle };
    }

    fn committed(&mut self, subtask: SubtaskId, epoch: Epoch, now: Instant, actions: &mut Vec<Action>) {
        let Phase::Committing { flight, commits } = &mut self.phase else {
            return;
        };
        if commits.on(subtask, epoch) == Heard::Done {
            let flight = flight.clone();
            self.done(&flight, epoch, now, actions);
        }
    }

    fn done(&mut self, flight: &Flight, epoch: Epoch, now: Instant, actions: &mut Vec<Action>) {
        let timing = flight.timing(now);
        self.published = true;
        actions.push(Action::Done {
            epoch,
            barrier: flight.barrier,
            purpose: flight.purpose,
            timing,
        });
        if flight.purpose.roll() == Roll::All {
            // Whatever it was for: all files are closed, all is published.
            self.savepoint = false;
        }
        match flight.purpose {
            Purpose::Periodic | Purpose::Savepoint => {
                self.phase = Phase::Idle;
                self.next_at = self.next_after(flight.triggered, now);
            }
            Purpose::Change => {
                self.change = false;
                self.phase = Phase::Away;
            }
            Purpose::Stop | Purpose::Final => self.phase = Phase::Over,
        }
    }

    /// A checkpoint that took long leaves the stream at least half as long alone, and never less than a tenth of the interval.
    fn next_after(&self, triggered: Instant, now: Instant) -> Instant {
        let pause = (self.config.interval / 10).max(now.since(triggered) / 2);
        (triggered + self.config.interval).max(now + pause)
    }

    fn overdue(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match &mut self.phase {
            Phase::Collecting { flight, .. } if now < flight.triggered + self.config.collect_deadline => {
                flight.overtakes = true;
                actions.push(Action::Overtake {
                    barrier: flight.barrier,
                    purpose: flight.purpose,
                });
            }
            Phase::Collecting { flight, snapshots } => {
                let silent = self.members.all.iter().find(|subtask| !snapshots.contains_key(subtask));
                let reason =
                    silent.map_or_else(|| "it took too long".to_owned(), |one| format!("{one} did not answer"));
                let flight = flight.clone();
                actions.push(aborted(&flight, &reason, now));
                self.phase = Phase::Idle;
                self.next_at = self.next_after(flight.triggered, now);
            }
            Phase::Committing { flight, commits } => {
                // Said once for each deadline: the shell answers with `Lost`.
                flight.recorded = Some(now);
                actions.push(Action::CommitsOverdue(commits.epoch()));
            }
            Phase::Away | Phase::Idle | Phase::Recording { .. } | Phase::Over => {}
        }
    }

    fn trigger_if_due(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Idle) {
            return;
        }
        let all_ended = !self.members.all.is_empty() && self.ended == self.members.all;
        let purpose = if all_ended {
            Purpose::Final
        } else if self.stop {
            Purpose::Stop
        } else if self.change {
            Purpose::Change
        } else if self.savepoint {
            Purpose::Savepoint
        } else if now >= self.next_at {
            Purpose::Periodic
        } else {
            return;
        };
        self.counter += 1;
        let barrier = BarrierId {
            generation: self.generation,
            counter: self.counter,
        };
        let flight = Flight {
            barrier,
            purpose,
            triggered: now,
            collected: None,
            recorded: None,
            overtakes: false,
            aligned: Aligned::default(),
        };
        actions.push(Action::Trigger { barrier, purpose });
        self.phase = Phase::Collecting {
            flight,
            snapshots: BTreeMap::new(),
        };
    }
}

/// Where the counter of an adopted deployment goes on.
fn counted(counter: u64) -> u64 {
    #[cfg(feature = "testing")]
    if crate::testing::is_planted(crate::testing::Mutant::CountedAnew) {
        return 0;
    }
    counter
}

fn aborted(flight: &Flight, reason: &str, now: Instant) -> Action {
    Action::Aborted {
        barrier: flight.barrier,
        reason: reason.to_owned(),
        timing: flight.timing(now),
    }
}
