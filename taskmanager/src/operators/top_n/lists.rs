//! The best rows of each key, in their order: the values of a table.
//!
//! Rows are bytes in one arena; a list holds where they are. Of equal rows the one that came first stands first, because a
//! new one is put behind all that are as good. Rows that fall out leave their bytes behind until the arena is tidied.

use std::sync::Arc;

use dataflow::Failure;
use dataflow::recipe::Ties;

use super::super::row::{RowWriter, Rows};
use crate::chain::columns::batch;
use crate::state::{Values, reserve};

/// An arena with less garbage is left alone.
const GARBAGE_MIN: usize = 1 << 20;

/// How many rows a list keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) rows: usize,
    pub(super) ties: Ties,
}

/// A list for each slot.
pub(super) struct Lists {
    rows: Arc<Rows>,
    limit: Limit,
    lists: Vec<List>,
    arena: Vec<u8>,
    garbage: usize,
    /// What the lists of several rows hold in memory, roughly.
    spread: usize,
}

/// Rows, best first. Most keys have one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum List {
    /// None.
    #[default]
    Empty,
    /// One.
    One(Entry),
    /// Several, or there once were.
    Many(Vec<Entry>),
}

/// Where a row's bytes are: what it is ordered by, and the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    start: usize,
    sort: u32,
    row: u32,
}

impl List {
    /// Its rows.
    pub(super) fn entries(&self) -> &[Entry] {
        match self {
            Self::Empty => &[],
            Self::One(entry) => std::slice::from_ref(entry),
            Self::Many(entries) => entries,
        }
    }

    fn insert(&mut self, place: usize, entry: Entry) {
        *self = match std::mem::take(self) {
            Self::Empty => Self::One(entry),
            Self::One(other) if place == 0 => Self::Many(vec![entry, other]),
            Self::One(other) => Self::Many(vec![other, entry]),
            Self::Many(mut entries) => {
                entries.insert(place, entry);
                Self::Many(entries)
            }
        }
    }

    fn truncate(&mut self, length: usize) {
        match self {
            Self::Many(entries) if length == 1 => {
                *self = entries.first().map_or(Self::Empty, |first| Self::One(*first))
            }
            Self::Many(entries) => entries.truncate(length),
            Self::Empty | Self::One(_) => {}
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Empty | Self::One(_) => 0,
            Self::Many(entries) => entries.capacity() * size_of::<Entry>(),
        }
    }
}

impl Entry {
    /// How many bytes the row has.
    pub(super) fn row_bytes(&self) -> usize {
        self.row as usize
    }

    fn length(&self) -> usize {
        self.sort as usize + self.row as usize
    }
}

impl Lists {
    pub(super) fn new(rows: &Arc<Rows>, limit: Limit) -> Self {
        Self {
            rows: Arc::clone(rows),
            limit,
            lists: Vec::new(),
            arena: Vec::new(),
            garbage: 0,
            spread: 0,
        }
    }

    /// The list of a slot.
    pub(super) fn list(&self, slot: u32) -> &List {
        &self.lists[slot as usize]
    }

    /// The bytes of a row.
    pub(super) fn row(&self, entry: &Entry) -> &[u8] {
        let start = entry.start + entry.sort as usize;
        &self.arena[start..start + entry.row as usize]
    }

    fn sort(&self, entry: &Entry) -> &[u8] {
        &self.arena[entry.start..entry.start + entry.sort as usize]
    }

    /// Whether a row would not be kept: the list is full of better ones.
    pub(super) fn is_beaten(&self, slot: u32, sort: &[u8]) -> bool {
        let entries = self.list(slot).entries();
        let Some(last) = entries.last().filter(|_| entries.len() >= self.limit.rows) else {
            return self.limit.rows == 0;
        };
        match self.limit.ties {
            Ties::Cut => sort >= self.sort(last),
            Ties::Kept => sort > self.sort(last),
        }
    }

    /// Puts a row that is not beaten in its place, and lets go of those that fall out.
    pub(super) fn insert(&mut self, slot: u32, sort: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.arena.len();
        self.arena.extend_from_slice(sort);
        write(&mut self.arena);
        let entry = Entry {
            start,
            sort: length(sort.len()),
            row: length(self.arena.len() - start - sort.len()),
        };
        let mut list = std::mem::take(&mut self.lists[slot as usize]);
        self.spread -= list.bytes();
        let place = list.entries().partition_point(|other| self.sort(other) <= sort);
        list.insert(place, entry);
        let kept = self.kept(list.entries());
        let gone: usize = list.entries()[kept..].iter().map(Entry::length).sum();
        self.garbage += gone;
        list.truncate(kept);
        self.spread += list.bytes();
        self.lists[slot as usize] = list;
    }

    /// How many of these are kept.
    fn kept(&self, entries: &[Entry]) -> usize {
        let most = self.limit.rows;
        if entries.len() <= most {
            return entries.len();
        }
        match self.limit.ties {
            Ties::Cut => most,
            Ties::Kept => {
                // Those that are equal to the last one within the limit stay with it.
                let last = self.sort(&entries[most - 1]);
                most + entries[most..].partition_point(|entry| self.sort(entry) <= last)
            }
        }
    }

    /// The place of each row of a list, from 1: of equal rows the same where ties are kept.
    pub(super) fn ranks(&self, entries: &[Entry]) -> Vec<i64> {
        let mut ranks: Vec<i64> = (1..).take(entries.len()).collect();
        if self.limit.ties == Ties::Kept {
            for place in 1..entries.len() {
                if self.sort(&entries[place]) == self.sort(&entries[place - 1]) {
                    ranks[place] = ranks[place - 1];
                }
            }
        }
        ranks
    }

    /// Lets go of what rows have left behind, once it is half of the arena. Entries that were copied before are void then.
    pub(super) fn tidy(&mut self) {
        if self.garbage < GARBAGE_MIN.max(self.arena.len() / 2) {
            return;
        }
        let mut arena = Vec::with_capacity(self.arena.len() - self.garbage);
        for list in &mut self.lists {
            let entries = match list {
                List::Empty => &mut [],
                List::One(entry) => std::slice::from_mut(entry),
                List::Many(entries) => entries.as_mut_slice(),
            };
            for entry in entries {
                let start = arena.len();
                arena.extend_from_slice(&self.arena[entry.start..entry.start + entry.length()]);
                entry.start = start;
            }
        }
        self.arena = arena;
        self.garbage = 0;
    }

    /// Rows of other columns become rows of those that are wanted now.
    fn renewed(&self, fingerprint: u32, row: &[u8]) -> Result<Vec<u8>, Failure> {
        let columns = self.rows.columns(fingerprint, std::iter::once(row))?;
        let mut out = Vec::new();
        RowWriter::new(&batch(self.rows.schema(), columns, 1)?)?.write(0, &mut out);
        Ok(out)
    }
}

impl Values for Lists {
    fn grow(&mut self, slots: usize) {
        if slots > self.lists.len() {
            reserve(&mut self.lists, slots);
            self.lists.resize_with(slots, List::default);
        }
    }

    fn reset(&mut self, slot: u32) {
        let list = std::mem::take(&mut self.lists[slot as usize]);
        self.spread -= list.bytes();
        self.garbage += list.entries().iter().map(Entry::length).sum::<usize>();
    }

    /// The fingerprint of the rows' layout, and of each row, best first: the length of what it is ordered by, its own length,
    /// and both. Numbers are 4 bytes, little-endian.
    fn encode(&self, slot: u32, out: &mut Vec<u8>) {
        out.extend(self.rows.fingerprint().to_le_bytes());
        for entry in self.list(slot).entries() {
            out.extend(entry.sort.to_le_bytes());
            out.extend(entry.row.to_le_bytes());
            out.extend_from_slice(&self.arena[entry.start..entry.start + entry.length()]);
        }
    }

    fn decode(&mut self, slot: u32, bytes: &[u8]) -> Result<(), Failure> {
        self.reset(slot);
        let malformed = || Failure::fail("the best rows of a key cannot be read: their bytes are none");
        let (fingerprint, mut rest) = number(bytes).ok_or_else(malformed)?;
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let (sort, behind) = number(rest).ok_or_else(malformed)?;
            let (row, behind) = number(behind).ok_or_else(malformed)?;
            let (sorted_by, behind) = behind.split_at_checked(sort as usize).ok_or_else(malformed)?;
            let (content, behind) = behind.split_at_checked(row as usize).ok_or_else(malformed)?;
            rest = behind;
            let start = self.arena.len();
            self.arena.extend_from_slice(sorted_by);
            let mut entry = Entry { start, sort, row };
            if fingerprint == self.rows.fingerprint() {
                self.arena.extend_from_slice(content);
            } else {
                let content = self.renewed(fingerprint, content)?;
                entry.row = length(content.len());
                self.arena.extend(content);
            }
            entries.push(entry);
        }
        // A limit that was lowered since counts from now on.
        let kept = self.kept(&entries);
        self.garbage += entries[kept..].iter().map(Entry::length).sum::<usize>();
        entries.truncate(kept);
        let list = match entries.as_slice() {
            [] => List::Empty,
            [entry] => List::One(*entry),
            _ => List::Many(entries),
        };
        self.spread += list.bytes();
        self.lists[slot as usize] = list;
        Ok(())
    }

    fn compact(&mut self) {
        self.tidy();
    }

    fn clear(&mut self) {
        self.lists = Vec::new();
        self.arena = Vec::new();
        self.garbage = 0;
        self.spread = 0;
    }

    fn bytes(&self) -> usize {
        self.arena.capacity() + self.lists.capacity() * size_of::<List>() + self.spread
    }
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

fn length(of: usize) -> u32 {
    u32::try_from(of).expect("a row is of a batch, which is far smaller than 4 GiB")
}
