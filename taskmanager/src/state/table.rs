//! Keys to slots, whole batches at a time; values by column, at the slots.
//!
//! A slot is a small number that stays a key's until the key is removed. Which slots were touched since the last cut is
//! a bit each. At a cut the touched ones are written, and about as many bytes of the others, round and round: so every
//! entry is written again within a bounded number of cuts, old cuts are left behind, and nothing ever has to be merged.

use dataflow::Failure;
use dataflow::key::{self, Keys};
use hashbrown::HashTable;

use super::cut::Place;
use super::{Cut, KeyGroups};

/// At least so many bytes of untouched entries are written again at a cut that writes anything.
const REWRITE_MIN: usize = 64 * 1024;

/// No slot: [`Table::find_all`] did not find the key.
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
    touched: Vec<u64>,
    touched_slots: Vec<u32>,
    removed: Vec<(u16, Vec<u8>)>,
    cycle: Cycle,
    values: V,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u64,
    start: usize,
    length: u32,
    live: bool,
}

/// How far the untouched entries were written again.
#[derive(Clone, Copy, Debug)]
struct Cycle {
    next: usize,
    began: u64,
    complete_from: u64,
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
            touched: Vec::new(),
            touched_slots: Vec::new(),
            removed: Vec::new(),
            cycle: Cycle {
                next: 0,
                began: cut.max(1),
                complete_from: cut,
            },
            values,
        }
    }

    /// How many keys it has.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// The values.
    pub(crate) fn values(&self) -> &V {
        &self.values
    }

    /// The values, to be changed at slots that [`Table::slots`] gave.
    pub(crate) fn values_mut(&mut self) -> &mut V {
        &mut self.values
    }

    /// The slots of the keys of these rows, made where there was none; they count as touched.
    ///
    /// # Errors
    /// State that cannot be read.
    pub(crate) fn slots(&mut self, keys: &Keys, rows: &[u32], out: &mut Vec<u32>) -> Result<(), Failure> {
        out.clear();
        out.reserve(rows.len());
        for row in rows {
            let key = keys.row(*row as usize);
            let slot = self.slot(key::hash(key), key);
            self.touch(slot);
            out.push(slot);
        }
        self.values.grow(self.slots.len());
        Ok(())
    }

    /// The slot of one key, made where there was none, and touched.
    ///
    /// # Errors
    /// State that cannot be read.
    pub(crate) fn entry(&mut self, key: &[u8]) -> Result<u32, Failure> {
        let slot = self.slot(key::hash(key), key);
        self.touch(slot);
        self.values.grow(self.slots.len());
        Ok(slot)
    }

    /// The slots of the keys of these rows, [`NONE`] where there is none. Nothing is made, nothing counts as touched.
    ///
    /// # Errors
    /// State that cannot be read.
    pub(crate) fn find_all(&mut self, keys: &Keys, rows: &[u32], out: &mut Vec<u32>) -> Result<(), Failure> {
        out.clear();
        out.extend(rows.iter().map(|row| {
            let key = keys.row(*row as usize);
            self.seek(key::hash(key), key).unwrap_or(NONE)
        }));
        Ok(())
    }

    /// The slot of one key, if there is one. It does not count as touched.
    ///
    /// # Errors
    /// State that cannot be read.
    pub(crate) fn find(&mut self, key: &[u8]) -> Result<Option<u32>, Failure> {
        Ok(self.seek(key::hash(key), key))
    }

    fn seek(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let same = |slot: &u32| {
            let found = &self.slots[*slot as usize];
            found.hash == hash && self.keys[found.start..found.start + found.length as usize] == *key
        };
        self.index.find(mixed(hash), same).copied()
    }

    fn slot(&mut self, hash: u64, key: &[u8]) -> u32 {
        if let Some(slot) = self.seek(hash, key) {
            return slot;
        }
        let start = self.keys.len();
        self.keys.extend_from_slice(key);
        let length = u32::try_from(key.len()).expect("keys come from batches, which are far smaller than 4 GiB");
        let made = Slot {
            hash,
            start,
            length,
            live: true,
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
        let slots = &self.slots;
        self.index
            .insert_unique(mixed(hash), slot, |slot| mixed(slots[*slot as usize].hash));
        slot
    }

    /// What is at a slot has changed without [`Table::slots`].
    pub(crate) fn touch(&mut self, slot: u32) {
        let (word, bit) = (slot as usize / 64, 1_u64 << (slot % 64));
        if word >= self.touched.len() {
            self.touched.resize(word + 1, 0);
        }
        if self.touched[word] & bit == 0 {
            self.touched[word] |= bit;
            self.touched_slots.push(slot);
        }
    }

    fn is_touched(&self, slot: u32) -> bool {
        let word = self.touched.get(slot as usize / 64).copied().unwrap_or(0);
        word & (1 << (slot % 64)) != 0
    }

    /// The bytes of a slot's key.
    pub(crate) fn key(&self, slot: u32) -> &[u8] {
        let slot = &self.slots[slot as usize];
        &self.keys[slot.start..slot.start + slot.length as usize]
    }

    /// The key group of a slot's key.
    pub(crate) fn group(&self, slot: u32, groups: &KeyGroups) -> u16 {
        groups.group(self.slots[slot as usize].hash)
    }

    /// The slots that hold a key.
    pub(crate) fn live(&self) -> impl Iterator<Item = u32> {
        (0_u32..)
            .zip(&self.slots)
            .filter(|(_, slot)| slot.live)
            .map(|(slot, _)| slot)
    }

    /// Forgets a key; its slot may become another's.
    pub(crate) fn remove(&mut self, slot: u32, groups: &KeyGroups) {
        let found = self.slots[slot as usize];
        if !found.live {
            return;
        }
        if let Ok(entry) = self.index.find_entry(mixed(found.hash), |other| *other == slot) {
            entry.remove();
        }
        self.removed.push((groups.group(found.hash), self.key(slot).to_vec()));
        self.slots[slot as usize].live = false;
        self.garbage += found.length as usize;
        self.values.reset(slot);
        self.free.push(slot);
    }

    /// Sets or removes a key, as a cut says; it does not count as touched.
    ///
    /// # Errors
    /// A value that cannot be read.
    pub(crate) fn restore(&mut self, key: &[u8], value: Option<&[u8]>, groups: &KeyGroups) -> Result<(), Failure> {
        let slot = self.slot(key::hash(key), key);
        self.values.grow(self.slots.len());
        match value {
            Some(value) => self.values.decode(slot, value),
            None => {
                self.remove(slot, groups);
                self.removed.clear();
                Ok(())
            }
        }
    }

    /// Writes what was touched or removed since the last cut, and some of the rest.
    pub(crate) fn freeze(&mut self, cut: &mut Cut, groups: &KeyGroups) {
        let before = cut.len();
        for (group, key) in std::mem::take(&mut self.removed) {
            cut.remove(self.place(group), &key);
        }
        for slot in std::mem::take(&mut self.touched_slots) {
            if self.slots[slot as usize].live {
                self.write(slot, cut, groups);
            }
        }
        let written = cut.len() - before;
        if written > 0 {
            self.rewrite(written.max(REWRITE_MIN), cut, groups);
        }
        self.touched.fill(0);
        cut.need_from(self.cycle.complete_from);
    }

    fn rewrite(&mut self, budget: usize, cut: &mut Cut, groups: &KeyGroups) {
        let end = cut.len() + budget;
        while self.cycle.next < self.slots.len() && cut.len() < end {
            let slot = u32::try_from(self.cycle.next).unwrap_or(u32::MAX);
            if self.slots[self.cycle.next].live && !self.is_touched(slot) {
                self.write(slot, cut, groups);
            }
            self.cycle.next += 1;
        }
        if self.cycle.next >= self.slots.len() {
            // Since the cycle began, every entry was written: touched, or in its turn.
            self.cycle = Cycle {
                next: 0,
                began: cut.number() + 1,
                complete_from: self.cycle.began,
            };
        }
    }

    fn write(&self, slot: u32, cut: &mut Cut, groups: &KeyGroups) {
        let group = groups.group(self.slots[slot as usize].hash);
        cut.put(self.place(group), self.key(slot), |out| self.values.encode(slot, out));
    }

    fn place(&self, group: u16) -> Place {
        Place {
            group,
            state: self.state,
            namespace: self.namespace,
        }
    }

    /// Memory held, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let index = self.index.capacity() * (size_of::<u32>() + 1);
        index + self.slots.capacity() * size_of::<Slot>() + self.keys.capacity() + self.values.bytes()
    }
}
