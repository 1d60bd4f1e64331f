//! The machine itself: one event in, some actions out.

use std::time::Duration;

use dataflow::Failure;
use dataflow::time::Instant;
use planner::job::Restart;

use super::event::{Action, End, Event};
use super::phase::{Phase, Then};
use crate::checkpoint::Purpose;
use crate::recover::{Decision, RestartPolicy};
use crate::rest::types::State;

/// Subtasks that were asked to go and have not answered after this long are counted as gone: fences make them harmless.
const GOING_DEADLINE: Duration = Duration::from_secs(10);

/// What subtasks are told that are taken down.
const STOPPED: &str = "the datastream is stopped";
const CHANGED: &str = "the datastream goes on with another document";
const CANCELLED: &str = "the datastream is cancelled";

/// What a failure takes down where the job is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Whole,
    Part,
}

/// One job's life.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a wish, or a question, of its own")]
pub struct Life {
    phase: Phase,
    policy: RestartPolicy,
    stop: bool,
    change: bool,
    /// Some of the subtasks run on while the others are started anew.
    survivors: bool,
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
            survivors: false,
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
        self.phase.state()
    }

    /// Why it is there, where that needs saying.
    #[must_use]
    pub fn reason(&self) -> Option<&Failure> {
        match &self.phase {
            Phase::Scheduling => self.waits.as_ref(),
            Phase::Down {
                then: Then::Restart(_), ..
            } => self.waits.as_ref(),
            phase => phase.failure(),
        }
    }

    /// Whether it waits for its subtasks to be gone.
    #[must_use]
    pub fn is_going_down(&self) -> bool {
        matches!(self.phase, Phase::Down { gone: false, .. })
    }

    /// Whether some of the subtasks run on while the others are started anew.
    #[must_use]
    pub fn has_survivors(&self) -> bool {
        self.survivors
    }

    /// How many restarts there were.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// When [`Event::Tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.phase.deadline()
    }

    /// Takes an event; says what is to be done.
    pub fn on(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Start => self.start(),
            Event::SlotsChanged => self.slots_changed(),
            Event::Placed => self.placed(),
            Event::TooFewSlots(reason) => self.too_few_slots(reason, now),
            Event::AllRunning => self.all_running(),
            Event::AllRepeated => self.all_repeated(now),
            Event::AllEnded => self.all_ended(),
            Event::Committed(purpose) => self.committed(purpose, now),
            Event::Failed(failure) => self.failed(failure, Reach::Whole, now),
            Event::PartFailed(failure) => self.failed(failure, Reach::Part, now),
            Event::Gone => self.gone(now),
            Event::LastIsMade => self.last_is_made(now),
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
        self.survivors = false;
        self.go(then, Action::TakeDown(why.to_owned()), now)
    }

    fn go(&mut self, then: Then, action: Action, now: Instant) -> Vec<Action> {
        let until = now + GOING_DEADLINE;
        self.enter(
            Phase::Down {
                then,
                gone: false,
                until,
            },
            vec![action],
        )
    }

    fn start(&mut self) -> Vec<Action> {
        if !matches!(self.phase, Phase::Created) {
            return Vec::new();
        }
        self.schedule()
    }

    fn slots_changed(&self) -> Vec<Action> {
        if !matches!(self.phase, Phase::Scheduling) {
            return Vec::new();
        }
        vec![Action::Place]
    }

    fn placed(&mut self) -> Vec<Action> {
        if !matches!(self.phase, Phase::Scheduling) {
            return Vec::new();
        }
        self.enter(Phase::Deploying, vec![Action::Deploy])
    }

    fn too_few_slots(&mut self, reason: Failure, now: Instant) -> Vec<Action> {
        if !matches!(self.phase, Phase::Scheduling) {
            return Vec::new();
        }
        if self.stop && self.survivors {
            return self.down(Then::Stop, STOPPED, now);
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
        self.survivors = false;
        if self.stop {
            return self.enter(Phase::Stopping, vec![Action::Arm, Action::TakeLastCheckpoint]);
        }
        if self.change {
            return self.enter(Phase::Changing, vec![Action::Arm, Action::TakeChangeCheckpoint]);
        }
        self.enter(Phase::Running, vec![Action::Arm])
    }

    fn all_repeated(&mut self, now: Instant) -> Vec<Action> {
        if !matches!(self.phase, Phase::Deploying) {
            return Vec::new();
        }
        self.down(Then::Finish, "the job is over", now)
    }

    fn all_ended(&mut self) -> Vec<Action> {
        if !matches!(self.phase, Phase::Running | Phase::Stopping | Phase::Changing) {
            return Vec::new();
        }
        self.enter(Phase::Finishing, Vec::new())
    }

    fn committed(&mut self, purpose: Purpose, now: Instant) -> Vec<Action> {
        if !matches!(
            self.phase,
            Phase::Running | Phase::Finishing | Phase::Stopping | Phase::Changing
        ) {
            return Vec::new();
        }
        match purpose {
            Purpose::Final => self.down(Then::Finish, "the job is over", now),
            Purpose::Stop if self.stop => self.down(Then::Stop, STOPPED, now),
            // All files are closed and everything is published: a stop wants no more.
            Purpose::Change if self.stop => self.down(Then::Stop, STOPPED, now),
            Purpose::Change if self.change => self.down(Then::Change, CHANGED, now),
            Purpose::Periodic | Purpose::Savepoint | Purpose::Stop | Purpose::Change => Vec::new(),
        }
    }

    fn failed(&mut self, failure: Failure, reach: Reach, now: Instant) -> Vec<Action> {
        if let Some(actions) = self.failed_while_none_runs(&failure) {
            return actions;
        }
        let (then, answer) = self.decide(&failure, now);
        let mut actions = vec![Action::Answered(failure, answer)];
        actions.extend(match (then, reach) {
            (then @ Then::Restart(_), Reach::Part) => {
                self.survivors = true;
                let why = "a subtask that is connected with it failed".to_owned();
                self.go(then, Action::TakeDownPart(why), now)
            }
            (then, _) => self.down(then, "another subtask of the job failed", now),
        });
        actions
    }

    /// What comes of a failure where no subtask is at work that it could take down.
    fn failed_while_none_runs(&mut self, failure: &Failure) -> Option<Vec<Action>> {
        match &self.phase {
            Phase::Deploying | Phase::Running | Phase::Finishing | Phase::Stopping | Phase::Changing => None,
            Phase::Scheduling | Phase::Down { .. } if self.survivors => None,
            Phase::Created | Phase::Scheduling | Phase::Amending => Some(self.failed_at_rest(failure.clone())),
            Phase::Down { .. } | Phase::Over(_) => Some(Vec::new()),
        }
    }

    fn decide(&mut self, failure: &Failure, now: Instant) -> (Then, String) {
        match self.policy.on(failure, now) {
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
        }
    }

    /// What fails where nothing runs, such as a chain that cannot be read, does not pass by itself.
    fn failed_at_rest(&mut self, failure: Failure) -> Vec<Action> {
        let mut actions = vec![Action::Answered(failure.clone(), "the job fails".to_owned())];
        actions.extend(self.conclude(End::Failed(failure)));
        actions
    }

    fn cancel_asked(&mut self, now: Instant) -> Vec<Action> {
        match &mut self.phase {
            Phase::Scheduling | Phase::Down { .. } if self.survivors => self.down(Then::Cancel, CANCELLED, now),
            Phase::Created | Phase::Scheduling | Phase::Amending => self.conclude(End::Cancelled),
            Phase::Deploying | Phase::Running | Phase::Finishing | Phase::Stopping | Phase::Changing => {
                self.down(Then::Cancel, CANCELLED, now)
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
            // The head is as good as a checkpoint for which the others would have to come back first.
            Phase::Scheduling | Phase::Down { .. } if self.survivors => self.down(Then::Stop, STOPPED, now),
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
            Phase::Scheduling | Phase::Down { .. } if self.survivors => self.down(Then::Change, CHANGED, now),
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
            Phase::Down { gone, .. } if !*gone => {
                *gone = true;
                self.tick(now)
            }
            _ => Vec::new(),
        }
    }

    fn last_is_made(&mut self, now: Instant) -> Vec<Action> {
        match &self.phase {
            Phase::Down { then, .. } if self.survivors => self.down(then.clone(), "the job is over", now),
            _ => Vec::new(),
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
            _ => Vec::new(),
        }
    }

    /// Goes where it was going, now that nothing runs.
    fn leave(&mut self) -> Vec<Action> {
        let Phase::Down { then, .. } = &self.phase else {
            return Vec::new();
        };
        match then.clone() {
            // A change waits for the checkpoint that those who run on are to take with the others.
            Then::Restart(_) if self.survivors => self.schedule(),
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
