//! What the subtasks of a graph left behind, node by node.

use std::collections::{BTreeMap, BTreeSet};

use dataflow::Failure;
use dataflow::id::{SubtaskId, VertexId};
use dataflow::recipe::{Node, Recipe};
use planner::job::{JobGraph, Vertex};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::store::{Record, SourceSnapshot};

/// Everything in a record, by the name of the node.
#[derive(Debug)]
pub(super) struct Estate<'a> {
    nodes: BTreeMap<&'a str, Left<'a>>,
}

/// What one node left.
#[derive(Debug)]
pub(super) struct Left<'a> {
    pub(super) vertex: &'a Vertex,
    node: &'a Node,
    /// By the index of the subtask.
    pub(super) values: BTreeMap<u32, &'a RawValue>,
}

/// An old subtask: its vertex, its index, and of how many it was.
pub(super) type Testator = (VertexId, u32, u32);

#[derive(Deserialize)]
struct Nodes<'a> {
    #[serde(borrow, default)]
    nodes: BTreeMap<String, &'a RawValue>,
}

impl<'a> Estate<'a> {
    /// What `head` holds of the subtasks of `old`.
    pub(super) fn of(head: &'a Record, old: &'a JobGraph) -> Result<Self, Failure> {
        let mut nodes = BTreeMap::new();
        for vertex in &old.vertices {
            for node in &vertex.chain.nodes {
                let left = Left {
                    vertex,
                    node,
                    values: BTreeMap::new(),
                };
                nodes.insert(node.name.as_str(), left);
            }
        }
        let mut estate = Self { nodes };
        for part in &head.subtasks {
            let id = SubtaskId {
                vertex: part.vertex,
                index: part.index,
            };
            let read: Nodes<'a> = serde_json::from_str(part.snapshot.get()).map_err(|error| {
                Failure::fail(format!("what {id} left in {} cannot be read", head.epoch)).because(&error)
            })?;
            for (name, value) in read.nodes {
                estate.take_in(id, &name, value)?;
            }
        }
        estate.check(head, old)?;
        Ok(estate)
    }

    fn take_in(&mut self, id: SubtaskId, name: &str, value: &'a RawValue) -> Result<(), Failure> {
        let left = self.nodes.get_mut(name).filter(|left| left.vertex.id == id.vertex);
        let left = left.ok_or_else(|| Failure::bug(format!("{id} left state of `{name}`, which it did not run")))?;
        left.values.insert(id.index, value);
        Ok(())
    }

    /// A snapshot is of all subtasks or of none.
    fn check(&self, head: &Record, old: &JobGraph) -> Result<(), Failure> {
        if head.subtasks.is_empty() {
            return Ok(());
        }
        let all = old.vertices.iter().flat_map(|vertex| {
            (0..vertex.parallelism).map(|index| SubtaskId {
                vertex: vertex.id,
                index,
            })
        });
        match all.into_iter().find(|id| head.subtask(*id).is_none()) {
            Some(id) => Err(Failure::bug(format!("{} holds nothing of {id}", head.epoch))),
            None => Ok(()),
        }
    }

    /// What the node of this name left.
    pub(super) fn left(&self, name: &str) -> Option<&Left<'a>> {
        self.nodes.get(name)
    }

    /// The names of those whose state is not among `taken`.
    pub(super) fn dropped(&self, taken: &BTreeSet<&str>, sources: &[SourceSnapshot]) -> BTreeSet<String> {
        let nodes = self.nodes.values().filter(|left| !left.is_nothing()).map(Left::name);
        let sources = sources.iter().map(|source| source.step.as_str());
        nodes
            .chain(sources)
            .filter(|name| !taken.contains(name))
            .map(str::to_owned)
            .collect()
    }
}

impl<'a> Left<'a> {
    pub(super) fn name(&self) -> &'a str {
        &self.node.name
    }

    pub(super) fn testator(&self, index: u32) -> Testator {
        (self.vertex.id, index, self.vertex.parallelism)
    }

    /// Whether a node does what the one did that left this.
    pub(super) fn fits(&self, node: &Node) -> bool {
        self.node.recipe.name() == node.recipe.name() && kind(&self.node.recipe) == kind(&node.recipe)
    }

    /// The splits of a source's subtasks, in the order in which they are held.
    pub(super) fn splits(&self) -> Result<Vec<(u32, Vec<&'a RawValue>)>, Failure> {
        let read = |(index, value): (&u32, &&'a RawValue)| {
            let splits: Vec<&'a RawValue> = serde_json::from_str(value.get()).map_err(|error| {
                Failure::fail(format!("the splits of source {} cannot be read", self.name())).because(&error)
            })?;
            Ok((*index, splits))
        };
        self.values.iter().map(read).collect()
    }

    /// Whether there is something to publish.
    pub(super) fn owes_commits(&self) -> bool {
        #[derive(Deserialize)]
        struct Sink<'a> {
            #[serde(borrow, default)]
            committables: Vec<&'a RawValue>,
        }
        let owes = |value: &&RawValue| {
            serde_json::from_str::<Sink<'_>>(value.get()).is_ok_and(|sink| !sink.committables.is_empty())
        };
        matches!(self.node.recipe, Recipe::Sink(_)) && self.values.values().any(owes)
    }

    fn is_nothing(&self) -> bool {
        let nothing = |value: &&RawValue| match serde_json::from_str(value.get()) {
            Ok(serde_json::Value::Null) => true,
            Ok(serde_json::Value::Array(list)) => list.is_empty(),
            Ok(serde_json::Value::Object(map)) => map
                .values()
                .all(|value| value.is_null() || value.as_array().is_some_and(Vec::is_empty)),
            Ok(_) | Err(_) => false,
        };
        self.values.values().all(nothing)
    }
}

/// What state a recipe has: of a source or sink its connector says.
pub(super) fn kind(recipe: &Recipe) -> &str {
    match recipe {
        Recipe::Source(source) => &source.connector,
        Recipe::Sink(sink) => &sink.connector,
        other => other.name(),
    }
}
