//! `weir run`: a datastream in this process, with a job manager and a task manager of its own, joined by a pipe in memory.

use std::future::ready;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use dataflow::Scope;
use dataflow::store::open::AllowPaths;
use futures::future::try_join_all;
use hyper_util::rt::TokioIo;
use jobmanager::jobs::{Fresh, JobManager, Planned, World};
use jobmanager::rest::types::{Datastream, Outcome, State, Stop as StopRequest, Summary};
use taskmanager::{Lines, Surroundings, TaskManager};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::cluster::{BUILD, Told, jobmanager_options, listen, refused};
use super::documents::read;
use super::submit::{end, reading, said};
use crate::args::{OutputForm, Run};
use crate::exit::{Exit, Stop};
use crate::output::{Progress, say, show};
use crate::planning::Planner;
use crate::telemetry::Telemetry;
use crate::wiring::{self, Parts};

/// What fits into the pipe between job manager and task manager before its reader has to read.
const PIPE_BYTES: usize = 1 << 20;

/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(500);

pub(crate) fn run(run: &Run, form: OutputForm, lines: Lines, telemetry: &Telemetry) -> Result<Exit, Stop> {
    let (control_runtime, data_runtime) = (wiring::control_runtime()?, wiring::io_runtime()?);
    let outcome = control_runtime.block_on(async {
        if let Some(address) = run.listen {
            wiring::loopback_only("--listen", address)?;
        }
        let parts = Parts::new(AllowPaths::All)?;
        let text = read(&run.file)?;
        let planner = Arc::new(Planner::new(parts.catalog.clone(), parts.stores.clone()).of_file(&run.file));
        let planned = planner.plan_all(&text).await?;
        let listener = match run.listen {
            Some(address) => Some(listen("--listen", address).await?.0),
            None => None,
        };
        if listener.is_some() && planned.len() > 1 {
            return Err(Stop::new(
                Exit::Refused,
                "--listen serves one datastream, and the file has several",
            )
            .help("run them in processes of their own, or on a cluster: `weir jobmanager`"));
        }
        let listener = Mutex::new(listener);
        let alone = |planned: Planned| {
            let scope = Scope::root("run", control_runtime.handle().clone());
            let house = House {
                parts: &parts,
                run,
                planner: planner.clone(),
                scope,
                data_runtime: data_runtime.handle().clone(),
                lines: lines.clone(),
                telemetry,
            };
            let listener = &listener;
            async move { house.live(planned, listener.lock().await.take()).await }
        };
        let ended = try_join_all(planned.into_iter().map(alone)).await?;
        report(form, &ended)
    });
    wiring::leave([control_runtime, data_runtime]);
    outcome
}

/// What one datastream of a `weir run` lives in.
struct House<'a> {
    parts: &'a Parts,
    run: &'a Run,
    planner: Arc<Planner>,
    scope: Scope,
    data_runtime: tokio::runtime::Handle,
    lines: Lines,
    telemetry: &'a Telemetry,
}

impl House<'_> {
    /// From the planned document to its end.
    async fn live(self, planned: Planned, listener: Option<TcpListener>) -> Result<Datastream, Stop> {
        let name = planned.graph.name.clone();
        let slots = planned
            .graph
            .vertices
            .iter()
            .map(|vertex| vertex.parallelism)
            .max()
            .unwrap_or(1);
        let leader = self.lead(&name).await?;
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        leader.serve_control(tokio_stream::once(Ok::<_, io::Error>(theirs)));
        let taskmanager = Arc::new(self.work(slots, pipe(ours))?);
        let (measured, beside) = (leader.measured(), Arc::clone(&taskmanager));
        self.telemetry.push(move || measured.clone().page())?;
        self.telemetry.push(move || ready(beside.metrics()))?;
        if let Some(listener) = listener {
            leader.serve_rest(listener, self.planner.clone());
        }
        let fresh = if self.run.fresh { Fresh::Anew } else { Fresh::Resume };
        let submitted = leader.jobs().submit(planned, fresh).await.map_err(not_done)?;
        if submitted.outcome != Outcome::Started {
            say(&said(&submitted));
        }
        if let Ok(watch) = leader.jobs().watch(&name) {
            self.follow(&leader, &name, watch).await?;
        }
        let described = leader.jobs().describe(&name).await.map_err(not_done)?;
        taskmanager.shut_down().await;
        self.scope.shut_down().await;
        Ok(described)
    }

    async fn lead(&self, name: &str) -> Result<JobManager, Stop> {
        // Each datastream has a folder of its own, so that two may run side by side.
        let state = format!("{}/{name}", self.run.state.trim_end_matches('/'));
        let world = World {
            registry: Arc::new(self.parts.catalog.registry().clone()),
            store: wiring::state_store(&state)?,
            stores: self.parts.stores.clone(),
            clock: self.parts.clock.clone(),
            scope: self.scope.clone(),
        };
        JobManager::start_idle(jobmanager_options(), world)
            .await
            .map_err(refused)
    }

    fn work(&self, slots: u32, control: Channel) -> Result<TaskManager, Stop> {
        let options = taskmanager::Options {
            name: "local".to_owned(),
            data_address: "local".to_owned(),
            metrics_address: String::new(),
            slots,
            memory_bytes: self.run.memory.0,
            scratch: std::env::temp_dir(),
            build: BUILD.to_owned(),
            metrics: dataflow::metric::Wanted::default(),
        };
        let surroundings = Surroundings {
            registry: self.parts.catalog.registry().clone(),
            stores: self.parts.stores.clone(),
            state_stores: wiring::state_stores()?,
            clock: self.parts.clock.clone(),
            scope: self.scope.clone(),
            data_runtime: self.data_runtime.clone(),
            control,
            exchange: None,
            papers: None,
            lines: self.lines.clone(),
        };
        TaskManager::start(options, surroundings).map_err(Stop::from)
    }

    /// Shows progress to the end. The first Ctrl-C asks for a last checkpoint, the second ends at once.
    async fn follow(&self, leader: &JobManager, name: &str, mut summary: watch::Receiver<Summary>) -> Result<(), Stop> {
        let clock = &self.parts.clock;
        let mut progress = Progress::begin(clock.now());
        let mut signals = Told::listen()?;
        let mut told = false;
        loop {
            let current = summary.borrow_and_update().clone();
            if current.state.is_over() {
                progress.end();
                return Ok(());
            }
            progress.show(clock.now(), reading(&current));
            tokio::select! {
                changed = summary.wait_for(|summary| summary.state.is_over()) => {
                    if changed.is_err() {
                        return Err(Stop::new(Exit::Failed, format!("{name}: its task ended without a word")));
                    }
                }
                () = clock.sleep(SHOW_EVERY) => {}
                () = signals.wait() => {
                    if told {
                        return Err(Stop::new(Exit::Interrupted, format!("{name}: left; run it again to go on from its last checkpoint")));
                    }
                    told = true;
                    say(&format!("{name}: takes a last checkpoint; Ctrl-C again leaves at once"));
                    leader.jobs().stop(name, StopRequest::default()).await.map_err(not_done)?;
                }
            }
        }
    }
}

/// A channel whose one connection is a pipe in this process.
fn pipe(half: DuplexStream) -> Channel {
    let mut half = Some(half);
    let connector = service_fn(move |_: Uri| {
        let half = half.take().map(TokioIo::new);
        async move { half.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused)) }
    });
    let endpoint = Endpoint::from_static("http://in-process");
    endpoint.connect_with_connector_lazy(connector)
}

fn not_done(error: jobmanager::jobs::Error) -> Stop {
    match error.shown() {
        Some(shown) => Stop::new(Exit::Refused, shown.rendered.trim_end()),
        None => Stop::new(Exit::Refused, error.to_string()).help(error.help()),
    }
}

fn report(form: OutputForm, ended: &[Datastream]) -> Result<Exit, Stop> {
    match (form, ended) {
        // Standard output may be a sink: what is said to people stands beside it.
        (OutputForm::Table, ended) => ended.iter().for_each(|one| say(&end(&one.summary))),
        (_, [one]) => show(form, one, |one| end(&one.summary))?,
        (_, several) => show(form, &several, |_| String::new())?,
    }
    let state = |state: State| ended.iter().any(|one| one.summary.state == state);
    Ok(match () {
        () if state(State::Failed) => Exit::Failed,
        () if state(State::Stopped) || state(State::Cancelled) => Exit::Interrupted,
        () => Exit::Success,
    })
}
