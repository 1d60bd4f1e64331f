//! Looks at the rows of a running job: who looks, where, for how long, and when it is over.
//!
//! ```text
//!   REST ── Request ──> [ Taps ] ── Order::Tap ──> task managers with subtasks of the step
//!    └<── Piece, bounded ──┘ <── Tapped, as far as the job has room ──┘
//! ```
//!
//! Enters: what a person asks for, what subtasks show. Leaves: pieces for the listener, orders for subtasks. Who calls: the
//! job's actor. Must stay true: a tap ends with its time, its rows, its job, its step, or because nobody reads it; a listener
//! that is slow loses rows, which are counted, and never slows the job; looking changes nothing. Not here: which rows are
//! worth a look (planner), how they are come by (task manager).

mod piece;
mod taps;
#[cfg(test)]
mod tests;

pub use piece::{Counts, Piece, Tapped, TappedRow};
pub(crate) use taps::Taps;
pub use taps::{Request, Wanted};

/// So many taps of a job at a time.
pub(crate) const TAPS_MAX: usize = 8;
/// A tap lasts so long at most, in seconds.
pub(crate) const SECONDS_MAX: u32 = 600;
/// So many rows at most.
pub(crate) const ROWS_MAX: u32 = 10_000;
