//! How processes of a cluster die, and whether they have: killed from outside, or at a crash point that they come to.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::{Cluster, JOBMANAGER, Process};

/// Names the file that says at which crash point a process dies.
pub(super) const DIE_AT: &str = "WEIR_DIE_AT";

impl Cluster {
    /// `kill -9` of the job manager.
    pub fn kill_jobmanager(&mut self) {
        drop(self.jobmanager.take());
    }

    /// `kill -9` of a task manager.
    pub fn kill_taskmanager(&mut self, name: &str) {
        drop(self.taskmanagers.remove(name));
    }

    /// The file that says at which crash point a process is to die.
    pub(super) fn load_of(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.die-at"))
    }

    /// Has a process die where it next comes to a crash point (`dataflow::crash`); one that is not yet started too.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn load(&self, name: &str, point: &str) -> Result<()> {
        let (file, part) = (self.load_of(name), self.folder.join("die-at.part"));
        // Whole or not at all: the process may look at any time.
        fs::write(&part, point)?;
        fs::rename(&part, &file).with_context(|| file.display().to_string())
    }

    /// Takes that back; false where it has died already.
    #[must_use]
    pub fn unload(&self, name: &str) -> bool {
        fs::remove_file(self.load_of(name)).is_ok()
    }

    /// Whether a process has ended by itself; one that is not there has.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn has_ended(&mut self, name: &str) -> Result<bool> {
        let process = if name == JOBMANAGER {
            self.jobmanager.as_mut()
        } else {
            self.taskmanagers.get_mut(name)
        };
        process.map_or(Ok(true), Process::has_ended)
    }

    /// Sends a process a signal by its name, such as `STOP` or `CONT`.
    ///
    /// # Errors
    /// When it is not there, or the signal cannot be sent.
    pub fn signal(&self, name: &str, signal: &str) -> Result<()> {
        let mut processes = self.processes();
        let found = processes.find(|(known, _)| *known == name);
        found.with_context(|| format!("no process {name}"))?.1.signal(signal)
    }
}
