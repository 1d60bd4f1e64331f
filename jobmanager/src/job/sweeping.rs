//! Takes a job's garbage away now and then, beside the stream.

use std::time::Duration;

use super::actor::Actor;
use super::event::Event;
use crate::gc::{Garbage, Mode, Plot, sweep};

/// How often: at a checkpoint a second some sixty records go at once.
const EVERY: Duration = Duration::from_secs(60);

/// So many of the newest checkpoints stay, for people: `--from-checkpoint`, `weir state`.
const RETAINED: u64 = 10;

impl Actor {
    /// Whose folder is swept, and what must stay.
    pub(super) fn plot(&self) -> Plot {
        // Who may be adopted may have files that no record names yet.
        let oldest = self.adoption.as_ref().map(|_| dataflow::id::Generation::default());
        let births = self.deployment.iter().flat_map(|deployment| deployment.births.values());
        let deployment = oldest.or_else(|| births.map(|birth| birth.generation).min());
        Plot {
            job: self.job.clone(),
            newest: RETAINED,
            pinned: self.saving.iter().filter_map(|saving| saving.epoch).collect(),
            // Nothing runs: whatever does later is of a generation behind this one.
            fence: deployment.unwrap_or_else(|| self.context.next_generation()),
        }
    }

    /// When the next sweep is due; none while one is under way, or where nothing was written since.
    pub(super) fn sweep_due(&self) -> Option<dataflow::time::Instant> {
        let is_idle = self.sweep_under_way || self.coordinator.head() == self.swept;
        (!is_idle).then_some(self.sweep_at)
    }

    pub(super) fn sweep_if_due(&mut self) {
        let now = self.context.clock.now();
        if self.sweep_due().is_none_or(|due| now < due) {
            return;
        }
        self.sweep_at = now + EVERY;
        self.sweep_under_way = true;
        self.swept = self.coordinator.head();
        let (store, clock, plot, own) = (
            self.context.store.clone(),
            self.context.clock.clone(),
            self.plot(),
            self.own.clone(),
        );
        self.context.scope.run(async move {
            let outcome = sweep(&store, &clock, plot, Mode::Take).await;
            // The job is there as long as it runs.
            let _ = own.send(Event::Swept(outcome)).await;
        });
    }

    pub(super) fn swept(&mut self, outcome: Result<Garbage, dataflow::Failure>) {
        self.sweep_under_way = false;
        match outcome {
            Ok(Garbage { records, objects }) => {
                tracing::debug!(job = %self.job, records = records.len(), objects = objects.len(), "swept");
            }
            // Nothing waits for it, and the next one comes; but somebody should know that garbage stays.
            Err(failure) => self.say("WARN", format!("garbage is not taken away: {}", failure.message)),
        }
    }
}

/// When a job is swept for the first time: not before it has anything.
pub(super) fn first(now: dataflow::time::Instant) -> dataflow::time::Instant {
    now + EVERY
}
