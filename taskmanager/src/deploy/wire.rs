//! Deployment messages in our own words, checked: what leaves here makes sense.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dataflow::contract::Committable;
use dataflow::id::{EdgeId, Epoch, Generation, JobId, SubtaskId, VertexId};
use dataflow::recipe::{Chain, Partition};
use dataflow::trace::Context;
use dataflow::{Failure, Hidden};
use proto::v1;

use crate::checkpoint::{NodeCommittables, Part, Snapshot};
use crate::task::Identity;

/// Which job and deployment a message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fence {
    /// The job.
    pub(crate) job: JobId,
    /// The deployment.
    pub(crate) generation: Generation,
}

/// Some subtasks of one job, to be run here.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    /// Which job and deployment.
    pub(crate) fence: Fence,
    /// The document's own memory number.
    pub(crate) memory: Option<u64>,
    /// How long a small batch may wait for company.
    pub(crate) buffer_timeout: Duration,
    /// What was restored.
    pub(crate) epoch: Epoch,
    /// How many key groups there are.
    pub(crate) max_parallelism: u32,
    /// The folder of the job's state files; none where state must fit into the snapshots.
    pub(crate) state_url: Option<String>,
    /// What nobody is shown who looks at rows.
    pub(crate) hidden: Arc<Hidden>,
    /// What runs here.
    pub(crate) subtasks: Vec<Plan>,
    /// The trace that it is a part of.
    pub(crate) asked: Option<Context>,
}

/// One subtask, to be built.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Who it is.
    pub(crate) identity: Identity,
    /// Of how many.
    pub(crate) parallelism: u32,
    /// The names of its steps.
    pub(crate) name: String,
    /// What it does.
    pub(crate) chain: Chain,
    /// Where its rows go.
    pub(crate) outputs: Vec<OutEdge>,
    /// Where its rows come from.
    pub(crate) inputs: Vec<InEdge>,
    /// What it goes on from: its own part, or those of older subtasks.
    pub(crate) restored: Vec<Part>,
    /// What its sinks commit again, by step.
    pub(crate) committables: BTreeMap<String, Vec<Committable>>,
}

/// One outgoing edge of a subtask.
#[derive(Clone, Debug)]
pub(crate) struct OutEdge {
    /// Which edge.
    pub(crate) edge: EdgeId,
    /// Which row goes where.
    pub(crate) partition: Partition,
    /// In the order of their indexes.
    pub(crate) peers: Vec<Peer>,
}

/// One incoming edge of a subtask.
#[derive(Clone, Debug)]
pub(crate) struct InEdge {
    /// Which edge.
    pub(crate) edge: EdgeId,
    /// Who sends.
    pub(crate) peers: Vec<Peer>,
}

/// A subtask at the other end of a channel, and where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Which subtask.
    pub(crate) subtask: SubtaskId,
    /// Its task manager.
    pub(crate) task_manager: String,
    /// Which start of that process.
    pub(crate) incarnation: String,
    /// Its exchange.
    pub(crate) data_address: String,
}

/// The subtask a message names.
pub(crate) fn subtask_id(subtask: Option<&v1::Subtask>) -> Result<SubtaskId, Failure> {
    let subtask = subtask.ok_or_else(|| senseless("no subtask is named"))?;
    Ok(SubtaskId {
        vertex: VertexId(subtask.vertex),
        index: subtask.index,
    })
}

fn senseless(what: &str) -> Failure {
    Failure::bug(format!("a message of the job manager makes no sense: {what}"))
}

impl TryFrom<Option<v1::Fence>> for Fence {
    type Error = Failure;

    fn try_from(fence: Option<v1::Fence>) -> Result<Self, Failure> {
        let fence = fence.ok_or_else(|| senseless("no job is named"))?;
        let job: JobId = fence
            .job
            .parse()
            .map_err(|error| senseless("its job").because(&error))?;
        // A thread's name, and later a file's, is made of it.
        if job.name.contains(['\0', '/']) {
            return Err(senseless("its job's name"));
        }
        Ok(Self {
            job,
            generation: Generation {
                term: fence.term,
                deployment: fence.deployment,
            },
        })
    }
}

impl TryFrom<v1::Deploy> for Deployment {
    type Error = Failure;

    fn try_from(deploy: v1::Deploy) -> Result<Self, Failure> {
        let fence = Fence::try_from(deploy.fence)?;
        let subtasks = deploy.subtasks.into_iter().map(|subtask| plan(subtask, &fence));
        let subtasks = subtasks.collect::<Result<Vec<_>, _>>()?;
        let mut seen = std::collections::BTreeSet::new();
        if let Some(twice) = subtasks.iter().find(|plan| !seen.insert(plan.identity.subtask)) {
            return Err(senseless(&format!("{} twice", twice.identity.subtask)));
        }
        Ok(Self {
            fence,
            memory: Some(deploy.memory_bytes).filter(|bytes| *bytes > 0),
            buffer_timeout: Duration::from_millis(u64::from(deploy.buffer_timeout_ms)),
            epoch: Epoch(deploy.epoch),
            max_parallelism: deploy.max_parallelism.max(1),
            state_url: Some(deploy.state_url).filter(|url| !url.is_empty()),
            hidden: Arc::new(hidden(deploy.hidden)?),
            subtasks,
            asked: None,
        })
    }
}

/// A path that makes no sense must not be taken for one that hides nothing.
fn hidden(paths: Vec<String>) -> Result<Hidden, Failure> {
    let paths = paths.iter().map(|path| path.parse());
    let paths: Result<Vec<_>, _> = paths.collect();
    let paths = paths.map_err(|error| senseless("what it hides").because(&error))?;
    Ok(Hidden::new(paths))
}

impl Deployment {
    /// As a part of this trace.
    pub(crate) fn asked(self, asked: Option<Context>) -> Self {
        Self { asked, ..self }
    }

    /// A slot holds one subtask of each vertex.
    pub(crate) fn slots(&self) -> u64 {
        let mut of_vertex: BTreeMap<VertexId, u64> = BTreeMap::new();
        self.subtasks
            .iter()
            .for_each(|plan| *of_vertex.entry(plan.identity.subtask.vertex).or_default() += 1);
        of_vertex.into_values().max().unwrap_or(0)
    }
}

fn plan(subtask: v1::SubtaskDeployment, fence: &Fence) -> Result<Plan, Failure> {
    let id = subtask_id(subtask.subtask.as_ref())?;
    let named = |failure: Failure| Failure {
        message: format!("{id}: {}", failure.message),
        ..failure
    };
    let identity = Identity {
        job: fence.job.clone(),
        generation: fence.generation,
        obeys: fence.generation,
        subtask: id,
        attempt: subtask.attempt,
    };
    let chain = Chain::decode(&subtask.chain).map_err(|error| named(senseless("its chain").because(&error)))?;
    let mut committables = BTreeMap::new();
    for bytes in &subtask.committables {
        let node: NodeCommittables =
            serde_json::from_slice(bytes).map_err(|error| named(senseless("its committables").because(&error)))?;
        committables.insert(node.node, node.committables);
    }
    Ok(Plan {
        identity,
        parallelism: subtask.parallelism.max(1),
        name: subtask.name,
        chain,
        outputs: subtask
            .outputs
            .into_iter()
            .map(out_edge)
            .collect::<Result<_, _>>()
            .map_err(named)?,
        inputs: subtask
            .inputs
            .into_iter()
            .map(in_edge)
            .collect::<Result<_, _>>()
            .map_err(named)?,
        restored: subtask
            .restored
            .iter()
            .map(part)
            .collect::<Result<_, _>>()
            .map_err(named)?,
        committables,
    })
}

fn part(restored: &v1::Restored) -> Result<Part, Failure> {
    Ok(Part {
        index: restored.index,
        parallelism: restored.parallelism,
        snapshot: Snapshot::decode(&restored.snapshot)?,
    })
}

fn out_edge(edge: v1::OutEdge) -> Result<OutEdge, Failure> {
    let partition = serde_json::from_slice(&edge.partition)
        .map_err(|error| senseless("the partition of an edge").because(&error))?;
    Ok(OutEdge {
        edge: EdgeId(edge.edge),
        partition,
        peers: peers(edge.peers)?,
    })
}

fn in_edge(edge: v1::InEdge) -> Result<InEdge, Failure> {
    Ok(InEdge {
        edge: EdgeId(edge.edge),
        peers: peers(edge.peers)?,
    })
}

fn peers(peers: Vec<v1::Peer>) -> Result<Vec<Peer>, Failure> {
    let peer = |peer: v1::Peer| {
        Ok(Peer {
            subtask: subtask_id(peer.subtask.as_ref())?,
            task_manager: peer.task_manager,
            incarnation: peer.incarnation,
            data_address: peer.data_address,
        })
    };
    peers.into_iter().map(peer).collect()
}
