//! A vertex' operators fused into one thread: a batch goes from node to node by plain calls.
//!
//! Enters: one batch, or what is said about time, at node 0. Leaves: batches by edges, and into the queues of sinks. Who calls: the subtask's loop,
//! one [`Chain::step`] at a time, with a look at its mailbox between. Must stay true: no step begins while an output is
//! short of credit or a sink's queue is full, so nothing piles up in here; barriers pass only when nothing is under way.
//! Not here: whose turn it is (task), which subtask a row goes to (partition).

pub(crate) mod columns;
pub(crate) mod dead;
mod driver;
#[cfg(test)]
mod tests;

pub(crate) use driver::{Chain, Next, Node, Progress, Signal};
