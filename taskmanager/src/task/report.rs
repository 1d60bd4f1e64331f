//! What a subtask says to the job manager, before the wire.

use std::sync::Arc;

use dataflow::Disposition;
use dataflow::id::{Generation, JobId, SubtaskId};
use dataflow::trace::Context;
use tracing::Span;
use tracing::field::{Empty, display};

use super::life::{Life, Status};
use crate::checkpoint::Acknowledgement;

/// Who speaks: one attempt of one subtask of one generation of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The job.
    pub(crate) job: JobId,
    /// The deployment that it was born with: channels, files and spans are named after it.
    pub(crate) generation: Generation,
    /// Whom it obeys: the same, until it is adopted.
    pub(crate) obeys: Generation,
    /// Which subtask.
    pub(crate) subtask: SubtaskId,
    /// Which try.
    pub(crate) attempt: String,
}

impl Identity {
    /// What is logged for this subtask is logged within this span, whichever of its threads and tasks says it.
    ///
    /// Of the highest level, so that no filter takes away who speaks.
    pub(crate) fn span(&self, vertex: &str, asked: Option<Context>) -> Span {
        let Self {
            job, subtask, attempt, ..
        } = self;
        let span = tracing::error_span!("subtask", %job, vertex, %subtask, attempt, traceparent = Empty);
        if let Some(asked) = asked {
            span.record("traceparent", display(asked));
        }
        span
    }
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
    /// The slowest split of a source with `maxDrift` has come to here; or none is read.
    Reached(Option<i64>),
    /// A split was read to its end.
    SplitFinished(String),
    /// It obeys another leader from here on; how it stands.
    Adopted(Stand),
    /// Its thread has left; nothing more will be said. Not for the wire.
    Left,
}

/// How a subtask stands when it is adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    /// Where it is in its life.
    pub(crate) life: Life,
    /// The highest barrier that was asked for here.
    pub(crate) counter: u64,
    /// Splits that its reader holds.
    pub(crate) held: Vec<String>,
    /// Splits that were read to their ends and that no record may know of.
    pub(crate) finished: Vec<String>,
    /// Whether it has asked for splits and got none.
    pub(crate) wants: bool,
}

/// Where reports go. Never blocks.
pub(crate) type Reports = Arc<dyn Fn(&Identity, Report) + Send + Sync>;

/// The target of the log line of a subtask that failed. The job manager is told too and says what it does about it: where
/// both are one process, one of the two lines is enough.
pub const FAILURE: &str = "taskmanager::failure";

/// Logs and reports that a subtask's life has moved. Who calls is within the subtask's span.
///
/// The line comes first: whoever hears of the status can be shown the line.
pub(crate) fn moved(reports: &Reports, identity: &Identity, status: Status) {
    match &status {
        Status::Running => tracing::info!("subtask runs"),
        Status::Ended => tracing::info!("subtask is at the end of its input"),
        Status::Cancelled => tracing::info!("subtask is cancelled"),
        Status::Failed(failure) => match failure.disposition {
            Disposition::Retry => tracing::warn!(target: FAILURE, failure = failure.message, "subtask failed"),
            Disposition::Fail | Disposition::Bug => {
                tracing::error!(target: FAILURE, failure = failure.message, "subtask failed");
            }
        },
    }
    reports(identity, Report::Status(status));
}
