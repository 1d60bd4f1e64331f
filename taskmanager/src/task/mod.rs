//! One subtask: one thread, one mailbox, one loop.
//!
//! ```text
//!   loop:  control? ── do it          (cancel, trigger, commit, splits, notices of sinks)
//!          outputs blocked? ── sleep  (credit, or room in a sink's queue)
//!          chain under way? ── one step
//!          input? ── into the chain   (gate, or the source's reader)
//!          nothing? ── flush, sleep until the bell rings
//! ```
//!
//! Enters: a built chain with its input. Leaves: reports. Who calls: deploy, which gives it its thread. Must stay true:
//! control is looked at before every step, so a cancel waits for one step at most; the thread never waits for a sink, a
//! neighbour or the job manager but in its one sleep. Not here: how a life moves on (life), what a barrier needs (checkpoint),
//! how one overtakes (overtake).

pub(crate) mod drift;
pub(crate) mod gauges;
pub mod life;
pub(crate) mod mailbox;
pub(crate) mod report;
mod orders;
mod overtake;
mod run;

pub use report::FAILURE;
pub(crate) use report::{Identity, Report, Reports, moved};
pub(crate) use run::{Input, Parts, Played, Task};
