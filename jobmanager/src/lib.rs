//! The control plane: decides what runs where. The second half of walk two, and the life of a job.
//!
//! ```text
//!   JobGraph ──expand──> ExecutionGraph ──place──> Placement ──dispatch──> Deploy ~~> task managers
//!                                                                            ~~> reports ──> job ──> records, commits
//! ```
//!
//! What decides is pure: `on(event, now) -> actions` in `leader`, `job::life`, `execution::attempt`, `schedule::place`,
//! `source::assign`, `checkpoint::coordinator`, `checkpoint::commit`, `recover::restart`, `restore` and `gc::difference`. The shells around them (`job`,
//! `cluster`, `store`, `jobs`, `rest`) touch the world and decide nothing.

pub mod jobs;
pub mod execution;
pub mod schedule;
pub mod restore;
pub mod savepoint;
pub mod deploy;
pub mod job;
pub mod source;
pub mod checkpoint;
pub mod recover;
pub mod cluster;
pub(crate) mod lag;
pub mod leader;
pub mod store;
pub mod run;
mod flink;
pub mod tap;
pub mod letters;
pub mod gc;
pub mod access;
pub mod rest;
pub mod metrics;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use jobs::{Desired, JobManager, Jobs, Looked, Options, Plan, Planned, Rejected, World, Written};
