//! Keys to slots, whole batches at a time; values by column, at the slots.
//!
//! A slot is a small number that is a key's. Which slots were touched since the last cut is a bit each. At a cut the touched
//! ones are written, and about as many bytes of the others, round and round: so every entry is written again within a
//! bounded number of cuts, old cuts are left behind, and nothing ever has to be merged.
//!
//! Where a table may spill and there is no room left in memory, keys that were not touched lately go to disk, and come back
//! when they are asked for. So a slot stays a key's until the key is removed, or until the next call that makes slots or
//! freezes: whoever keeps slots for longer has a table that does not spill.

mod arena;
mod freeze;
mod evict;
mod scan;
#[cfg(test)]
mod contract;

pub(crate) use scan::Scan;

use dataflow::Failure;
use dataflow::key::{self, Keys};
use hashbrown::HashTable;

use super::KeyGroups;
use super::spill::{Spill, Spilled};
use arena::{Bits, KeyList};
use freeze::Cycle;

/// No slot: [`Table::find_all`] has not found the key.
pub(crate) const NONE: u32 = u32::MAX;

/// The values of a table: one for each slot, laid out by column.
pub(crate) trait Values: Send {
    /// Makes room for `slots` slots; new ones are as a key begins.
    fn grow(&mut self, slots: usize);

    /// A slot's key was removed: another one begins there.
    fn reset(&mut self, slot: u32);

    /// Appends a slot's value.
    fn encode(&self, slot: u32, out: &mut Vec<u8>);

    /// Sets a slot's value, as [`Values::encode`] wrote it.
    ///
    /// # Errors
    /// Bytes that it did not write.
    fn decode(&mut self, slot: u32, bytes: &[u8]) -> Result<(), Failure>;

    /// Memory held, roughly.
    fn bytes(&self) -> usize;

    /// A slot's key goes to disk, and with it what was encoded; the slot is reset behind that.
    fn leave(&mut self, slot: u32, key: &[u8]) {
        let _ = (slot, key);
    }

    /// Slots were reset: gives up what they left behind, if it is much.
    fn compact(&mut self) {}

    /// No slot is anybody's: gives up the memory of all.
    fn clear(&mut self) {}
}

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

/// What says which key group a key is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Routed {
    /// Its hash.
    ByHash,
    /// Its first two bytes: the key is a part of what belongs to a key of that group.
    ByPrefix,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u64,
    start: usize,
    length: u32,
    role: Role,
    /// No cut holds it yet.
    fresh: bool,
    disk: OnDisk,
}

/// Whether a table is written into cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recorded {
    InCuts,
    /// It follows from others, and is made again.
    Nowhere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A key's that is in the index.
    Live,
    /// Nobody's.
    Free,
    /// Of a key on disk, until the scan that shows it goes on.
    Shown,
}

/// What the disk holds of a key that is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnDisk {
    Nothing,
    /// This value.
    Same,
    /// An older one.
    Older,
}

impl Routed {
    fn group(self, hash: u64, key: &[u8], groups: &KeyGroups) -> u16 {
        match (self, key.first_chunk()) {
            (Self::ByPrefix, Some(group)) => u16::from_be_bytes(*group),
            (Self::ByPrefix, None) | (Self::ByHash, _) => groups.group(hash),
        }
    }
}

/// hashbrown takes the low bits for the place and the high ones for the tag; the key group is the low ones.
fn mixed(hash: u64) -> u64 {
    hash.rotate_left(32)
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

    /// How many keys it has.
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

    /// The slots of the keys of these rows, made where there was none; they count as touched. Slots that were given before
    /// are not to be used any more where the table spills.
    ///
    /// # Errors
    /// State that cannot be read.
    pub(crate) fn slots(&mut self, keys: &Keys, rows: &[u32], out: &mut Vec<u32>) -> Result<(), Failure> {
        self.entries(rows.iter().map(|row| keys.row(*row as usize)), out)
    }

    /// The slots of these keys, as [`Table::slots`] gives them.
    ///
    /// # Errors
    /// State that cannot be read.
    pub(crate) fn entries<'a>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        out: &mut Vec<u32>,
    ) -> Result<(), Failure> {
        out.clear();
        out.reserve(keys.len());
        self.make_room(keys.len())?;
        if self.is_spilled() {
            self.load(keys.clone())?;
        }
        for key in keys {
            let slot = self.slot(key::hash(key), key);
            self.touch(slot);
            out.push(slot);
        }
        self.values.grow(self.slots.len());
        Ok(())
    }

    /// The slots of these keys, [`NONE`] where there is none: nothing is made, nothing counts as touched. Slots that were
    /// given before are not to be used any more where the table spills.
    ///
    /// # Errors
    /// State that cannot be read.
    pub(crate) fn find_all<'a>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        out: &mut Vec<u32>,
    ) -> Result<(), Failure> {
        out.clear();
        self.make_room(keys.len())?;
        if self.is_spilled() {
            self.load(keys.clone())?;
        }
        out.extend(keys.map(|key| self.seek(key::hash(key), key).unwrap_or(NONE)));
        Ok(())
    }

    /// The slot of one key, if there is one. As [`Table::find_all`] of one key.
    ///
    /// # Errors
    /// State that cannot be read.
    pub(crate) fn find(&mut self, key: &[u8]) -> Result<Option<u32>, Failure> {
        self.make_room(1)?;
        if self.is_spilled() {
            self.load(std::iter::once(key))?;
        }
        Ok(self.seek(key::hash(key), key))
    }

    /// The slot of one key, made where there was none, and touched. As [`Table::slots`] of one row.
    ///
    /// # Errors
    /// State that cannot be read.
    pub(crate) fn entry(&mut self, key: &[u8]) -> Result<u32, Failure> {
        self.make_room(1)?;
        if self.is_spilled() {
            self.load(std::iter::once(key))?;
        }
        let slot = self.slot(key::hash(key), key);
        self.touch(slot);
        self.values.grow(self.slots.len());
        Ok(slot)
    }

    /// The slot of a key in memory.
    fn seek(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let (slots, bytes) = (&self.slots, &self.keys);
        let same = |slot: &u32| {
            let found = &slots[*slot as usize];
            found.hash == hash && bytes[found.start..found.start + found.length as usize] == *key
        };
        self.index.find(mixed(hash), same).copied()
    }

    fn slot(&mut self, hash: u64, key: &[u8]) -> u32 {
        match self.seek(hash, key) {
            Some(slot) => slot,
            None => {
                let buried = self.spilled.as_mut().is_some_and(|spilled| spilled.raise(key));
                let disk = if buried { OnDisk::Older } else { OnDisk::Nothing };
                self.insert(hash, key, Role::Live, disk)
            }
        }
    }

    /// A new slot of a key that has none.
    fn insert(&mut self, hash: u64, key: &[u8], role: Role, disk: OnDisk) -> u32 {
        let start = self.keys.len();
        self.keys.extend_from_slice(key);
        let length = u32::try_from(key.len()).expect("keys come from batches, which are far smaller than 4 GiB");
        let made = Slot {
            hash,
            start,
            length,
            role,
            fresh: disk != OnDisk::Same,
            disk,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = made;
                slot
            }
            None => {
                self.slots.push(made);
                u32::try_from(self.slots.len() - 1).expect("memory ends before four billion keys")
            }
        };
        if role == Role::Live {
            let slots = &self.slots;
            self.index
                .insert_unique(mixed(hash), slot, |slot| mixed(slots[*slot as usize].hash));
        }
        slot
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

    /// Forgets a key; its slot may become another's.
    pub(crate) fn remove(&mut self, slot: u32, groups: &KeyGroups) {
        let found = self.slots[slot as usize];
        if found.role == Role::Free {
            return;
        }
        if !found.fresh {
            let key = &self.keys[found.start..found.start + found.length as usize];
            self.removed.push(self.routed.group(found.hash, key, groups), key);
        }
        if found.disk != OnDisk::Nothing
            && let Some(spilled) = &mut self.spilled
        {
            let key = &self.keys[found.start..found.start + found.length as usize];
            spilled.bury(key);
            if found.role == Role::Shown {
                spilled.left(1);
            }
        }
        self.release(slot);
    }

    /// A slot is nobody's any more.
    fn release(&mut self, slot: u32) {
        let found = self.slots[slot as usize];
        if found.role == Role::Live
            && let Ok(entry) = self.index.find_entry(mixed(found.hash), |other| *other == slot)
        {
            entry.remove();
        }
        self.slots[slot as usize].role = Role::Free;
        self.garbage += found.length as usize;
        self.values.reset(slot);
        self.free.push(slot);
    }

    /// Forgets all keys, those on disk too; slots that were given are not to be used any more.
    ///
    /// Who drops a table instead says so in the next cut, by [`Cut::clear`](super::Cut::clear): or else its keys come back.
    #[cfg_attr(
        not(test),
        expect(
            dead_code,
            reason = "whoever empties a table in place will want it; the contract suite does"
        )
    )]
    pub(crate) fn clear(&mut self) {
        for slot in 0..self.slots.len() {
            if self.slots[slot].role != Role::Free {
                self.values.reset(u32::try_from(slot).unwrap_or(u32::MAX));
            }
        }
        self.index.clear();
        self.slots.clear();
        self.keys.clear();
        self.garbage = 0;
        self.free.clear();
        self.touched = Bits::default();
        self.touched_slots.clear();
        self.recent = Bits::default();
        self.removed = KeyList::default();
        self.cleared = true;
        self.anew = true;
        if let Some(spilled) = &mut self.spilled {
            spilled.clear();
        }
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
