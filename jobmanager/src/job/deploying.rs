//! From a place in the cluster to messages: who is deployed, who is taken over in place of that, and who is taken down.

use std::collections::{BTreeMap, BTreeSet};

use dataflow::contract::{self, EnumeratorContext};
use dataflow::id::{Epoch, Generation, SubtaskId};
use dataflow::recipe::Recipe;
use dataflow::{Failure, crash, trace};
use serde_json::Value;

use super::actor::Actor;
use super::adopting::ANSWER;
use super::deployment::{Adopted, Deployment};
use super::history::Blame;
use super::life;
use super::sources::Sources;
use crate::checkpoint;
use crate::cluster::{Seat, Seats};
use crate::deploy::{Order, Plan, dispatch};
use crate::execution::attempt::Event as AttemptEvent;
use crate::recover::{Birth, Found, Survivor};
use crate::restore::{Dropping, Restoration, restore};
use crate::source;
use crate::store::Record;
#[cfg(feature = "testing")]
use crate::testing::{Mutant, is_planted};

impl Actor {
    pub(super) fn place(&mut self) {
        if !self.has_looked() {
            return;
        }
        if self.take_over() {
            return self.step(life::Event::Placed);
        }
        self.dismiss();
        let kept = self.survivors().into_iter().flat_map(|found| found.survivors);
        let kept = kept.map(|(id, one)| (id, one.task_manager)).collect();
        match self.context.cluster.reserve(&self.job, &self.execution, &kept) {
            // A task manager of those who run on has just gone; that is about to be heard.
            Ok(seats) if seats.subtasks.len() < self.execution.subtasks.len() => {}
            Ok(seats) => {
                self.seats = seats;
                self.step(life::Event::Placed);
            }
            Err(few) => {
                let failure = Failure::retry(few.to_string()).help(few.help());
                let known = self
                    .life
                    .reason()
                    .is_some_and(|reason| reason.message == failure.message);
                if !known {
                    self.say("WARN", format!("waits: {few}"));
                }
                self.step(life::Event::TooFewSlots(failure));
            }
        }
    }

    /// Those who run on while a part of the job is started anew.
    fn survivors(&self) -> Option<Found> {
        let deployment = self.deployment.as_ref().filter(|_| self.life.has_survivors())?;
        let origin = self.head.as_ref().and_then(Record::origin)?;
        let others = deployment.births.iter().filter(|(id, _)| !self.mending.contains(id));
        let survivor = |(id, birth): (&SubtaskId, &Birth)| {
            let task_manager = deployment.seats.subtasks.get(id)?.task_manager.clone();
            let birth = *birth;
            Some((*id, Survivor { task_manager, birth }))
        };
        Some(Found::new(
            deployment.generation,
            others.filter_map(survivor).collect(),
            origin,
        ))
    }

    /// Sends the subtasks that were placed to their places; those that run are told to obey the new generation instead, and
    /// what each of them answers completes the deployment.
    pub(super) fn deploy(&mut self) {
        let found = self.survivors().or_else(|| self.adopting.take());
        let (Some(head), Some(document)) = (&self.head, &self.document) else {
            return self.fail(Failure::bug("deployed without a head"), Blame::default());
        };
        // What is left behind was agreed to when the document was taken.
        let restoration = restore(head, &document.graph, Dropping::Allowed);
        let restored = restoration.and_then(|all| Ok((Sources::restore(&self.execution, &all)?, all)));
        let (sources, restoration) = match restored {
            Ok(restored) => restored,
            Err(failure) => return self.fail(failure, Blame::default()),
        };
        let (epoch, over) = (head.epoch, head.last);
        let generation = self.context.next_generation();
        let seats = std::mem::take(&mut self.seats);
        let reached = found
            .as_ref()
            .map_or(head.reached, |found| self.reached_before(head, found));
        let tallies = self.tallies_to_go_on_from(head, found.as_ref());
        let scope = self.context.scope.child(generation.to_string());
        let own = Birth {
            generation,
            epoch: epoch.0,
        };
        let known = |id| {
            found
                .as_ref()
                .and_then(|found| found.survivors.get(id))
                .map(|one| one.birth)
        };
        let ids = seats.subtasks.keys();
        let births: BTreeMap<SubtaskId, Birth> = ids.map(|id| (*id, known(id).unwrap_or(own))).collect();
        let anew = seats.subtasks.iter().filter(|(id, _)| births[id] == own);
        let anew = Seats {
            subtasks: anew.map(|(id, seat)| (*id, seat.clone())).collect(),
        };
        let mut deployment = Deployment::new(generation, (seats, births), sources, (reached, tallies), scope);
        deployment.on_all(AttemptEvent::Deployed);
        if let Some(found) = &found {
            self.call_over(&mut deployment, found, epoch);
        }
        self.traces.deploys(&self.job, generation, epoch);
        let places = self.dispatch(&anew, &restoration, generation);
        crash::point("deploy.after");
        self.replace(deployment);
        self.say(
            "INFO",
            told(generation, anew.subtasks.len(), places, epoch, found.as_ref()),
        );
        // A job that is over only repeats its commits: nothing is read any more. Where some run on, nothing moves before they
        // have said what they hold.
        if !over
            && found.is_none()
            && let Err(failure) = self.start_enumerators()
        {
            self.fail(failure, Blame::default());
        }
    }

    /// Tells those who run to obey the new generation. It goes before what is deployed beside them.
    fn call_over(&self, deployment: &mut Deployment, found: &Found, epoch: Epoch) {
        let frozen = deployment.sources.barrier(&source::Event::BarrierOut);
        debug_assert!(frozen.is_empty(), "nothing moves while a barrier is in flight");
        let anew = deployment.generation;
        let message = Order::Adopt { anew, epoch }.message(&self.job, found.generation);
        let who: BTreeSet<SubtaskId> = found.survivors.keys().copied().collect();
        let seats = deployment.seats.subtasks.iter().filter(|(id, _)| who.contains(id));
        let there: BTreeSet<&Seat> = seats.map(|(_, seat)| seat).collect();
        for seat in there {
            self.context.cluster.send(seat, message.clone());
        }
        deployment.adopted = Some(Adopted {
            from: found.generation,
            who,
            owed: found.owed,
            counter: 0,
            until: self.context.clock.now() + ANSWER,
        });
    }

    /// Deploys those who have these seats; on how many task managers.
    fn dispatch(&self, seats: &Seats, restoration: &Restoration, generation: Generation) -> usize {
        let (Some(head), Some(document)) = (&self.head, &self.document) else {
            return 0;
        };
        let state_url = format!(
            "{}/jobs/{}/state",
            self.context.store.url().trim_end_matches('/'),
            self.job
        );
        let plan = Plan {
            state_url: &state_url,
            job: &self.job,
            graph: &document.graph,
            execution: &self.execution,
            seats,
            epoch: head.epoch,
            restoration,
        };
        let messages = dispatch(plan, generation);
        let places = messages.len();
        for (seat, mut message) in messages {
            message.traceparent = trace::written(self.traces.of_deployment());
            self.context.cluster.send(&seat, message);
        }
        places
    }

    /// The deployment that this one follows ends, where part of it has run on: its enumerators are started again.
    fn replace(&mut self, deployment: Deployment) {
        if let Some(before) = self.deployment.replace(deployment) {
            before.scope.cancel();
        }
    }

    pub(super) fn start_enumerators(&self) -> Result<(), Failure> {
        let Some(deployment) = &self.deployment else {
            return Ok(());
        };
        for (step, restored) in deployment.sources.unfinished() {
            let enumerator = self.enumerator(deployment, &step, restored)?;
            let (clock, reports) = (self.context.clock.clone(), deployment.reporter.clone());
            source::enumerate(&deployment.scope, step, enumerator, clock, reports);
        }
        Ok(())
    }

    fn enumerator(
        &self,
        deployment: &Deployment,
        step: &str,
        restored: Option<Value>,
    ) -> Result<Box<dyn contract::Enumerator>, Failure> {
        let chains = self.document.iter().flat_map(|document| &document.graph.vertices);
        let found = chains.map(|vertex| &vertex.chain.nodes).find_map(|nodes| {
            nodes.iter().find_map(|node| match &node.recipe {
                Recipe::Source(source) if node.name == step => Some((source, nodes)),
                _ => None,
            })
        });
        let (recipe, chain) = found.ok_or_else(|| Failure::bug(format!("there is no source {step}")))?;
        let is_timed = chain.iter().any(|node| matches!(node.recipe, Recipe::EventTime(_)));
        let connector = self.context.registry.connector(&recipe.connector);
        let source = connector.and_then(|connector| connector.source());
        let source = source.ok_or_else(|| {
            Failure::fail(format!(
                "source {step}: this build has no source `{}`",
                recipe.connector
            ))
        })?;
        let context = EnumeratorContext {
            stores: self.context.stores.clone(),
            clock: self.context.clock.clone(),
            parallelism: deployment.sources.parallelism(step),
            order: if is_timed {
                contract::Order::Kept
            } else {
                contract::Order::Free
            },
        };
        source.enumerator(&recipe.options, context, restored)
    }

    pub(super) fn take_down(&mut self, reason: &str) {
        self.mending.clear();
        self.coordinate(checkpoint::Event::Lost);
        let Some(deployment) = &mut self.deployment else { return };
        deployment.scope.cancel();
        if self.head.as_ref().is_some_and(|head| head.last) {
            // The last record says that ended subtasks may go; there is nothing to wait for.
            for subtask in deployment.ended() {
                deployment.on(subtask, AttemptEvent::Cancelled);
            }
        }
        deployment.on_all(AttemptEvent::Cancel);
        self.broadcast(&Order::Cancel(reason.to_owned()));
    }

    /// Takes those down that are to be mended; the others run on, and no barrier with them.
    pub(super) fn take_down_part(&mut self, reason: &str) {
        #[cfg(feature = "testing")]
        let keeps = is_planted(Mutant::PartKeepsBarrier);
        #[cfg(not(feature = "testing"))]
        let keeps = false;
        if !keeps {
            self.coordinate(checkpoint::Event::Lost);
        }
        let Some(deployment) = &mut self.deployment else { return };
        let mut there: BTreeMap<Seat, Vec<SubtaskId>> = BTreeMap::new();
        for subtask in &self.mending {
            deployment.on(*subtask, AttemptEvent::Cancel);
            if let Some(seat) = deployment.seats.subtasks.get(subtask) {
                there.entry(seat.clone()).or_default().push(*subtask);
            }
        }
        let generation = deployment.generation;
        for (seat, some) in there {
            let message = Order::CancelSome(reason.to_owned(), some).message(&self.job, generation);
            self.context.cluster.send(&seat, message);
        }
    }

    pub(super) fn abandon(&mut self) {
        self.say(
            "WARN",
            "subtasks did not go when asked; they are fenced off and left behind".to_owned(),
        );
        let Some(deployment) = &mut self.deployment else { return };
        if !self.life.has_survivors() {
            return deployment.on_all(AttemptEvent::Lost);
        }
        for subtask in &self.mending {
            deployment.on(*subtask, AttemptEvent::Lost);
        }
    }
}

/// A line about a deployment.
fn told(generation: Generation, count: usize, places: usize, epoch: Epoch, found: Option<&Found>) -> String {
    let deployed = format!("{count} subtasks, {places} task managers, restored from {epoch}");
    match found {
        None => format!("{generation}: {deployed}"),
        Some(Found {
            generation: from,
            survivors,
            ..
        }) if count == 0 => {
            let count = survivors.len();
            format!("{generation} takes over {count} subtasks of {from} at {epoch}")
        }
        Some(found) => format!("{generation}: {deployed}; {} run on", found.survivors.len()),
    }
}
