//! Sources at the job manager: which split goes to which reader, and the enumerators that find them.
//!
//! Enters: what enumerators discover and readers want. Leaves: assignments. Who calls: the job's actor.
//! Must stay true: splits move only while no barrier is in flight; each is held by one reader at a time; what is
//! unassigned is what was discovered and is neither held nor finished; readers run ahead of the slowest by `maxDrift` at most
//! (drift). Not here: what a split means.

mod assign;
mod drift;
mod enumerate;
#[cfg(test)]
mod tests;

pub use assign::{Action, Assign, Event, Restored};
pub use drift::{Bound, Drift};
pub use enumerate::{Discovered, Found, enumerate};
