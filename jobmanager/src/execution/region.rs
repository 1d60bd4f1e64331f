//! The regions of a graph: what is connected goes down together, and the rest runs on. Pure.
//!
//! ```text
//!   source a ─► count ─► sink x        one region
//!   source b ─► sink y                 another: a failure of x is none of its business
//! ```
//!
//! All subtasks of a vertex are in one region: those of a source share an enumerator, and edges join the others to them.

use std::collections::{BTreeMap, BTreeSet};

use dataflow::id::{SubtaskId, VertexId};

use super::graph::ExecutionGraph;
#[cfg(feature = "testing")]
use crate::testing::{Mutant, is_planted};

impl ExecutionGraph {
    /// All subtasks of the regions that these are in.
    #[must_use]
    pub fn regions_of(&self, some: &BTreeSet<SubtaskId>) -> BTreeSet<SubtaskId> {
        #[cfg(feature = "testing")]
        if is_planted(Mutant::RegionOfOne) {
            return some.clone();
        }
        let mut neighbours: BTreeMap<VertexId, BTreeSet<VertexId>> = BTreeMap::new();
        for subtask in &self.subtasks {
            for to in subtask.outputs.iter().flat_map(|output| &output.to) {
                neighbours.entry(subtask.id.vertex).or_default().insert(to.vertex);
                neighbours.entry(to.vertex).or_default().insert(subtask.id.vertex);
            }
        }
        let mut reached = BTreeSet::new();
        let mut next: Vec<VertexId> = some.iter().map(|subtask| subtask.vertex).collect();
        while let Some(vertex) = next.pop() {
            if reached.insert(vertex) {
                next.extend(neighbours.get(&vertex).into_iter().flatten());
            }
        }
        let all = self.subtasks.iter().map(|subtask| subtask.id);
        all.filter(|id| reached.contains(&id.vertex)).collect()
    }
}

#[cfg(test)]
mod tests {
    use dataflow::recipe::Partition;
    use planner::job::JobGraph;

    use super::*;
    use crate::execution::{expand, tests::two_vertices};

    /// Two flows side by side: vertices 0 and 1, and 2 and 3.
    fn two_flows() -> JobGraph {
        let mut graph = two_vertices(2, 3, Partition::Rebalance);
        let mut other = two_vertices(1, 1, Partition::Forward);
        for vertex in &mut other.vertices {
            vertex.id.0 += 2;
        }
        for edge in &mut other.edges {
            (edge.id.0, edge.from.0, edge.to.0) = (edge.id.0 + 1, edge.from.0 + 2, edge.to.0 + 2);
        }
        graph.vertices.append(&mut other.vertices);
        graph.edges.append(&mut other.edges);
        graph
    }

    fn id(vertex: u32, index: u32) -> SubtaskId {
        SubtaskId {
            vertex: VertexId(vertex),
            index,
        }
    }

    #[test]
    fn what_is_connected_is_one_region_against_the_stream_as_well() {
        let graph = expand(&two_flows());
        let region = graph.regions_of(&[id(1, 2)].into());
        assert_eq!(region, [id(0, 0), id(0, 1), id(1, 0), id(1, 1), id(1, 2)].into());
        assert_eq!(graph.regions_of(&[id(2, 0)].into()), [id(2, 0), id(3, 0)].into());
    }

    #[test]
    fn the_regions_of_subtasks_of_all_regions_are_everything_and_of_none_nothing() {
        let graph = expand(&two_flows());
        assert_eq!(
            graph.regions_of(&[id(0, 0), id(3, 0)].into()).len(),
            graph.subtasks.len()
        );
        assert_eq!(graph.regions_of(&BTreeSet::new()), BTreeSet::new());
    }
}
