//! What follows a failure.
//!
//! Enters: failures; what runs without a leader. Leaves: whether and when the job is tried again; whether its subtasks are
//! taken over. Who calls: the machine of a job's life, the job's actor.
//! Not here: regions; a failure restarts the whole job.

mod adopt;
mod restart;
#[cfg(test)]
mod tests;

pub use adopt::{Adoption, Found, LEASE, Room, Standing, Verdict, Works};
pub use restart::{Decision, RestartPolicy};
