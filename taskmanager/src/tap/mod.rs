//! Rows of a running step, shown to people: a few of them, and never at the stream's expense.
//!
//! ```text
//!   chain ── pass ──> [ Valve ] ── one batch, when asked for ──> watch ── look ──> a few rows as JSON ──> [ Outlet ] ──> service
//!           one relaxed load           by reference                 on another thread, all together a fifth of a core
//! ```
//!
//! Enters: batches behind a step, by reference. Leaves: rows as people read them, hidden fields covered, with counts. Who
//! calls: the chain's driver ([`Valve::pass`]), service (the rest). Must stay true: whoever moves rows never waits, never
//! copies and never renders for a tap: where nobody asks for a batch at that moment it passes with one relaxed load, and what
//! is handed over is one batch at a time; everything on the way is bounded, and what does not fit is left out and counted.
//! Not here: which rows are worth a look (planner), who may look (job manager). `docs/decisions/018` has the reasons.

mod allowance;
mod look;
mod outlet;
mod valve;
mod watch;
#[cfg(test)]
mod tests;

pub(crate) use look::{Condition, Row};
pub(crate) use outlet::Outlet;
pub(crate) use valve::Valve;
pub(crate) use watch::{Asked, Watch};

use crate::task::Identity;

/// What one subtask shows at a time, and what it has counted since its tap was opened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    /// Who shows it.
    pub(crate) identity: Identity,
    /// The number of the tap.
    pub(crate) tap: u64,
    /// The rows.
    pub(crate) rows: Vec<Row>,
    /// All counts so far.
    pub(crate) counts: Counts,
    /// Why the condition could not be computed for the first of those that it could not be computed for.
    pub(crate) failure: Option<String>,
    /// Why nothing is shown, where nothing can be.
    pub(crate) trouble: Option<String>,
}

/// Rows, each a part of those before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// That went by.
    pub(crate) passed: u64,
    /// That were held against the condition.
    pub(crate) looked_at: u64,
    /// That it cannot be computed for, being of another type or no records of their format.
    pub(crate) failed: u64,
    /// That it is true for.
    pub(crate) matched: u64,
    /// That were handed on.
    pub(crate) shown: u64,
}
