//! Writes down which document is in force, for people: beside the job, which never waits for it.

use super::actor::{Actor, Begin};
use crate::rest::types::Cause;
use crate::store::{Entered, Versions};

impl Cause {
    /// Why the document of a job that begins is in force.
    pub(super) fn of(begin: &Begin) -> Self {
        match begin {
            Begin::New(_) => Self::Begun,
            Begin::Resume(_, Some(_)) => Self::Resumed,
            Begin::Resume(_, None) | Begin::Recover => Self::Found,
        }
    }
}

impl Actor {
    /// Writes down the document in force, where nobody has. One that cannot be written is tried again when the job is taken
    /// up the next time.
    pub(super) fn enter_version(&self, cause: Cause) {
        let (Some(head), Some(document)) = (&self.head, &self.document) else {
            return;
        };
        let entered = Entered {
            job: self.job.clone(),
            at: self.context.clock.wall(),
            cause,
            document: document.clone(),
            before: (!head.subtasks.is_empty()).then(|| head.snapshots_of(&document.graph).clone()),
        };
        let versions = Versions::new(&self.context.store, &self.job.name, &self.context.clock);
        self.context.scope.run(async move {
            if let Err(error) = versions.enter(entered).await {
                tracing::warn!(%error, "the version of a document is not written down");
            }
        });
    }
}
