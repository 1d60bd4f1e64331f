//! Which keys leave memory when there is no room, and how they come back.
//!
//! Those that were not touched for longest go first: not since the cut before the last, then not since the last. Only where
//! these are too few go some that no cut holds as they are: they are cut early.

use dataflow::Failure;
use dataflow::key;

use super::super::spill::Spilled;
use super::{OnDisk, Recorded, Role, Table, Values};

/// Memory is looked at once in so many rows, or sooner where there is room for few.
const LOOK_EVERY: usize = 1024;

/// A table of fewer keys is left alone; a key is taken to need so many bytes.
const KEYS_MIN: usize = 64;
const KEY_BYTES: usize = 64 << 10;

/// So many keys, and about so many bytes, leave at once at most: it holds up the subtask for as long as that takes.
const SLICE_KEYS: usize = 128 * 1024;
const SLICE_BYTES: usize = 8 << 20;

/// At a cut, a table that is not used any more gives up so many slices at most.
const SLICES_AT_CUT: usize = 4;

/// To find a key that may leave, so many are looked at.
const LOOKS: usize = 4;

/// When a key was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touched {
    Long,
    BeforeLastCut,
    SinceLastCut,
}

impl<V: Values> Table<V> {
    /// Whether keys are on disk.
    pub(super) fn is_spilled(&self) -> bool {
        self.spilled.as_ref().is_some_and(|spilled| spilled.is_used())
    }

    /// Makes room for some rows, where the table may spill.
    pub(super) fn make_room(&mut self, rows: usize) -> Result<(), Failure> {
        if self.spilled.is_none() {
            return Ok(());
        }
        self.unseen += rows;
        let budget = self.spilled.as_ref().map_or(usize::MAX, Spilled::budget);
        let grows = self.free.len() < rows && self.slots.len() + rows > self.slots.capacity();
        if self.unseen < (budget / 4096).min(LOOK_EVERY) && !grows {
            return Ok(());
        }
        self.unseen = 0;
        let bytes = self.bytes();
        let Some(spilled) = &mut self.spilled else {
            return Ok(());
        };
        let full = spilled.account(bytes);
        // All parts grow at about the same time, by doubling.
        let full = full || (grows && bytes * 8 / 5 > budget);
        // Slots that were left behind are used first: they are paid for.
        let left = spilled.left_behind;
        let grown = grows || bytes > left + (left / 8).min(SLICE_BYTES / 2) || budget == 0;
        let keys = self.index.len();
        if full && grown && keys >= (budget / KEY_BYTES).clamp(1, KEYS_MIN) {
            // Half of them at most, unless there is room for none.
            self.spill(if budget == 0 { keys } else { keys.div_ceil(2) })?;
        }
        Ok(())
    }

    /// At a cut: takes also a table that is not used any more to disk, part by part.
    pub(super) fn relieve(&mut self) -> Result<(), Failure> {
        if let Some(spilled) = &mut self.spilled
            && spilled.is_full_of_graves()
        {
            spilled.write(|_| Ok(()))?;
        }
        // Nobody has asked for a key of it since the cut before the last.
        let is_idle = |table: &Self| table.touched_slots.is_empty() && table.recent.is_empty();
        for _ in 0..SLICES_AT_CUT {
            let bytes = self.bytes();
            let is_full = self.spilled.as_mut().is_some_and(|spilled| spilled.account(bytes));
            if !is_full || !is_idle(self) || self.index.is_empty() {
                break;
            }
            self.spill(self.index.len())?;
        }
        self.make_room(LOOK_EVERY)
    }

    /// So many keys of those in memory go to disk at most, and no more than a slice.
    fn spill(&mut self, most: usize) -> Result<(), Failure> {
        let Some(mut spilled) = self.spilled.take() else {
            return Ok(());
        };
        let each = (self.bytes() / self.index.len().max(1)).max(1);
        let leaving = self.choose(most.min(SLICE_KEYS).min((SLICE_BYTES / each).max(1)));
        let outcome = self.leave(leaving, &mut spilled);
        self.spilled = Some(spilled);
        outcome?;
        self.compact();
        if self.index.is_empty() {
            self.give_up_slots();
        }
        self.values.compact();
        let left = self.bytes();
        if let Some(spilled) = &mut self.spilled {
            spilled.account(left);
            spilled.left_behind = left;
        }
        Ok(())
    }

    /// So many keys, of those that come next the ones that were not touched for longest.
    fn choose(&mut self, count: usize) -> Vec<u32> {
        let (mut long, mut before, mut since) = (Vec::with_capacity(count), Vec::new(), Vec::new());
        let (slots, mut looked) = (self.slots.len(), 0);
        for _ in 0..slots {
            if long.len() == count || looked == count * LOOKS {
                break;
            }
            self.hand = if self.hand + 1 < slots { self.hand + 1 } else { 0 };
            if self.slots[self.hand].role != Role::Live {
                continue;
            }
            looked += 1;
            let slot = u32::try_from(self.hand).unwrap_or(u32::MAX);
            match self.last_touched(slot) {
                Touched::Long => long.push(slot),
                Touched::BeforeLastCut if before.len() < count => before.push(slot),
                Touched::SinceLastCut if since.len() < count => since.push(slot),
                Touched::BeforeLastCut | Touched::SinceLastCut => {}
            }
        }
        let room = count - long.len();
        long.extend(before.into_iter().take(room));
        // Fewer will do, if that spares those that were just touched.
        if long.len() < count.div_ceil(2) || count == self.index.len() {
            let room = count - long.len();
            long.extend(since.into_iter().take(room));
        }
        long
    }

    fn leave(&mut self, mut leaving: Vec<u32>, spilled: &mut Spilled) -> Result<(), Failure> {
        self.sort(&mut leaving);
        let touched = |slot: &u32| self.touched.has(*slot);
        let early: Vec<u32> = leaving.iter().copied().filter(touched).collect();
        if !early.is_empty() {
            let cut = self.write_early(&early, spilled.groups());
            if self.recorded == Recorded::InCuts {
                spilled.keep_early(cut)?;
            }
        }
        self.put_on_disk(&leaving, spilled)
    }

    fn put_on_disk(&mut self, leaving: &[u32], spilled: &mut Spilled) -> Result<(), Failure> {
        let mut value = Vec::new();
        spilled.write(|run| {
            for slot in leaving {
                if self.slots[*slot as usize].disk != OnDisk::Same {
                    value.clear();
                    self.values.encode(*slot, &mut value);
                    run.put(self.key(*slot), &value)?;
                }
            }
            Ok(())
        })?;
        spilled.gone(leaving.iter().map(|slot| self.slots[*slot as usize].hash));
        for slot in leaving {
            self.recent.unset(*slot);
            let found = &self.slots[*slot as usize];
            let key = &self.keys[found.start..found.start + found.length as usize];
            self.values.leave(*slot, key);
            if let Some(departed) = &mut self.departed {
                departed.push((*slot, key.into()));
            }
            self.release(*slot);
        }
        Ok(())
    }

    fn last_touched(&self, slot: u32) -> Touched {
        if self.touched.has(slot) {
            Touched::SinceLastCut
        } else if self.recent.has(slot) {
            Touched::BeforeLastCut
        } else {
            Touched::Long
        }
    }

    /// By their keys. What all keys begin with is not compared, and most others by eight bytes that are at hand.
    fn sort(&self, slots: &mut Vec<u32>) {
        let Some(first) = slots.first().map(|slot| self.key(*slot)) else {
            return;
        };
        let same = |slot: &u32| self.key(*slot).iter().zip(first).take_while(|(a, b)| a == b).count();
        let common = slots.iter().map(same).min().unwrap_or(0);
        let prefix = |slot: u32| {
            let mut word = [0; 8];
            let rest = &self.key(slot)[common..];
            let length = rest.len().min(8);
            word[..length].copy_from_slice(&rest[..length]);
            u64::from_be_bytes(word)
        };
        let mut keyed: Vec<(u64, u32)> = slots.iter().map(|slot| (prefix(*slot), *slot)).collect();
        keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| self.key(a.1).cmp(self.key(b.1))));
        *slots = keyed.into_iter().map(|(_, slot)| slot).collect();
    }

    /// Brings those of these keys back that are on disk. They count as they were: who asked for them touches them.
    pub(super) fn load<'a>(&mut self, keys: impl Iterator<Item = &'a [u8]>) -> Result<(), Failure> {
        let Some(mut spilled) = self.spilled.take() else {
            return Ok(());
        };
        let elsewhere = |key: &&[u8]| {
            let hash = key::hash(key);
            spilled.may_hold(hash, key) && self.seek(hash, key).is_none()
        };
        let mut wanted: Vec<&[u8]> = keys.filter(elsewhere).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut found = 0;
        let outcome = spilled.get(&wanted, |index, value| {
            let key = wanted[index];
            let slot = self.insert(key::hash(key), key, Role::Live, OnDisk::Same);
            self.values.grow(self.slots.len());
            found += 1;
            // Its turn on disk has not come perhaps, and in memory that of its slot is over.
            if (slot as usize) < self.cycle.next && self.touched.set(slot) {
                self.touched_slots.push(slot);
            }
            self.values.decode(slot, value)
        });
        spilled.left(found);
        self.spilled = Some(spilled);
        outcome
    }
}
