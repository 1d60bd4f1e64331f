//! What follows a failure.
//!
//! Enters: failures; what runs without a leader. Leaves: whether and when the job is tried again; whether its subtasks are
//! taken over. Who calls: the machine of a job's life, the job's actor.
//! Not here: what is connected with what failed; that is the graph's (`execution/region.rs`).

mod adopt;
mod restart;
#[cfg(test)]
mod tests;

pub use adopt::{Adoption, Birth, Found, LEASE, Room, Standing, Survivor, Verdict, Works};
pub use restart::{Decision, RestartPolicy};
