//! Keys that are no more: one by one, or all at once.

use super::super::KeyGroups;
use super::arena::{Bits, KeyList};
use super::slot::{OnDisk, Role, mixed};
use super::{Table, Values};

impl<V: Values> Table<V> {
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
    pub(super) fn release(&mut self, slot: u32) {
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
    /// Who drops a table instead says so in the next cut, by [`Cut::clear`](super::super::Cut::clear): or else its keys come back.
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
}
