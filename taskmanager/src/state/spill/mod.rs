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
mod spent;
mod spilled;

pub(crate) use early::Early;
pub(crate) use hints::Hints;
pub(in crate::state) use memory::DiskMemory;
pub(crate) use spent::Expiry;
pub(in crate::state) use spilled::Spilled;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use dataflow::Failure;
use parking_lot::Mutex;

use super::{KeyGroups, Scratch};
use disk::Disk;

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

    /// Compacts what is on disk, if anything is.
    #[cfg(test)]
    pub(crate) fn compact(&self) {
        if let Some(disk) = &*self.0.place.disk.lock() {
            disk.compact();
        }
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
