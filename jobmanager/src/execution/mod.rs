//! The execution graph: a job graph spread out into subtasks and the channels between them, and the tries at running one.
//!
//! Enters: a `JobGraph`. Leaves: an [`ExecutionGraph`], inert, with a stable text form. Who calls: the job's actor and
//! `weir explain --stage execution`. Must stay true: same graph in, same graph out; channels have two ends that agree.
//! Not here: where a subtask runs.

pub mod attempt;
mod expand;
mod explain;
mod graph;
mod region;
#[cfg(test)]
pub(crate) mod tests;

pub use attempt::Attempt;
pub use expand::expand;
pub use explain::explain;
pub(crate) use explain::partition_name;
pub use graph::{ExecutionGraph, Input, Output, Subtask};
