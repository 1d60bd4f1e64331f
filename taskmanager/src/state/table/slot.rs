//! A slot: whose it is, where its key stands, and what of it is elsewhere.

/// What a table knows of a key in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) hash: u64,
    pub(super) start: usize,
    pub(super) length: u32,
    pub(super) role: Role,
    /// No cut holds it yet.
    pub(super) fresh: bool,
    pub(super) disk: OnDisk,
}

/// Whose a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A key's that is in the index.
    Live,
    /// Nobody's.
    Free,
    /// Of a key on disk, until the scan that shows it goes on.
    Shown,
}

/// What the disk holds of a key that is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnDisk {
    Nothing,
    /// This value.
    Same,
    /// An older one.
    Older,
}

/// hashbrown takes the low bits for the place and the high ones for the tag; the key group is the low ones.
pub(super) fn mixed(hash: u64) -> u64 {
    hash.rotate_left(32)
}
