//! Savepoints of a job: asked for, taken with a checkpoint that closes all files, copied beside the stream.

use dataflow::Failure;
use dataflow::element::Roll;
use dataflow::id::Epoch;
use tokio::sync::oneshot;

use super::actor::Actor;
use super::event::Event;
use super::operations::Number;
use crate::checkpoint::{self, Purpose};
use crate::rest::types::Operation;
use crate::savepoint;

/// A savepoint that is under way.
#[derive(Clone, Debug)]
pub(super) struct Saving {
    label: String,
    operation: Number,
    /// The epoch whose files are being copied, once it is known: they must stay.
    pub(super) epoch: Option<Epoch>,
}

/// The answer: what is under way.
pub(super) type Reply = oneshot::Sender<Result<Operation, Failure>>;

/// When the checkpoint of a savepoint is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At once, and the datastream goes on.
    Now,
    /// It is the last one before a stop.
    AtStop,
}

impl Actor {
    pub(super) fn savepoint_asked(&mut self, label: String, when: When, reply: Reply) {
        // Whoever asked may have gone.
        drop(reply.send(self.begin_saving(label, when)));
    }

    fn begin_saving(&mut self, label: String, when: When) -> Result<Operation, Failure> {
        if self.life.state().is_over() {
            return Err(
                Failure::fail(format!("it is {}, and takes no savepoint", self.life.state()))
                    .help("begin another one from its last checkpoint with `weir submit --from-checkpoint`"),
            );
        }
        if self.saving.iter().any(|saving| saving.label == label) {
            return Err(savepoint::taken(&label));
        }
        let operation = self
            .operations
            .add(format!("savepoint {label}"), self.context.clock.wall())?;
        self.say("INFO", format!("savepoint {label} is asked for"));
        self.saving.push(Saving {
            label,
            operation,
            epoch: None,
        });
        if when == When::Now {
            self.coordinate(checkpoint::Event::SavepointAsked);
        }
        let begun = self.operations.get(operation).cloned();
        begun.ok_or_else(|| Failure::bug("an operation that is not there"))
    }

    /// Copies what a checkpoint left, where somebody has asked for it.
    pub(super) fn save(&mut self, epoch: Epoch, purpose: Purpose) {
        let (Some(head), Some(document)) = (&self.head, &self.document) else {
            return;
        };
        if purpose.roll() != Roll::All || head.epoch != epoch {
            return;
        }
        for saving in self.saving.iter_mut().filter(|saving| saving.epoch.is_none()) {
            saving.epoch = Some(epoch);
            let (store, own, at) = (self.context.store.clone(), self.own.clone(), self.context.clock.wall());
            let (record, document, saving) = (head.clone(), document.clone(), saving.clone());
            self.context.scope.run(async move {
                let outcome = savepoint::make(&store, &saving.label, record, document, at).await;
                // The job is there as long as it runs.
                let _ = own
                    .send(Event::Saved {
                        operation: saving.operation,
                        outcome,
                    })
                    .await;
            });
        }
    }

    /// It is known what came of a savepoint.
    pub(super) fn saved(&mut self, operation: Number, outcome: Result<String, Failure>) {
        let Some(place) = self.saving.iter().position(|saving| saving.operation == operation) else {
            return;
        };
        let Saving { label, epoch, .. } = self.saving.remove(place);
        self.course.outdated = self.course.ended.is_some();
        let at = self.context.clock.wall();
        match outcome {
            Ok(url) => {
                self.say("INFO", format!("savepoint {label} is at {url}"));
                self.operations
                    .done(operation, at, epoch.unwrap_or_default().0, Some(url));
            }
            Err(failure) => {
                self.say("ERROR", format!("savepoint {label} is not made: {}", failure.message));
                self.operations.failed(operation, at, &failure);
            }
        }
    }

    /// The job is over: what was not taken yet never will be.
    pub(super) fn abandon_savepoints(&mut self) {
        let at = self.context.clock.wall();
        let failure = Failure::fail("the datastream ended before its checkpoint was taken")
            .help("begin another one from its last checkpoint with `weir submit --from-checkpoint`");
        let (under_way, never): (Vec<_>, Vec<_>) = std::mem::take(&mut self.saving)
            .into_iter()
            .partition(|saving| saving.epoch.is_some());
        never
            .iter()
            .for_each(|saving| self.operations.failed(saving.operation, at, &failure));
        self.saving = under_way;
    }
}
