//! What follows a failure.
//!
//! Enters: failures. Leaves: whether and when the job is tried again. Who calls: the machine of a job's life.
//! Not here: regions; a failure restarts the whole job.

mod restart;
#[cfg(test)]
mod tests;

pub use restart::{Decision, RestartPolicy};
