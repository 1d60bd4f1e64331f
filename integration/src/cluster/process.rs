//! One process of ours: its life, its log, its memory.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use super::{Deadline, until};

/// A running process; killed with SIGKILL when dropped.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, its output appended to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        command.stdout(append_to(log)?);
        Self::start_piped(name, command, log)
    }

    /// The same, with the standard output as `command` says.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_piped(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        command.stdin(Stdio::null()).stderr(append_to(log)?);
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// When it has ended, with the end of its log.
    pub fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(());
        };
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        bail!(
            "{} ended with {status}:\n{}",
            self.name,
            lines[lines.len().saturating_sub(10)..].join("\n")
        )
    }

    /// Whether it has ended.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// When it has not ended in time.
    pub fn wait(&mut self, deadline: Deadline) -> Result<ExitStatus> {
        until(&format!("{} to end", self.name), deadline, || {
            Ok(self.child.try_wait()?)
        })
    }

    /// The reading end of its standard output, where that is a pipe; given once.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Ticks of a processor it has used: hundredths of a second.
    #[must_use]
    pub fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        // Behind the name, which may hold anything, stands the third field; user and system time are 14 and 15: proc(5).
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        fields
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Bytes of memory it holds now.
    #[must_use]
    pub fn rss_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The most bytes of memory it has held, since its start or since [`Process::forget_peak`].
    #[must_use]
    pub fn peak_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, key: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.unwrap_or(0) * 1024
    }

    /// Begins the most bytes of memory anew.
    ///
    /// # Errors
    /// When the kernel does not.
    pub fn forget_peak(&self) -> Result<()> {
        // 5 is "reset the peak resident set size": proc(5), /proc/pid/clear_refs.
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").with_context(|| format!("the peak of {}", self.name))
    }

    /// Sends it a signal by its name, such as `STOP` or `CONT`.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.pid().to_string()])
            .status()?;
        ensure!(status.success(), "{name} to {}: {status}", self.name);
        Ok(())
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

fn append_to(log: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(log);
    file.with_context(|| log.display().to_string())
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
