//! Losses at each kind of point, and those that are none.

use dataflow::element::columns;
use dataflow::id::{EdgeId, VertexId};
use dataflow::recipe::{Chain, Node, Partition, Port, Target};
use dataflow::tally::{Fate, MINUTE_MS, Tallies, Tally};
use planner::job::{Edge, JobGraph, LossAlarm, Settings, Vertex};
use serde_json::json;

use super::{Limits, Points, Verdict, between, find};
use crate::rest::types::Where;

const MINUTE: i64 = 1_000;
const NOW_MS: i64 = (MINUTE + 10) * MINUTE_MS;

/// One that carries its rows as they are.
#[expect(clippy::fn_params_excessive_bools, reason = "of a test: with time or without")]
fn node(name: &str, timed: bool, targets: Vec<(Port, Target)>) -> Node {
    let fields: Vec<_> = timed.then(columns::time).into_iter().collect();
    let schema = json!({ "fields": fields, "metadata": {} });
    let node = json!({
        "name": name, "recipe": { "drop": { "paths": [] } }, "input": schema, "output": schema, "targets": targets,
    });
    serde_json::from_value(node).unwrap()
}

/// `first -> second` in one chain, then an edge to `third`; `second` gives late rows to `rest` as well.
#[expect(clippy::fn_params_excessive_bools, reason = "of a test: with time or without")]
fn graph(timed: bool, partition: Partition) -> JobGraph {
    let vertex = |id: u32, nodes: Vec<Node>| Vertex {
        id: VertexId(id),
        name: format!("vertex {id}"),
        parallelism: 1,
        chain: Chain { nodes },
    };
    let edge = |id: u32, to: u32, partition: Partition| Edge {
        id: EdgeId(id),
        from: VertexId(0),
        to: VertexId(to),
        partition,
    };
    let second = vec![
        (Port::Main, Target::Edge(EdgeId(0))),
        (Port::Late, Target::Edge(EdgeId(1))),
    ];
    JobGraph {
        vertices: vec![
            vertex(
                0,
                vec![
                    node("first", timed, vec![(Port::Main, Target::Node(1))]),
                    node("second", timed, second),
                ],
            ),
            vertex(1, vec![node("third", timed, vec![])]),
            vertex(2, vec![node("rest", timed, vec![])]),
        ],
        edges: vec![edge(0, 1, partition), edge(1, 2, Partition::Rebalance)],
        name: "orders".to_owned(),
        contact: None,
        settings: Settings::default(),
    }
}

fn tally(counts: &[(i64, Fate, u64)]) -> Tally {
    let mut tally = Tally::default();
    for (minute, fate, rows) in counts {
        tally.add(*minute, MINUTE, *fate, *rows);
    }
    tally
}

/// A hundred rows in each of two minutes, of which five of the first are late at `second`.
fn all_is_well() -> Tallies {
    let both = |rows: u64| {
        [MINUTE, MINUTE + 1]
            .map(|minute| [(minute, Fate::In, rows), (minute, Fate::Out, rows)])
            .concat()
    };
    let late = [
        (MINUTE, Fate::In, 100),
        (MINUTE, Fate::Out, 95),
        (MINUTE, Fate::Late, 5),
        (MINUTE + 1, Fate::In, 100),
        (MINUTE + 1, Fate::Out, 100),
    ];
    let third = [
        (MINUTE, Fate::In, 95),
        (MINUTE, Fate::Out, 95),
        (MINUTE + 1, Fate::In, 100),
        (MINUTE + 1, Fate::Out, 100),
    ];
    let rest = [(MINUTE, Fate::In, 5), (MINUTE, Fate::Out, 5)];
    [
        ("first", tally(&both(100))),
        ("second", tally(&late)),
        ("third", tally(&third)),
        ("rest", tally(&rest)),
    ]
    .map(|(step, tally)| (step.to_owned(), tally))
    .into()
}

fn limits() -> Limits {
    Limits::of(LossAlarm::default())
}

fn judged(graph: &JobGraph, tallies: &Tallies) -> Verdict {
    find(&Points::of(graph), tallies, limits(), NOW_MS)
}

#[test]
fn where_every_row_is_accounted_for_nothing_is_missing() {
    for timed in [true, false] {
        assert_eq!(
            judged(&graph(timed, Partition::Rebalance), &all_is_well()),
            Verdict::default()
        );
    }
}

#[test]
fn rows_that_do_not_come_are_missing_on_the_way_in_their_minute() {
    let graph = graph(true, Partition::Rebalance);
    let mut tallies = all_is_well();
    tallies.insert(
        "third".to_owned(),
        tally(&[
            (MINUTE, Fate::In, 95),
            (MINUTE, Fate::Out, 95),
            (MINUTE + 1, Fate::In, 90),
            (MINUTE + 1, Fate::Out, 90),
        ]),
    );
    let verdict = judged(&graph, &tallies);
    let [loss] = verdict.losses.as_slice() else {
        panic!("one point, and not {verdict:?}")
    };
    assert_eq!(
        (loss.step.as_str(), loss.at, loss.rows, loss.lost),
        ("third", Where::Before, 195, 10)
    );
    let minutes: Vec<_> = loss
        .minutes
        .iter()
        .map(|one| (one.minute_ms, one.rows, one.lost))
        .collect();
    assert_eq!(minutes, [((MINUTE + 1) * MINUTE_MS, 100, 10)]);
    assert!(loss.alarm);
    let points = Points::of(&graph);
    let way = |from, to| {
        between(
            &points,
            &verdict,
            (points.named(from).unwrap(), points.named(to).unwrap()),
        )
    };
    assert_eq!(
        [
            way("first", "third"),
            way("first", "second"),
            way("third", "third"),
            way("first", "rest")
        ],
        [10, 0, 0, 0]
    );
}

#[test]
fn rows_of_which_a_step_says_nothing_are_missing_in_it() {
    let mut tallies = all_is_well();
    tallies.insert(
        "rest".to_owned(),
        tally(&[(MINUTE, Fate::In, 5), (MINUTE, Fate::Out, 2)]),
    );
    let verdict = judged(&graph(true, Partition::Rebalance), &tallies);
    let [loss] = verdict.losses.as_slice() else {
        panic!("one point, and not {verdict:?}")
    };
    assert_eq!((loss.step.as_str(), loss.at, loss.lost), ("rest", Where::Step, 3));
}

#[test]
fn a_minute_must_be_over_for_a_while_and_a_trace_is_no_alarm() {
    let graph = graph(true, Partition::Rebalance);
    let mut tallies = all_is_well();
    tallies.insert(
        "third".to_owned(),
        tally(&[
            (MINUTE, Fate::In, 95),
            (MINUTE, Fate::Out, 95),
            (MINUTE + 1, Fate::In, 99),
            (MINUTE + 1, Fate::Out, 99),
        ]),
    );
    let alarm = |limits: Limits, now_ms: i64| find(&Points::of(&graph), &tallies, limits, now_ms).losses[0].alarm;
    let strict = Limits {
        share: 0.009,
        settle_ms: 60_000,
    };
    assert!(
        !alarm(limits(), NOW_MS),
        "one of a hundred is not above one of a hundred"
    );
    assert!(alarm(strict, (MINUTE + 3) * MINUTE_MS));
    assert!(!alarm(strict, (MINUTE + 3) * MINUTE_MS - 1));
}

#[test]
fn without_time_only_sums_are_compared_and_what_is_multiplied_is_not() {
    let mut tallies = all_is_well();
    // The same rows, by other minutes: they arrived a little later.
    tallies.insert(
        "third".to_owned(),
        tally(&[(MINUTE + 2, Fate::In, 195), (MINUTE + 2, Fate::Out, 195)]),
    );
    assert_eq!(
        judged(&graph(false, Partition::Rebalance), &tallies),
        Verdict::default()
    );
    tallies.insert(
        "third".to_owned(),
        tally(&[(MINUTE, Fate::In, 390), (MINUTE, Fate::Out, 390)]),
    );
    assert_eq!(judged(&graph(true, Partition::Broadcast), &tallies), Verdict::default());
    let doubled = judged(&graph(false, Partition::Rebalance), &tallies);
    assert_eq!(
        (doubled.losses[0].lost, doubled.losses[0].alarm),
        (-195, true),
        "nobody gave those"
    );
}

#[test]
fn a_graph_is_told_from_one_with_other_steps_however_wide_it_is() {
    let one = graph(true, Partition::Rebalance);
    let mut wide = one.clone();
    wide.vertices[0].parallelism = 4;
    let mut other = one.clone();
    other.vertices[1].chain.nodes[0].name = "another".to_owned();
    let shape = |graph: &JobGraph| Points::of(graph).shape();
    assert_eq!(shape(&one), shape(&wide));
    assert_ne!(shape(&one), shape(&other));
    assert_ne!(shape(&one), shape(&graph(false, Partition::Rebalance)));
}
