//! What of a step's tables does not fit into memory: RocksDB, as a cache of what the cuts hold.
//!
//! It is opened when a table first outgrows its budget, in a folder of its own that goes with the subtask, and never restored
//! from: a checkpoint consists of cuts, whatever was spilled. So a key on disk needs no key group and no name of a state:
//! it is the number of its table (4 bytes, big-endian) and the key's bytes. A table is one range, which is read in one scan
//! and dropped as one. No log is written, and nothing is put row by row: what leaves memory is sorted, written as one file
//! and taken in whole. Who calls: tables. Not here: which keys leave (table).

mod disk;
mod early;
mod filter;
mod hints;
mod memory;

pub(crate) use early::Early;
pub(crate) use hints::Hints;
pub(in crate::state) use memory::DiskMemory;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use dataflow::Failure;
use parking_lot::Mutex;

use super::{Cut, KeyGroups, Scratch};
use disk::{Disk, Run};
use filter::Filter;

/// How much a step may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Its tables in memory.
    pub(crate) tables: usize,
    /// What it brings to the cache of what is on disk, which all steps of the task manager share.
    pub(crate) cache: usize,
}

/// Room on disk for the tables of one step of one subtask. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Spill(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    place: Arc<Place>,
    groups: KeyGroups,
    limits: Limits,
    /// Memory that the tables hold.
    used: AtomicUsize,
    /// How many tables there are.
    living: AtomicUsize,
}

/// One database, and the numbers of what is in it.
#[derive(Debug)]
struct Place {
    /// Closed before its folder goes.
    disk: Mutex<Option<Arc<Disk>>>,
    scratch: Arc<Scratch>,
    name: String,
    tables: AtomicU32,
    files: AtomicU64,
}

impl Spill {
    /// Below `scratch`, in a folder of this name, which nobody else uses; nothing is opened yet.
    pub(crate) fn new(scratch: Arc<Scratch>, name: String, groups: KeyGroups, limits: Limits) -> Self {
        let place = Place {
            scratch,
            name,
            tables: AtomicU32::new(0),
            files: AtomicU64::new(0),
            disk: Mutex::new(None),
        };
        Self::at(Arc::new(place), groups, limits)
    }

    fn at(place: Arc<Place>, groups: KeyGroups, limits: Limits) -> Self {
        Self(Arc::new(Shared {
            place,
            groups,
            limits,
            used: AtomicUsize::new(0),
            living: AtomicUsize::new(0),
        }))
    }

    /// Another step's, in the same database: tests have many steps, and each database costs some milliseconds.
    #[cfg(test)]
    pub(crate) fn beside(&self, groups: KeyGroups) -> Self {
        Self::at(Arc::clone(&self.0.place), groups, self.0.limits)
    }

    /// The number of another table.
    fn number(&self) -> u32 {
        self.0.place.tables.fetch_add(1, Ordering::Relaxed)
    }

    fn disk(&self) -> Result<Arc<Disk>, Failure> {
        let place = &self.0.place;
        let mut disk = place.disk.lock();
        if let Some(disk) = &*disk {
            return Ok(Arc::clone(disk));
        }
        let folder = place.scratch.empty(&place.name)?;
        let opened = Arc::new(Disk::open(folder, place.scratch.memory().share(self.0.limits.cache))?);
        *disk = Some(Arc::clone(&opened));
        Ok(opened)
    }

    fn file(&self, disk: &Disk, ending: &str) -> PathBuf {
        let number = self.0.place.files.fetch_add(1, Ordering::Relaxed);
        disk.folder().join(format!("{number}.{ending}"))
    }
}

/// What one table has on disk.
#[derive(Debug)]
pub(super) struct Spilled {
    disk: Option<Arc<Disk>>,
    spill: Spill,
    id: u32,
    /// Keys that are on disk and not in memory.
    count: u64,
    filter: Filter,
    /// Keys that are no more, and that the disk does not know to be so.
    buried: HashSet<Box<[u8]>, ahash::RandomState>,
    buried_bytes: usize,
    early: Vec<Early>,
    /// What was said of this table's memory.
    accounted: usize,
    /// How many bytes were left in memory when keys last went to disk.
    pub(super) left_behind: usize,
}

impl Spilled {
    /// Nothing yet.
    pub(super) fn new(spill: &Spill) -> Self {
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
            accounted: 0,
            left_behind: 0,
        }
    }

    /// Of what step.
    #[cfg(test)]
    pub(super) fn owner(&self) -> Spill {
        self.spill.clone()
    }

    /// The key groups of the subtask.
    pub(super) fn groups(&self) -> &KeyGroups {
        &self.spill.0.groups
    }

    /// How many keys are on disk and not in memory.
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    /// Whether anything of the table is on disk.
    pub(super) fn is_used(&self) -> bool {
        self.disk.is_some()
    }

    /// Says how much memory the table holds; whether all tables of the step hold more than they may, and this one more than
    /// what each may have whatever the others do.
    pub(super) fn account(&mut self, bytes: usize) -> bool {
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
    pub(super) fn budget(&self) -> usize {
        self.spill.0.limits.tables
    }

    /// Whether a key may be on disk and not in memory.
    pub(super) fn may_hold(&self, hash: u64, key: &[u8]) -> bool {
        self.count > 0 && self.filter.may_hold(hash) && !self.is_buried(key)
    }

    /// Whether a key was removed, and the disk does not know.
    pub(super) fn is_buried(&self, key: &[u8]) -> bool {
        !self.buried.is_empty() && self.buried.contains(key)
    }

    /// A key whose value is on disk is no more.
    pub(super) fn bury(&mut self, key: &[u8]) {
        if self.buried.insert(key.into()) {
            self.buried_bytes += key.len() + 48;
        }
    }

    /// A key is there again; `true` if the disk holds what it was before.
    pub(super) fn raise(&mut self, key: &[u8]) -> bool {
        let was = !self.buried.is_empty() && self.buried.remove(key);
        if was {
            self.buried_bytes -= key.len() + 48;
        }
        was
    }

    /// Keys are not on disk any more, or in memory again.
    pub(super) fn left(&mut self, count: u64) {
        self.count = self.count.saturating_sub(count);
    }

    /// Takes keys to disk that come in their order, and with them what was buried.
    pub(super) fn write(&mut self, put: impl FnOnce(&mut Run<'_>) -> Result<(), Failure>) -> Result<(), Failure> {
        let disk = match &self.disk {
            Some(disk) => Arc::clone(disk),
            None => self.spill.disk()?,
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
    pub(super) fn gone(&mut self, hashes: impl Iterator<Item = u64>) {
        for hash in hashes {
            self.filter.add(hash);
            self.count += 1;
        }
    }

    /// The values of these keys, which are sorted; none where there is none.
    pub(super) fn get(
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
    pub(super) fn each(
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
    pub(super) fn keep_early(&mut self, cut: Cut) -> Result<(), Failure> {
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
    pub(super) fn take_early(&mut self) -> Vec<Early> {
        std::mem::take(&mut self.early)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
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
    pub(super) fn bytes(&self) -> usize {
        self.filter.bytes() + self.buried_bytes
    }

    /// Whether so much was buried that the disk should be told.
    pub(super) fn is_full_of_graves(&self) -> bool {
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
