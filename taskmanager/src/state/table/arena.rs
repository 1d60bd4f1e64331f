//! Small parts of a table: bits by slot, lists of keys in one buffer, and how the buffer of the keys is compacted.

use hashbrown::HashTable;

use super::{Role, Table, Values};

/// Below this, garbage is not worth a compaction.
const GARBAGE_MIN: usize = 64 * 1024;

/// A bit for each slot.
#[derive(Debug, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// Sets a bit; `true` if it was not set.
    #[inline]
    pub(super) fn set(&mut self, slot: u32) -> bool {
        let (word, bit) = (slot as usize / 64, 1_u64 << (slot % 64));
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let before = self.0[word];
        self.0[word] = before | bit;
        before & bit == 0
    }

    /// Whether it is set.
    pub(super) fn has(&self, slot: u32) -> bool {
        let word = self.0.get(slot as usize / 64).copied().unwrap_or(0);
        word & (1 << (slot % 64)) != 0
    }

    /// Takes it back.
    pub(super) fn unset(&mut self, slot: u32) {
        if let Some(word) = self.0.get_mut(slot as usize / 64) {
            *word &= !(1 << (slot % 64));
        }
    }

    /// Whether none is set.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Takes all back.
    pub(super) fn clear(&mut self) {
        self.0.fill(0);
    }

    /// Memory held.
    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }
}

/// Keys with their key groups, one behind another.
#[derive(Debug, Default)]
pub(super) struct KeyList {
    bytes: Vec<u8>,
    ends: Vec<(u16, usize)>,
}

impl KeyList {
    /// Appends one.
    pub(super) fn push(&mut self, group: u16, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push((group, self.bytes.len()));
    }

    /// All, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let mut begin = 0;
        self.ends.iter().map(move |(group, end)| {
            let key = &self.bytes[begin..*end];
            begin = *end;
            (*group, key)
        })
    }

    /// Memory held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<(u16, usize)>()
    }
}

impl<V: Values> Table<V> {
    /// Gives up the bytes of keys that are no more, once they are half of all.
    pub(super) fn compact(&mut self) {
        if self.garbage < GARBAGE_MIN || self.garbage * 2 < self.keys.len() {
            return;
        }
        let mut keys = Vec::with_capacity(self.keys.len() - self.garbage);
        for slot in self.slots.iter_mut().filter(|slot| slot.role != Role::Free) {
            let start = keys.len();
            keys.extend_from_slice(&self.keys[slot.start..slot.start + slot.length as usize]);
            slot.start = start;
        }
        self.keys = keys;
        self.garbage = 0;
    }

    /// No key is in memory: its slots go too, and what they held.
    pub(super) fn give_up_slots(&mut self) {
        if self.slots.iter().any(|slot| slot.role != Role::Free) {
            return;
        }
        self.index = HashTable::new();
        self.slots = Vec::new();
        self.free = Vec::new();
        self.keys = Vec::new();
        self.garbage = 0;
        self.touched = Bits::default();
        self.touched_slots = Vec::new();
        self.recent = Bits::default();
        self.hand = 0;
        self.values.clear();
    }
}
