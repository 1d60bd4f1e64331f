//! Mutants of the protocol that can be planted where a machine cannot be reached from outside.
//!
//! A mutant is planted for one thread; without the feature `testing` none of their places is compiled.

use std::cell::Cell;

/// A rule of the protocol that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A new leader makes no fence record.
    NoFence,
    /// Who finds a record of a later generation at the head goes on behind it, and does not step down.
    NoStepDown,
    /// A foreign record of one's own number is taken for one's own.
    ForeignAdopted,
    /// A record whose outcome is unknown counts as not made.
    UnknownIsFailure,
    /// Who opens the ledger writes on behind a page of a later term.
    LedgerUnfenced,
    /// Subtasks are adopted that do not descend from the head.
    AdoptsAnybody,
    /// Some of the subtasks are enough to be adopted.
    AdoptsParts,
    /// What those who are adopted have not committed of the head is forgotten.
    OwedForgotten,
    /// The barriers of an adopted deployment are counted anew.
    CountedAnew,
    /// What readers hold that are adopted is dealt out again.
    DealtAgain,
    /// Only what failed is started anew, and not what is connected with it.
    RegionOfOne,
    /// The barrier in flight is not given up when a part of the job fails.
    PartKeepsBarrier,
}

thread_local! {
    static PLANTED: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Plants a mutant in this thread, or takes it out.
pub fn plant(mutant: Option<Mutant>) {
    PLANTED.set(mutant);
}

/// Whether a mutant is planted in this thread.
pub(crate) fn is_planted(mutant: Mutant) -> bool {
    PLANTED.get() == Some(mutant)
}
