//! `count(DISTINCT x)`, exactly: one set for all slots together, whose entries are a slot and a value's canonical bytes.
//!
//! So a slot with three values costs three entries and no table of its own. The entries of a slot are a list, for its
//! snapshot, for merging, and for its end.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use dataflow::Failure;
use dataflow::key;
use hashbrown::HashTable;

use super::packed::{put_bytes, put_count, take_bytes, take_count};
use super::{Accumulator, Argument, Fold, Merge, same};

/// The end of a list.
const NOTHING: u32 = u32::MAX;
/// Fewer bytes of values that are gone are not worth the work.
const GARBAGE_MIN: usize = 1 << 16;

/// How many different values.
#[derive(Debug)]
pub(super) struct Distinct {
    slots: Vec<Slot>,
    index: HashTable<u32>,
    entries: Vec<Entry>,
    free: u32,
    values: Vec<u8>,
    garbage: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    count: u32,
    first: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    start: usize,
    length: u32,
    slot: u32,
    next: u32,
}

impl Default for Distinct {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            index: HashTable::new(),
            entries: Vec::new(),
            free: NOTHING,
            values: Vec::new(),
            garbage: 0,
        }
    }
}

/// Where an entry is looked for: by its value and its slot.
fn place(hash: u64, slot: u32) -> u64 {
    (hash ^ u64::from(slot).wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(32)
}

impl Distinct {
    fn add(&mut self, slot: usize, value: &[u8]) {
        let hash = key::hash(value);
        let slot = u32::try_from(slot).unwrap_or(NOTHING);
        let (entries, values) = (&self.entries, &self.values);
        let same = |index: &u32| {
            let entry = &entries[*index as usize];
            entry.hash == hash && entry.slot == slot && bytes(entry, values) == value
        };
        if self.index.find(place(hash, slot), same).is_some() {
            return;
        }
        let entry = Entry {
            hash,
            start: self.values.len(),
            length: u32::try_from(value.len()).expect("values come from batches, which are far smaller than 4 GiB"),
            slot,
            next: self.slots[slot as usize].first,
        };
        self.values.extend_from_slice(value);
        let index = self.place_entry(entry);
        let entries = &self.entries;
        self.index.insert_unique(place(hash, slot), index, |index| {
            let entry = &entries[*index as usize];
            place(entry.hash, entry.slot)
        });
        let slot = &mut self.slots[slot as usize];
        slot.count += 1;
        slot.first = index;
    }

    fn place_entry(&mut self, entry: Entry) -> u32 {
        if self.free == NOTHING {
            self.entries.push(entry);
            return u32::try_from(self.entries.len() - 1).expect("memory ends before four billion values");
        }
        let index = self.free;
        self.free = self.entries[index as usize].next;
        self.entries[index as usize] = entry;
        index
    }

    /// The values of a slot.
    fn of(&self, slot: usize) -> impl Iterator<Item = &[u8]> {
        let mut next = self.slots[slot].first;
        std::iter::from_fn(move || {
            let entry = self.entries.get(next as usize)?;
            next = entry.next;
            Some(bytes(entry, &self.values))
        })
    }

    /// Leaves the bytes of values behind that are gone.
    fn compact(&mut self) {
        if self.garbage < GARBAGE_MIN || self.garbage * 2 < self.values.len() {
            return;
        }
        let mut kept = Vec::with_capacity(self.values.len() - self.garbage);
        for slot in &self.slots {
            let mut next = slot.first;
            while let Some(entry) = self.entries.get_mut(next as usize) {
                let start = kept.len();
                kept.extend_from_slice(bytes(entry, &self.values));
                entry.start = start;
                next = entry.next;
            }
        }
        self.values = kept;
        self.garbage = 0;
    }
}

fn bytes<'a>(entry: &Entry, values: &'a [u8]) -> &'a [u8] {
    &values[entry.start..entry.start + entry.length as usize]
}

impl Accumulator for Distinct {
    fn grow(&mut self, slots: usize) {
        self.slots.resize(
            slots,
            Slot {
                count: 0,
                first: NOTHING,
            },
        );
    }

    fn reset(&mut self, slot: usize) {
        let mut next = std::mem::replace(
            &mut self.slots[slot],
            Slot {
                count: 0,
                first: NOTHING,
            },
        )
        .first;
        while let Some(entry) = self.entries.get(next as usize).copied() {
            if let Ok(found) = self
                .index
                .find_entry(place(entry.hash, entry.slot), |other| *other == next)
            {
                found.remove();
            }
            self.garbage += entry.length as usize;
            self.entries[next as usize].next = self.free;
            self.free = next;
            next = entry.next;
        }
        self.compact();
    }

    fn fold(&mut self, fold: Fold<'_>, argument: &Argument) -> Result<(), Failure> {
        let keys = argument
            .keys
            .as_ref()
            .ok_or_else(|| Failure::bug("distinct values that were not told apart"))?;
        fold.each(argument.counts.as_ref(), |slot, row| self.add(slot, keys.row(row)));
        Ok(())
    }

    fn merge(&mut self, merge: Merge<'_>, other: &dyn Accumulator) -> Result<(), Failure> {
        let other = same::<Self>(other)?;
        merge.each(|into, from| other.of(from).for_each(|value| self.add(into, value)));
        Ok(())
    }

    fn encode(&self, slot: usize, out: &mut Vec<u8>) {
        put_count(u64::from(self.slots[slot].count), out);
        self.of(slot).for_each(|value| put_bytes(value, out));
    }

    fn decode(&mut self, slot: usize, bytes: &mut &[u8]) -> Option<()> {
        self.reset(slot);
        for _ in 0..take_count(bytes)? {
            self.add(slot, take_bytes(bytes)?);
        }
        Some(())
    }

    fn finish(&self, slots: &[u32]) -> Result<ArrayRef, Failure> {
        let counts = slots.iter().map(|slot| i64::from(self.slots[*slot as usize].count));
        Ok(Arc::new(Int64Array::from_iter_values(counts)))
    }

    fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.index.capacity() * (size_of::<u32>() + 1)
            + self.values.capacity()
    }
}
