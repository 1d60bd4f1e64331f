//! Keys to slots, whole batches at a time; values by column, at the slots.
//!
//! A slot is a small number that is a key's. Which slots were touched since the last cut is a bit each. At a cut the touched
//! ones are written, and about as many bytes of the others, round and round: so every entry is written again within a
//! bounded number of cuts, old cuts are left behind, and nothing ever has to be merged.
//!
//! Where a table may spill and there is no room left in memory, keys that were not touched lately go to disk, and come back
//! when they are asked for. So a slot stays a key's until the key is removed, or until the next call that makes slots or
//! freezes: whoever keeps slots for longer has a table that does not spill.

mod values;
mod slot;
mod routed;
mod arena;
mod find;
mod forget;
mod freeze;
mod evict;
mod scan;
#[cfg(test)]
mod contract;

pub(crate) use scan::Scan;
pub(crate) use values::Values;

use dataflow::Failure;
use dataflow::key;
use hashbrown::HashTable;

use super::KeyGroups;
use super::spill::{Expiry, Spill, Spilled};
use arena::{Bits, KeyList};
use freeze::Cycle;
use routed::Routed;
use slot::{OnDisk, Role, Slot};

/// No slot: [`Table::find_all`] has not found the key.
pub(crate) const NONE: u32 = u32::MAX;

/// Keys, and their values.
pub(crate) struct Table<V> {
    /// Which state of the operator it is, and where in it.
    state: u8,
    namespace: i64,
    index: HashTable<u32>,
    slots: Vec<Slot>,
    /// The bytes of all keys; those of removed ones stay until the table is compacted.
    keys: Vec<u8>,
    garbage: usize,
    free: Vec<u32>,
    touched: Bits,
    touched_slots: Vec<u32>,
    /// Touched before the last cut, and after the one before.
    recent: Bits,
    /// Keys that earlier cuts hold and that are no more, with their key groups.
    removed: KeyList,
    /// Nothing of earlier cuts counts, and no cut says so yet.
    cleared: bool,
    /// It was cleared since the last cut.
    anew: bool,
    cycle: Cycle,
    /// So many rows have come since its memory was last looked at.
    unseen: usize,
    /// How many bytes an entry had in the last cut.
    entry_bytes: usize,
    /// The slot that was last looked at for whether its key may leave memory.
    hand: usize,
    recorded: Recorded,
    /// The slots and keys that went to disk since this was last asked for; none where nobody asks.
    departed: Option<Vec<(u32, Box<[u8]>)>>,
    values: V,
    spilled: Option<Spilled>,
    routed: Routed,
}

/// Whether a table is written into cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recorded {
    InCuts,
    /// It follows from others, and is made again.
    Nowhere,
}

impl<V: Values> Table<V> {
    /// An empty table. `cut` is the number of the next cut, or 0 where it will be filled from restored ones.
    pub(crate) fn new(state: u8, namespace: i64, values: V, cut: u64) -> Self {
        Self {
            state,
            namespace,
            index: HashTable::new(),
            slots: Vec::new(),
            keys: Vec::new(),
            garbage: 0,
            free: Vec::new(),
            touched: Bits::default(),
            touched_slots: Vec::new(),
            recent: Bits::default(),
            removed: KeyList::default(),
            cleared: false,
            anew: false,
            cycle: Cycle::new(cut),
            unseen: 0,
            entry_bytes: 64,
            hand: 0,
            recorded: Recorded::InCuts,
            departed: None,
            values,
            spilled: None,
            routed: Routed::ByHash,
        }
    }

    /// The same, whose keys begin with their key group: two bytes, the larger one first.
    pub(crate) fn with_groups_in_keys(self) -> Self {
        Self {
            routed: Routed::ByPrefix,
            ..self
        }
    }

    /// The same, which puts on disk what does not fit into memory.
    pub(crate) fn spilling(self, spill: &Spill) -> Self {
        Self {
            spilled: Some(Spilled::new(spill)),
            ..self
        }
    }

    /// The same, whose values begin with a time of eight bytes, the smallest first: those that are over by it may vanish from
    /// disk. Asked of a table that spills; what is in memory stays.
    pub(crate) fn expiring(self, expiry: &Expiry) -> Self {
        Self {
            spilled: self.spilled.map(|spilled| spilled.expiring(expiry)),
            ..self
        }
    }

    /// The same, which is in no cut: it is dropped before the next.
    pub(crate) fn unrecorded(self) -> Self {
        Self {
            recorded: Recorded::Nowhere,
            ..self
        }
    }

    /// The same, whose owner wants to know which keys go to disk.
    pub(crate) fn noting_departures(self) -> Self {
        Self {
            departed: Some(Vec::new()),
            ..self
        }
    }

    /// Which keys went to disk since this was last asked, and the slots that were theirs.
    pub(crate) fn take_departed(&mut self) -> Vec<(u32, Box<[u8]>)> {
        self.departed.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// How many keys it has; those on disk that have vanished because they were over may be among them.
    pub(crate) fn len(&self) -> usize {
        let spilled = self.spilled.as_ref().map_or(0, Spilled::len);
        self.index.len() + usize::try_from(spilled).unwrap_or(usize::MAX)
    }

    /// The values.
    pub(crate) fn values(&self) -> &V {
        &self.values
    }

    /// The values, to be changed at slots that [`Table::slots`] gave.
    pub(crate) fn values_mut(&mut self) -> &mut V {
        &mut self.values
    }

    /// What is at a slot has changed, though nobody asked for it by [`Table::slots`].
    pub(crate) fn touch(&mut self, slot: u32) {
        if self.touched.set(slot) {
            self.touched_slots.push(slot);
        }
        // Even where the bit was set: it may be of the key that was there before.
        let found = &mut self.slots[slot as usize];
        if found.disk == OnDisk::Same {
            found.disk = OnDisk::Older;
        }
    }

    /// The bytes of a slot's key.
    pub(crate) fn key(&self, slot: u32) -> &[u8] {
        let slot = &self.slots[slot as usize];
        &self.keys[slot.start..slot.start + slot.length as usize]
    }

    /// The key group of a slot's key.
    pub(crate) fn group(&self, slot: u32, groups: &KeyGroups) -> u16 {
        self.routed
            .group(self.slots[slot as usize].hash, self.key(slot), groups)
    }

    /// The slots that hold a key in memory: all of a table that does not spill. See [`Table::scan`] for the others.
    pub(crate) fn live(&self) -> impl Iterator<Item = u32> {
        (0_u32..)
            .zip(&self.slots)
            .filter(|(_, slot)| slot.role == Role::Live)
            .map(|(slot, _)| slot)
    }

    /// Sets or removes a key, as a cut says; it does not count as touched.
    ///
    /// # Errors
    /// A value that cannot be read, or no room for it.
    pub(crate) fn restore(&mut self, key: &[u8], value: Option<&[u8]>, groups: &KeyGroups) -> Result<(), Failure> {
        self.make_room(1)?;
        if self.is_spilled() {
            self.load(std::iter::once(key))?;
        }
        let hash = key::hash(key);
        match value {
            Some(value) => {
                let slot = self.slot(hash, key);
                let found = &mut self.slots[slot as usize];
                found.fresh = false;
                if found.disk == OnDisk::Same {
                    found.disk = OnDisk::Older;
                }
                self.values.grow(self.slots.len());
                self.values.decode(slot, value)
            }
            None => {
                if let Some(slot) = self.seek(hash, key) {
                    self.remove(slot, groups);
                    self.removed = KeyList::default();
                }
                self.compact();
                Ok(())
            }
        }
    }

    /// Memory held, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let index = self.index.capacity() * (size_of::<u32>() + 1);
        let slots = self.slots.capacity() * size_of::<Slot>() + self.free.capacity() * size_of::<u32>();
        let bits = self.touched.bytes() + self.recent.bytes() + self.touched_slots.capacity() * size_of::<u32>();
        let spilled = self.spilled.as_ref().map_or(0, Spilled::bytes);
        index + slots + bits + self.keys.capacity() + self.removed.bytes() + self.values.bytes() + spilled
    }
}
