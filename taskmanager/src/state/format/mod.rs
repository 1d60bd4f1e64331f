//! The file of one cut: what its bytes mean, and how it is known that they are the ones that were written.
//!
//! ```text
//!   head    magic "weircut" 1 | version 4 | length of the head 4 | length of the file 8 | entries 8
//!           | blocks 4 | cleared 4 | groups of a bucket 4 | 0 4                                      (numbers: little-endian)
//!           for each block:   bucket 4 | length 4 | entries 4 | crc32 4
//!           for each cleared: state 1 | namespace 8
//!           crc32 of the head before it 4
//!   blocks  one behind another, in the order of the head; each holds whole entries of one bucket
//! ```
//!
//! A bucket is [`GROUPS`] key groups, so that who has only some of them reads only their blocks. The snapshot holds the
//! length and the crc32 of the whole file; that of the whole follows from the head alone, which holds those of the blocks:
//! so a part of a file is checked as well as all of it. Enters: bytes, whoever wrote them; no bytes make this panic.
//! Leaves: entries. Who calls: state, and `weir state`, which reads checkpoints without running anything.

mod entry;
mod head;

pub use entry::{Cleared, Entries, Entry, Item, Malformed, Place};
pub(super) use entry::{Kind, write_cleared, write_head, write_value};
pub use head::{Block, Corrupt, Head};

use serde::{Deserialize, Serialize};

/// So many key groups make a bucket.
pub const GROUPS: u32 = 16;

/// A block is closed when it has reached this: whole entries, so a large entry makes a large block.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// What a snapshot says of a cut in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The object's name in the folder of the job's state.
    pub object: String,
    /// Its length.
    pub bytes: u64,
    /// How much of that is its head.
    pub head: u32,
    /// How many entries it holds.
    pub entries: u64,
    /// The crc32 of all its bytes.
    pub crc: u32,
    /// The key groups that count: from here, and up to before there. What it holds of others is not to be read.
    pub groups: [u32; 2],
}

/// The bucket of a key group.
#[must_use]
pub fn bucket(group: u16) -> u32 {
    u32::from(group) / GROUPS
}
