//! Checkpoints that are kept by name, and what another job takes over of them.
//!
//! ```text
//!   savepoints/<label>.record       which job and epoch, its document, its snapshot without committables
//!   savepoints/<label>/<object>     copies of the state files that the snapshot names
//! ```
//!
//! Enters: a record whose commits are done; a label or a checkpoint that somebody wants to begin from. Leaves: a savepoint
//! that needs nothing beside it and may be moved elsewhere; the first record of another job. Who calls: the job's actor,
//! `jobs`. Must stay true: the record is made last, when all it names is there; a label is used once; another job takes
//! over state and never committables. Not here: when a checkpoint is taken.

mod begin;
mod copy;
mod make;
mod objects;
#[cfg(test)]
mod tests;

pub use begin::{Found, From, begin, find};
pub(crate) use make::taken;
pub use make::{Savepoint, is_there, make};
pub use objects::{named, renamed};

/// The folder of savepoints in the state folder.
const FOLDER: &str = "savepoints";

/// The state files of a job.
#[must_use]
pub fn state_folder(job: &dataflow::id::JobId) -> String {
    format!("jobs/{job}/state")
}
