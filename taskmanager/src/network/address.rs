//! Names on the wire: processes and channels.

use dataflow::id::Generation;
use proto::v1::ChannelName;

use crate::channel::ChannelId;

/// Which process this is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The task manager's name.
    pub task_manager: String,
    /// New with every start of the process.
    pub incarnation: String,
}

/// A task manager that channels lead to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerAddress {
    /// Which process.
    pub identity: Identity,
    /// `host:port` of its exchange.
    pub address: String,
}

/// A channel as both ends name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) job: String,
    pub(super) generation: Generation,
    edge: u32,
    from: u32,
    to: u32,
}

impl From<&ChannelId> for Name {
    fn from(id: &ChannelId) -> Self {
        Self {
            job: id.job.to_string(),
            generation: id.generation,
            edge: id.edge.0,
            from: id.from.index,
            to: id.to.index,
        }
    }
}

impl From<ChannelName> for Name {
    fn from(name: ChannelName) -> Self {
        Self {
            job: name.job,
            generation: Generation {
                term: name.term,
                deployment: name.deployment,
            },
            edge: name.edge,
            from: name.from_index,
            to: name.to_index,
        }
    }
}

impl From<Name> for ChannelName {
    fn from(name: Name) -> Self {
        Self {
            job: name.job,
            term: name.generation.term,
            deployment: name.generation.deployment,
            edge: name.edge,
            from_index: name.from,
            to_index: name.to,
        }
    }
}
