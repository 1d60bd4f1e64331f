//! All jobs of a job manager, and what can be asked of them: used by REST, and directly by `weir run`.
//!
//! Enters: planned documents, names. Leaves: handles, summaries, errors that say what to do. Must stay true: one life of
//! a datastream runs at a time; what is wished is written down before it is acted upon. Not here: how a text is planned.

mod error;
mod archive;
mod asking;
mod past;
mod changing;
mod looking;
mod letters;
mod plan;
mod saving;
mod sweeping;
mod start;
mod submit;
mod versions;
#[cfg(test)]
mod tests;

pub use archive::Shelves;
pub use asking::Jobs;
pub use error::Error;
pub use letters::Kept;
pub use looking::Looker;
#[cfg(test)]
pub(crate) use past::from_ledger;
pub use plan::{Desired, Looked, Plan, Planned, Rejected, Written};
pub use start::{JobManager, Options, World};
pub use submit::Fresh;
pub use versions::{InForce, Outlined, drawn};
