//! The life of a job. Pure.
//!
//! ```text
//!   Created ──Start──> Scheduling ──Placed──> Deploying ──AllRunning──> Running ──AllEnded──> Finishing
//!                        ^   ^ too few slots: waits                        │ StopAsked            │
//!                        │                                                 v                      │ the last
//!                        │                                              Stopping ─────────────────┤ checkpoint
//!                        │                                                 │                      │ is committed
//!                        │ due                                             v                      v
//!                     Down(Restart) <── a failure that may pass        Down(Stop)            Down(Finish)
//!                     Down(Fail)    <── any other failure                  │ all subtasks gone   │
//!                     Down(Cancel)  <── CancelAsked, from anywhere         v                     v
//!                        └────── gone ──> Failed, Cancelled             Stopped               Finished
//!
//!   Running ──ChangeAsked──> Changing ── its checkpoint is committed ──> Down(Change) ──gone──> Amending ──Amended──> Scheduling
//!   nothing runs ──ChangeAsked──> Amending
//! ```
//!
//! Must stay true: what is over stays over; subtasks are placed only when those before them are gone (or their time is
//! up) and the head of the chain is known; only a person's word cancels; a failure during a stop does not undo the stop,
//! nor one during a change the change: then the head is as good as the checkpoint that was to be taken.

use std::time::Duration;

use dataflow::Failure;
use dataflow::time::Instant;
use planner::job::Restart;

use crate::checkpoint::Purpose;
use crate::recover::{Decision, RestartPolicy};
use crate::rest::types::State;

/// Subtasks that were asked to go and have not answered after this long are counted as gone: fences make them harmless.
const GOING_DEADLINE: Duration = Duration::from_secs(10);

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The chain was read; the job may be placed.
    Start,
    /// It has slots.
    Placed,
    /// It has none, for this reason.
    TooFewSlots(Failure),
    /// Slots may have become free.
    SlotsChanged,
    /// Every subtask has restored, committed again, and works.
    AllRunning,
    /// Every subtask has committed a last record again; nothing else is left to do.
    AllRepeated,
    /// Every subtask is at the end of its input.
    AllEnded,
    /// A checkpoint was committed.
    Committed(Purpose),
    /// Something failed.
    Failed(Failure),
    /// All subtasks are gone, and the head of the chain is known.
    Gone,
    /// A person wants it cancelled.
    CancelAsked,
    /// A person wants it stopped with a last checkpoint.
    StopAsked,
    /// A person wants it to go on with another document; the shell has it.
    ChangeAsked,
    /// The record with the other document is made, or it is known that it cannot be.
    Amended,
    /// The time that [`Life::deadline`] named, or any other.
    Tick,
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the cluster for slots.
    Place,
    /// Send the subtasks to their places.
    Deploy,
    /// Let checkpoints begin.
    Arm,
    /// Ask for the last checkpoint before a stop.
    TakeLastCheckpoint,
    /// Ask for the checkpoint from which the other document goes on.
    TakeChangeCheckpoint,
    /// Make the record with the other document; answer with [`Event::Amended`].
    Amend,
    /// Ask all subtasks to go, stop the enumerators; answer with [`Event::Gone`].
    TakeDown(String),
    /// Count the subtasks that have not answered as lost.
    Abandon,
    /// Tell people what came of a failure.
    Answered(Failure, String),
    /// It is over; write it down.
    Conclude(End),
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All input read, all committed.
    Finished,
    /// By a person, with its state kept.
    Stopped,
    /// By a person, without a last checkpoint.
    Cancelled,
    /// By a failure.
    Failed(Failure),
}

#[derive(Clone, Debug)]
enum Then {
    Restart(Instant),
    Change,
    Finish,
    Stop,
    Cancel,
    Fail(Failure),
}

#[derive(Clone, Debug)]
enum Phase {
    Created,
    Scheduling,
    Deploying,
    Running,
    Finishing,
    Stopping,
    Changing,
    Amending,
    Down { then: Then, gone: bool, until: Instant },
    Over(End),
}

/// One job's life.
#[derive(Clone, Debug)]
pub struct Life {
    phase: Phase,
    policy: RestartPolicy,
    stop: bool,
    change: bool,
    waits: Option<Failure>,
    restarts: u64,
}

impl Life {
    /// A life that has not begun.
    #[must_use]
    pub fn new(policy: RestartPolicy) -> Self {
        Self {
            phase: Phase::Created,
            policy,
            stop: false,
            change: false,
            waits: None,
            restarts: 0,
        }
    }

    /// Follows another document's restart policy from now on.
    pub fn follow(&mut self, policy: Restart) {
        self.policy.follow(policy);
    }

    /// Where it is, for people.
    #[must_use]
    pub fn state(&self) -> State {
        match &self.phase {
            Phase::Created => State::Created,
            Phase::Scheduling => State::Scheduling,
            Phase::Deploying => State::Deploying,
            Phase::Running => State::Running,
            Phase::Finishing | Phase::Down { then: Then::Finish, .. } => State::Finishing,
            Phase::Stopping | Phase::Down { then: Then::Stop, .. } => State::Stopping,
            Phase::Changing | Phase::Amending | Phase::Down { then: Then::Change, .. } => State::Changing,
            Phase::Down {
                then: Then::Restart(_), ..
            } => State::Restarting,
            Phase::Down { then: Then::Cancel, .. } => State::Cancelling,
            Phase::Down {
                then: Then::Fail(_), ..
            } => State::Failing,
            Phase::Over(End::Finished) => State::Finished,
            Phase::Over(End::Stopped) => State::Stopped,
            Phase::Over(End::Cancelled) => State::Cancelled,
            Phase::Over(End::Failed(_)) => State::Failed,
        }
    }

    /// Why it is there, where that needs saying.
    #[must_use]
    pub fn reason(&self) -> Option<&Failure> {
        match &self.phase {
            Phase::Down {
                then: Then::Fail(failure),
                ..
            }
            | Phase::Over(End::Failed(failure)) => Some(failure),
            Phase::Scheduling
            | Phase::Down {
                then: Then::Restart(_), ..
            } => self.waits.as_ref(),
            Phase::Created
            | Phase::Deploying
            | Phase::Running
            | Phase::Finishing
            | Phase::Stopping
            | Phase::Changing
            | Phase::Amending
            | Phase::Down {
                then: Then::Finish | Then::Stop | Then::Change | Then::Cancel,
                ..
            }
            | Phase::Over(End::Finished | End::Stopped | End::Cancelled) => None,
        }
    }

    /// Whether it waits for its subtasks to be gone.
    #[must_use]
    pub fn is_going_down(&self) -> bool {
        matches!(self.phase, Phase::Down { gone: false, .. })
    }

    /// How many restarts there were.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// When [`Event::Tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Down { gone: false, until, .. } => Some(*until),
            Phase::Down {
                then: Then::Restart(due),
                gone: true,
                ..
            } => Some(*due),
            Phase::Down { .. }
            | Phase::Created
            | Phase::Scheduling
            | Phase::Deploying
            | Phase::Running
            | Phase::Finishing
            | Phase::Stopping
            | Phase::Changing
            | Phase::Amending
            | Phase::Over(_) => None,
        }
    }

    /// Takes an event; says what is to be done.
    pub fn on(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Start => self.start(),
            Event::SlotsChanged => self.slots_changed(),
            Event::Placed => self.placed(),
            Event::TooFewSlots(reason) => self.too_few_slots(reason),
            Event::AllRunning => self.all_running(),
            Event::AllRepeated => self.all_repeated(now),
            Event::AllEnded => self.all_ended(),
            Event::Committed(purpose) => self.committed(purpose, now),
            Event::Failed(failure) => self.failed(failure, now),
            Event::Gone => self.gone(now),
            Event::CancelAsked => self.cancel_asked(now),
            Event::StopAsked => self.stop_asked(now),
            Event::ChangeAsked => self.change_asked(now),
            Event::Amended => self.amended(),
            Event::Tick => self.tick(now),
        }
    }

    fn enter(&mut self, phase: Phase, actions: Vec<Action>) -> Vec<Action> {
        self.phase = phase;
        actions
    }

    fn schedule(&mut self) -> Vec<Action> {
        self.enter(Phase::Scheduling, vec![Action::Place])
    }

    fn down(&mut self, then: Then, why: &str, now: Instant) -> Vec<Action> {
        let until = now + GOING_DEADLINE;
        self.enter(
            Phase::Down {
                then,
                gone: false,
                until,
            },
            vec![Action::TakeDown(why.to_owned())],
        )
    }

    fn start(&mut self) -> Vec<Action> {
        match self.phase {
            Phase::Created => self.schedule(),
            Phase::Scheduling
            | Phase::Deploying
            | Phase::Running
            | Phase::Finishing
            | Phase::Stopping
            | Phase::Changing
            | Phase::Amending
            | Phase::Down { .. }
            | Phase::Over(_) => Vec::new(),
        }
    }

    fn slots_changed(&self) -> Vec<Action> {
        match self.phase {
            Phase::Scheduling => vec![Action::Place],
            Phase::Created
            | Phase::Deploying
            | Phase::Running
            | Phase::Finishing
            | Phase::Stopping
            | Phase::Changing
            | Phase::Amending
            | Phase::Down { .. }
            | Phase::Over(_) => Vec::new(),
        }
    }

    fn placed(&mut self) -> Vec<Action> {
        match self.phase {
            Phase::Scheduling => self.enter(Phase::Deploying, vec![Action::Deploy]),
            Phase::Created
            | Phase::Deploying
            | Phase::Running
            | Phase::Finishing
            | Phase::Stopping
            | Phase::Changing
            | Phase::Amending
            | Phase::Down { .. }
            | Phase::Over(_) => Vec::new(),
        }
    }

    fn too_few_slots(&mut self, reason: Failure) -> Vec<Action> {
        if !matches!(self.phase, Phase::Scheduling) {
            return Vec::new();
        }
        if self.stop {
            // Nothing runs and the chain is whole: that is what a stop is for.
            return self.conclude(End::Stopped);
        }
        self.waits = Some(reason);
        Vec::new()
    }

    fn all_running(&mut self) -> Vec<Action> {
        if !matches!(self.phase, Phase::Deploying) {
            return Vec::new();
        }
        self.waits = None;
        if self.stop {
            return self.enter(Phase::Stopping, vec![Action::Arm, Action::TakeLastCheckpoint]);
        }
        if self.change {
            return self.enter(Phase::Changing, vec![Action::Arm, Action::TakeChangeCheckpoint]);
        }
        self.enter(Phase::Running, vec![Action::Arm])
    }

    fn all_repeated(&mut self, now: Instant) -> Vec<Action> {
        match self.phase {
            Phase::Deploying => self.down(Then::Finish, "the job is over", now),
            Phase::Created
            | Phase::Scheduling
            | Phase::Running
            | Phase::Finishing
            | Phase::Stopping
            | Phase::Changing
            | Phase::Amending
            | Phase::Down { .. }
            | Phase::Over(_) => Vec::new(),
        }
    }

    fn all_ended(&mut self) -> Vec<Action> {
        match self.phase {
            Phase::Running | Phase::Stopping | Phase::Changing => self.enter(Phase::Finishing, Vec::new()),
            Phase::Created
            | Phase::Scheduling
            | Phase::Deploying
            | Phase::Finishing
            | Phase::Amending
            | Phase::Down { .. }
            | Phase::Over(_) => Vec::new(),
        }
    }

    fn committed(&mut self, purpose: Purpose, now: Instant) -> Vec<Action> {
        match self.phase {
            Phase::Running | Phase::Finishing | Phase::Stopping | Phase::Changing => {}
            Phase::Created
            | Phase::Scheduling
            | Phase::Deploying
            | Phase::Amending
            | Phase::Down { .. }
            | Phase::Over(_) => return Vec::new(),
        }
        match purpose {
            Purpose::Final => self.down(Then::Finish, "the job is over", now),
            Purpose::Stop if self.stop => self.down(Then::Stop, "the datastream is stopped", now),
            // All files are closed and everything is published: a stop wants no more.
            Purpose::Change if self.stop => self.down(Then::Stop, "the datastream is stopped", now),
            Purpose::Change if self.change => {
                self.down(Then::Change, "the datastream goes on with another document", now)
            }
            Purpose::Periodic | Purpose::Savepoint | Purpose::Stop | Purpose::Change => Vec::new(),
        }
    }

    fn failed(&mut self, failure: Failure, now: Instant) -> Vec<Action> {
        match self.phase {
            Phase::Deploying | Phase::Running | Phase::Finishing | Phase::Stopping | Phase::Changing => {}
            Phase::Created | Phase::Scheduling | Phase::Amending => return self.failed_at_rest(failure),
            Phase::Down { .. } | Phase::Over(_) => return Vec::new(),
        }
        let (then, answer) = match self.policy.on(&failure, now) {
            Decision::RestartAfter(delay, times) => {
                self.restarts += 1;
                self.waits = Some(failure.clone());
                let mut answer = format!("restart {times} in a row, after {} ms", delay.as_millis());
                // Who reads of the first restart can end the series; of a job that gives up the end says what to do.
                if let Some(help) = &failure.help {
                    answer.push_str("; help: ");
                    answer.push_str(help);
                }
                (Then::Restart(now + delay), answer)
            }
            Decision::GiveUp(reason) => (Then::Fail(failure.clone()), format!("the job fails: {reason}")),
        };
        let mut actions = vec![Action::Answered(failure, answer)];
        actions.extend(self.down(then, "another subtask of the job failed", now));
        actions
    }

    /// What fails where nothing runs, such as a chain that cannot be read, does not pass by itself.
    fn failed_at_rest(&mut self, failure: Failure) -> Vec<Action> {
        let mut actions = vec![Action::Answered(failure.clone(), "the job fails".to_owned())];
        actions.extend(self.conclude(End::Failed(failure)));
        actions
    }

    fn cancel_asked(&mut self, now: Instant) -> Vec<Action> {
        match &mut self.phase {
            Phase::Created | Phase::Scheduling | Phase::Amending => self.conclude(End::Cancelled),
            Phase::Deploying | Phase::Running | Phase::Finishing | Phase::Stopping | Phase::Changing => {
                self.down(Then::Cancel, "the datastream is cancelled", now)
            }
            Phase::Down { then, gone, .. } => {
                if matches!(then, Then::Restart(_) | Then::Change | Then::Stop) {
                    *then = Then::Cancel;
                }
                if *gone { self.leave() } else { Vec::new() }
            }
            Phase::Over(_) => Vec::new(),
        }
    }

    fn stop_asked(&mut self, now: Instant) -> Vec<Action> {
        self.stop = true;
        match &mut self.phase {
            Phase::Created | Phase::Scheduling => self.conclude(End::Stopped),
            Phase::Running => self.enter(Phase::Stopping, vec![Action::TakeLastCheckpoint]),
            Phase::Down {
                then: then @ (Then::Restart(_) | Then::Change),
                gone,
                ..
            } => {
                *then = Then::Stop;
                if *gone { self.tick(now) } else { Vec::new() }
            }
            Phase::Deploying
            | Phase::Finishing
            | Phase::Stopping
            | Phase::Changing
            | Phase::Amending
            | Phase::Down { .. }
            | Phase::Over(_) => Vec::new(),
        }
    }

    /// Whether [`Event::ChangeAsked`] leads to a change.
    #[must_use]
    pub fn may_change(&self) -> bool {
        let there = match &self.phase {
            Phase::Scheduling | Phase::Deploying | Phase::Running => true,
            Phase::Down { then, .. } => matches!(then, Then::Restart(_)),
            Phase::Created
            | Phase::Finishing
            | Phase::Stopping
            | Phase::Changing
            | Phase::Amending
            | Phase::Over(_) => false,
        };
        there && !self.stop && !self.change
    }

    fn change_asked(&mut self, now: Instant) -> Vec<Action> {
        if !self.may_change() {
            return Vec::new();
        }
        self.change = true;
        match &self.phase {
            Phase::Running => self.enter(Phase::Changing, vec![Action::TakeChangeCheckpoint]),
            Phase::Scheduling => self.amend(),
            Phase::Down { gone: true, .. } => self.tick(now),
            // When they run, or are gone.
            Phase::Deploying | Phase::Down { .. } => Vec::new(),
            Phase::Created
            | Phase::Finishing
            | Phase::Stopping
            | Phase::Changing
            | Phase::Amending
            | Phase::Over(_) => Vec::new(),
        }
    }

    fn amend(&mut self) -> Vec<Action> {
        self.enter(Phase::Amending, vec![Action::Amend])
    }

    fn amended(&mut self) -> Vec<Action> {
        if !matches!(self.phase, Phase::Amending) {
            return Vec::new();
        }
        self.change = false;
        if self.stop {
            return self.conclude(End::Stopped);
        }
        self.schedule()
    }

    fn gone(&mut self, now: Instant) -> Vec<Action> {
        match &mut self.phase {
            Phase::Down { gone: true, .. } => Vec::new(),
            Phase::Down { gone, .. } => {
                *gone = true;
                self.tick(now)
            }
            Phase::Created
            | Phase::Scheduling
            | Phase::Deploying
            | Phase::Running
            | Phase::Finishing
            | Phase::Stopping
            | Phase::Changing
            | Phase::Amending
            | Phase::Over(_) => Vec::new(),
        }
    }

    fn tick(&mut self, now: Instant) -> Vec<Action> {
        match &mut self.phase {
            Phase::Down { gone: false, until, .. } if now >= *until => {
                // Once; the head of the chain may take longer to be known, and is waited for.
                *until = now + GOING_DEADLINE;
                vec![Action::Abandon]
            }
            Phase::Down {
                then: Then::Restart(due),
                gone: true,
                ..
            } if now < *due => Vec::new(),
            Phase::Down { gone: true, .. } => self.leave(),
            Phase::Down { gone: false, .. }
            | Phase::Created
            | Phase::Scheduling
            | Phase::Deploying
            | Phase::Running
            | Phase::Finishing
            | Phase::Stopping
            | Phase::Changing
            | Phase::Amending
            | Phase::Over(_) => Vec::new(),
        }
    }

    /// Goes where it was going, now that nothing runs.
    fn leave(&mut self) -> Vec<Action> {
        let Phase::Down { then, .. } = &self.phase else {
            return Vec::new();
        };
        match then.clone() {
            Then::Restart(_) | Then::Change if self.change => self.amend(),
            Then::Restart(_) | Then::Change => self.schedule(),
            Then::Finish => self.conclude(End::Finished),
            Then::Stop => self.conclude(End::Stopped),
            Then::Cancel => self.conclude(End::Cancelled),
            Then::Fail(failure) => self.conclude(End::Failed(failure)),
        }
    }

    fn conclude(&mut self, end: End) -> Vec<Action> {
        self.enter(Phase::Over(end.clone()), vec![Action::Conclude(end)])
    }
}
