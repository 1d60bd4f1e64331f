//! What the coordinator hears, and what it wants done.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use dataflow::id::{BarrierId, Epoch, Generation, SubtaskId};

use super::Purpose;
use super::timing::{Aligned, Timing};

/// The subtasks of one deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// All of them; each must acknowledge.
    pub all: BTreeSet<SubtaskId>,
    /// Those with a sink; each must commit.
    pub sinks: BTreeSet<SubtaskId>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// All subtasks of a deployment run; those restored from `head` have committed it again.
    Running {
        /// Which deployment.
        generation: Generation,
        /// The head of the chain that it was restored from.
        head: Epoch,
        /// Its subtasks.
        members: Members,
    },
    /// All subtasks of a deployment that ran before this leader obey it.
    Adopted {
        /// Under which generation.
        generation: Generation,
        /// The head of the chain: they descend from it.
        head: Epoch,
        /// Its subtasks.
        members: Members,
        /// The highest barrier that any of them was asked for.
        counter: u64,
        /// The counter of the head's barrier, where they have met it and may not have committed it.
        owed: Option<u64>,
    },
    /// The deployment is no more: a subtask failed, a task manager died, or the job is taken down.
    Lost,
    /// A subtask has met the barrier.
    Acknowledged(Acknowledgement),
    /// The record that was asked for exists.
    Recorded(Epoch),
    /// The record that was asked for does not exist and never will: it was not sent, or another one has its number.
    Unrecordable(Epoch, String),
    /// A subtask has committed an epoch.
    Committed {
        /// Which.
        subtask: SubtaskId,
        /// What.
        epoch: Epoch,
    },
    /// A subtask is at the end of its input.
    Ended(SubtaskId),
    /// A person wants a last checkpoint.
    StopAsked,
    /// A person wants a checkpoint to be kept by name. Stays wanted over a restart.
    SavepointAsked,
    /// The last checkpoint of this graph is wanted. Forgotten with the deployment.
    ChangeAsked,
    /// The record behind the head was made without a barrier, by this job: it holds another document.
    Amended(Epoch),
    /// The time that [`Coordinator::deadline`](super::Coordinator::deadline) named, or any other.
    Tick,
}

/// One subtask's answer to a barrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Who.
    pub subtask: SubtaskId,
    /// Which barrier.
    pub barrier: BarrierId,
    /// Its part of the snapshot.
    pub snapshot: Bytes,
    /// How the barrier got through.
    pub aligned: Aligned,
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the barrier out.
    Trigger {
        /// Its id.
        barrier: BarrierId,
        /// What it is for.
        purpose: Purpose,
    },
    /// Nobody is to hold the barrier back any longer for what stands before it: that goes into the snapshots.
    Overtake {
        /// Its id.
        barrier: BarrierId,
        /// What it is for.
        purpose: Purpose,
    },
    /// The barrier is given up; what was prepared for it goes into the next one.
    Aborted {
        /// Its id.
        barrier: BarrierId,
        /// Why.
        reason: String,
        /// When it was triggered, and so on.
        timing: Timing,
    },
    /// Make the record of this epoch, and answer with [`Event::Recorded`] once it is known to exist.
    Record {
        /// Its number.
        epoch: Epoch,
        /// The barrier it is of.
        barrier: BarrierId,
        /// What it is for.
        purpose: Purpose,
        /// The snapshots, one of each member.
        snapshots: BTreeMap<SubtaskId, Bytes>,
    },
    /// Tell the sinks to commit.
    Commit {
        /// The epoch.
        epoch: Epoch,
        /// The barrier it is of.
        barrier: BarrierId,
    },
    /// Every sink has committed the epoch.
    Done {
        /// The epoch.
        epoch: Epoch,
        /// The barrier it is of.
        barrier: BarrierId,
        /// What it was for.
        purpose: Purpose,
        /// How long it took.
        timing: Timing,
    },
    /// A record that was under way when the deployment was lost exists: the head that the next one is restored from.
    Settled(Epoch),
    /// The commits take too long: fail the deployment, so that they are repeated.
    CommitsOverdue(Epoch),
}
