//! Who still owes the commit of an epoch.
//!
//! ```text
//!   record N exists ──> owed: every sink subtask ── Committed(N) from each ──> done
//!   restored from N ──> owed: every sink subtask ── Running of each (commits come before its first row) ──> done
//! ```
//!
//! Must stay true: only the sinks of the epoch can pay, each once; what speaks of another epoch pays nothing.

use std::collections::BTreeSet;

use dataflow::id::{Epoch, SubtaskId};

/// The commits of one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commits {
    epoch: Epoch,
    owed: BTreeSet<SubtaskId>,
}

/// What a message about a commit meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// One commit less is owed.
    Paid,
    /// It was the last one: the epoch is done.
    Done,
    /// Of another epoch, said twice, or of a subtask without a sink.
    Stale,
}

impl Commits {
    /// The commits of `epoch`, owed by every one of `sinks`.
    #[must_use]
    pub fn owed(epoch: Epoch, sinks: BTreeSet<SubtaskId>) -> Self {
        Self { epoch, owed: sinks }
    }

    /// The epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether nobody owes anything.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.owed.is_empty()
    }

    /// Who still owes.
    #[must_use]
    pub fn waits_for(&self) -> &BTreeSet<SubtaskId> {
        &self.owed
    }

    /// A subtask says that it has committed `epoch`.
    pub fn on(&mut self, subtask: SubtaskId, epoch: Epoch) -> Heard {
        if epoch != self.epoch || !self.owed.remove(&subtask) {
            return Heard::Stale;
        }
        if self.owed.is_empty() { Heard::Done } else { Heard::Paid }
    }
}
