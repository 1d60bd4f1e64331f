//! Typed identities with a printed form, the same in logs, metrics, messages and file names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One life of one datastream: `<datastream name>@<life>`, where the life counts fresh starts from 1.
///
/// The name is the identity of the stream; the life keeps a fresh start from seeing the state of an older one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct JobId {
    /// The datastream's name: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Which fresh start this is, from 1.
    pub life: u32,
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.life)
    }
}

impl FromStr for JobId {
    type Err = InvalidJobId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidJobId(text.to_owned());
        let (name, life) = text.rsplit_once('@').ok_or_else(invalid)?;
        let life = life.parse().ok().filter(|life| *life > 0).ok_or_else(invalid)?;
        if name.is_empty() {
            return Err(invalid());
        }
        Ok(Self {
            name: name.to_owned(),
            life,
        })
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for JobId {
    type Error = InvalidJobId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Text that is not `<name>@<life>`.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a job id: it is written `<datastream name>@<number from 1>`")]
pub struct InvalidJobId(String);

/// One chain of a job graph, numbered from 0 in the order of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VertexId(pub u32);

impl fmt::Display for VertexId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vtx-{}", self.0)
    }
}

/// One edge of a job graph between two vertices, numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EdgeId(pub u32);

impl fmt::Display for EdgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "edge-{}", self.0)
    }
}

/// One parallel instance of a vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubtaskId {
    /// The vertex it is an instance of.
    pub vertex: VertexId,
    /// Which instance, from 0 to the vertex' parallelism.
    pub index: u32,
}

impl fmt::Display for SubtaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sub-{}.{}", self.vertex.0, self.index)
    }
}

impl FromStr for SubtaskId {
    type Err = InvalidSubtaskId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.strip_prefix("sub-").and_then(|rest| rest.split_once('.'));
        let parsed = parts.and_then(|(vertex, index)| Some((vertex.parse().ok()?, index.parse().ok()?)));
        let (vertex, index) = parsed.ok_or_else(|| InvalidSubtaskId(text.to_owned()))?;
        Ok(Self {
            vertex: VertexId(vertex),
            index,
        })
    }
}

/// Text that is not `sub-<vertex>.<index>`.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a subtask: it is written `sub-<vertex>.<index>`")]
pub struct InvalidSubtaskId(String);

/// Who is allowed to act for a job: grows with every leader and every deployment, never repeats.
///
/// Every message between processes carries it; what does not match is dropped and counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation {
    /// The leader's term.
    pub term: u64,
    /// How many times that leader has deployed this job.
    pub deployment: u32,
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gen-{}.{}", self.term, self.deployment)
    }
}

/// One barrier: an attempt at a checkpoint. Acknowledgements count for this id only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BarrierId {
    /// The generation that sent the barrier out.
    pub generation: Generation,
    /// Counts the barriers of that generation from 1.
    pub counter: u64,
}

impl fmt::Display for BarrierId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "chk-{}.{}.{}",
            self.generation.term, self.generation.deployment, self.counter
        )
    }
}

/// The number of one record in a job's chain of epochs; no gaps, 0 is the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch-{}", self.0)
    }
}
