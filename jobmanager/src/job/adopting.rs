//! Takes over subtasks that ran on while no job manager led, in place of a deployment.

use std::collections::BTreeSet;
use std::time::Duration;

use dataflow::Failure;
use dataflow::id::{Generation, SubtaskId};
use dataflow::time::Instant;

use super::actor::Actor;
use super::deployment::Deployment;
use super::history::Blame;
use super::life;
use super::sources::Sources;
use super::view::counted;
use crate::checkpoint;
use crate::cluster::{Report, Stand, SubtaskState};
use crate::deploy::Order;
use crate::execution::attempt::Event as AttemptEvent;
use crate::recover::{Adoption, Found, Room, Verdict};
use crate::rest::types::State;
use crate::restore::{Dropping, restore};
use crate::source;
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
        let places = &found.places;
        match self.context.cluster.occupy(&self.job, places) {
            Some(seats) => self.seats = seats,
            None => self.adopting = None,
        }
        self.adopting.is_some()
    }

    /// Sends everybody the new fence; what each answers makes the deployment.
    pub(super) fn adopt(&mut self, found: Found) {
        let (Some(head), Some(document)) = (&self.head, &self.document) else {
            return self.fail(Failure::bug("adopted without a head"), Blame::default());
        };
        let generation = self.context.next_generation();
        let restoration = restore(head, &document.graph, Dropping::Allowed);
        let sources = match restoration.and_then(|all| Sources::restore(&self.execution, &all)) {
            Ok(sources) => sources,
            Err(failure) => return self.fail(failure, Blame::default()),
        };
        let (epoch, reached) = (head.epoch, self.reached_before(head, &found));
        let scope = self.context.scope.child(generation.to_string());
        let seats = std::mem::take(&mut self.seats);
        let mut deployment = Deployment::new(generation, seats, (sources, reached), scope);
        deployment.born = found.born;
        deployment.on_all(AttemptEvent::Deployed);
        // Nothing moves until all have said what they hold.
        let frozen = deployment.sources.barrier(&source::Event::BarrierOut);
        debug_assert!(frozen.is_empty(), "nothing moves while a barrier is in flight");
        let message = Order::Adopt {
            anew: generation,
            epoch,
        }
        .message(&self.job, found.generation);
        for seat in deployment.task_managers() {
            self.context
                .cluster
                .send(&seat.task_manager, &seat.incarnation, message.clone());
        }
        let count = deployment.attempts.len();
        deployment.adopted = Some(super::deployment::Adopted {
            from: found.generation,
            owed: found.owed,
            counter: 0,
            until: self.context.clock.now() + ANSWER,
        });
        self.deployment = Some(deployment);
        let from = found.generation;
        self.say(
            "INFO",
            format!("{generation} takes over {count} subtasks of {from} at {epoch}"),
        );
    }

    /// What was reached when those that are adopted began: the head's checkpoint holds their counts, if it is theirs.
    fn reached_before(&self, head: &Record, found: &Found) -> Reached {
        let mut reached = head.reached;
        if found.owed.is_some() {
            for part in &head.subtasks {
                let id = SubtaskId {
                    vertex: part.vertex,
                    index: part.index,
                };
                let own = self.counts(id, &counted(part.snapshot.get().as_bytes()));
                reached.rows_in = reached.rows_in.saturating_sub(own.rows_in);
                reached.rows_out = reached.rows_out.saturating_sub(own.rows_out);
                reached.bytes_read = reached.bytes_read.saturating_sub(own.bytes_read);
                reached.dead_letters = reached.dead_letters.saturating_sub(own.dead_letters);
            }
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
        if adopted.is_some_and(|adopted| adopted.from == generation)
            && let Some(deployment) = &mut self.deployment
            && deployment.on(subtask, AttemptEvent::Failed)
        {
            let failure = Failure::retry(format!("{subtask} was gone when it was to be adopted"));
            self.fail(failure, Blame::default());
        }
    }

    /// Those who were to be adopted have not all answered in time.
    pub(super) fn end_adoption(&mut self) {
        let now = self.context.clock.now();
        let Some(deployment) = &self.deployment else { return };
        let is_late = deployment.adopted.as_ref().is_some_and(|adopted| now >= adopted.until);
        if is_late && self.life.state() == State::Deploying && !deployment.has_started() {
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
