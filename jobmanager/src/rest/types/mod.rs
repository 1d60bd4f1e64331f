//! What REST `/v1` says: the bodies of answers, as the job manager writes them and the command line reads them.
//!
//! Their schemas in the OpenAPI document come from these structs, comments and all: [`super::openapi`].

mod list;
mod datastream;
mod checkpoint;
mod events;
mod run;
mod live;
mod lag;
mod cluster;
mod archive;
mod wish;
mod document;
mod problem;
mod tap;
mod letter;

pub use archive::{Archive, ArchiveFile, ArchivePartition, ArchiveSink};
pub use checkpoint::{Checkpoint, Checkpoints, CurrentCheckpoint, Split};
pub use cluster::{Cluster, Health, JobLine, JobMemory, Seated, Sitting, SlotTaken, Target, TaskManager};
pub use datastream::{Datastream, DeadLetters, Edge, Finding, Holder, Resources, Severity, Step, Subtask, Vertex};
pub use document::{
    Cause, Difference, DocumentVersion, Fate, Hunk, HunkLine, LineChange, Prospect, Review, Reviewed, StepVerdict,
};
pub use events::{Exception, LogLine, Operation, Outlook, Swept};
pub use lag::{Ages, Between, Fates, Lag, Loss, LossMinute, LossView, MinuteFates, StepAges, StepLag, Where};
pub use letter::{DeadLetter, DeadLetterPage};
pub use list::{LastCheckpoint, Missing, Outcome, Progress, State, Submitted, Summary};
pub use live::{Live, Overview, Series};
pub use problem::Problem;
pub use run::PastRun;
pub use tap::{TapCount, TapEnd, TapEvent, TapOpened, TapRow};
pub use wish::{Rescale, SavepointRequest, Stop};
