//! A cluster of real processes on loopback, in a folder of its own, driven by its own command line.
//!
//! Every process is killed when the cluster is dropped; nothing else is ever touched.

mod ask;
mod death;
mod process;
mod wait;

pub use ask::fetch;
pub use process::Process;
pub use wait::{Deadline, epoch, until};

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// What the job manager's process is called.
pub const JOBMANAGER: &str = "jobmanager";

/// How long a process may take to be ready, on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// The binary under test: `WEIR`, or the release build beside this test's own binary.
///
/// # Panics
/// When there is none: build it with `cargo build --release --package cli`.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment which binary to test"
)]
pub fn binary() -> PathBuf {
    if let Ok(path) = std::env::var("WEIR") {
        return PathBuf::from(path);
    }
    let own = std::env::current_exe().expect("a process knows its own path");
    let mut folders = own.ancestors();
    let found = folders.find_map(|folder| Some(folder.join("weir")).filter(|path| path.is_file()));
    found.unwrap_or_else(|| panic!("no `weir` near {}: cargo build --release --package cli", own.display()))
}

/// One command of `weir`, not started yet.
#[must_use]
pub fn command(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs one command of `weir` to its end.
///
/// # Errors
/// When it cannot be started.
pub fn weir(arguments: &[&str], folder: &Path) -> Result<Output> {
    command(arguments, folder)
        .output()
        .with_context(|| format!("weir {}", arguments.join(" ")))
}

/// A job manager and task managers.
pub struct Cluster {
    folder: PathBuf,
    jobmanager: Option<Process>,
    taskmanagers: BTreeMap<String, Process>,
    starts: u32,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    rest: String,
    control: String,
}

impl Cluster {
    /// A job manager on free ports, with its state in `folder/state`; datastreams may touch `folder` only,
    /// unless `arguments` of the job manager say more.
    ///
    /// # Errors
    /// When it is not ready in time.
    pub fn start(folder: &Path, arguments: &[&str]) -> Result<Self> {
        Self::start_in(folder, arguments, Vec::new())
    }

    /// The same, with `environment` for every process: where S3 is.
    ///
    /// # Errors
    /// When it is not ready in time.
    pub fn start_in(folder: &Path, arguments: &[&str], environment: Vec<(String, String)>) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let none = "127.0.0.1:0".to_owned();
        let mut cluster = Self {
            folder: folder.to_owned(),
            jobmanager: None,
            taskmanagers: BTreeMap::new(),
            starts: 0,
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment,
            rest: none.clone(),
            control: none,
        };
        cluster.start_jobmanager()?;
        Ok(cluster)
    }

    /// Starts the job manager; after a kill, on the ports it had, so that task managers find it.
    ///
    /// # Errors
    /// When it is not ready in time.
    pub fn start_jobmanager(&mut self) -> Result<()> {
        self.begin_jobmanager()?;
        self.await_jobmanager()
    }

    /// The same, without waiting: it may be loaded with a crash point that it does not survive.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn begin_jobmanager(&mut self) -> Result<()> {
        self.starts += 1;
        let ready = self.ready_file();
        let state = self.folder.join("state");
        let mut command = Command::new(binary());
        command.envs(self.environment.iter().cloned()).args([
            "jobmanager",
            "--log",
            "info",
            "--listen",
            &self.rest,
            "--control",
            &self.control,
        ]);
        command
            .arg("--state")
            .arg(&state)
            .arg("--allow-path")
            .arg(&self.folder)
            .arg("--ready-file")
            .arg(&ready);
        command.args(&self.arguments);
        command.env(death::DIE_AT, self.load_of(JOBMANAGER));
        let log = self.folder.join("jobmanager.log");
        self.jobmanager = Some(Process::start(JOBMANAGER, command, &log)?);
        Ok(())
    }

    fn ready_file(&self) -> PathBuf {
        self.folder.join(format!("ready-{}.json", self.starts))
    }

    /// Waits until the job manager that was begun last is ready, and learns its ports.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub fn await_jobmanager(&mut self) -> Result<()> {
        let ready = self.ready_file();
        let process = self.jobmanager.as_mut().context("a job manager that was begun")?;
        until("the job manager to be ready", Deadline::of(READY), || {
            process.check()?;
            Ok(fs::read(&ready).ok().filter(|bytes| !bytes.is_empty()))
        })?;
        let addresses: Value = serde_json::from_slice(&fs::read(&ready)?)?;
        let text = |key: &str| {
            addresses[key]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("{key} in {addresses}"))
        };
        self.rest = text("listen")?;
        self.control = text("control")?;
        Ok(())
    }

    /// Starts a task manager of one slot.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn start_taskmanager(&mut self, name: &str, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(binary());
        command
            .envs(self.environment.iter().cloned())
            .args([
                "taskmanager",
                "--log",
                "info",
                "--name",
                name,
                "--jobmanager",
                &self.control,
            ])
            .args(arguments);
        command.arg("--allow-path").arg(&self.folder);
        command.env(death::DIE_AT, self.load_of(name));
        let process = Process::start(name, command, &self.folder.join(format!("{name}.log")))?;
        ensure!(
            self.taskmanagers.insert(name.to_owned(), process).is_none(),
            "{name} is there already"
        );
        Ok(())
    }

    /// The names of the task managers that were started and not killed.
    #[must_use]
    pub fn taskmanagers(&self) -> Vec<String> {
        self.taskmanagers.keys().cloned().collect()
    }

    /// Every process, by name.
    pub fn processes(&self) -> impl Iterator<Item = (&str, &Process)> {
        let jobmanager = self.jobmanager.iter().map(|process| (JOBMANAGER, process));
        jobmanager.chain(self.taskmanagers.iter().map(|(name, process)| (name.as_str(), process)))
    }

    /// The folder of this cluster.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs one command of `weir` against this cluster.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn weir(&self, arguments: &[&str]) -> Result<Output> {
        let cluster = format!("http://{}", self.rest);
        weir(&[arguments, &["--cluster", &cluster]].concat(), &self.folder)
    }

    /// Starts a command of `weir` against this cluster and does not wait for it; dropped, it is killed.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn begin(&self, arguments: &[&str]) -> Result<Process> {
        let cluster = format!("http://{}", self.rest);
        let command = command(&[arguments, &["--cluster", &cluster]].concat(), &self.folder);
        Process::start("weir", command, &self.folder.join("weir.log"))
    }

    /// Runs a command that must succeed, and reads its JSON.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.weir(&[arguments, &["-o", "json"]].concat())?;
        if !output.status.success() {
            bail!(
                "weir {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("the JSON of weir {}", arguments.join(" ")))
    }

    /// Submits a document.
    ///
    /// # Errors
    /// When it is refused.
    pub fn submit(&self, document: &str) -> Result<Value> {
        let file = self.folder.join("submitted.yaml");
        fs::write(&file, document)?;
        self.json(&["submit", &file.to_string_lossy()])
    }

    /// Waits until a datastream is as `wanted` says.
    ///
    /// # Errors
    /// When it fails, or is not so in time.
    pub fn until(&self, name: &str, what: &str, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        until(&format!("{name} {what}"), Deadline::of(limit), || {
            // A job manager that was killed a moment ago does not answer.
            let Ok(described) = self.json(&["describe", name]) else {
                return Ok(None);
            };
            if described["summary"]["state"] == "failed" {
                bail!("{name} failed: {}", described["summary"]["reason"]);
            }
            Ok(wanted(&described).then_some(described))
        })
    }

    /// Waits until a datastream has finished.
    ///
    /// # Errors
    /// When it fails, or does not finish in time.
    pub fn until_finished(&self, name: &str, limit: Duration) -> Result<Value> {
        self.until(name, "to finish", limit, |described| {
            described["summary"]["state"] == "finished"
        })
    }
}
