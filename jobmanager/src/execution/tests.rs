//! Expansion of graphs, and attempts under random events.

use std::sync::Arc;

use arrow_schema::Schema;
use dataflow::id::{EdgeId, VertexId};
use dataflow::recipe::{Chain, Node, Partition, Port, Recipe, Role, Sink, Source, Target};
use planner::job::{Edge, JobGraph, Settings, Vertex};
use proptest::prelude::*;
use serde_json::json;

use super::attempt::{Event, State};
use super::*;

/// A source vertex of `sources` subtasks and a sink vertex of `sinks`, joined by `partition`.
pub(crate) fn two_vertices(sources: u32, sinks: u32, partition: Partition) -> JobGraph {
    let empty = Arc::new(Schema::empty());
    let node = |name: &str, recipe, targets| Node {
        name: name.to_owned(),
        recipe,
        input: empty.clone(),
        output: empty.clone(),
        targets,
    };
    let source = Source {
        connector: "toy".to_owned(),
        options: json!({}),
        format: None,
        columns: None,
    };
    let sink = Sink {
        connector: "toy".to_owned(),
        options: json!({}),
        format: None,
        role: Role::Sink,
    };
    let vertex = |id, name: &str, parallelism, node| Vertex {
        id: VertexId(id),
        name: name.to_owned(),
        parallelism,
        chain: Chain { nodes: vec![node] },
    };
    let edge = vec![(Port::Main, Target::Edge(EdgeId(0)))];
    JobGraph {
        name: "orders".to_owned(),
        contact: Some("eng".to_owned()),
        vertices: vec![
            vertex(0, "events", sources, node("events", Recipe::Source(source), edge)),
            vertex(1, "out", sinks, node("out", Recipe::Sink(sink), Vec::new())),
        ],
        edges: vec![Edge {
            id: EdgeId(0),
            from: VertexId(0),
            to: VertexId(1),
            partition,
        }],
        settings: Settings::default(),
    }
}

#[test]
fn a_forward_edge_joins_equals_and_any_other_joins_all() {
    let forward = expand(&two_vertices(2, 2, Partition::Forward));
    assert_eq!(
        explain(&forward),
        "execution graph of orders: 4 subtasks\n\
         sub-0.0 of 2  events\n  edge-0 forward -> sub-1.0\n\
         sub-0.1 of 2  events\n  edge-0 forward -> sub-1.1\n\
         sub-1.0 of 2  out\n\
         sub-1.1 of 2  out\n"
    );
    let rebalance = expand(&two_vertices(1, 2, Partition::Rebalance));
    assert!(explain(&rebalance).contains("edge-0 rebalance -> sub-1.0 sub-1.1"));
}

#[test]
fn sources_and_sinks_are_known_by_their_recipes() {
    let graph = expand(&two_vertices(1, 1, Partition::Broadcast));
    assert_eq!(graph.subtasks[0].source.as_deref(), Some("events"));
    assert!(!graph.subtasks[0].has_sink);
    assert!(graph.subtasks[1].has_sink);
}

fn partition() -> impl Strategy<Value = Partition> {
    prop_oneof![
        Just(Partition::Rebalance),
        Just(Partition::Broadcast),
        Just(Partition::Hash {
            keys: Vec::new(),
            max_parallelism: 1024
        }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop::sample::select(vec![
        Event::Deployed,
        Event::Running,
        Event::Ended,
        Event::Cancel,
        Event::Cancelled,
        Event::Failed,
        Event::Lost,
    ])
}

proptest! {
    #[test]
    fn both_ends_of_every_channel_agree(sources in 1..6_u32, sinks in 1..6_u32, partition in partition()) {
        let graph = expand(&two_vertices(sources, sinks, partition));
        let sent: Vec<_> = graph.subtasks.iter().flat_map(|s| s.outputs.iter().flat_map(move |o| o.to.iter().map(move |to| (s.id, *to)))).collect();
        let mut taken: Vec<_> = graph.subtasks.iter().flat_map(|s| s.inputs.iter().flat_map(move |i| i.from.iter().map(move |from| (*from, s.id)))).collect();
        taken.sort_unstable();
        prop_assert_eq!(sent.len(), (sources * sinks) as usize);
        prop_assert_eq!(sent, taken);
    }

    #[test]
    fn an_attempt_that_is_gone_never_comes_back(events in prop::collection::vec(event(), 0..20)) {
        let mut attempt = Attempt::default();
        let mut deployed = false;
        for event in events {
            let before = attempt;
            let changed = attempt.on(event);
            prop_assert_eq!(changed, before.state() != attempt.state());
            prop_assert!(!before.is_gone() || attempt == before);
            deployed |= event == Event::Deployed;
            prop_assert!(deployed || !attempt.has_started(), "nothing starts that was not sent");
            prop_assert!(before.state() != State::Cancelling || !attempt.has_started(), "what was asked to go does not run on");
        }
    }
}
