//! What has changed in panes since the last early results: slots of keys in memory, hints of keys that went to disk.
//!
//! Where some are on disk, all become hints when early results are due, by the hashes of their keys; and are told a range
//! of hashes at a time, so that a key that has changed in several panes is told once for each window.

use std::collections::BTreeMap;

use dataflow::{Failure, key};

use super::accumulate::Accumulators;
use super::input::{KeyRun, Slots};
use super::panes::Touched;
use crate::state::{Hints, Spill, Table};

/// About so many keys are told at once.
const KEYS_AT_ONCE: usize = 8 * 1024;

/// What has changed, by pane.
pub(super) struct Fresh {
    here: Touching,
    away: BTreeMap<i64, Hints>,
    spill: Option<Spill>,
    /// How many keys went to disk since the last early results: some of them twice.
    count: usize,
    telling: Option<Telling>,
}

type Touching = BTreeMap<i64, Slots>;

/// How far the hashes were gone through.
#[derive(Clone, Copy, Debug)]
struct Telling {
    part: u64,
    parts: u64,
}

impl Fresh {
    /// Nothing yet.
    pub(super) fn new(spill: Option<&Spill>) -> Self {
        Self {
            here: BTreeMap::new(),
            away: BTreeMap::new(),
            spill: spill.cloned(),
            count: 0,
            telling: None,
        }
    }

    /// Whether nothing has changed.
    pub(super) fn is_empty(&self) -> bool {
        self.here.is_empty() && self.away.is_empty()
    }

    /// These have changed.
    pub(super) fn came(&mut self, pane: i64, slots: impl Iterator<Item = u32>) {
        self.here.entry(pane).or_default().extend(slots);
    }

    /// These went to disk, whether they have changed or not.
    pub(super) fn left(&mut self, pane: i64, mut departed: Vec<(u32, Box<[u8]>)>) -> Result<(), Failure> {
        match self.here.get_mut(&pane) {
            Some(here) => departed.retain(|(slot, _)| here.remove(*slot)),
            None => departed.clear(),
        }
        self.all_left(pane, departed)
    }

    /// These went to disk, and all have changed.
    pub(super) fn all_left(&mut self, pane: i64, departed: Vec<(u32, Box<[u8]>)>) -> Result<(), Failure> {
        let Some(spill) = self.spill.as_ref().filter(|_| !departed.is_empty()) else {
            return Ok(());
        };
        self.count += departed.len();
        let hints = self.away.entry(pane).or_insert_with(|| Hints::new(spill));
        hints.add(departed.into_iter().map(|(_, key)| (number(&key), key)).collect())
    }

    /// A pane is no more.
    pub(super) fn forget(&mut self, pane: i64) {
        self.here.remove(&pane);
        self.away.remove(&pane);
    }

    /// What has changed is to be told: here it is, if all of it is in memory. If not, it comes by [`Fresh::next`].
    pub(super) fn begin(&mut self, tables: &BTreeMap<i64, Table<Accumulators>>) -> Result<Option<Touched>, Failure> {
        let here = std::mem::take(&mut self.here).into_iter();
        let here = here.map(|(pane, slots)| (pane, slots.into_list()));
        if self.away.is_empty() {
            return Ok(Some(here.collect()));
        }
        for (pane, slots) in here {
            let Some(table) = tables.get(&pane) else { continue };
            let keys = slots.into_iter().map(|slot| (slot, table.key(slot).into()));
            self.all_left(pane, keys.collect())?;
        }
        let parts = self.count.div_ceil(KEYS_AT_ONCE).max(1) as u64;
        self.telling = Some(Telling { part: 0, parts });
        Ok(None)
    }

    /// The next keys that are to be told, by the panes in which they have changed.
    pub(super) fn next(&mut self) -> Result<Option<BTreeMap<i64, KeyRun>>, Failure> {
        while let Some(telling) = &mut self.telling {
            telling.part += 1;
            let until = telling.until();
            if telling.part == telling.parts {
                self.telling = None;
            }
            let mut keys = BTreeMap::new();
            for (pane, hints) in &mut self.away {
                let taken = hints.take(until, usize::MAX)?;
                if !taken.is_empty() {
                    keys.insert(*pane, taken.iter().map(|key| &**key).collect());
                }
            }
            if self.telling.is_none() {
                self.away.clear();
                self.count = 0;
            }
            if !keys.is_empty() {
                return Ok(Some(keys));
            }
        }
        Ok(None)
    }
}

impl Telling {
    /// The last number of the part.
    fn until(self) -> i64 {
        if self.part == self.parts {
            return i64::MAX;
        }
        let end = u64::MAX / self.parts * self.part;
        (end ^ (1 << 63)).cast_signed()
    }
}

/// What a key's hint stands under: its hash, in an order that is as good as any.
fn number(key: &[u8]) -> i64 {
    (key::hash(key) ^ (1 << 63)).cast_signed()
}
