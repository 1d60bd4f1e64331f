//! The task managers: who is there, who holds which slots, and what is said to them and by them.
//!
//! ```text
//!   Attach ──Register──> roster ──────────────> offers ──reserve──> seats of a job
//!      │ reports, heartbeats ──> job's queue                 send ──> the task manager's outbox
//!      └ end of the stream: dead, at once (a silent one after 10 s) ──> every job hears of it
//! ```
//!
//! Must stay true: one living task manager of a name; slots are given once; queues are bounded: a task manager that
//! does not read its own is dropped. Not here: what a job does about it.

mod shared;
mod roster;
mod session;
mod vitals;
mod wire;
#[cfg(test)]
mod tests;

pub use roster::{Refusal, Seat, Seats};
pub use session::{Control, HEARTBEAT, HEARTBEAT_TIMEOUT};
pub use shared::{Cluster, Identity};
pub use wire::{EdgeGauges, Gauges, Logged, NodeGauges, Report, Reported, Said, Stand, SubtaskState};
