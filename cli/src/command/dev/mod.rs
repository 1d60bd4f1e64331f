//! `weir dev`: a small cluster in one process, with the page and datastreams to look at.
//!
//! ```text
//!   job manager ── loopback ── tm-1, tm-2        as `weir jobmanager` and two `weir taskmanager` would be
//!        └ REST, page                             demo-shop, demo-slow-sink
//! ```

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataflow::Scope;
use dataflow::metric::Wanted;
use dataflow::store::open::AllowPaths;
use futures::future::join_all;
use jobmanager::jobs::{Error, Fresh, JobManager, Options, World};
use taskmanager::{Lines, Surroundings, TaskManager};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_stream::wrappers::TcpListenerStream;

use super::cluster::{BUILD, Told, control_channel, jobmanager_options, listen, refused};
use crate::args::Dev;
use crate::exit::{Exit, Stop};
use crate::output::say;
use crate::planning::Planner;
use crate::wiring::{self, Parts};

/// What runs in it; `FOLDER` stands for where it writes, `NOW` for the time of its first event.
const DEMO: &str = include_str!("demo.yaml");
/// As many as a cluster needs to have rows travel and subtasks move.
const TASK_MANAGERS: [&str; 2] = ["tm-1", "tm-2"];
/// Enough for the demo and a few datastreams of one's own.
const SLOTS: u32 = 4;
const MEMORY: u64 = 512 << 20;

pub(crate) fn dev(arguments: &Dev, lines: &Lines) -> Result<Exit, Stop> {
    wiring::loopback_only("--listen", arguments.listen)?;
    let place = Place::new(arguments.state.as_deref())?;
    let (control_runtime, data_runtime) = (wiring::control_runtime()?, wiring::io_runtime()?);
    let outcome = control_runtime.block_on(async {
        let house = House {
            parts: Parts::new(place.allowed()?)?,
            scope: Scope::root("dev", control_runtime.handle().clone()),
            data_runtime: data_runtime.handle().clone(),
            place: &place,
            lines,
        };
        house.live(arguments).await
    });
    wiring::leave([control_runtime, data_runtime]);
    outcome
}

/// Where everything of it lies: a folder that is kept, or one that goes with the process.
struct Place {
    folder: PathBuf,
    passing: Option<TempDir>,
}

impl Place {
    fn new(kept: Option<&Path>) -> Result<Self, Stop> {
        let cannot = |error: std::io::Error| Stop::new(Exit::Failed, format!("no folder for it: {error}"));
        match kept {
            Some(folder) => {
                std::fs::create_dir_all(folder).map_err(cannot)?;
                let folder = folder.canonicalize().map_err(cannot)?;
                Ok(Self { folder, passing: None })
            }
            None => {
                let passing = TempDir::with_prefix("weir-dev-").map_err(cannot)?;
                let folder = passing.path().canonicalize().map_err(cannot)?;
                Ok(Self {
                    folder,
                    passing: Some(passing),
                })
            }
        }
    }

    /// Datastreams touch this folder and the one that the person is in.
    fn allowed(&self) -> Result<AllowPaths, Stop> {
        let here = std::env::current_dir();
        let here = here.map_err(|error| Stop::new(Exit::Failed, format!("no current folder: {error}")))?;
        Ok(AllowPaths::Only(vec![self.folder.clone(), here]))
    }

    fn below(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

/// What the cluster lives in.
struct House<'a> {
    parts: Parts,
    scope: Scope,
    data_runtime: Handle,
    place: &'a Place,
    lines: &'a Lines,
}

impl House<'_> {
    /// From its first to its last.
    async fn live(self, arguments: &Dev) -> Result<Exit, Stop> {
        let mut told = Told::listen()?;
        let (rest, address) = listen("--listen", arguments.listen).await?;
        let (control, control_address) = free_port().await?;
        let leadership = self.scope.child("jobmanager");
        let leader = self.lead(address, &leadership).await?;
        leader.serve_control(TcpListenerStream::new(control));
        let planner = Arc::new(Planner::new(self.parts.catalog.clone(), self.parts.stores.clone()));
        leader.serve_rest(rest, planner.clone());
        let mut task_managers = Vec::new();
        for name in TASK_MANAGERS {
            task_managers.push(self.work(name, control_address).await?);
        }
        if !arguments.bare {
            self.show(&leader, &planner).await?;
        }
        say(&self.greeting(address, arguments));
        told.wait().await;
        say("weir dev ends; Ctrl-C again leaves at once");
        let clean = async {
            // Who leads goes first: that its task managers leave is then nobody's failure.
            leadership.shut_down().await;
            join_all(task_managers.iter().map(TaskManager::shut_down)).await;
            self.scope.shut_down().await;
        };
        tokio::select! {
            () = clean => Ok(Exit::Success),
            () = told.wait() => Ok(Exit::Interrupted),
        }
    }

    async fn lead(&self, address: SocketAddr, scope: &Scope) -> Result<JobManager, Stop> {
        let world = World {
            registry: Arc::new(self.parts.catalog.registry().clone()),
            store: wiring::state_store(&self.place.below("state"))?,
            stores: self.parts.stores.clone(),
            clock: self.parts.clock.clone(),
            scope: scope.clone(),
        };
        let options = Options {
            address: address.to_string(),
            ..jobmanager_options()
        };
        JobManager::start(options, world).await.map_err(refused)
    }

    async fn work(&self, name: &str, jobmanager: SocketAddr) -> Result<TaskManager, Stop> {
        let (exchange, data_address) = free_port().await?;
        let options = taskmanager::Options {
            name: name.to_owned(),
            data_address: data_address.to_string(),
            metrics_address: String::new(),
            slots: SLOTS,
            memory_bytes: MEMORY,
            scratch: self.place.folder.join("scratch"),
            build: BUILD.to_owned(),
            metrics: Wanted::default(),
        };
        let surroundings = Surroundings {
            registry: self.parts.catalog.registry().clone(),
            stores: self.parts.stores.clone(),
            state_stores: wiring::state_stores()?,
            clock: self.parts.clock.clone(),
            scope: self.scope.child(name),
            data_runtime: self.data_runtime.clone(),
            control: control_channel(vec![jobmanager], None, None)?,
            exchange: Some(exchange),
            papers: None,
            lines: self.lines.clone(),
        };
        TaskManager::start(options, surroundings).map_err(Stop::from)
    }

    /// The demo; what is there of it already goes on.
    async fn show(&self, leader: &JobManager, planner: &Planner) -> Result<(), Stop> {
        let now = self.parts.clock.wall().0.to_string();
        let text = DEMO.replace("FOLDER", &self.place.below("demo")).replace("NOW", &now);
        for planned in planner.plan_all(&text).await? {
            match leader.jobs().submit(planned, Fresh::Resume).await {
                Ok(_) | Err(Error::AlreadyThere { .. }) => {}
                Err(error) => return Err(Stop::new(Exit::Refused, error.to_string()).help(error.help())),
            }
        }
        Ok(())
    }

    fn greeting(&self, address: SocketAddr, arguments: &Dev) -> String {
        let kept = match &self.place.passing {
            None => format!("{}, kept", self.place.folder.display()),
            Some(_) => format!(
                "{}, taken away at the end (--state DIR keeps it)",
                self.place.folder.display()
            ),
        };
        let cluster = match arguments.listen.port() {
            7080 => String::new(),
            _ => format!("  export WEIR_CLUSTER=http://{address}\n"),
        };
        let demo = match arguments.bare {
            true => "  weir new > mine.yaml && weir submit mine.yaml\n".to_owned(),
            false => format!(
                "  weir top                                        all datastreams; `weir top demo-shop` for one\n\
                 \x20 weir tap demo-shop once --where \"payload.total > 100\" -n 5\n\
                 \x20 weir explain-stall demo-slow-sink               why it is slow\n\
                 \x20 weir dlq list demo-shop                         records that were no JSON\n\
                 \x20 weir stop demo-shop --savepoint                 a last checkpoint, kept by name\n\
                 \x20 ls {}\n",
                self.place.below("demo/revenue")
            ),
        };
        format!(
            "weir dev: page http://{address}/, REST http://{address}/v1\n\
             two task managers in this process, state in {kept}\n\n\
             in another terminal:\n{cluster}{demo}\n\
             Ctrl-C ends it"
        )
    }
}

/// Only this process knows it.
async fn free_port() -> Result<(TcpListener, SocketAddr), Stop> {
    listen("a free port at", SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
}
