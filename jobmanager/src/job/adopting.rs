//! Takes over subtasks that run, in place of a deployment: they ran on while no job manager led, or while others of their job
//! were started anew.

use std::collections::BTreeSet;
use std::time::Duration;

use dataflow::Failure;
use dataflow::id::{Generation, SubtaskId};
use dataflow::time::Instant;

use super::actor::Actor;
use super::history::Blame;
use super::life;
use super::view::counted;
use crate::checkpoint;
use crate::cluster::{Report, Stand, SubtaskState};
use crate::execution::attempt::Event as AttemptEvent;
use crate::recover::{Adoption, Found, Room, Verdict};
use crate::rest::types::State;
use crate::store::{Reached, Record};

/// How long those that are adopted may take to answer.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

impl Actor {
    /// What may still run of the job is looked for, where its past says what that would be.
    pub(super) fn look_for_subtasks(&mut self) {
        let origin = self.head.as_ref().filter(|head| !head.last).and_then(Record::origin);
        let wanted: BTreeSet<SubtaskId> = self.execution.subtasks.iter().map(|subtask| subtask.id).collect();
        let now = self.context.clock.now();
        self.adoption = origin.map(|origin| Adoption::begin(origin, wanted, now));
    }

    /// Whether there is nothing to wait for before the job is placed; whoever is to be adopted is in `adopting` then.
    pub(super) fn has_looked(&mut self) -> bool {
        let Some(adoption) = &self.adoption else {
            return true;
        };
        let standings = self.context.cluster.standings(&self.job);
        let room = match self.context.cluster.would_fit(&self.job, &self.execution) {
            Ok(()) => Room::Enough,
            Err(_) => Room::TooLittle,
        };
        match adoption.decide(&standings, room, self.context.clock.now()) {
            Verdict::Wait => return false,
            Verdict::Restart(why) => self.say("INFO", format!("its subtasks are started anew: {why}")),
            Verdict::Adopt(found) => self.adopting = Some(found),
        }
        self.adoption = None;
        true
    }

    /// Takes the slots of those that are adopted; none where a task manager has just gone.
    pub(super) fn take_over(&mut self) -> bool {
        let Some(found) = &self.adopting else { return false };
        match self.context.cluster.occupy(&self.job, &found.survivors) {
            Some(seats) => self.seats = seats,
            None => self.adopting = None,
        }
        self.adopting.is_some()
    }

    /// What was reached when those that are adopted began: the head's checkpoint holds their counts, if it is theirs.
    pub(super) fn reached_before(&self, head: &Record, found: &Found) -> Reached {
        let mut reached = head.reached;
        let Some(origin) = head.origin() else { return reached };
        for part in &head.subtasks {
            let id = SubtaskId {
                vertex: part.vertex,
                index: part.index,
            };
            if !found.survivors.get(&id).is_some_and(|one| one.birth.made(origin)) {
                continue;
            }
            let own = self.counts(id, &counted(part.snapshot.get().as_bytes()));
            reached.rows_in = reached.rows_in.saturating_sub(own.rows_in);
            reached.rows_out = reached.rows_out.saturating_sub(own.rows_out);
            reached.bytes_read = reached.bytes_read.saturating_sub(own.bytes_read);
            reached.dead_letters = reached.dead_letters.saturating_sub(own.dead_letters);
        }
        reached
    }

    /// A subtask obeys, and says how it stands.
    pub(super) fn stands(&mut self, subtask: SubtaskId, stand: Stand) {
        let Some(deployment) = &mut self.deployment else { return };
        let Some(adopted) = &mut deployment.adopted else { return };
        adopted.counter = adopted.counter.max(stand.counter);
        deployment
            .sources
            .adopt(subtask, stand.held, stand.finished, stand.wants);
        deployment.on(subtask, AttemptEvent::Running);
        if stand.state == SubtaskState::Ended {
            deployment.on(subtask, AttemptEvent::Ended);
        }
        self.tap_again(subtask);
    }

    /// A subtask that has not heard of its adoption speaks. Only that it is gone matters.
    pub(super) fn heard_of_old(&mut self, generation: Generation, subtask: SubtaskId, state: &SubtaskState) {
        if !matches!(state, SubtaskState::Failed(_) | SubtaskState::Cancelled) {
            return;
        }
        if let Some(adoption) = &mut self.adoption {
            adoption.lost(generation, subtask);
        }
        let adopted = self
            .deployment
            .as_ref()
            .and_then(|deployment| deployment.adopted.as_ref());
        if adopted.is_some_and(|adopted| adopted.from == generation && adopted.who.contains(&subtask))
            && let Some(deployment) = &mut self.deployment
            && deployment.on(subtask, AttemptEvent::Failed)
        {
            let failure = Failure::retry(format!("{subtask} was gone when it was to be adopted"));
            self.fail_of(&[subtask].into(), failure, Blame::default());
        }
    }

    /// Those who were to be adopted have not all answered in time.
    pub(super) fn end_adoption(&mut self) {
        let now = self.context.clock.now();
        let Some(deployment) = &self.deployment else { return };
        let is_silent = |id| {
            deployment
                .attempts
                .get(id)
                .is_some_and(|attempt| !attempt.has_started())
        };
        let adopted = deployment.adopted.as_ref();
        let is_late = adopted.is_some_and(|adopted| now >= adopted.until && adopted.who.iter().any(is_silent));
        if is_late && self.life.state() == State::Deploying {
            let failure = Failure::retry("not all subtasks that were to be adopted have answered");
            self.fail(failure, Blame::default());
        }
    }

    /// The checkpoints of an adopted deployment go on where they were.
    pub(super) fn arm_adopted(&mut self) -> Option<checkpoint::Event> {
        let deployment = self.deployment.as_mut()?;
        let adopted = deployment.adopted.take()?;
        Some(checkpoint::Event::Adopted {
            generation: deployment.generation,
            head: self.coordinator.head(),
            members: deployment.members(&self.execution),
            counter: adopted.counter,
            owed: adopted.owed,
        })
    }

    /// Those of the job whom nobody will adopt any more are told to go.
    pub(super) fn dismiss(&self) {
        if self.adoption.is_none() && self.adopting.is_none() {
            self.context.cluster.dismiss(&self.job);
        }
    }

    /// Looks again, where there is something to wait for.
    pub(super) fn look_again(&mut self) {
        if self.adoption.is_some() && self.life.state() == State::Scheduling {
            self.step(life::Event::SlotsChanged);
        }
    }

    /// When somebody has to look at the job again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let now = self.context.clock.now();
        let adoption = self.adoption.as_ref().and_then(|adoption| adoption.deadline(now));
        let adopted = self
            .deployment
            .as_ref()
            .and_then(|deployment| deployment.adopted.as_ref());
        let answers = adopted.map(|adopted| adopted.until);
        let due = [
            self.life.deadline(),
            self.coordinator.deadline(),
            self.sweep_due(),
            adoption,
            answers.filter(|until| now < *until),
            self.taps.due(),
        ];
        due.into_iter().flatten().min()
    }

    /// Whoever speaks is no part of the deployment; it may be about to be.
    pub(super) fn heard_of_another(&mut self, generation: Generation, subtask: SubtaskId, report: &Report) {
        let adopted = self
            .deployment
            .as_ref()
            .and_then(|deployment| deployment.adopted.as_ref());
        let is_expected = self.adoption.is_some() || adopted.is_some_and(|adopted| adopted.from == generation);
        match report {
            _ if !is_expected => self.context.cluster.count_dropped(),
            Report::State(state) => self.heard_of_old(generation, subtask, state),
            // What else it says it says again when it is adopted.
            _ => {}
        }
    }
}
