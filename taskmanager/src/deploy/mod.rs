//! A deployment message becomes running subtasks.
//!
//! Enters: [`proto::v1::Deploy`], by way of [`Deployment`]. Leaves: a [`Handle`] for each subtask, whose thread runs.
//! Who calls: service. Must stay true: a message that makes no sense is refused whole, before anything starts; what
//! cannot be built afterwards fails its subtask and no other. Not here: what may be deployed where (job manager).

mod build;
mod channels;
mod wire;

pub(crate) use wire::{Deployment, Fence, Peer, Plan, subtask_id};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use dataflow::contract::{SinkConnector, SourceConnector};
use dataflow::id::SubtaskId;
use dataflow::recipe::{self, Recipe};
use dataflow::store::{Store, Stores};
use dataflow::time::Clock;
use dataflow::{Failure, Hidden, Registry, Scope};
use tokio::runtime;

use crate::channel::{Inlet, SharedPool};
use crate::memory::{Budget, Demand, Memory, Share};
use crate::network::Exchange;
use crate::operators;
use crate::state::{Scratch, Shelf};
use crate::task::gauges::Gauges;
use crate::task::life::Status;
use crate::task::mailbox::{Control, Mail, Mailbox, mailbox};
use crate::task::{Identity, Report, Reports, Task, moved};

/// What deployments are built with.
#[derive(Clone)]
pub(crate) struct Site {
    /// Connectors and formats.
    pub(crate) registry: Registry,
    /// Object stores and folders.
    pub(crate) stores: Arc<dyn Stores>,
    /// The folders of jobs' state.
    pub(crate) state_stores: Arc<dyn Stores>,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Owns every job.
    pub(crate) scope: Scope,
    /// Where connectors do their I/O.
    pub(crate) data_runtime: runtime::Handle,
    /// Channels to other processes.
    pub(crate) exchange: Exchange,
    /// Which start of this process this is.
    pub(crate) incarnation: String,
    /// Its memory.
    pub(crate) memory: Memory,
    /// Its folder for what need not survive it.
    pub(crate) scratch: Arc<Scratch>,
    /// Where subtasks speak.
    pub(crate) reports: Reports,
}

/// A subtask that was started.
#[derive(Clone)]
pub(crate) struct Handle {
    /// Who it is.
    pub(crate) identity: Identity,
    /// The names of its vertex' steps.
    pub(crate) name: String,
    /// Its mailbox.
    pub(crate) mail: Mail,
    /// Its counts.
    pub(crate) gauges: Arc<Gauges>,
    /// What its whole deployment may hold of the memory.
    pub(crate) budget: Budget,
    /// What nobody is shown who looks at its rows.
    pub(crate) hidden: Arc<Hidden>,
}

/// What all subtasks of one deployment have in common.
struct Common {
    site: Site,
    deployment: Arc<Deployment>,
    share: Share,
    budget: Budget,
    pool: SharedPool,
    /// The folder of the job's state files, and that of their copies on this machine.
    state: Option<(Arc<dyn Store>, Option<PathBuf>)>,
    job: Scope,
}

/// Starts every subtask of a deployment. What goes wrong is reported for the subtask it concerns.
pub(crate) fn deploy(deployment: Deployment, site: &Site) -> Vec<Handle> {
    let deployment = Arc::new(deployment);
    let (mut handles, boxes) = doors(&deployment);
    match prepare(&deployment, site) {
        Ok(common) => {
            handles.iter_mut().for_each(|handle| handle.budget = common.budget);
            launch(&common, &handles, boxes);
        }
        Err(failure) => handles.iter().for_each(|handle| fail(site, handle, failure.clone())),
    }
    handles
}

/// The subtasks of a deployment without threads, for a rehearsal.
///
/// # Errors
/// What would fail one of them at its start.
pub(crate) fn unthreaded(deployment: Deployment, site: &Site) -> Result<Vec<(Handle, Task)>, Failure> {
    let deployment = Arc::new(deployment);
    let (handles, mut boxes) = doors(&deployment);
    let common = prepare(&deployment, site)?;
    let mut ends = channels::open(&common, &handles);
    let _runtime = site.data_runtime.enter();
    let mut tasks = Vec::with_capacity(handles.len());
    for (handle, plan) in handles.into_iter().zip(&deployment.subtasks) {
        let subtask = plan.identity.subtask;
        let (Some(mailbox), Some(ends)) = (boxes.remove(&subtask), ends.remove(&subtask)) else {
            return Err(Failure::bug("a subtask without its mailbox and channels"));
        };
        let scope = common.job.child(subtask.to_string());
        let seed = seed(&common, &handle, plan, &scope);
        let parts = build::build(seed, mailbox, ends).map_err(|(failure, _)| failure)?;
        tasks.push((handle, Task::new(parts)));
    }
    Ok(tasks)
}

/// The mailbox of each subtask, and who holds its other side.
fn doors(deployment: &Deployment) -> (Vec<Handle>, BTreeMap<SubtaskId, Mailbox>) {
    let (mut handles, mut boxes) = (Vec::new(), BTreeMap::new());
    for plan in &deployment.subtasks {
        let (mail, mailbox) = mailbox();
        let steps = plan.chain.nodes.iter().map(|node| node.name.clone());
        let edges = plan.outputs.iter().map(|output| output.edge);
        let gauges = Arc::new(Gauges::new(steps).sending_by(edges));
        handles.push(Handle {
            identity: plan.identity.clone(),
            name: plan.name.clone(),
            mail,
            gauges,
            budget: Budget::default(),
            hidden: Arc::clone(&deployment.hidden),
        });
        boxes.insert(plan.identity.subtask, mailbox);
    }
    (handles, boxes)
}

fn seed(common: &Common, handle: &Handle, plan: &Plan, scope: &Scope) -> build::Seed {
    let shelf = |(store, copies)| Shelf::new(store, copies, Arc::clone(&common.site.clock), scope.clone());
    build::Seed {
        site: common.site.clone(),
        deployment: Arc::clone(&common.deployment),
        plan: plan.clone(),
        share: common.share,
        shelf: common.state.clone().map(shelf),
        scope: scope.clone(),
        mail: handle.mail.clone(),
        gauges: Arc::clone(&handle.gauges),
    }
}

fn prepare(deployment: &Arc<Deployment>, site: &Site) -> Result<Common, Failure> {
    let memory = site.memory.of_deployment(deployment.slots(), deployment.memory);
    let demand = demand(&deployment.subtasks);
    let share = Share::split(memory, demand)?;
    let job = site
        .scope
        .child(deployment.fence.job.to_string())
        .on(site.data_runtime.clone());
    let pool = SharedPool::new(share.pool);
    let state = match &deployment.state_url {
        None => None,
        Some(url) => {
            let store = site.state_stores.open(url)?;
            let copies = match store.local_root() {
                Some(_) => None,
                None => Some(site.scratch.copies(&deployment.fence.job)?),
            };
            Some((store, copies))
        }
    };
    Ok(Common {
        state,
        site: site.clone(),
        deployment: Arc::clone(deployment),
        share,
        budget: share.budget(memory, demand),
        pool,
        job,
    })
}

/// What subtasks want together.
fn demand(subtasks: &[Plan]) -> Demand {
    let nodes = || subtasks.iter().flat_map(|plan| &plan.chain.nodes);
    let inputs = subtasks.iter().flat_map(|plan| &plan.inputs);
    Demand {
        channels: inputs.map(|edge| edge.peers.len() as u64).sum(),
        sinks: nodes().filter(|node| matches!(node.recipe, Recipe::Sink(_))).count() as u64,
        readers: nodes().filter(|node| matches!(node.recipe, Recipe::Source(_))).count() as u64,
        tables: nodes().filter(|node| operators::has_tables(&node.recipe)).count() as u64,
    }
}

/// For a subtask that has no thread.
fn fail(site: &Site, Handle { identity, name, .. }: &Handle, failure: Failure) {
    identity
        .span(name, None)
        .in_scope(|| moved(&site.reports, identity, Status::Failed(failure)));
    (site.reports)(identity, Report::Left);
}

fn launch(common: &Common, handles: &[Handle], mut boxes: BTreeMap<SubtaskId, Mailbox>) {
    let mut ends = channels::open(common, handles);
    for (handle, plan) in handles.iter().zip(&common.deployment.subtasks) {
        let subtask = plan.identity.subtask;
        let (Some(mailbox), Some(ends)) = (boxes.remove(&subtask), ends.remove(&subtask)) else {
            let failure = Failure::bug("a subtask without its mailbox and channels");
            fail(&common.site, handle, failure);
            continue;
        };
        let channels = ends.inlets.iter().map(Inlet::intake).collect();
        handle.gauges.surround(channels);
        let span = plan.identity.span(&plan.name, common.deployment.asked);
        let scope = common.job.child(subtask.to_string()).within(span);
        let seed = seed(common, handle, plan, &scope);
        start(seed, mailbox, ends, handle);
    }
}

/// Gives the subtask its thread. It is built there too: to open things may take a while.
fn start(seed: build::Seed, mailbox: Mailbox, ends: channels::Ends, handle: &Handle) {
    let (site, identity, scope) = (seed.site.clone(), &handle.identity, seed.scope.clone());
    let (told, told_identity, last, last_identity) = (site.clone(), identity.clone(), site.clone(), identity.clone());
    // Whoever cancels a scope above cancels the thread with it, which sleeps at its mailbox.
    let mail = seed.mail.clone();
    scope.spawn(std::future::pending::<()>(), move |_| mail.post(Control::Cancel));
    let own = scope.clone();
    let work = move || {
        tracing::info!(restored_from = %seed.deployment.epoch, "subtask starts");
        // Connectors may expect a runtime around them while they are made.
        let _runtime = seed.site.data_runtime.enter();
        match build::build(seed, mailbox, ends) {
            Ok(parts) => Task::new(parts).run(),
            Err((failure, held)) => {
                moved(&told.reports, &told_identity, Status::Failed(failure));
                drop(held);
            }
        }
    };
    let done = move |outcome: Result<(), Failure>| {
        own.cancel();
        if let Err(failure) = outcome {
            moved(&last.reports, &last_identity, Status::Failed(failure));
        }
        (last.reports)(&last_identity, Report::Left);
    };
    if let Err(failure) = scope.thread(work, done) {
        fail(&site, handle, failure);
    }
}

/// The source side of a connector.
fn source<'a>(registry: &'a Registry, recipe: &recipe::Source) -> Result<&'a dyn SourceConnector, Failure> {
    let found = registry
        .connector(&recipe.connector)
        .and_then(|connector| connector.source());
    found.ok_or_else(|| Failure::fail(format!("this build has no source `{}`", recipe.connector)))
}

/// The sink side of a connector.
fn sink<'a>(registry: &'a Registry, recipe: &recipe::Sink) -> Result<&'a dyn SinkConnector, Failure> {
    let found = registry
        .connector(&recipe.connector)
        .and_then(|connector| connector.sink());
    found.ok_or_else(|| Failure::fail(format!("this build has no sink `{}`", recipe.connector)))
}
