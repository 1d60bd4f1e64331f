//! The parts that subtasks go on from, and how they are put together.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use dataflow::Failure;
use dataflow::id::{SubtaskId, VertexId};
use planner::job::JobGraph;
use serde::Serialize;
use serde_json::value::RawValue;

use super::estate::Testator;
use crate::store::{Record, SourceSnapshot, splits_held};

/// What one old subtask left to a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which subtask of its vertex it was.
    pub index: u32,
    /// Of how many.
    pub parallelism: u32,
    /// What it left, as a task manager reads it.
    pub snapshot: Bytes,
}

/// What a deployment goes on from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restoration {
    /// Parts of each subtask that has any.
    pub parts: BTreeMap<SubtaskId, Vec<Part>>,
    /// The sources' enumerators, and what nobody holds.
    pub sources: Vec<SourceSnapshot>,
    /// The nodes whose state nobody takes over.
    pub dropped: BTreeSet<String>,
}

impl Restoration {
    /// Everybody goes on from its own part.
    #[must_use]
    pub fn own(head: &Record, graph: &JobGraph) -> Self {
        let mut parts = BTreeMap::new();
        for vertex in &graph.vertices {
            for index in 0..vertex.parallelism {
                let id = SubtaskId {
                    vertex: vertex.id,
                    index,
                };
                let part = head.subtask(id).map(|snapshot| Part {
                    index,
                    parallelism: vertex.parallelism,
                    snapshot: Bytes::copy_from_slice(snapshot.get().as_bytes()),
                });
                if let Some(part) = part {
                    parts.insert(id, vec![part]);
                }
            }
        }
        Self {
            parts,
            sources: head.sources.clone(),
            dropped: BTreeSet::new(),
        }
    }

    /// The parts of a subtask.
    #[must_use]
    pub fn of(&self, subtask: SubtaskId) -> &[Part] {
        self.parts.get(&subtask).map_or(&[], Vec::as_slice)
    }

    /// The ids of the splits that a subtask of the source of this name goes on reading.
    ///
    /// # Errors
    /// Where its parts do not hold lists of splits there.
    pub fn splits(&self, subtask: SubtaskId, step: &str) -> Result<BTreeSet<String>, Failure> {
        let mut held = BTreeSet::new();
        for part in self.of(subtask) {
            held.extend(splits_held(&part.snapshot, step)?);
        }
        Ok(held)
    }
}

/// A restoration that is being put together.
#[derive(Debug, Default)]
pub(super) struct Deal {
    parts: BTreeMap<SubtaskId, BTreeMap<Testator, Nodes>>,
    pub(super) sources: Vec<SourceSnapshot>,
}

#[derive(Debug, Default, Serialize)]
struct Nodes {
    nodes: BTreeMap<String, Given>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Given {
    Value(Box<RawValue>),
    Splits(Vec<Box<RawValue>>),
}

impl Deal {
    fn nodes(&mut self, (vertex, index): (VertexId, u32), from: Testator) -> &mut BTreeMap<String, Given> {
        let parts = self.parts.entry(SubtaskId { vertex, index }).or_default();
        &mut parts.entry(from).or_default().nodes
    }

    /// Gives what one old subtask left of a node to a new one.
    pub(super) fn value(&mut self, heir: (VertexId, u32), from: Testator, node: &str, value: &RawValue) {
        self.nodes(heir, from)
            .insert(node.to_owned(), Given::Value(value.to_owned()));
    }

    /// Gives one split that an old subtask held to a new one.
    pub(super) fn split(&mut self, heir: (VertexId, u32), from: Testator, node: &str, split: &RawValue) {
        let given = self
            .nodes(heir, from)
            .entry(node.to_owned())
            .or_insert_with(|| Given::Splits(Vec::new()));
        if let Given::Splits(splits) = given {
            splits.push(split.to_owned());
        }
    }

    pub(super) fn finish(self, dropped: BTreeSet<String>) -> Restoration {
        let part = |((_, index, parallelism), nodes): (Testator, Nodes)| Part {
            index,
            parallelism,
            snapshot: serde_json::to_vec(&nodes)
                .expect("JSON values under string keys are JSON")
                .into(),
        };
        let parts = self.parts.into_iter();
        Restoration {
            parts: parts
                .map(|(id, parts)| (id, parts.into_iter().map(part).collect()))
                .collect(),
            sources: self.sources,
            dropped,
        }
    }
}
