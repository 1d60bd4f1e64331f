//! What a job does as parts of traces: deployments, checkpoints, recoveries. One of each at a time.

use dataflow::id::{BarrierId, Epoch, Generation, JobId};
use dataflow::trace::{Context, Traced};
use dataflow::traced;
use tracing::field::Empty;

/// What is under way.
#[derive(Default)]
pub(super) struct Traces {
    /// What the first deployment was asked in.
    asked: Option<Context>,
    recovery: Option<Traced>,
    deployment: Option<Traced>,
    checkpoint: Option<Checkpoint>,
}

/// A checkpoint, and the part of it that it is in.
struct Checkpoint {
    whole: Traced,
    part: Traced,
}

impl Traces {
    /// Whoever wants the job has asked in this context.
    pub(super) fn asked(context: Option<Context>) -> Self {
        Self {
            asked: context,
            ..Self::default()
        }
    }

    /// It is deployed: after a failure as a part of its recovery, else of what was asked.
    pub(super) fn deploys(&mut self, job: &JobId, generation: Generation, epoch: Epoch) {
        let asked = self.asked.take();
        let parent = self.recovery.as_ref().map_or(asked, Traced::context);
        self.deployment = Some(traced!(parent, "deploy", %job, %generation, epoch = epoch.0));
    }

    /// What goes along with a deployment.
    pub(super) fn of_deployment(&self) -> Option<Context> {
        self.deployment.as_ref().and_then(Traced::context)
    }

    /// What the job works at just now: its deployment, its recovery, or what was asked of it.
    pub(super) fn now(&self) -> Option<Context> {
        let under_way = self.deployment.as_ref().or(self.recovery.as_ref());
        under_way.map_or(self.asked, Traced::context)
    }

    /// All of it runs.
    pub(super) fn runs(&mut self) {
        (self.deployment, self.recovery) = (None, None);
    }

    /// It has failed; if it goes on, that is its recovery.
    pub(super) fn fails(&mut self, job: &JobId, why: &str) {
        if let Some(deployment) = self.deployment.take() {
            deployment.fail(why);
        }
        self.recovery
            .get_or_insert_with(|| traced!(None, "recover", %job, cause = why));
    }

    /// It is over.
    pub(super) fn is_over(&mut self) {
        *self = Self::default();
    }

    /// A barrier goes out.
    pub(super) fn triggers(&mut self, job: &JobId, barrier: BarrierId) {
        let whole = traced!(None, "checkpoint", %job, %barrier, epoch = Empty, bytes = Empty);
        let part = traced!(whole.context(), "collect", %job);
        self.checkpoint = Some(Checkpoint { whole, part });
    }

    /// The checkpoint comes to its next part.
    pub(super) fn comes_to(&mut self, part: Part, job: &JobId, epoch: Epoch) {
        let Some(checkpoint) = &mut self.checkpoint else { return };
        checkpoint.whole.say("epoch", epoch.0);
        let context = checkpoint.whole.context();
        checkpoint.part = match part {
            Part::Record => traced!(context, "record", %job),
            Part::Commit => traced!(context, "commit", %job),
        };
    }

    /// What goes along with what subtasks are told of the checkpoint.
    pub(super) fn of_checkpoint(&self) -> Option<Context> {
        let checkpoint = self.checkpoint.as_ref()?;
        checkpoint.part.context()
    }

    /// The checkpoint is over.
    pub(super) fn ends(&mut self, outcome: Result<u64, &str>) {
        let Some(Checkpoint { whole, part }) = self.checkpoint.take() else {
            return;
        };
        match outcome {
            Ok(bytes) => whole.say("bytes", bytes),
            Err(why) => {
                part.fail(why);
                whole.fail(why);
            }
        }
    }
}

/// A part of a checkpoint behind the first, in which snapshots are collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The record is made.
    Record,
    /// Sinks commit.
    Commit,
}
