//! What each task manager is told to start: seats and snapshots become messages.
//!
//! Enters: an execution graph, its seats, what was restored. Leaves: one `Deploy` for each task manager. Who calls:
//! the job's actor. Must stay true: attempts' tokens never repeat.

mod order;
#[cfg(test)]
mod tests;

pub use order::Order;

use std::collections::BTreeMap;

use bytes::Bytes;
use dataflow::id::{Epoch, Generation, JobId, SubtaskId};
use planner::job::JobGraph;
use proto::v1;

use crate::cluster::{Seat, Seats};
use crate::execution::{ExecutionGraph, Subtask};
use crate::restore::Restoration;

/// The token of one try at one subtask. The generation never repeats, so neither does the token within a job.
#[must_use]
pub fn attempt(generation: Generation, subtask: SubtaskId) -> String {
    let Generation { term, deployment } = generation;
    format!("att-{term}.{deployment}.{}.{}", subtask.vertex.0, subtask.index)
}

/// A job as it is deployed.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The job.
    pub job: &'a JobId,
    /// What runs.
    pub graph: &'a JobGraph,
    /// Its subtasks and channels.
    pub execution: &'a ExecutionGraph,
    /// Where they sit.
    pub seats: &'a Seats,
    /// The epoch that they are restored from.
    pub epoch: Epoch,
    /// What each goes on from.
    pub restoration: &'a Restoration,
    /// The folder of the job's state files.
    pub state_url: &'a str,
}

/// The fence of a job's messages.
fn fence(job: &JobId, generation: Generation) -> v1::Fence {
    v1::Fence {
        job: job.to_string(),
        term: generation.term,
        deployment: generation.deployment,
    }
}

/// One message for each task manager.
#[must_use]
pub fn dispatch(plan: Plan<'_>, generation: Generation) -> BTreeMap<Seat, v1::ToTaskManager> {
    let deploys = deploys(plan, generation).into_iter();
    let message = |deploy| v1::ToTaskManager {
        message: Some(v1::to_task_manager::Message::Deploy(deploy)),
        ..v1::ToTaskManager::default()
    };
    deploys.map(|(seat, deploy)| (seat, message(deploy))).collect()
}

fn deploys(plan: Plan<'_>, generation: Generation) -> BTreeMap<Seat, v1::Deploy> {
    let settings = &plan.graph.settings;
    let mut messages = BTreeMap::new();
    for subtask in &plan.execution.subtasks {
        let Some(seat) = plan.seats.subtasks.get(&subtask.id) else {
            continue;
        };
        let message = messages.entry(seat.clone()).or_insert_with(|| v1::Deploy {
            fence: Some(fence(plan.job, generation)),
            incarnation: seat.incarnation.clone(),
            subtasks: Vec::new(),
            memory_bytes: settings.memory_bytes.unwrap_or(0),
            buffer_timeout_ms: u32::try_from(settings.buffer_timeout.as_millis()).unwrap_or(u32::MAX),
            epoch: plan.epoch.0,
            max_parallelism: settings.max_parallelism,
            state_url: plan.state_url.to_owned(),
            hidden: settings.hidden.paths().iter().map(ToString::to_string).collect(),
        });
        message.subtasks.push(deployment(plan, subtask, generation));
    }
    messages
}

fn deployment(plan: Plan<'_>, subtask: &Subtask, generation: Generation) -> v1::SubtaskDeployment {
    let peers = |ids: &[SubtaskId]| ids.iter().filter_map(|id| peer(plan.seats, *id)).collect();
    let chain = plan.graph.vertices.iter().find(|vertex| vertex.id == subtask.id.vertex);
    let restored = plan.restoration.of(subtask.id).iter().map(|part| v1::Restored {
        index: part.index,
        parallelism: part.parallelism,
        snapshot: part.snapshot.clone(),
    });
    v1::SubtaskDeployment {
        subtask: Some(named(subtask.id)),
        attempt: attempt(generation, subtask.id),
        parallelism: subtask.parallelism,
        name: subtask.name.clone(),
        chain: chain
            .map(|vertex| Bytes::from(vertex.chain.encode()))
            .unwrap_or_default(),
        outputs: subtask
            .outputs
            .iter()
            .map(|output| v1::OutEdge {
                edge: output.edge.0,
                partition: serde_json::to_vec(&output.partition)
                    .expect("a partition is plain JSON")
                    .into(),
                peers: peers(&output.to),
            })
            .collect(),
        inputs: subtask
            .inputs
            .iter()
            .map(|input| v1::InEdge {
                edge: input.edge.0,
                peers: peers(&input.from),
            })
            .collect(),
        restored: restored.collect(),
        // They stand in the parts that are restored.
        committables: Vec::new(),
    }
}

/// A subtask's id on the wire.
fn named(id: SubtaskId) -> v1::Subtask {
    v1::Subtask {
        vertex: id.vertex.0,
        index: id.index,
    }
}

fn peer(seats: &Seats, id: SubtaskId) -> Option<v1::Peer> {
    let Seat {
        task_manager,
        incarnation,
        data_address,
    } = seats.subtasks.get(&id)?.clone();
    Some(v1::Peer {
        subtask: Some(named(id)),
        task_manager,
        incarnation,
        data_address,
    })
}
