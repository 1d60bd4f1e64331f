//! What became of the rows between any two points of a graph, and how old they were there. Pure.
//!
//! Enters: a job graph, the tallies of its steps at one cut through the stream, ages since the last look. Leaves: what is
//! missing, minute by minute where both sides count by the same time; percentiles over time. Who calls: the job's task.
//! Must stay true: at the cut of an aligned barrier nothing is on its way, so a difference of numbers is a loss and not a
//! delay. Not here: counting (task manager), sums over subtasks and attempts (`job/counting.rs`).

mod points;
mod loss;
mod series;
#[cfg(test)]
mod tests;

pub(crate) use loss::{Limits, Verdict, between, find};
pub(crate) use points::Points;
pub(crate) use series::Lines;
