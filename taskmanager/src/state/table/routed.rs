//! Which key group a key is of.

use super::super::KeyGroups;

/// What says which key group a key is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Routed {
    /// Its hash.
    ByHash,
    /// Its first two bytes: the key is a part of what belongs to a key of that group.
    ByPrefix,
}

impl Routed {
    /// The key group of a key.
    pub(super) fn group(self, hash: u64, key: &[u8], groups: &KeyGroups) -> u16 {
        match (self, key.first_chunk()) {
            (Self::ByPrefix, Some(group)) => u16::from_be_bytes(*group),
            (Self::ByPrefix, None) | (Self::ByHash, _) => groups.group(hash),
        }
    }
}
