//! What a subtask says to the job manager, before the wire.

use std::sync::Arc;

use dataflow::id::{Generation, JobId, SubtaskId};

use super::life::Status;
use crate::checkpoint::Acknowledgement;

/// Who speaks: one attempt of one subtask of one generation of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The job.
    pub(crate) job: JobId,
    /// The deployment.
    pub(crate) generation: Generation,
    /// Which subtask.
    pub(crate) subtask: SubtaskId,
    /// Which try.
    pub(crate) attempt: String,
}

/// One thing that a subtask has to say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Report {
    /// Its life has moved.
    Status(Status),
    /// A barrier is through.
    Acknowledged(Acknowledgement),
    /// All its sinks have committed this epoch.
    Committed(u64),
    /// It has no split left.
    SplitsWanted,
    /// A split was read to its end.
    SplitFinished(String),
    /// Its thread has left; nothing more will be said. Not for the wire.
    Left,
}

/// Where reports go. Never blocks.
pub(crate) type Reports = Arc<dyn Fn(&Identity, Report) + Send + Sync>;
