//! Restoring over random parallelisms and layouts, and the cases that matter by hand.

use std::sync::Arc;

use arrow_schema::Schema;
use bytes::Bytes;
use dataflow::contract::Split;
use dataflow::id::{EdgeId, Epoch, Generation, JobId, SubtaskId, VertexId};
use dataflow::key;
use dataflow::recipe::{Chain, Clocked, Dedup, EventTime, Recipe, Role, Sink, Source};
use dataflow::time::WallTime;
use planner::job::Settings;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::store::{Amendment, Document, SubtaskSnapshot};

const GROUPS: u32 = 32;

/// Which nodes are in one chain.
#[derive(Clone, Copy, Debug)]
enum Layout {
    /// The sink behind the keyed step.
    Fused,
    /// A vertex of its own for the sink.
    Apart,
}

/// A source with event time, a keyed step, a sink.
#[derive(Clone, Copy, Debug)]
struct Shape {
    sources: u32,
    keyed: u32,
    sinks: u32,
    layout: Layout,
}

fn recipe(name: &str) -> Recipe {
    let connector = "toy".to_owned();
    match name.split('.').next_back() {
        Some("eventTime") => Recipe::EventTime(EventTime {
            field: None,
            max_out_of_orderness_ms: 0,
            idle_timeout_ms: None,
            max_drift_ms: None,
        }),
        Some("seen" | "known") => Recipe::Dedup(Dedup {
            keys: Vec::new(),
            within_ms: 1,
            clock: Clocked::Event,
        }),
        Some("out" | "aside") => Recipe::Sink(Sink {
            connector,
            options: json!({}),
            format: None,
            role: Role::Sink,
        }),
        _ => Recipe::Source(Source {
            connector,
            options: json!({}),
            format: None,
            columns: None,
        }),
    }
}

fn vertex(id: u32, parallelism: u32, names: &[&str]) -> Vertex {
    let empty = Arc::new(Schema::empty());
    let node = |name: &&str| Node {
        name: (*name).to_owned(),
        recipe: recipe(name),
        input: empty.clone(),
        output: empty.clone(),
        targets: Vec::new(),
    };
    Vertex {
        id: VertexId(id),
        name: names.join(" -> "),
        parallelism,
        chain: Chain {
            nodes: names.iter().map(node).collect(),
        },
    }
}

fn of(vertices: Vec<Vertex>) -> JobGraph {
    JobGraph {
        name: "orders".to_owned(),
        contact: None,
        vertices,
        edges: Vec::new(),
        settings: Settings {
            max_parallelism: GROUPS,
            ..Settings::default()
        },
    }
}

fn graph(shape: Shape) -> JobGraph {
    let source = vertex(0, shape.sources, &["events", "events.eventTime"]);
    of(match shape.layout {
        Layout::Fused => vec![source, vertex(1, shape.keyed, &["seen", "out"])],
        Layout::Apart => vec![
            source,
            vertex(1, shape.keyed, &["seen"]),
            vertex(2, shape.sinks, &["out"]),
        ],
    })
}

fn split(number: u32) -> Split {
    Split {
        id: format!("file-{number}"),
        spec: json!(number),
        position: json!(number * 10),
    }
}

/// What each subtask leaves: something that says whose it was.
fn left(node: &Node, index: u32, splits: u32) -> Value {
    match Hand::of(&node.recipe) {
        Hand::Splits => json!(
            (0..splits)
                .map(|number| split(index * 100 + number))
                .collect::<Vec<_>>()
        ),
        Hand::Times | Hand::Keyed => json!({ "cuts": [{ "inline": format!("{index}") }], "note": index }),
        Hand::Whole => json!({ "committables": [format!("c-{index}-a"), format!("c-{index}-b")], "state": index }),
        Hand::Nothing => Value::Null,
    }
}

fn record(graph: &JobGraph, splits: u32) -> Record {
    let job = JobId {
        name: "orders".to_owned(),
        life: 1,
    };
    let document = Document {
        text: String::new(),
        graph: graph.clone(),
    };
    let generation = Generation { term: 1, deployment: 1 };
    let mut record = Record::start(job, generation, document, WallTime(0));
    record.epoch = Epoch(7);
    for vertex in &graph.vertices {
        for index in 0..vertex.parallelism {
            let nodes: BTreeMap<_, _> = vertex
                .chain
                .nodes
                .iter()
                .map(|node| (node.name.clone(), left(node, index, splits)))
                .collect();
            let id = SubtaskId {
                vertex: vertex.id,
                index,
            };
            let bytes = Bytes::from(json!({ "nodes": nodes, "counts": { "bytesRead": 5 } }).to_string());
            record.subtasks.push(SubtaskSnapshot::new(id, &bytes).unwrap());
        }
    }
    record.sources = vec![SourceSnapshot {
        step: graph.vertices[0].chain.nodes[0].name.clone(),
        snapshot: json!({ "found": true }),
        unassigned: vec![split(999)],
        complete: true,
        finished: 3,
        bytes: None,
    }];
    record
}

fn amended(old: &JobGraph, new: &JobGraph, splits: u32) -> Record {
    let amendment = Amendment {
        document: Document {
            text: String::new(),
            graph: new.clone(),
        },
        replaces: old.clone(),
    };
    record(old, splits).fenced(Generation { term: 2, deployment: 1 }, Some(amendment), WallTime(1))
}

/// What each new subtask gets of a node: whose it was, and the value.
fn given(restoration: &Restoration, vertex: &Vertex, node: &str) -> Vec<Vec<(u32, Value)>> {
    let of = |index| {
        let id = SubtaskId {
            vertex: vertex.id,
            index,
        };
        let parts = restoration.of(id).iter();
        let read = parts.map(|part| (part.index, serde_json::from_slice::<Value>(&part.snapshot).unwrap()));
        read.filter_map(|(index, value)| Some((index, value["nodes"].get(node)?.clone())))
            .collect()
    };
    (0..vertex.parallelism).map(of).collect()
}

fn holder<'a>(graph: &'a JobGraph, node: &str) -> &'a Vertex {
    let holds = |vertex: &&Vertex| vertex.chain.nodes.iter().any(|known| known.name == node);
    graph.vertices.iter().find(holds).unwrap()
}

fn flat(given: &[Vec<(u32, Value)>], field: &str) -> Vec<String> {
    let values = given.iter().flatten().flat_map(|(_, value)| match &value[field] {
        Value::Array(list) => list.clone(),
        other => vec![other.clone()],
    });
    let mut all: Vec<String> = values.map(|value| value.to_string()).collect();
    all.sort();
    all
}

fn shape() -> impl Strategy<Value = Shape> {
    let layout = prop::sample::select(vec![Layout::Fused, Layout::Apart]);
    (1..8_u32, 1..8_u32, 1..8_u32, layout).prop_map(|(sources, keyed, sinks, layout)| Shape {
        sources,
        keyed,
        sinks,
        layout,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nothing_is_lost_and_nothing_is_there_twice(before in shape(), after in shape(), splits in 0..4_u32) {
        let (old, new) = (graph(before), graph(after));
        let restoration = restore(&amended(&old, &new, splits), &new, Dropping::Refused).unwrap();

        let held = given(&restoration, holder(&new, "events"), "events");
        let mut ids: Vec<_> = held.iter().flatten().flat_map(|(_, list)| list.as_array().unwrap()).map(|split| (split["id"].clone().to_string(), split["position"].clone())).collect();
        ids.sort_by(|one, other| one.0.cmp(&other.0));
        let mut expected: Vec<_> = (0..before.sources).flat_map(|index| (0..splits).map(move |number| split(index * 100 + number))).map(|split| (json!(split.id).to_string(), split.position)).collect();
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        prop_assert_eq!(ids, expected, "each split once, where it was");
        let counts: Vec<usize> = held.iter().map(|parts| parts.iter().map(|(_, list)| list.as_array().unwrap().len()).sum()).collect();
        prop_assert!(before.sources == after.sources || counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "nobody starves: {:?}", counts);

        let old_sinks = holder(&old, "out").parallelism;
        let sinks = given(&restoration, holder(&new, "out"), "out");
        prop_assert_eq!(flat(&sinks, "state"), { let mut all: Vec<_> = (0..old_sinks).map(|index| index.to_string()).collect(); all.sort(); all });
        prop_assert_eq!(flat(&sinks, "committables"), { let mut all: Vec<_> = (0..old_sinks).flat_map(|index| [json!(format!("c-{index}-a")).to_string(), json!(format!("c-{index}-b")).to_string()]).collect(); all.sort(); all });
        if holder(&new, "out").parallelism == old_sinks {
            prop_assert!(sinks.iter().enumerate().all(|(index, parts)| parts.len() == 1 && parts[0].0 as usize == index), "each its own");
        }

        let keyed = given(&restoration, holder(&new, "seen"), "seen");
        for group in 0..GROUPS {
            let from = key::owner(group, before.keyed, GROUPS);
            let to = key::owner(group, after.keyed, GROUPS);
            let found = keyed[to as usize].iter().filter(|(index, value)| *index == from && value["note"] == from).count();
            prop_assert_eq!(found, 1, "whoever owns group {} has what was known of it, once", group);
        }
        for (heir, parts) in keyed.iter().enumerate() {
            let owned = key::range(u32::try_from(heir).unwrap(), after.keyed, GROUPS);
            for (from, _) in parts {
                let had = key::range(*from, before.keyed, GROUPS);
                prop_assert!(had.start < owned.end && owned.start < had.end, "nobody reads what it has no use for");
            }
        }

        let times = given(&restoration, holder(&new, "events"), "events.eventTime");
        for (index, parts) in times.iter().enumerate() {
            let whose: Vec<u32> = parts.iter().map(|(from, _)| *from).collect();
            let expected: Vec<u32> = if before.sources == after.sources { vec![u32::try_from(index).unwrap()] } else { (0..before.sources).collect() };
            prop_assert_eq!(whose, expected);
        }
        prop_assert_eq!(&restoration.sources, &record(&old, splits).sources);
        for (id, parts) in &restoration.parts {
            let vertex = new.vertices.iter().find(|vertex| vertex.id == id.vertex).unwrap();
            for part in parts {
                let value: Value = serde_json::from_slice(&part.snapshot).unwrap();
                let known = |name: &String| vertex.chain.nodes.iter().any(|node| node.name == *name);
                prop_assert!(value["nodes"].as_object().unwrap().keys().all(known), "only nodes of its own chain");
                prop_assert!(part.index < part.parallelism);
            }
        }
    }
}

fn two() -> Shape {
    Shape {
        sources: 2,
        keyed: 2,
        sinks: 2,
        layout: Layout::Apart,
    }
}

#[test]
fn the_same_shape_restores_every_subtask_from_its_own_bytes() {
    let mut new = graph(two());
    new.settings.checkpoint_interval *= 2;
    let old = graph(two());
    let record = amended(&old, &new, 1);
    let restoration = restore(&record, &new, Dropping::Refused).unwrap();
    for (id, parts) in &restoration.parts {
        let [part] = parts.as_slice() else {
            panic!("one part for {id}")
        };
        assert_eq!(
            part.snapshot,
            record.subtask(*id).unwrap().get().as_bytes(),
            "counts and all"
        );
    }
}

#[test]
fn a_renamed_step_takes_its_state_along_and_keeps_it_when_the_document_still_says_so() {
    let old = graph(two());
    let mut new = of(vec![
        vertex(0, 2, &["orders", "orders.eventTime"]),
        vertex(1, 3, &["known", "out"]),
    ]);
    new.settings.renamed = [("known", "seen"), ("orders", "events")]
        .map(|(now, before)| (now.to_owned(), before.to_owned()))
        .into();
    let restoration = restore(&amended(&old, &new, 1), &new, Dropping::Refused).unwrap();
    assert_eq!(given(&restoration, holder(&new, "known"), "known")[2][0].0, 1);
    assert_eq!(
        given(&restoration, holder(&new, "orders"), "orders.eventTime")[1][0].0,
        1
    );
    assert_eq!(restoration.sources[0].step, "orders");
    // The next change: `renamedFrom` is still there, the state has moved.
    let mut wider = new.clone();
    wider.vertices[1].parallelism = 5;
    let restoration = restore(&amended(&new, &wider, 1), &wider, Dropping::Refused).unwrap();
    assert_eq!(given(&restoration, holder(&wider, "known"), "known")[4][0].0, 2);
}

#[test]
fn a_new_step_with_the_name_that_another_one_had_starts_empty() {
    let old = graph(two());
    let mut new = of(vec![
        vertex(0, 2, &["events", "events.eventTime"]),
        vertex(1, 2, &["known", "seen", "out"]),
    ]);
    new.settings.renamed = [("known".to_owned(), "seen".to_owned())].into();
    let restoration = restore(&amended(&old, &new, 1), &new, Dropping::Refused).unwrap();
    assert_eq!(given(&restoration, holder(&new, "known"), "known").concat().len(), 2);
    assert_eq!(given(&restoration, holder(&new, "seen"), "seen").concat().len(), 0);
}

#[test]
fn state_that_nobody_takes_over_is_refused_unless_somebody_said_so() {
    let old = graph(two());
    let new = of(vec![
        vertex(0, 2, &["events", "events.eventTime"]),
        vertex(1, 2, &["out"]),
    ]);
    let record = amended(&old, &new, 1);
    let refused = restore(&record, &new, Dropping::Refused).unwrap_err();
    assert!(refused.message.contains("`seen`"), "{}", refused.message);
    let allowed = restore(&record, &new, Dropping::Allowed).unwrap();
    assert_eq!(allowed.dropped, ["seen".to_owned()].into());
}

#[test]
fn a_step_of_another_kind_does_not_take_over() {
    let old = graph(two());
    let mut new = graph(two());
    new.vertices[1].chain.nodes[0].recipe = recipe("new.eventTime");
    let refused = restore(&amended(&old, &new, 1), &new, Dropping::Refused).unwrap_err();
    assert!(refused.message.contains("`seen`"), "{}", refused.message);
}

#[test]
fn a_sink_with_something_to_publish_is_never_left_behind() {
    let old = graph(two());
    let new = of(vec![
        vertex(0, 1, &["events", "events.eventTime"]),
        vertex(1, 1, &["seen"]),
    ]);
    let record = amended(&old, &new, 1);
    let refused = restore(&record, &new, Dropping::Allowed).unwrap_err();
    assert!(refused.message.contains("`out`"), "{}", refused.message);
    assert!(restore(&record.clone().published(), &new, Dropping::Allowed).is_ok());
    assert!(
        restore(&record.published(), &new, Dropping::Refused).is_err(),
        "its open files are state"
    );
}

#[test]
fn other_key_groups_are_refused() {
    let (old, mut new) = (graph(two()), graph(two()));
    new.settings.max_parallelism = 64;
    let refused = restore(&amended(&old, &new, 1), &new, Dropping::Allowed).unwrap_err();
    assert!(refused.message.contains("maxParallelism"), "{}", refused.message);
}

#[test]
fn a_record_without_one_of_its_subtasks_is_not_restored() {
    let old = graph(two());
    let new = graph(Shape { keyed: 3, ..two() });
    let mut record = amended(&old, &new, 1);
    record.subtasks.remove(2);
    let refused = restore(&record, &new, Dropping::Allowed).unwrap_err();
    assert!(refused.message.contains("sub-1.0"), "{}", refused.message);
    record.subtasks.clear();
    assert!(
        restore(&record, &new, Dropping::Refused).is_ok(),
        "before the first checkpoint there is nothing"
    );
}

#[test]
fn a_sink_may_write_elsewhere_once_all_is_published_and_not_before() {
    let (old, mut new) = (graph(two()), graph(two()));
    let Recipe::Sink(sink) = &mut new.vertices[2].chain.nodes[0].recipe else {
        panic!("the third is the sink")
    };
    sink.options = json!({ "path": "elsewhere" });
    let open = record(&old, 1);
    let refused = compatible(&open, &old, &new).unwrap_err();
    let blamed = &refused.blamed[0];
    assert_eq!((blamed.code.as_str(), blamed.step.as_deref()), ("E0702", Some("out")));
    assert!(refused.failure.message.contains("`out`"), "{refused:?}");
    assert!(compatible(&open.without_nodes(&["out"].into()), &old, &new).is_ok());
}

#[test]
fn a_keyed_step_that_does_something_else_is_refused() {
    let (old, mut new) = (graph(two()), graph(two()));
    let Recipe::Dedup(dedup) = &mut new.vertices[1].chain.nodes[0].recipe else {
        panic!("the second is keyed")
    };
    dedup.within_ms += 1;
    assert!(
        compatible(&record(&old, 1), &old, &new).is_ok(),
        "its state means the same"
    );
    let Recipe::Dedup(dedup) = &mut new.vertices[1].chain.nodes[0].recipe else {
        panic!("the second is keyed")
    };
    dedup.keys = vec!["other".parse().unwrap()];
    let refused = compatible(&record(&old, 1), &old, &new).unwrap_err();
    let blamed = &refused.blamed[0];
    assert_eq!((blamed.code.as_str(), blamed.step.as_deref()), ("E0701", Some("seen")));
    let said = &refused.failure.message;
    assert!(said.contains("E0701") && said.contains("`seen`"), "{said}");
    assert!(compatible(&record(&old, 1), &old, &old).is_ok());
}

#[test]
fn edges_do_not_matter() {
    let (old, mut new) = (graph(two()), graph(two()));
    new.edges.push(planner::job::Edge {
        id: EdgeId(0),
        from: VertexId(0),
        to: VertexId(1),
        partition: dataflow::recipe::Partition::Rebalance,
    });
    assert!(!is_reshaped(&old, &new));
}

#[test]
fn rows_that_wait_for_their_turn_are_handed_over() {
    let limit = |excess| {
        Recipe::RateLimit(dataflow::recipe::RateLimit {
            keys: Vec::new(),
            rows_per_second: 1.0,
            burst: 1,
            excess,
        })
    };
    assert_eq!(Hand::of(&limit(dataflow::recipe::Excess::Wait)), Hand::Keyed);
    assert_eq!(Hand::of(&limit(dataflow::recipe::Excess::Drop)), Hand::Nothing);
}
