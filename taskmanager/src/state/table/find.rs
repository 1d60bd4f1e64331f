//! From keys to slots: those that there are, and those that are made.

use dataflow::Failure;
use dataflow::key::{self, Keys};

use super::slot::{OnDisk, Role, Slot, mixed};
use super::{NONE, Table, Values};

impl<V: Values> Table<V> {
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
    pub(super) fn seek(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let (slots, bytes) = (&self.slots, &self.keys);
        let same = |slot: &u32| {
            let found = &slots[*slot as usize];
            found.hash == hash && bytes[found.start..found.start + found.length as usize] == *key
        };
        self.index.find(mixed(hash), same).copied()
    }

    pub(super) fn slot(&mut self, hash: u64, key: &[u8]) -> u32 {
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
    pub(super) fn insert(&mut self, hash: u64, key: &[u8], role: Role, disk: OnDisk) -> u32 {
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
}
