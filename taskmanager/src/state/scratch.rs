//! The folder of one start of a task manager, for what need not survive it: spilled state, copies of state files.
//!
//! It is made when first needed and goes with the process. What a process that was killed left is found by its lock, which
//! nobody holds any more, and taken away by the next who makes one.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use dataflow::Failure;
use dataflow::id::JobId;
use parking_lot::Mutex;

use super::spill::DiskMemory;

/// Folders of task managers begin with this.
const PREFIX: &str = "weir-scratch-";
const LOCK: &str = "lock";

/// The folder.
#[derive(Debug)]
pub(crate) struct Scratch {
    parent: PathBuf,
    folder: PathBuf,
    /// Held as long as it is there.
    lock: Mutex<Option<File>>,
    memory: DiskMemory,
}

impl Scratch {
    /// The folder of this start of a process, below `parent`. Nothing is made yet.
    pub(crate) fn new(parent: PathBuf, incarnation: &str) -> Self {
        Self {
            folder: parent.join(format!("{PREFIX}{incarnation}")),
            parent,
            lock: Mutex::new(None),
            memory: DiskMemory::default(),
        }
    }

    /// How much memory there is of state, by who holds it: tables that may spill, and the cache of what they spilled.
    pub(crate) fn memory_held(&self) -> [(&'static str, usize); 2] {
        [("tables", self.memory.tables()), ("spill cache", self.memory.used())]
    }

    /// How much RocksDB may hold of what was spilled.
    pub(crate) fn memory_limit(&self) -> usize {
        self.memory.limit()
    }

    /// What databases below it hold in memory together.
    pub(super) fn memory(&self) -> &DiskMemory {
        &self.memory
    }

    /// Where the copies of a job's state files go. Those of other jobs that nobody has asked for since go now.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub(crate) fn copies(&self, job: &JobId) -> Result<PathBuf, Failure> {
        Ok(self.made()?.join("copies").join(job.to_string()))
    }

    /// Takes away the copies of all jobs but these.
    pub(crate) fn keep_copies_of(&self, jobs: &BTreeSet<String>) {
        if self.lock.lock().is_none() {
            return;
        }
        for job in entries(&self.folder.join("copies")) {
            let kept = job
                .file_name()
                .is_some_and(|name| jobs.contains(&*name.to_string_lossy()));
            if !kept && let Err(error) = fs::remove_dir_all(&job) {
                tracing::debug!(%error, folder = %job.display(), "copies of state files stay");
            }
        }
    }

    /// An empty folder of this name.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub(crate) fn empty(&self, name: &str) -> Result<PathBuf, Failure> {
        let folder = self.made()?.join(name);
        let made = match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::create_dir_all(&folder),
        };
        made.map_err(|error| unmade(&folder, &error))?;
        Ok(folder)
    }

    /// The folder, made if need be.
    fn made(&self) -> Result<&Path, Failure> {
        let mut lock = self.lock.lock();
        if lock.is_none() {
            *lock = Some(locked(&self.folder).map_err(|error| unmade(&self.folder, &error))?);
            sweep(&self.parent, &self.folder);
        }
        Ok(&self.folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.lock.lock().is_some()
            && let Err(error) = fs::remove_dir_all(&self.folder)
        {
            tracing::warn!(%error, folder = %self.folder.display(), "a folder of spilled state stays behind");
        }
    }
}

/// Makes a folder with a lock that its owner holds.
fn locked(folder: &Path) -> io::Result<File> {
    loop {
        fs::create_dir_all(folder)?;
        let lock = File::create(folder.join(LOCK))?;
        lock.lock()?;
        // Somebody may have found it before it was locked, and taken it for one that was left.
        if folder.join(LOCK).exists() {
            return Ok(lock);
        }
    }
}

/// Takes away what processes that are gone have left.
fn sweep(parent: &Path, own: &Path) {
    for folder in entries(parent) {
        let is_one = folder
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if !is_one || folder == own {
            continue;
        }
        // Without its lock it is being made, or is not one of ours.
        let Ok(lock) = File::options().write(true).open(folder.join(LOCK)) else {
            continue;
        };
        match lock.try_lock() {
            Ok(()) => {
                if let Err(error) = fs::remove_dir_all(&folder) {
                    tracing::debug!(%error, folder = %folder.display(), "a folder that nobody uses stays");
                }
            }
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn unmade(folder: &Path, error: &io::Error) -> Failure {
    Failure::retry(format!(
        "the folder {} for spilled state cannot be made",
        folder.display()
    ))
    .because(error)
    .help("name another one with `--state-dir`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_when_needed_and_goes_with_its_owner() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(parent.path().to_owned(), "a");
        assert_eq!(entries(parent.path()), Vec::<PathBuf>::new());
        let folder = scratch.empty("spill").unwrap();
        fs::write(folder.join("left"), "x").unwrap();
        assert_eq!(entries(&scratch.empty("spill").unwrap()), Vec::<PathBuf>::new());
        drop(scratch);
        assert_eq!(entries(parent.path()), Vec::<PathBuf>::new());
    }

    #[test]
    fn what_a_killed_process_left_is_taken_away_and_a_living_ones_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let living = Scratch::new(parent.path().to_owned(), "living");
        let kept = living.empty("spill").unwrap();
        let dead = parent.path().join(format!("{PREFIX}dead"));
        fs::create_dir_all(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        let foreign = parent.path().join("foreign");
        fs::create_dir_all(&foreign).unwrap();
        let next = Scratch::new(parent.path().to_owned(), "next");
        next.empty("spill").unwrap();
        assert!(kept.exists() && foreign.exists());
        assert!(!dead.exists());
    }

    #[test]
    fn copies_of_jobs_that_do_not_run_here_go() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(parent.path().to_owned(), "a");
        let (one, two) = ("one@1".parse().unwrap(), "two@1".parse().unwrap());
        for job in [&one, &two] {
            fs::create_dir_all(scratch.copies(job).unwrap()).unwrap();
        }
        scratch.keep_copies_of(&["two@1".to_owned()].into());
        assert!(!scratch.copies(&one).unwrap().exists());
        assert!(scratch.copies(&two).unwrap().exists());
    }
}
