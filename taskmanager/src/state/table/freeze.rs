//! What a table writes at a barrier: what was touched, what is no more, and in its turn some of the rest.

use dataflow::Failure;
use dataflow::key;

use super::super::format::Place;
use super::super::{Cut, KeyGroups};
use super::{Bits, Role, Table, Values};

/// At least so many bytes of untouched entries are written again at a cut that writes anything.
const REWRITE_MIN: usize = 16 * 1024;

/// And at least so small a part of all entries: a cycle has this many cuts at most, however little is touched.
const CYCLE_CUTS: usize = 256;

/// What is left of an old cut that only this table needs is written within so many cuts.
const HURRY_CUTS: usize = 16;

/// How far the untouched entries were written again: first those in memory, then those on disk.
///
/// What goes to disk before its turn in memory has its turn there; what comes back from disk was touched. So at the end of a
/// cycle each has had its turn or was touched.
#[derive(Clone, Debug)]
pub(super) struct Cycle {
    pub(super) next: usize,
    /// Behind which key of those on disk it goes on.
    disk: Option<Vec<u8>>,
    began: u64,
    complete_from: u64,
}

impl Cycle {
    /// The first one. `cut` is the number of the next cut, or 0.
    pub(super) fn new(cut: u64) -> Self {
        Self {
            next: 0,
            disk: None,
            began: cut.max(1),
            complete_from: cut,
        }
    }
}

impl<V: Values> Table<V> {
    /// Writes what was touched or removed since the last cut, and some of the rest.
    ///
    /// Where state on disk cannot be read, the cut says so to who asked for it.
    pub(crate) fn freeze(&mut self, cut: &mut Cut, groups: &KeyGroups) {
        if let Err(failure) = self.write_to(cut, groups) {
            cut.fail(failure);
        }
    }

    fn write_to(&mut self, cut: &mut Cut, groups: &KeyGroups) -> Result<(), Failure> {
        let (bytes, entries) = (cut.len(), cut.entries());
        if std::mem::take(&mut self.cleared) {
            cut.clear(self.state, self.namespace);
        }
        if std::mem::take(&mut self.anew) {
            self.cycle = Cycle::new(cut.number());
        }
        let early = self
            .spilled
            .as_mut()
            .map(|spilled| spilled.take_early())
            .unwrap_or_default();
        let has_early = !early.is_empty();
        early.into_iter().for_each(|early| cut.early(early));
        for (group, key) in std::mem::take(&mut self.removed).iter() {
            cut.remove(self.place(group), key);
        }
        for slot in std::mem::take(&mut self.touched_slots) {
            if self.slots[slot as usize].role == Role::Live && self.touched.has(slot) {
                self.write(slot, cut, groups);
            }
        }
        let written = cut.len() - bytes;
        let all = self.len() * self.entry_bytes;
        if cut.is_held_back_by(self.cycle.complete_from) {
            self.rewrite((all / HURRY_CUTS).max(REWRITE_MIN), cut, groups)?;
        } else if written > 0 || has_early {
            let budget = written.min(cut.room()).max(all / CYCLE_CUTS).max(REWRITE_MIN);
            self.rewrite(budget, cut, groups)?;
        }
        let (bytes, entries) = (cut.len() - bytes, cut.entries() - entries);
        if let Ok(entries) = usize::try_from(entries)
            && entries > 0
        {
            self.entry_bytes = bytes.div_ceil(entries);
        }
        std::mem::swap(&mut self.recent, &mut self.touched);
        self.touched.clear();
        self.compact();
        self.relieve()?;
        cut.need_from(self.cycle.complete_from);
        Ok(())
    }

    #[expect(
        clippy::collapsible_if,
        reason = "the second question does the work, and is not a condition"
    )]
    fn rewrite(&mut self, budget: usize, cut: &mut Cut, groups: &KeyGroups) -> Result<(), Failure> {
        let end = cut.len() + budget;
        if self.cycle.next == 0 && self.cycle.disk.is_none() {
            // None has had its turn yet: it begins now.
            self.cycle.began = cut.number();
        }
        while self.cycle.next < self.slots.len() && cut.len() < end {
            let slot = u32::try_from(self.cycle.next).unwrap_or(u32::MAX);
            if self.slots[self.cycle.next].role == Role::Live && !self.touched.has(slot) {
                self.write(slot, cut, groups);
            }
            self.cycle.next += 1;
        }
        if self.cycle.next >= self.slots.len() && (cut.len() < end || !self.is_spilled()) {
            if self.rewrite_disk(end, cut, groups)? {
                // Since the cycle began, every entry was written: touched, or in its turn.
                self.cycle = Cycle {
                    next: 0,
                    disk: None,
                    began: cut.number() + 1,
                    complete_from: self.cycle.began,
                };
            }
        }
        Ok(())
    }

    /// Goes on with those on disk; `true` at their end.
    fn rewrite_disk(&mut self, end: usize, cut: &mut Cut, groups: &KeyGroups) -> Result<bool, Failure> {
        let Some(spilled) = self.spilled.as_ref().filter(|spilled| spilled.is_used()) else {
            return Ok(true);
        };
        let after = self.cycle.disk.take();
        let place = |group| Place {
            group,
            state: self.state,
            namespace: self.namespace,
        };
        let stopped = spilled.each(after.as_deref(), |key, value| {
            let hash = key::hash(key);
            // What is in memory, and what is no more, is not as the disk says.
            if self.seek(hash, key).is_none() && !spilled.is_buried(key) {
                let group = self.routed.group(hash, key, groups);
                cut.put(place(group), key, |out| out.extend_from_slice(value));
            }
            cut.len() < end
        })?;
        self.cycle.disk = stopped;
        Ok(self.cycle.disk.is_none())
    }

    fn write(&mut self, slot: u32, cut: &mut Cut, groups: &KeyGroups) {
        self.slots[slot as usize].fresh = false;
        let group = self.group(slot, groups);
        cut.put(self.place(group), self.key(slot), |out| self.values.encode(slot, out));
    }

    pub(super) fn place(&self, group: u16) -> Place {
        Place {
            group,
            state: self.state,
            namespace: self.namespace,
        }
    }

    /// Puts keys that were removed, and these slots, which were touched, into a cut of their own.
    pub(super) fn write_early(&mut self, slots: &[u32], groups: &KeyGroups) -> Cut {
        let mut cut = Cut::new(0);
        if std::mem::take(&mut self.cleared) {
            cut.clear(self.state, self.namespace);
        }
        for (group, key) in std::mem::take(&mut self.removed).iter() {
            cut.remove(self.place(group), key);
        }
        for slot in slots {
            self.write(*slot, &mut cut, groups);
            self.touched.unset(*slot);
        }
        let touched: &Bits = &self.touched;
        self.touched_slots.retain(|slot| touched.has(*slot));
        cut
    }
}
