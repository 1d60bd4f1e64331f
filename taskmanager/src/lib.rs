//! The data plane: runs subtasks, and moves batches between them.
//!
//! ```text
//!   source ─> chain ─> partition ─> channel ─> (network) ─> gate ─> chain ─> sink
//! ```
//!
//! A deployment becomes tasks (`deploy`); a task is one thread with one mailbox (`task`) that drives a chain of operators
//! (`chain`, `operators`) and takes its part in checkpoints (`checkpoint`). Rows leave by edges (`partition`, `channel`,
//! `network`, `gate`) or into the queues of sinks (`writer`). The job manager is spoken to by `service`.
//! This crate knows no document, no plan and no connector by name.

pub(crate) mod service;
pub(crate) mod deploy;
pub mod task;
pub(crate) mod chain;
pub(crate) mod meter;
pub(crate) mod operators;
pub mod partition;
pub mod channel;
pub mod network;
pub mod gate;
pub mod state;
pub mod overtaken;
pub(crate) mod writer;
pub(crate) mod tap;
pub mod checkpoint;
pub(crate) mod memory;
pub(crate) mod metrics;
pub mod rehearsal;
#[cfg(test)]
pub(crate) mod testing;

pub use network::Papers;
pub use service::{Fences, Line, Lines, Options, Surroundings, TaskManager, Tenure};
pub use task::FAILURE;
