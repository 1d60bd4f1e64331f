//! Keyed state: tables in memory, what of them has changed at a barrier, and what they are restored from.
//!
//! ```text
//!   operator ── slots ──> Table (keys → slots, values by column)
//!      │ freeze at the barrier
//!      v
//!    Cut (changed entries, as blocks) ──> Keeper, on the runtime for I/O ──> Shelf: object store
//!      │                                    └── Notice: kept, with what the snapshot says of it
//!      ^ Restored (entries of earlier cuts, of the key groups that are this subtask's) <── Shelf
//! ```
//!
//! Enters: keys of whole batches; barriers. Leaves: cuts, and the snapshot's words for them. Who calls: operators and the
//! subtask's loop. Must stay true: every live entry is in the newest cut that changed it or in a later one, and every cut
//! that is needed is in the snapshot. Not here: what values mean (operators), when a cut is taken (task).

mod table;
mod spill;
mod cut;
pub mod format;
mod keeper;
mod kept;
mod shelf;
mod restored;
mod scratch;
pub mod inspect;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use cut::Cut;
pub(crate) use keeper::{Home, Keeper};
pub use kept::objects;
pub(crate) use kept::{Kept, KeptCut};
pub(crate) use restored::Restored;
#[cfg(test)]
pub(crate) use restored::Source;
pub(crate) use scratch::Scratch;
pub(crate) use shelf::Shelf;
pub(crate) use spill::{Expiry, Hints, Limits, Spill};
pub(crate) use table::{NONE, Scan, Table, Values};

use std::ops::Range;

use dataflow::key;

/// Makes room for so many slots: for a quarter more than there was, not for twice as many. Tables are the largest things there
/// are, and what is not used of them is memory that others could have.
pub(crate) fn reserve<T>(of: &mut Vec<T>, slots: usize) {
    if slots > of.capacity() {
        let more = of.capacity() / 4;
        of.reserve_exact((of.capacity() + more).max(slots) - of.len());
    }
}

/// The key groups of one subtask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyGroups {
    /// How many there are in the job.
    pub(crate) max_parallelism: u32,
    /// Which are this subtask's.
    pub(crate) owned: Range<u32>,
}

impl KeyGroups {
    /// Those of a subtask.
    pub(crate) fn of(subtask: u32, parallelism: u32, max_parallelism: u32) -> Self {
        Self {
            max_parallelism,
            owned: key::range(subtask, parallelism, max_parallelism),
        }
    }

    /// The group of a key with this hash.
    pub(crate) fn group(&self, hash: u64) -> u16 {
        u16::try_from(key::key_group(hash, self.max_parallelism)).unwrap_or(u16::MAX)
    }

    /// Whether a group is this subtask's.
    pub(crate) fn owns(&self, group: u16) -> bool {
        self.owned.contains(&u32::from(group))
    }
}
