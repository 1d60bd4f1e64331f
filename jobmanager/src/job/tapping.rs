//! People who look at the rows of a job: their taps are planned, put on where subtasks run, and taken off.

use dataflow::id::SubtaskId;

use super::actor::Actor;
use super::event::Looking;
use crate::deploy::Order;
use crate::tap::{Request, Tapped};

impl Actor {
    /// Somebody wants to look.
    pub(super) fn tap(&mut self, request: Request, reply: Looking) {
        let now = self.context.clock.now();
        let generation = self.deployment.as_ref().map(|deployment| deployment.generation);
        let Some(document) = &self.document else { return };
        if self.taps.is_empty() {
            self.tapped = generation.unwrap_or_default();
        }
        let opened = self.taps.open(&document.graph, request, now);
        let tap = opened.as_ref().ok().map(|(tap, _)| *tap);
        if reply.send(opened).is_err() {
            // Whoever asked has gone.
            if let Some(tap) = tap {
                self.taps.close(tap);
            }
            return;
        }
        if let Some(wanted) = tap.and_then(|tap| self.taps.wanted(tap, None, now)) {
            self.broadcast(&Order::Tap(Box::new(wanted)));
        }
    }

    /// Nobody looks any more.
    pub(super) fn untap(&mut self, tap: u64) {
        if self.taps.close(tap) {
            self.broadcast(&Order::Untap(tap));
        }
    }

    /// A subtask shows something; one of another deployment has nothing to show.
    pub(super) fn tapped(&mut self, tapped: Tapped) {
        let deployment = self.deployment.as_ref();
        if deployment.is_none_or(|deployment| deployment.generation != tapped.generation) {
            return self.context.cluster.count_dropped();
        }
        self.taps.heard(tapped, self.context.clock.now());
    }

    /// A subtask runs, or obeys this deployment from now on: those who look go on looking.
    pub(super) fn tap_again(&mut self, subtask: SubtaskId) {
        let (Some(deployment), Some(document)) = (&self.deployment, &self.document) else {
            return;
        };
        if self.taps.is_empty() {
            return;
        }
        if self.tapped != deployment.generation {
            self.tapped = deployment.generation;
            self.taps.moved(&document.graph);
        }
        self.taps.begins(subtask);
        let now = self.context.clock.now();
        let Some(seat) = deployment.seats.subtasks.get(&subtask) else {
            return;
        };
        for tap in self.taps.all() {
            if let Some(wanted) = self.taps.wanted(tap, Some(subtask), now) {
                let order = Order::Tap(Box::new(wanted));
                self.context
                    .cluster
                    .send(seat, order.message(&self.job, deployment.generation));
            }
        }
    }

    /// Tells listeners what is due, and takes off what is over.
    pub(super) fn tend_taps(&mut self) {
        if self.taps.is_empty() {
            return;
        }
        let state = self.state;
        let over = state.is_over().then(|| format!("the datastream is {state}"));
        for tap in self.taps.tend(over.as_deref(), self.context.clock.now()) {
            self.broadcast(&Order::Untap(tap));
        }
    }
}
