//! Who goes where: a graph and free slots become a placement.
//!
//! Enters: parallelisms and free slots. Leaves: a task manager for each subtask, or how many slots are missing.
//! Who calls: the cluster, while it holds its list, so that two jobs never take one slot.

mod place;
#[cfg(test)]
mod tests;

pub use place::{Offer, Placement, TooFewSlots, place};
