//! The task manager as the job manager sees it: it registers, beats, obeys and reports.
//!
//! ```text
//!   job manager ── Deploy, Cancel, Trigger, Commit, … ──> attach ──> tasks ──> mailboxes of subtasks
//!               <── statuses, acknowledgements, beats ──  attach <── reports of subtasks
//! ```
//!
//! Enters: messages of `Control.Attach`. Leaves: messages of the same. Who calls: `cli`, by [`TaskManager::start`]. Must stay
//! true: a message whose fence matches no subtask is dropped and counted; when the connection is lost, subtasks run on until
//! a leader adopts them or their lease ends; no subtask ever waits for this. Not here: what any of it means.

mod attach;
mod fences;
mod lines;
mod tapping;
mod tasks;
mod tenure;
mod traces;
mod wire;
#[cfg(test)]
mod tests;

pub use fences::Fences;
pub use lines::{Line, Lines};
pub(crate) use tasks::{Running, Tasks};
pub use tenure::Tenure;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dataflow::metric::{Page, Wanted};
use dataflow::store::Stores;
use dataflow::time::Clock;
use dataflow::{Failure, Registry, Scope};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tonic::transport::Channel;

use crate::deploy::Site;
use crate::memory::Memory;
use crate::metrics;
use crate::network::{Exchange, Identity, Papers};
use crate::state::Scratch;
use crate::tap;
use crate::task::Reports;

/// So many reports of subtasks may wait for the connection; more means that nobody takes them.
const REPORTS_MAX: usize = 8192;

/// How long a shutdown waits for subtasks whose operators or sinks do not let go.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// What an operator decides about a task manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Unique among living task managers; people see it.
    pub name: String,
    /// `host:port` under which other task managers reach the exchange; `local` where there are no others.
    pub data_address: String,
    /// Where metrics are served; empty for nowhere.
    pub metrics_address: String,
    /// Room for so many subtasks of each vertex of a job.
    pub slots: u32,
    /// The one memory number: what flows and waits never holds more.
    pub memory_bytes: u64,
    /// The folder for what need not survive the process: spilled state, copies of state files. It makes one of its own below
    /// it when there is something to put there, and takes it away at its end.
    pub scratch: PathBuf,
    /// Must equal the job manager's.
    pub build: String,
    /// How much of what is measured is shown.
    pub metrics: Wanted,
}

/// What a task manager works with.
pub struct Surroundings {
    /// Connectors and formats.
    pub registry: Registry,
    /// Opens object stores and folders.
    pub stores: Arc<dyn Stores>,
    /// Opens the folder of a job's state, which the job manager names and no document does.
    pub state_stores: Arc<dyn Stores>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Owns the task manager. Its runtime carries control and the exchange: a runtime that no work on data can starve.
    pub scope: Scope,
    /// The runtime on which connectors do their I/O.
    pub data_runtime: Handle,
    /// The way to the job manager. Connects lazily and again; with a keep-alive where it crosses a network.
    pub control: Channel,
    /// Where the exchange listens; none inside one process.
    pub exchange: Option<TcpListener>,
    /// How task managers know each other; none on loopback.
    pub papers: Option<Papers>,
    /// Where what is logged about its jobs is found.
    pub lines: Lines,
}

/// A task manager at work.
pub struct TaskManager {
    tasks: Arc<Mutex<Tasks>>,
    metrics: metrics::Source,
    incarnation: String,
    exchange: Option<SocketAddr>,
    scope: Scope,
    clock: Arc<dyn Clock>,
}

impl TaskManager {
    /// Starts it in the scope: it registers, waits for its job manager as long as that is away, and works.
    ///
    /// # Errors
    /// Options that cannot work, or an exchange that cannot listen.
    pub fn start(options: Options, surroundings: Surroundings) -> Result<Self, Failure> {
        if options.slots == 0 || options.name.is_empty() {
            return Err(Failure::fail("a task manager needs a name and at least one slot"));
        }
        let Surroundings {
            registry,
            stores,
            state_stores,
            clock,
            scope,
            data_runtime,
            control,
            exchange,
            papers,
            lines,
        } = surroundings;
        let scope = scope.child(options.name.clone());
        let incarnation = uuid::Uuid::new_v4().to_string();
        let identity = Identity {
            task_manager: options.name.clone(),
            incarnation: incarnation.clone(),
        };
        let channels = Exchange::new(identity, Arc::clone(&clock), scope.clone()).with(papers);
        let listening = exchange.map(|listener| channels.serve(listener)).transpose()?;
        let (reports, waiting) = mpsc::channel(REPORTS_MAX);
        // A full queue is noticed by the connection, which then counts as lost.
        let reports: Reports = Arc::new(move |identity, report| drop(reports.try_send((identity.clone(), report))));
        let site = Site {
            registry,
            stores,
            state_stores,
            clock: Arc::clone(&clock),
            scope: scope.clone(),
            data_runtime,
            exchange: channels,
            incarnation: incarnation.clone(),
            memory: Memory::new(options.memory_bytes, options.slots),
            scratch: Arc::new(Scratch::new(options.scratch.clone(), &incarnation)),
            reports,
        };
        let (lines, taps) = (lines.outlet(), tap::Outlet::default());
        let tasks = Arc::new(Mutex::new(Tasks::new(site, (lines.clone(), taps.clone()))));
        let metrics = metrics::Source {
            tasks: Arc::clone(&tasks),
            clock: Arc::clone(&clock),
            wanted: options.metrics,
            build: options.build.clone(),
            memory_bytes: options.memory_bytes,
        };
        let connection = attach::Connection {
            options: Arc::new(options),
            incarnation: incarnation.clone(),
            control,
            tasks: Arc::clone(&tasks),
            reports: waiting,
            lines,
            taps,
            clock: Arc::clone(&clock),
        };
        scope.run(connection.keep());
        Ok(Self {
            metrics,
            tasks,
            incarnation,
            exchange: listening,
            scope,
            clock,
        })
    }

    /// Which start of this process this is.
    #[must_use]
    pub fn incarnation(&self) -> &str {
        &self.incarnation
    }

    /// Where the exchange listens, if it does.
    #[must_use]
    pub fn exchange_address(&self) -> Option<SocketAddr> {
        self.exchange
    }

    /// How many subtasks run.
    #[must_use]
    pub fn subtask_count(&self) -> usize {
        self.tasks.lock().running().count()
    }

    /// Everything that it measures, as it is now: for `/metrics`, and whoever pushes it.
    #[must_use]
    pub fn metrics(&self) -> Page {
        self.metrics.page()
    }

    /// Cancels everything and waits for it, as long as is reasonable.
    pub async fn shut_down(&self) {
        let departures = {
            let mut tasks = self.tasks.lock();
            tasks.cancel_all(self.clock.now());
            tasks.departures()
        };
        let all_left = async {
            while self.subtask_count() > 0 {
                departures.notified().await;
            }
        };
        tokio::select! {
            () = all_left => {}
            () = self.clock.sleep(SHUTDOWN) => {
                let left = self.subtask_count();
                tracing::warn!(left, "subtasks that do not let go are left behind");
            }
        }
        self.scope.shut_down().await;
    }
}
