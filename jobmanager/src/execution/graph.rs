//! Subtasks and who sends to whom.

use dataflow::id::{EdgeId, SubtaskId};
use dataflow::recipe::Partition;

/// A job as it runs: every parallel instance of every chain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExecutionGraph {
    /// The datastream's name.
    pub name: String,
    /// The subtasks, by vertex and index.
    pub subtasks: Vec<Subtask>,
}

/// One parallel instance of a chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Subtask {
    /// Which.
    pub id: SubtaskId,
    /// The vertex' name.
    pub name: String,
    /// Of how many.
    pub parallelism: u32,
    /// Whether it begins with a source, and that source's step name.
    pub source: Option<String>,
    /// Whether it has a sink.
    pub has_sink: bool,
    /// Who sends to it, by edge.
    pub inputs: Vec<Input>,
    /// Whom it sends to, by edge.
    pub outputs: Vec<Output>,
}

/// What comes in by one edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The edge.
    pub edge: EdgeId,
    /// Those who send.
    pub from: Vec<SubtaskId>,
}

/// What goes out by one edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The edge.
    pub edge: EdgeId,
    /// How rows are dealt out.
    pub partition: Partition,
    /// Those who receive, in the order of their index.
    pub to: Vec<SubtaskId>,
}

impl ExecutionGraph {
    /// The subtask of this id.
    #[must_use]
    pub fn subtask(&self, id: SubtaskId) -> Option<&Subtask> {
        self.subtasks
            .binary_search_by_key(&id, |subtask| subtask.id)
            .ok()
            .map(|index| &self.subtasks[index])
    }
}
