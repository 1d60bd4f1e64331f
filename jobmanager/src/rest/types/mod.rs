//! What REST `/v1` says: the bodies of answers, as the job manager writes them and the command line reads them.
//!
//! Their schemas in the OpenAPI document come from these structs, comments and all: [`super::openapi`].

mod list;
mod datastream;
mod checkpoint;
mod events;
mod live;
mod lag;
mod cluster;
mod wish;
mod problem;
mod tap;
mod letter;

pub use checkpoint::{Checkpoint, Checkpoints, CurrentCheckpoint, Split};
pub use cluster::{Cluster, Health, TaskManager};
pub use datastream::{Datastream, DeadLetters, Edge, Finding, Holder, Severity, Step, Subtask, Vertex};
pub use events::{Exception, LogLine, Operation, Outlook, Swept};
pub use lag::{Ages, Between, Fates, Lag, Loss, LossMinute, LossView, MinuteFates, StepAges, StepLag, Where};
pub use letter::{DeadLetter, DeadLetterPage};
pub use list::{LastCheckpoint, Outcome, Progress, State, Submitted, Summary};
pub use live::{Live, Overview, Series};
pub use problem::Problem;
pub use tap::{TapCount, TapEnd, TapEvent, TapOpened, TapRow};
pub use wish::{Rescale, SavepointRequest, Stop};
