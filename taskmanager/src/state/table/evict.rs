//! Which keys leave memory when there is no room, and how they come back.
//!
//! Those that were not touched for longest go first: not since the cut before the last, then not since the last. Only where
//! these are too few go some that no cut holds as they are: they are cut early.

use dataflow::Failure;
use dataflow::key;

use super::{OnDisk, Role, Table, Values};

/// Memory is looked at once in so many rows.
const LOOK_EVERY: usize = 1024;

/// A table of fewer keys is left alone.
const KEYS_MIN: usize = 64;

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
        let grows = self.free.len() < rows && self.slots.len() + rows > self.slots.capacity();
        if self.unseen < LOOK_EVERY && !grows {
            return Ok(());
        }
        self.unseen = 0;
        let bytes = self.bytes();
        let Some(spilled) = &mut self.spilled else {
            return Ok(());
        };
        let full = spilled.account(bytes);
        // All parts grow at about the same time, by doubling.
        let full = full || (grows && bytes * 8 / 5 > spilled.budget());
        let (keys, left) = spilled.left_behind;
        let grown = self.index.len() >= 2 * keys || bytes > left / 4 * 5;
        if full && grown && self.index.len() >= KEYS_MIN {
            self.spill()?;
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
        self.make_room(LOOK_EVERY)
    }

    /// Half of the keys in memory go to disk; fewer, if that spares those that were just touched.
    fn spill(&mut self) -> Result<(), Failure> {
        let half = self.index.len() / 2;
        let mut leaving = Vec::with_capacity(half);
        for touched in [Touched::Long, Touched::BeforeLastCut, Touched::SinceLastCut] {
            if leaving.len() >= half / 2 && touched == Touched::SinceLastCut {
                break;
            }
            let chosen = self.live().filter(|slot| self.last_touched(*slot) == touched);
            let room = half - leaving.len();
            leaving.extend(chosen.take(room));
        }
        self.sort(&mut leaving);
        let Some(mut spilled) = self.spilled.take() else {
            return Ok(());
        };
        let touched = |slot: &u32| self.touched.has(*slot);
        let early: Vec<u32> = leaving.iter().copied().filter(touched).collect();
        let outcome = if early.is_empty() {
            Ok(())
        } else {
            let cut = self.write_early(&early, spilled.groups());
            spilled.keep_early(cut)
        };
        let outcome = outcome.and_then(|()| self.put_on_disk(&leaving, &mut spilled));
        self.spilled = Some(spilled);
        outcome?;
        self.compact();
        let left = (self.index.len(), self.bytes());
        if let Some(spilled) = &mut self.spilled {
            spilled.account(left.1);
            spilled.left_behind = left;
        }
        Ok(())
    }

    fn put_on_disk(&mut self, leaving: &[u32], spilled: &mut super::Spilled) -> Result<(), Failure> {
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
            self.values.decode(slot, value)
        });
        spilled.left(found);
        self.spilled = Some(spilled);
        outcome
    }
}
