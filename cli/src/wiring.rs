//! Joins the parts: registry, stores, runtimes. The only place that knows concrete connectors.

use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::{Arc, OnceLock};

use dataflow::Registry;
use dataflow::store::open::AllowPaths;
use dataflow::store::{OpenStores, Store, Stores};
use dataflow::time::{Clock, SystemClock};
use planner::Catalog;
use tokio::runtime::{Builder, Runtime};

use crate::args::Paths;
use crate::config;
use crate::exit::{Exit, Stop};

/// The list that the binary handed in; without one, the product's.
static CONNECTORS: OnceLock<Registry> = OnceLock::new();

/// Keeps the list of connectors for every role of this process.
pub(crate) fn begin(connectors: Registry) -> Result<(), Stop> {
    match CONNECTORS.set(connectors) {
        Ok(()) => Ok(()),
        Err(_) => Err(Stop::new(Exit::Failed, "the list of connectors was handed in twice")),
    }
}

fn known_connectors() -> Registry {
    CONNECTORS.get().cloned().unwrap_or_else(connectors::registry)
}

/// What every role needs.
pub(crate) struct Parts {
    /// Connectors and formats.
    pub(crate) catalog: Arc<Catalog>,
    /// The door to folders and S3.
    pub(crate) stores: Arc<dyn Stores>,
    /// The machine's clock.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Parts {
    /// With a door that opens what `allowed` says.
    pub(crate) fn new(allowed: AllowPaths) -> Result<Self, Stop> {
        Ok(Self {
            catalog: Arc::new(Catalog::new(known_connectors())),
            stores: Arc::new(OpenStores::new(allowed, config::s3()?)),
            clock: Arc::new(SystemClock::start()),
        })
    }
}

/// The machine's clock.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::start())
}

/// The folders that `--allow-path` names.
pub(crate) fn allowed(paths: &Paths) -> AllowPaths {
    AllowPaths::Only(paths.allowed.clone())
}

/// Control has a runtime of its own, that no data work can starve.
pub(crate) fn control_runtime() -> Result<Runtime, Stop> {
    runtime("weir-control", 1)
}

/// Connectors that talk to the world, and the exchange between task managers.
pub(crate) fn io_runtime() -> Result<Runtime, Stop> {
    runtime(
        "weir-io",
        std::thread::available_parallelism().map_or(2, NonZero::get).max(2),
    )
}

/// What is told to a collector, beside everything else.
pub(crate) fn telemetry_runtime() -> Result<Runtime, Stop> {
    runtime("weir-telemetry", 1)
}

/// What a rehearsal is played on: one thread, so that what comes of it is the same each time.
pub(crate) fn rehearsal_runtime() -> Result<Runtime, dataflow::Failure> {
    Builder::new_current_thread()
        .build()
        .map_err(|error| dataflow::Failure::retry("no runtime for a rehearsal").because(&error))
}

/// Ends the runtimes without waiting for their threads: one may be held up by the world, such as by a pipe that nobody reads,
/// and everything that must be waited for has been.
pub(crate) fn leave(runtimes: [Runtime; 2]) {
    runtimes.into_iter().for_each(Runtime::shutdown_background);
}

fn runtime(name: &str, threads: usize) -> Result<Runtime, Stop> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .enable_all()
        .build()
        .map_err(|error| Stop::new(Exit::Failed, format!("no threads for {name}: {error}")))
}

/// Refuses to listen beyond this machine, for what has no tokens and no TLS of its own.
pub(crate) fn loopback_only(flag: &str, address: SocketAddr) -> Result<(), Stop> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(Stop::new(
        Exit::Failed,
        format!("{flag} {address} would be reachable from other machines, without any protection"),
    )
    .help("use an address of this machine, such as 127.0.0.1"))
}

/// Opens folders of state: not bound by `--allow-path`, since who starts the job manager names them, and no document does.
pub(crate) fn state_stores() -> Result<Arc<dyn Stores>, Stop> {
    Ok(Arc::new(OpenStores::new(AllowPaths::All, config::s3()?)))
}

/// The store at `--state`.
pub(crate) fn state_store(url: &str) -> Result<Arc<dyn Store>, Stop> {
    state_stores()?
        .open(url)
        .map_err(|error| Stop::new(Exit::Refused, format!("--state {url}: {error}")))
}
