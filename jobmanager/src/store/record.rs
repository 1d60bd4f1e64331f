//! One record of a chain of epochs: the whole snapshot of a job, and whom it is of.

use std::collections::BTreeSet;

use bytes::Bytes;
use dataflow::Failure;
use dataflow::contract::Split;
use dataflow::id::{Epoch, Generation, JobId, SubtaskId, VertexId};
use dataflow::tally::Tallies;
use dataflow::time::WallTime;
use planner::job::JobGraph;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::rest::types::Exception;

/// An epoch: what everybody restores from. Its creation is the moment at which the checkpoint has happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The job it belongs to; a record found under another name is not used.
    pub job: JobId,
    /// Its number.
    pub epoch: Epoch,
    /// Who made it.
    pub generation: Generation,
    /// The barrier's counter; 0 where it was made without a barrier.
    pub counter: u64,
    /// Why it was made.
    pub kind: Kind,
    /// Whether the job is over: all input was read, and after the commits it is never run again.
    #[serde(rename = "final")]
    pub last: bool,
    /// When.
    pub at: WallTime,
    /// The record that holds the document in force.
    pub document_in: Epoch,
    /// The document, where it changed with this record.
    pub document: Option<Document>,
    /// The graph that the snapshots are of, where it is not that of the document in force: nothing has been checkpointed
    /// since the document was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_from: Option<Box<JobGraph>>,
    /// Of a fence that changes nothing: the checkpoint that it is a copy of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<Origin>,
    /// One snapshot of each subtask, committables among it.
    pub subtasks: Vec<SubtaskSnapshot>,
    /// The sources' enumerators, and what nobody holds.
    pub sources: Vec<SourceSnapshot>,
    /// How far the job has come, for people.
    pub reached: Reached,
    /// What became of the rows of each step, for people.
    #[serde(default, skip_serializing_if = "Tallied::is_empty")]
    pub tallied: Tallied,
    /// What failed lately, the newest first, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
}

/// Why a record was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The beginning: number 0.
    Start,
    /// A barrier was acknowledged by everybody.
    Checkpoint,
    /// A job manager took the job: the same snapshot again, which nobody of an older generation can follow.
    Fence,
}

/// The checkpoint, or the start, that a record says the same as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its number.
    pub epoch: Epoch,
    /// Who made it.
    pub generation: Generation,
    /// The counter of its barrier.
    pub counter: u64,
}

/// What a job runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// As it was submitted.
    pub text: String,
    /// What became of it.
    pub graph: JobGraph,
}

/// Another document for a job with a past.
#[derive(Clone, Debug, PartialEq)]
pub struct Amendment {
    /// What it runs from now on.
    pub document: Document,
    /// The graph that was in force before.
    pub replaces: JobGraph,
}

/// One subtask's part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubtaskSnapshot {
    /// The vertex.
    pub vertex: VertexId,
    /// Which instance.
    pub index: u32,
    /// As the task manager wrote it.
    pub snapshot: Box<RawValue>,
}

/// One source's part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceSnapshot {
    /// The source's step name.
    pub step: String,
    /// The enumerator's own snapshot.
    pub snapshot: Value,
    /// Discovered, and neither held by a reader nor finished.
    pub unassigned: Vec<Split>,
    /// Whether the enumerator has said that there will be no more.
    pub complete: bool,
    /// How many splits were read to their ends.
    pub finished: u64,
    /// Bytes of input discovered, where known.
    pub bytes: Option<u64>,
}

/// How far a job has come, in this life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reached {
    /// Rows that its sources gave.
    pub rows_in: u64,
    /// Rows that reached its sinks.
    pub rows_out: u64,
    /// Bytes of input read.
    pub bytes_read: u64,
    /// Records that went to the dead letters.
    pub dead_letters: u64,
}

/// What became of the rows of each step, in this life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tallied {
    /// What tells the graph that they are of from one with other steps.
    pub shape: u32,
    /// By step.
    pub tallies: Tallies,
}

impl Tallied {
    fn is_empty(&self) -> bool {
        self.tallies.is_empty()
    }
}

impl Record {
    /// Record 0 of a job.
    #[must_use]
    pub fn start(job: JobId, generation: Generation, document: Document, at: WallTime) -> Self {
        Self {
            job,
            epoch: Epoch(0),
            generation,
            counter: 0,
            kind: Kind::Start,
            last: false,
            at,
            document_in: Epoch(0),
            document: Some(document),
            taken_from: None,
            copy_of: None,
            subtasks: Vec::new(),
            sources: Vec::new(),
            reached: Reached::default(),
            tallied: Tallied::default(),
            exceptions: Vec::new(),
        }
    }

    /// The record after this one that says the same, by another generation; with another document, where it is amended.
    #[must_use]
    pub fn fenced(&self, generation: Generation, amendment: Option<Amendment>, at: WallTime) -> Self {
        let epoch = Epoch(self.epoch.0 + 1);
        let fence = Self {
            epoch,
            generation,
            counter: 0,
            kind: Kind::Fence,
            at,
            document: None,
            // Behind another document nobody goes on who ran before it.
            copy_of: self.origin().filter(|_| amendment.is_none()),
            ..self.clone()
        };
        let Some(Amendment { document, replaces }) = amendment else {
            return fence;
        };
        let taken_from = self.taken_from.clone().unwrap_or_else(|| Box::new(replaces));
        Self {
            document_in: epoch,
            taken_from: Some(taken_from).filter(|old| **old != document.graph),
            document: Some(document),
            ..fence
        }
    }

    /// The checkpoint that this is, or is a copy of; none where another document came after it.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        match self.kind {
            Kind::Fence => self.copy_of,
            Kind::Start | Kind::Checkpoint => Some(Origin {
                epoch: self.epoch,
                generation: self.generation,
                counter: self.counter,
            }),
        }
    }

    /// The graph that the snapshots are of, given that of the document in force.
    #[must_use]
    pub fn snapshots_of<'a>(&'a self, in_force: &'a JobGraph) -> &'a JobGraph {
        self.taken_from.as_deref().unwrap_or(in_force)
    }

    /// The same without what the sinks have prepared: it is published, or another job's.
    #[must_use]
    pub fn published(mut self) -> Self {
        self.edit(|_, node| {
            node.as_object_mut()
                .is_some_and(|node| node.remove("committables").is_some())
        });
        self
    }

    /// Whether barriers overtook something, which is in the snapshots. It fits these subtasks of this graph and no others.
    ///
    /// # Errors
    /// Where a snapshot cannot be read.
    pub fn has_overtaken(&self) -> Result<bool, Failure> {
        #[derive(Deserialize)]
        struct Part<'a> {
            #[serde(borrow, default)]
            overtaken: Option<&'a RawValue>,
        }
        for part in &self.subtasks {
            let read: Part<'_> = serde_json::from_str(part.snapshot.get())
                .map_err(|error| Failure::fail("a snapshot in a record cannot be read").because(&error))?;
            if read.overtaken.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The same as if its barrier had been aligned.
    #[must_use]
    pub fn aligned(mut self) -> Self {
        for part in &mut self.subtasks {
            let value = serde_json::from_str::<Value>(part.snapshot.get());
            // What is no snapshot is left as it is: its reader says so.
            let Ok(Value::Object(mut snapshot)) = value else {
                continue;
            };
            if snapshot.remove("overtaken").is_some()
                && let Ok(snapshot) = serde_json::value::to_raw_value(&snapshot)
            {
                part.snapshot = snapshot;
            }
        }
        self
    }

    /// The same without what these nodes left.
    #[must_use]
    pub fn without_nodes(mut self, names: &BTreeSet<&str>) -> Self {
        self.edit(|name, node| {
            let meant = names.contains(name);
            if meant {
                *node = Value::Null;
            }
            meant
        });
        self
    }

    /// Changes what nodes left; `change` says whether it did, and leaves null where nothing is to be left: such a node is
    /// taken out, so that to every reader it is one that has never left anything. What is no snapshot stays as it is: its
    /// reader says so.
    fn edit(&mut self, change: impl Fn(&str, &mut Value) -> bool) {
        for part in &mut self.subtasks {
            let Ok(mut value) = serde_json::from_str::<Value>(part.snapshot.get()) else {
                continue;
            };
            let mut changed = false;
            let nodes = value
                .get_mut("nodes")
                .and_then(Value::as_object_mut)
                .into_iter()
                .flatten();
            for (name, node) in nodes {
                changed |= change(name, node);
            }
            if let Some(nodes) = value.get_mut("nodes").and_then(Value::as_object_mut) {
                nodes.retain(|_, node| !node.is_null());
            }
            if changed && let Ok(snapshot) = serde_json::value::to_raw_value(&value) {
                part.snapshot = snapshot;
            }
        }
    }

    /// The snapshot of one subtask.
    #[must_use]
    pub fn subtask(&self, id: SubtaskId) -> Option<&RawValue> {
        let found = self
            .subtasks
            .iter()
            .find(|part| part.vertex == id.vertex && part.index == id.index);
        found.map(|part| part.snapshot.as_ref())
    }

    /// The snapshot of one source.
    #[must_use]
    pub fn source(&self, step: &str) -> Option<&SourceSnapshot> {
        self.sources.iter().find(|part| part.step == step)
    }
}

impl SubtaskSnapshot {
    /// What a task manager sent for a subtask.
    ///
    /// # Errors
    /// Where it is not JSON: a defect of the task manager.
    pub fn new(id: SubtaskId, bytes: &Bytes) -> Result<Self, Failure> {
        let snapshot = if bytes.is_empty() {
            serde_json::from_str("{}")
        } else {
            serde_json::from_slice(bytes)
        };
        let snapshot =
            snapshot.map_err(|error| Failure::bug(format!("the snapshot of {id} is not JSON")).because(&error))?;
        Ok(Self {
            vertex: id.vertex,
            index: id.index,
            snapshot,
        })
    }
}

/// The ids of the splits that the source of this name holds in a subtask's snapshot.
///
/// # Errors
/// Where the snapshot does not hold a list of splits there.
pub fn splits_held(snapshot: &[u8], step: &str) -> Result<Vec<String>, Failure> {
    #[derive(Deserialize)]
    struct Parts {
        #[serde(default)]
        nodes: std::collections::BTreeMap<String, Box<RawValue>>,
    }
    #[derive(Deserialize)]
    struct Held {
        id: String,
    }
    let malformed = |error: serde_json::Error| {
        Failure::fail(format!("what a subtask of source {step} left cannot be read")).because(&error)
    };
    let parts: Parts = serde_json::from_slice(snapshot).map_err(malformed)?;
    let Some(part) = parts.nodes.get(step) else {
        return Ok(Vec::new());
    };
    let held: Vec<Held> = serde_json::from_str(part.get()).map_err(malformed)?;
    Ok(held.into_iter().map(|held| held.id).collect())
}
