//! Job graph to execution graph.

use dataflow::id::{SubtaskId, VertexId};
use dataflow::recipe::{Partition, Recipe};
use planner::job::{Edge, JobGraph, Vertex};

use super::graph::{ExecutionGraph, Input, Output, Subtask};

/// Spreads every vertex into its subtasks and every edge into its channels.
///
/// Edges that name vertices which are not there are left out: the planner makes none, and a graph read back from a
/// store was checked when it was written.
#[must_use]
pub fn expand(graph: &JobGraph) -> ExecutionGraph {
    let subtasks = graph
        .vertices
        .iter()
        .flat_map(|vertex| instances(graph, vertex))
        .collect();
    ExecutionGraph {
        name: graph.name.clone(),
        subtasks,
    }
}

fn instances(graph: &JobGraph, vertex: &Vertex) -> Vec<Subtask> {
    let source = vertex
        .chain
        .nodes
        .first()
        .filter(|node| matches!(node.recipe, Recipe::Source(_)));
    let source = source.map(|node| node.name.clone());
    let has_sink = vertex
        .chain
        .nodes
        .iter()
        .any(|node| matches!(node.recipe, Recipe::Sink(_)));
    let instance = |index| {
        let id = SubtaskId {
            vertex: vertex.id,
            index,
        };
        let (name, source) = (vertex.name.clone(), source.clone());
        let (inputs, outputs) = (inputs(graph, id), outputs(graph, id));
        Subtask {
            id,
            name,
            parallelism: vertex.parallelism,
            source,
            has_sink,
            inputs,
            outputs,
        }
    };
    (0..vertex.parallelism).map(instance).collect()
}

fn inputs(graph: &JobGraph, id: SubtaskId) -> Vec<Input> {
    let edges = graph.edges.iter().filter(|edge| edge.to == id.vertex);
    edges
        .map(|edge| Input {
            edge: edge.id,
            from: reached(graph, edge, edge.from, id.index),
        })
        .collect()
}

fn outputs(graph: &JobGraph, id: SubtaskId) -> Vec<Output> {
    let edges = graph.edges.iter().filter(|edge| edge.from == id.vertex);
    edges
        .map(|edge| Output {
            edge: edge.id,
            partition: edge.partition.clone(),
            to: reached(graph, edge, edge.to, id.index),
        })
        .collect()
}

/// The subtasks of `vertex` that the subtask of this index meets over the edge, from either end.
fn reached(graph: &JobGraph, edge: &Edge, vertex: VertexId, index: u32) -> Vec<SubtaskId> {
    let parallelism = graph
        .vertices
        .iter()
        .find(|other| other.id == vertex)
        .map_or(0, |other| other.parallelism);
    let all = 0..parallelism;
    match edge.partition {
        Partition::Forward => all
            .filter(|other| *other == index)
            .map(|index| SubtaskId { vertex, index })
            .collect(),
        Partition::Rebalance | Partition::Hash { .. } | Partition::Broadcast => {
            all.map(|index| SubtaskId { vertex, index }).collect()
        }
    }
}
