//! What one node's state has changed up to a barrier, as blocks of entries, ready to become a file.

use std::ops::Range;

use dataflow::Failure;
use serde_json::Value;

use super::format::{BLOCK_BYTES, Cleared, Kind, Place, bucket, write_cleared, write_head, write_value};
use super::spill::Early;

/// What is written at one barrier.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    number: u64,
    buckets: Vec<Vec<Chunk>>,
    cleared: Vec<Cleared>,
    bytes: usize,
    entries: u64,
    needed_from: Option<u64>,
    note: Option<Value>,
    early: Vec<Early>,
    failure: Option<Failure>,
    pressure: Pressure,
    /// The key groups that are this subtask's; all, where nobody says.
    owned: Option<Range<u32>>,
    strangers: u64,
}

/// Whole entries of one bucket, as they will lie in a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The entries.
    pub(super) bytes: Vec<u8>,
    /// How many.
    pub(super) entries: u32,
}

/// What the keeper asks of the next cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pressure {
    /// There are so many cuts that whoever needs the oldest of them should write what is left of it.
    pub(super) crowded: bool,
    /// The number of the oldest cut that is kept.
    pub(super) oldest: u64,
    /// So many bytes of entries are meant to be in it at most; 0 for any number.
    pub(super) room: usize,
}

impl Cut {
    /// The cut of this number; they count the barriers of one attempt from 1, and 0 is what it was restored from.
    pub(crate) fn new(number: u64) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    /// The same under this pressure.
    pub(super) fn under(self, pressure: Pressure) -> Self {
        Self { pressure, ..self }
    }

    /// The same of a subtask that has these key groups.
    pub(super) fn of(self, groups: Range<u32>) -> Self {
        let owned = Some(groups);
        Self { owned, ..self }
    }

    /// How many of its entries are of keys that another subtask has: rows of one key were at two places.
    pub(crate) fn strangers(&self) -> u64 {
        self.strangers
    }

    /// Its number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// A key has this value.
    pub(crate) fn put(&mut self, place: Place, key: &[u8], value: impl FnOnce(&mut Vec<u8>)) {
        self.write(place, Kind::Put, key, |out| write_value(out, value));
    }

    /// A key has no value any more.
    pub(crate) fn remove(&mut self, place: Place, key: &[u8]) {
        self.write(place, Kind::Removed, key, |_| ());
    }

    /// Nothing in earlier cuts counts of the table of this state and namespace. What this cut itself says of it does.
    pub(crate) fn clear(&mut self, state: u8, namespace: i64) {
        self.cleared.push(Cleared { state, namespace });
    }

    fn write(&mut self, place: Place, kind: Kind, key: &[u8], value: impl FnOnce(&mut Vec<u8>)) {
        if self
            .owned
            .as_ref()
            .is_some_and(|owned| !owned.contains(&u32::from(place.group)))
        {
            self.strangers += 1;
        }
        let bucket = bucket(place.group) as usize;
        if bucket >= self.buckets.len() {
            self.buckets.resize_with(bucket + 1, Vec::new);
        }
        let chunks = &mut self.buckets[bucket];
        if chunks.last().is_none_or(|chunk| chunk.bytes.len() >= BLOCK_BYTES) {
            // The first one grows with what there is; where there is more than one block, the next will be full as well.
            let capacity = if chunks.is_empty() { 0 } else { BLOCK_BYTES + 1024 };
            chunks.push(Chunk {
                bytes: Vec::with_capacity(capacity),
                entries: 0,
            });
        }
        let chunk = chunks.last_mut().expect("there is one, or it was made just now");
        let before = chunk.bytes.len();
        write_head(&mut chunk.bytes, place, kind, key);
        value(&mut chunk.bytes);
        chunk.entries += 1;
        self.entries += 1;
        self.bytes += chunk.bytes.len() - before;
    }

    /// What was cut before the barrier, for want of memory: it counts as older than what stands in this cut.
    pub(super) fn early(&mut self, early: Early) {
        self.early.push(early);
    }

    /// What was cut early.
    pub(super) fn take_early(&mut self) -> Vec<Early> {
        std::mem::take(&mut self.early)
    }

    /// What was cut early, as streams of entries.
    #[cfg(test)]
    pub(crate) fn take_early_bytes(&mut self) -> Vec<Vec<u8>> {
        let early = std::mem::take(&mut self.early);
        early.iter().map(Early::stream).collect()
    }

    /// It could not be made.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// Why it could not be made.
    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    /// Something small that is written whole each time; a restored operator gets that of every subtask whose keys it has.
    pub(crate) fn note(&mut self, note: Value) {
        self.note = Some(note);
    }

    /// Cuts before this number hold nothing that is not in later ones, as far as one table is concerned.
    pub(crate) fn need_from(&mut self, number: u64) {
        self.needed_from = Some(self.needed_from.map_or(number, |other| other.min(number)));
    }

    /// The first cut that is still needed; without any table, none before this one.
    pub(crate) fn needed_from(&self) -> u64 {
        self.needed_from.unwrap_or(self.number)
    }

    /// Whether a table that needs cuts from this number on should write more of itself than it has to.
    pub(super) fn is_held_back_by(&self, needed_from: u64) -> bool {
        self.pressure.crowded && needed_from <= self.pressure.oldest
    }

    /// How many more bytes it is meant to hold.
    pub(super) fn room(&self) -> usize {
        match self.pressure.room {
            0 => usize::MAX,
            room => room.saturating_sub(self.bytes),
        }
    }

    /// How many bytes of entries there are.
    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    /// How many entries.
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    /// Whether it says nothing of any table.
    pub(super) fn is_empty(&self) -> bool {
        self.entries == 0 && self.cleared.is_empty()
    }

    /// The note.
    pub(super) fn take_note(&mut self) -> Option<Value> {
        self.note.take()
    }

    /// Everything but the note as one stream of entries, and the note.
    pub(crate) fn into_parts(mut self) -> (Vec<u8>, Option<Value>) {
        let note = self.note.take();
        let mut bytes = Vec::with_capacity(self.bytes + 16 * self.cleared.len());
        for cleared in &self.cleared {
            write_cleared(&mut bytes, *cleared);
        }
        for chunk in self.buckets.iter().flatten() {
            bytes.extend_from_slice(&chunk.bytes);
        }
        (bytes, note)
    }

    /// The blocks, each with its bucket and in the order of these, and the tables that were cleared.
    pub(super) fn into_blocks(self) -> (Vec<(u32, Chunk)>, Vec<Cleared>) {
        let buckets = (0_u32..).zip(self.buckets);
        let blocks = buckets.flat_map(|(bucket, chunks)| chunks.into_iter().map(move |chunk| (bucket, chunk)));
        (blocks.collect(), self.cleared)
    }
}
