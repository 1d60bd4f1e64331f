//! `weir jobmanager` and `weir taskmanager`: the processes of a cluster, until they are told to end.

use std::future::ready;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use dataflow::Scope;
use dataflow::metric::{Subtasks, Wanted};
use hyper_util::rt::TokioIo;
use jobmanager::jobs::{self, World};
use jobmanager::rest;
use serde_json::json;
use taskmanager::{Lines, Papers, Surroundings, TaskManager};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::args;
use crate::door::{Protection, Who};
use crate::exit::{Exit, Stop};
use crate::output::say;
use crate::planning::Planner;
use crate::telemetry::Telemetry;
use crate::wiring::{self, Parts};

/// What was built: processes of one cluster are of one build.
pub(crate) const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), "+", env!("WEIR_BUILD"));

/// A job manager that vanished without a word is noticed by these, long before TCP notices.
const KEEP_ALIVE: Duration = Duration::from_secs(3);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn jobmanager(
    arguments: &args::JobManager,
    trust: &args::Trust,
    telemetry: &Telemetry,
) -> Result<Exit, Stop> {
    let protection = Protection::new(&arguments.door, trust)?;
    protection.check(("--listen", arguments.listen), Who::People)?;
    protection.check(("--control", arguments.control), Who::Processes)?;
    let parts = Parts::new(wiring::allowed(&arguments.paths))?;
    let runtime = wiring::io_runtime()?;
    runtime.block_on(async {
        let scope = Scope::root("jobmanager", runtime.handle().clone());
        let world = World {
            registry: Arc::new(parts.catalog.registry().clone()),
            store: wiring::state_store(&arguments.state)?,
            stores: parts.stores.clone(),
            clock: parts.clock.clone(),
            scope: scope.clone(),
        };
        let access = protection.access(arguments.listen, parts.clock.clone())?;
        let (tls, papers) = (protection.acceptor()?, protection.of_cluster()?);
        let options = jobs::Options {
            dialling: protection.dialling()?,
            ..jobmanager_options()
        };
        let (leader, [rest, control]) = match arguments.standby {
            true => tokio::select! {
                led = lead_after_others(arguments, options, world) => led?,
                told = until_told() => {
                    told?;
                    scope.shut_down().await;
                    return Ok(Exit::Success);
                }
            },
            false => lead(arguments, options, world).await?,
        };
        let ((rest, rest_address), (control, control_address)) = (rest, control);
        let measured = leader.measured();
        telemetry.push(move || measured.clone().page())?;
        let task_managers = TcpListenerStream::new(control);
        match papers {
            None => leader.serve_control(task_managers),
            Some(papers) => leader.serve_control_to(task_managers, papers.server())?,
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        leader.serve_rest_to(rest, Arc::new(Planner::new(parts.catalog, parts.stores)), &access, tls);
        say_ready(arguments.ready_file.as_deref(), rest_address, control_address)?;
        say(&format!(
            "job manager: page and REST at {scheme}://{rest_address}, task managers connect to {control_address}, state in {}",
            arguments.state
        ));
        let ended = tokio::select! {
            told = until_told() => told.map(|()| Exit::Success),
            // Whatever it still did would be refused; its task managers look for the other one when this one is gone.
            failure = leader.deposed() => Err(refused(failure)),
        };
        scope.shut_down().await;
        ended
    })
}

pub(crate) fn taskmanager(
    arguments: args::TaskManager,
    trust: &args::Trust,
    (lines, telemetry): (Lines, &Telemetry),
) -> Result<Exit, Stop> {
    let protection = Protection::new(&arguments.door, trust)?;
    protection.check(("--listen", arguments.listen), Who::Processes)?;
    protection.check(("--metrics", arguments.metrics), Who::People)?;
    let parts = Parts::new(wiring::allowed(&arguments.paths))?;
    let (control_runtime, data_runtime) = (wiring::control_runtime()?, wiring::io_runtime()?);
    let outcome = control_runtime.block_on(async {
        let scope = Scope::root("taskmanager", control_runtime.handle().clone());
        let (exchange, data_address) = listen("--listen", arguments.listen).await?;
        let (metrics, metrics_address) = listen("--metrics", arguments.metrics).await?;
        let name = arguments
            .name
            .clone()
            .unwrap_or_else(|| format!("tm-{}", std::process::id()));
        let jobmanagers: Vec<String> = arguments.jobmanager.iter().map(ToString::to_string).collect();
        let jobmanagers = jobmanagers.join(", ");
        let papers = protection.of_cluster()?;
        let access = protection.access(arguments.metrics, parts.clock.clone())?;
        let (tls, scheme) = match protection.acceptor()? {
            Some(tls) => (Some(tls), "https"),
            None => (None, "http"),
        };
        let control = control_channel(
            arguments.jobmanager.clone(),
            papers.as_ref(),
            arguments.door.tls_name.as_deref(),
        )?;
        let options = taskmanager::Options {
            name: name.clone(),
            data_address: data_address.to_string(),
            metrics_address: metrics_address.to_string(),
            slots: arguments.slots,
            memory_bytes: arguments.memory.0,
            scratch: arguments.state_dir.clone().unwrap_or_else(std::env::temp_dir),
            build: BUILD.to_owned(),
            metrics: Wanted {
                subtasks: match arguments.metrics_per_subtask {
                    true => Subtasks::Each,
                    false => Subtasks::Summed,
                },
                series: arguments.measures.metrics_series,
            },
        };
        let surroundings = Surroundings {
            registry: parts.catalog.registry().clone(),
            stores: parts.stores,
            state_stores: wiring::state_stores()?,
            clock: parts.clock.clone(),
            scope: scope.clone(),
            data_runtime: data_runtime.handle().clone(),
            control,
            exchange: Some(exchange),
            papers,
            lines,
        };
        let taskmanager = Arc::new(TaskManager::start(options, surroundings)?);
        let page = rest::guarded(metrics_of(&taskmanager), &access);
        scope.run(rest::serve(metrics, page, (scope.child("metrics"), parts.clock), tls));
        let measured = Arc::clone(&taskmanager);
        telemetry.push(move || ready(measured.metrics()))?;
        say(&format!(
            "task manager {name}: metrics at {scheme}://{metrics_address}/metrics, job manager at {jobmanagers}"
        ));
        until_told().await?;
        taskmanager.shut_down().await;
        Ok(Exit::Success)
    });
    wiring::leave([control_runtime, data_runtime]);
    outcome
}

type Listening = (TcpListener, SocketAddr);

/// Leads at once, or says who does.
async fn lead(
    arguments: &args::JobManager,
    options: jobs::Options,
    world: World,
) -> Result<(jobs::JobManager, [Listening; 2]), Stop> {
    let rest = listen("--listen", arguments.listen).await?;
    let control = listen("--control", arguments.control).await?;
    let options = jobs::Options {
        address: rest.1.to_string(),
        metrics: measures(&arguments.measures),
        ..options
    };
    let leader = jobs::JobManager::start(options, world).await.map_err(refused)?;
    Ok((leader, [rest, control]))
}

/// Leads when nobody else does. It listens only then: whoever connects to a process that listens and does not serve waits.
async fn lead_after_others(
    arguments: &args::JobManager,
    options: jobs::Options,
    world: World,
) -> Result<(jobs::JobManager, [Listening; 2]), Stop> {
    for (flag, address) in [("--listen", arguments.listen), ("--control", arguments.control)] {
        if address.port() == 0 {
            let text = format!("{flag} {address}: a standby needs a fixed port, which others know before it listens");
            return Err(Stop::new(Exit::Refused, text).help(format!("name a port with {flag}")));
        }
    }
    let options = jobs::Options {
        address: arguments.listen.to_string(),
        metrics: measures(&arguments.measures),
        ..options
    };
    let said = AtomicBool::new(false);
    let waiting = |who: &str| {
        if !said.swap(true, Ordering::Relaxed) {
            say(&format!("standby: {who}; this one takes over when it is gone"));
        }
    };
    let leader = jobs::JobManager::start_standby(options, world, waiting)
        .await
        .map_err(refused)?;
    let rest = listen("--listen", arguments.listen).await?;
    let control = listen("--control", arguments.control).await?;
    Ok((leader, [rest, control]))
}

/// What a job manager of this process is told.
pub(crate) fn jobmanager_options() -> jobs::Options {
    jobs::Options {
        build: BUILD.to_owned(),
        incarnation: uuid::Uuid::new_v4().to_string(),
        process: format!("process {}", std::process::id()),
        address: String::new(),
        metrics: Wanted::default(),
        dialling: None,
    }
}

fn measures(measures: &args::Measures) -> Wanted {
    Wanted {
        series: measures.metrics_series,
        ..Wanted::default()
    }
}

/// A way to whichever of these job managers listens: of a leader and its standbys only the leader does.
pub(crate) fn control_channel(
    addresses: Vec<SocketAddr>,
    papers: Option<&Papers>,
    name: Option<&str>,
) -> Result<Channel, Stop> {
    let endpoint = control_endpoint(&addresses, papers, name)?;
    let connector = service_fn(move |_: Uri| {
        let addresses = addresses.clone();
        async move {
            let mut last = std::io::Error::other("no address of a job manager");
            for address in addresses {
                match TcpStream::connect(address).await {
                    Ok(stream) => {
                        stream.set_nodelay(true)?;
                        return Ok(TokioIo::new(stream));
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    });
    Ok(endpoint
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .connect_with_connector_lazy(connector))
}

/// Where certificates are shown, one name stands for all job managers: nobody knows beforehand which of them answers.
fn control_endpoint(addresses: &[SocketAddr], papers: Option<&Papers>, name: Option<&str>) -> Result<Endpoint, Stop> {
    let Some(papers) = papers else {
        return Ok(Endpoint::from_static("http://jobmanager"));
    };
    let name = match (name, addresses) {
        (Some(name), _) => name.to_owned(),
        (None, [only]) => only.ip().to_string(),
        (None, _) => {
            return Err(
                Stop::new(Exit::Failed, "several job managers have one name in their certificates")
                    .help("say with --tls-name which"),
            );
        }
    };
    let endpoint = Endpoint::from_static("https://jobmanager").tls_config(papers.client().domain_name(name));
    endpoint.map_err(|error| Stop::new(Exit::Failed, format!("the certificates of the cluster: {error}")))
}

/// What keeps a job manager from leading is a refusal: another one leads, or the folder is not to be had.
pub(crate) fn refused(failure: dataflow::Failure) -> Stop {
    Stop {
        exit: Exit::Refused,
        ..failure.into()
    }
}

/// Listens, or says what to do about a port in use.
pub(crate) async fn listen(flag: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Stop> {
    let cannot = |error: std::io::Error| {
        Stop::new(Exit::Refused, format!("{flag} {address}: {error}")).help(format!(
            "another process may use the port: name another with {flag}, or let the system choose with port 0"
        ))
    };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    Ok((listener, address))
}

/// Tells whoever started the process where it listens: the file appears whole.
fn say_ready(file: Option<&Path>, rest: SocketAddr, control: SocketAddr) -> Result<(), Stop> {
    let Some(file) = file else { return Ok(()) };
    let unfinished = file.with_extension("unfinished");
    let text = json!({ "listen": rest.to_string(), "control": control.to_string() }).to_string();
    std::fs::write(&unfinished, text)
        .and_then(|()| std::fs::rename(&unfinished, file))
        .map_err(|error| Stop::new(Exit::Failed, format!("--ready-file {}: {error}", file.display())))
}

fn metrics_of(taskmanager: &Arc<TaskManager>) -> Router {
    let taskmanager = Arc::clone(taskmanager);
    let page = move || {
        let text = taskmanager.metrics().text();
        async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
    };
    Router::new().route("/metrics", get(page))
}

/// Hears Ctrl-C and SIGTERM from when it is made, also those that come while nobody waits for them.
pub(crate) struct Told {
    interrupt: Signal,
    terminate: Signal,
}

impl Told {
    pub(crate) fn listen() -> Result<Self, Stop> {
        let heard = |kind| signal(kind).map_err(|error| Stop::new(Exit::Failed, format!("no signals: {error}")));
        Ok(Self {
            interrupt: heard(SignalKind::interrupt())?,
            terminate: heard(SignalKind::terminate())?,
        })
    }

    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn until_told() -> Result<(), Stop> {
    Told::listen()?.wait().await;
    Ok(())
}
