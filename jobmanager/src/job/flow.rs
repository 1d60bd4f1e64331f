//! What flows over the edges of a graph, as far as the counts of its vertices say it.

use crate::rest::types::{Datastream, Vertex};

/// Gives each edge its rate. Rows are counted at both ends of a vertex and not on the edges: an edge has a rate where nobody
/// else feeds its target, or where it leads to the only one that is fed. Edges between the same two are counted together.
pub(super) fn give_rates(datastream: &mut Datastream) {
    let Datastream { vertices, edges, .. } = datastream;
    let sum = |id: &str, rate: fn(&Vertex) -> f64| vertices.iter().find(|vertex| vertex.id == id).map(rate);
    let rates: Vec<Option<f64>> = edges
        .iter()
        .map(|edge| {
            let alone_into = edges.iter().all(|other| other.to != edge.to || other.from == edge.from);
            let alone_out_of = edges.iter().all(|other| other.from != edge.from || other.to == edge.to);
            match (alone_into, alone_out_of) {
                (true, _) => sum(&edge.to, rate_in),
                (false, true) => sum(&edge.from, rate_out),
                (false, false) => None,
            }
        })
        .collect();
    for (edge, rate) in edges.iter_mut().zip(rates) {
        edge.rows_rate = rate;
    }
}

fn rate_in(vertex: &Vertex) -> f64 {
    vertex.subtasks.iter().map(|subtask| subtask.records_in_rate).sum()
}

fn rate_out(vertex: &Vertex) -> f64 {
    vertex.subtasks.iter().map(|subtask| subtask.records_out_rate).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::findings::tests::{datastream, subtask};
    use crate::rest::types::Edge;

    fn edge(from: &str, to: &str) -> Edge {
        Edge {
            id: format!("{from}-{to}"),
            from: from.to_owned(),
            to: to.to_owned(),
            partition: "hash".to_owned(),
            rows_rate: None,
        }
    }

    #[test]
    fn an_edge_has_the_rate_of_the_end_that_it_has_to_itself() {
        let mut graph = datastream(&[3, 1, 1, 2]);
        // 0 and 1 feed 2; 0 feeds 3 as well: nobody counts what goes from 0 to 2 alone.
        graph.edges = [(0, 2), (1, 2), (0, 3), (0, 3)]
            .map(|(from, to)| edge(&format!("vtx-{from}"), &format!("vtx-{to}")))
            .to_vec();
        for (vertex, rate) in graph.vertices.iter_mut().zip([10.0, 20.0, 30.0, 40.0]) {
            for one in &mut vertex.subtasks {
                *one = crate::rest::types::Subtask {
                    records_in_rate: rate,
                    records_out_rate: rate + 1.0,
                    ..subtask(&one.id)
                };
            }
        }
        give_rates(&mut graph);
        let rates: Vec<_> = graph.edges.iter().map(|edge| edge.rows_rate).collect();
        assert_eq!(rates, [None, Some(21.0), Some(80.0), Some(80.0)]);
    }
}
