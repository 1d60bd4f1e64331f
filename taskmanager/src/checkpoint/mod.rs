//! Barrier → snapshot → acknowledgement, for one subtask.
//!
//! Enters: barriers, what the sinks prepared, commits. Leaves: one acknowledgement for each barrier, one "committed" for
//! each record. Who calls: the subtask's loop. Must stay true: what was prepared is in every snapshot until a record
//! covers it; a barrier is acknowledged once. Not here: alignment (gate), the record itself (job manager).

mod acknowledge;
mod finished;
mod triggered;
mod uncommitted;

pub use acknowledge::{Acknowledgement, Acknowledgements};
pub use finished::Finished;
pub use triggered::Triggered;
pub(crate) use uncommitted::Uncommitted;

use std::collections::BTreeMap;

use dataflow::Failure;
use dataflow::contract::{Committable, SinkState};
use dataflow::tally::Tallies;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::overtaken::Stowed;

/// What a subtask needs to go on from a barrier: `{"nodes": {"<step>": value}, "counts": {…}, "overtaken": {…}}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The state of each node that has any, by its step.
    pub nodes: BTreeMap<String, Value>,
    /// What was counted up to the barrier, so that totals are exact across restarts.
    #[serde(default, skip_serializing_if = "Counts::is_empty")]
    pub counts: Counts,
    /// What the barrier overtook, if it did and there was something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overtaken: Option<Stowed>,
}

/// Counts of one attempt of a subtask, from its start to a barrier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Bytes of input read.
    pub bytes_read: u64,
    /// Records that went to the dead letters.
    pub dead_letters: u64,
    /// Rows in and rows out of each step.
    pub steps: BTreeMap<String, (u64, u64)>,
    /// What became of the rows of each step, by the minute of their time.
    #[serde(default, skip_serializing_if = "Tallies::is_empty")]
    pub tallies: Tallies,
}

impl Counts {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a sink's node has in a [`Snapshot`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkSnapshot {
    /// Everything prepared that no record has covered yet.
    #[serde(default)]
    pub committables: Vec<Committable>,
    /// What the sink goes on from.
    #[serde(default)]
    pub state: SinkState,
}

/// One entry of a deployment's committables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeCommittables {
    /// The sink's step.
    pub node: String,
    /// What is committed again before the first row.
    pub committables: Vec<Committable>,
}

/// One old subtask's part of a restored epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// Which subtask of its vertex it was.
    pub index: u32,
    /// Of how many.
    pub parallelism: u32,
    /// What it left.
    pub snapshot: Snapshot,
}

impl Snapshot {
    /// Reads a snapshot; empty bytes are the empty one.
    ///
    /// # Errors
    /// Bytes that no subtask wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, Failure> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(bytes).map_err(|error| Failure::fail("a snapshot that cannot be read").because(&error))
    }

    /// The bytes of an acknowledgement.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a map of JSON values with string keys is JSON")
    }

    /// What a node left: of a source its list of splits, of a sink a [`SinkSnapshot`], of a node with state what its keeper said.
    ///
    /// # Errors
    /// A value that such a node did not write.
    pub fn node<T: for<'a> Deserialize<'a>>(&self, node: &str) -> Result<Option<T>, Failure> {
        let value = self.nodes.get(node).map(T::deserialize);
        value
            .transpose()
            .map_err(|error| Failure::fail(format!("the state of `{node}` cannot be read")).because(&error))
    }
}

#[cfg(test)]
impl Snapshot {
    /// The splits of a source.
    pub(crate) fn splits(&self, node: &str) -> Vec<dataflow::contract::Split> {
        self.node(node).expect("a source's value").unwrap_or_default()
    }

    /// What a sink left.
    pub(crate) fn sink(&self, node: &str) -> SinkSnapshot {
        self.node(node).expect("a sink's value").unwrap_or_default()
    }
}

/// What a node left in each of the parts.
///
/// # Errors
/// A value that such a node did not write.
pub(crate) fn left<T: for<'a> Deserialize<'a>>(parts: &[Part], node: &str) -> Result<Vec<T>, Failure> {
    let of_node = parts.iter().map(|part| part.snapshot.node(node).transpose());
    of_node.flatten().collect()
}
