//! What one table has on disk, and what it knows of that in memory.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dataflow::Failure;

use super::super::{Cut, KeyGroups};
use super::disk::{Disk, Run};
use super::filter::Filter;
use super::{Early, Expiry, Spill};

/// What one table has on disk.
#[derive(Debug)]
pub(in crate::state) struct Spilled {
    disk: Option<Arc<Disk>>,
    spill: Spill,
    id: u32,
    /// Keys that are on disk and not in memory, or were until they were over.
    count: u64,
    filter: Filter,
    /// Keys that are no more, and that the disk does not know to be so.
    buried: HashSet<Box<[u8]>, ahash::RandomState>,
    buried_bytes: usize,
    early: Vec<Early>,
    /// When its keys are over, where they are at some time.
    expiry: Option<Expiry>,
    /// What was said of this table's memory.
    accounted: usize,
    /// How many bytes were left in memory when keys last went to disk.
    pub(in crate::state) left_behind: usize,
}

impl Spilled {
    /// Nothing yet.
    pub(in crate::state) fn new(spill: &Spill) -> Self {
        spill.0.living.fetch_add(1, Ordering::Relaxed);
        Self {
            id: spill.number(),
            spill: spill.clone(),
            disk: None,
            count: 0,
            filter: Filter::default(),
            buried: HashSet::default(),
            buried_bytes: 0,
            early: Vec::new(),
            expiry: None,
            accounted: 0,
            left_behind: 0,
        }
    }

    /// The same, whose values begin with a time by which they are over.
    pub(in crate::state) fn expiring(mut self, expiry: &Expiry) -> Self {
        self.expiry = Some(expiry.clone());
        self
    }

    /// Of what step.
    #[cfg(test)]
    pub(in crate::state) fn owner(&self) -> Spill {
        self.spill.clone()
    }

    /// The key groups of the subtask.
    pub(in crate::state) fn groups(&self) -> &KeyGroups {
        &self.spill.0.groups
    }

    /// How many keys are on disk and not in memory.
    pub(in crate::state) fn len(&self) -> u64 {
        self.count
    }

    /// Whether anything of the table is on disk.
    pub(in crate::state) fn is_used(&self) -> bool {
        self.disk.is_some()
    }

    /// Says how much memory the table holds; whether all tables of the step hold more than they may, and this one more than
    /// what each may have whatever the others do.
    pub(in crate::state) fn account(&mut self, bytes: usize) -> bool {
        let used = &self.spill.0.used;
        let before = std::mem::replace(&mut self.accounted, bytes);
        self.spill.0.place.scratch.memory().account(before, bytes);
        let all = if bytes >= before {
            used.fetch_add(bytes - before, Ordering::AcqRel) + (bytes - before)
        } else {
            used.fetch_sub(before - bytes, Ordering::AcqRel) - (before - bytes)
        };
        all > self.budget() && bytes > self.least()
    }

    /// What a table may hold though others, which were here before, hold all there is: they are relieved at the next cut.
    fn least(&self) -> usize {
        self.budget() / 2 / self.spill.0.living.load(Ordering::Relaxed).max(1)
    }

    /// Memory that the tables of the step may hold.
    pub(in crate::state) fn budget(&self) -> usize {
        self.spill.0.limits.tables
    }

    /// Whether a key may be on disk and not in memory.
    pub(in crate::state) fn may_hold(&self, hash: u64, key: &[u8]) -> bool {
        self.count > 0 && self.filter.may_hold(hash) && !self.is_buried(key)
    }

    /// Whether a key was removed, and the disk does not know.
    pub(in crate::state) fn is_buried(&self, key: &[u8]) -> bool {
        !self.buried.is_empty() && self.buried.contains(key)
    }

    /// A key whose value is on disk is no more.
    pub(in crate::state) fn bury(&mut self, key: &[u8]) {
        if self.buried.insert(key.into()) {
            self.buried_bytes += key.len() + 48;
        }
    }

    /// A key is there again; `true` if the disk holds what it was before.
    pub(in crate::state) fn raise(&mut self, key: &[u8]) -> bool {
        let was = !self.buried.is_empty() && self.buried.remove(key);
        if was {
            self.buried_bytes -= key.len() + 48;
        }
        was
    }

    /// Keys are not on disk any more, or in memory again.
    pub(in crate::state) fn left(&mut self, count: u64) {
        self.count = self.count.saturating_sub(count);
    }

    /// Takes keys to disk that come in their order, and with them what was buried.
    pub(in crate::state) fn write(
        &mut self,
        put: impl FnOnce(&mut Run<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let disk = match &self.disk {
            Some(disk) => Arc::clone(disk),
            None => {
                let disk = self.spill.disk()?;
                if let Some(expiry) = &self.expiry {
                    disk.expire(self.id, expiry);
                }
                disk
            }
        };
        let mut buried: Vec<Box<[u8]>> = self.buried.drain().collect();
        self.buried_bytes = 0;
        buried.sort_unstable();
        let mut run = disk.run(self.id, self.spill.file(&disk, "sst"), buried);
        put(&mut run)?;
        run.finish()?;
        self.disk = Some(disk);
        Ok(())
    }

    /// Keys have gone to disk, with these hashes.
    pub(in crate::state) fn gone(&mut self, hashes: impl Iterator<Item = u64>) {
        for hash in hashes {
            self.filter.add(hash);
            self.count += 1;
        }
    }

    /// The values of these keys, which are sorted; none where there is none.
    pub(in crate::state) fn get(
        &self,
        keys: &[&[u8]],
        take: impl FnMut(usize, &[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match &self.disk {
            Some(disk) => disk.get(self.id, keys, take),
            None => Ok(()),
        }
    }

    /// Shows keys and values in the order of the keys, from behind `after` on, until `show` says `false`: the last key shown,
    /// or none at the end. Some of them are in memory, or no more.
    pub(in crate::state) fn each(
        &self,
        after: Option<&[u8]>,
        show: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<Option<Vec<u8>>, Failure> {
        match &self.disk {
            Some(disk) => {
                // The least key that is greater.
                let from = after.map(|after| [after, &[0]].concat()).unwrap_or_default();
                disk.each(self.id, &from, show)
            }
            None => Ok(None),
        }
    }

    /// Keeps what was cut early in a file until the barrier.
    pub(in crate::state) fn keep_early(&mut self, cut: Cut) -> Result<(), Failure> {
        if cut.is_empty() {
            return Ok(());
        }
        let disk = match &self.disk {
            Some(disk) => Arc::clone(disk),
            None => self.spill.disk()?,
        };
        let path = self.spill.file(&disk, "cut");
        self.early.push(Early::write(cut, path)?);
        Ok(())
    }

    /// What was cut early since the last barrier.
    pub(in crate::state) fn take_early(&mut self) -> Vec<Early> {
        std::mem::take(&mut self.early)
    }

    /// Forgets everything.
    pub(in crate::state) fn clear(&mut self) {
        if let Some(disk) = self.disk.take() {
            // Another number: what cannot be dropped at once is in nobody's way.
            disk.drop_table(self.id);
            self.id = self.spill.number();
        }
        self.count = 0;
        self.filter = Filter::default();
        self.buried.clear();
        self.buried_bytes = 0;
        self.early.clear();
        self.left_behind = 0;
    }

    /// Memory held beside the table's own.
    pub(in crate::state) fn bytes(&self) -> usize {
        self.filter.bytes() + self.buried_bytes
    }

    /// Whether so much was buried that the disk should be told.
    pub(in crate::state) fn is_full_of_graves(&self) -> bool {
        self.buried_bytes > self.budget() / 8
    }
}

impl Drop for Spilled {
    fn drop(&mut self) {
        self.account(0);
        self.spill.0.living.fetch_sub(1, Ordering::Relaxed);
        if let Some(disk) = self.disk.take() {
            disk.drop_table(self.id);
        }
    }
}
