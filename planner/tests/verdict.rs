//! What a change of a document does to the state of its steps.

mod toy;

use planner::diagnostic::Look;
use planner::job::JobGraph;
use planner::verdict::{State, Verdict, compare, is_possible};

const DOCUMENT: &str = r#"
datastreamName: shop
contactName: eng
parallelism: 2
sources:
  - name: events
    file: { path: in }
    format: { json: { schema: { id: string, company: string, at: timestamp, later: timestamp, n: int32, total: double } } }
    eventTime: { field: at, maxOutOfOrderness: 5s }
steps:
  - name: once
    dedup: { key: [id], within: 24h }
  - name: later
    delay: 1m
  - name: perMinute
    keyBy: [company]
    window: { tumbling: 1m }
    aggregate: { orders: count(*), most: max(n), revenue: sum(total) }
  - name: best
    keyBy: [company]
    topN: { orderBy: ["orders DESC"], limit: 3 }
sinks:
  - name: out
    file: { path: out }
"#;

fn graph(text: &str) -> JobGraph {
    let mut planned = planner::plan(text, &toy::catalog(), &planner::Discovered::default());
    let said = planned.diagnostics.render("shop.yaml", text, Look::Plain);
    assert!(!planned.diagnostics.has_errors(), "{said}");
    planned.jobs.remove(0)
}

/// The document with some of its text replaced.
fn changed(changes: &[(&str, &str)]) -> String {
    let replace = |text: String, (from, to): &(&str, &str)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    changes.iter().fold(DOCUMENT.to_owned(), replace)
}

fn verdicts(changes: &[(&str, &str)]) -> Vec<Verdict> {
    compare(&graph(DOCUMENT), &graph(&changed(changes)))
}

/// What is said of the steps that do not just keep their state.
fn said(changes: &[(&str, &str)]) -> Vec<String> {
    let verdicts = verdicts(changes);
    let told = verdicts.iter().filter(|one| one.state != State::Keeps);
    told.map(ToString::to_string).collect()
}

#[test]
fn the_same_document_keeps_everything_that_is_kept() {
    let verdicts = verdicts(&[]);
    let names: Vec<&str> = verdicts.iter().map(|one| one.step.as_str()).collect();
    assert_eq!(
        names,
        [
            "events",
            "events.eventTime",
            "once",
            "later",
            "perMinute",
            "best",
            "out"
        ]
    );
    assert!(verdicts.iter().all(|one| one.state == State::Keeps));
}

#[test]
fn what_does_not_touch_state_keeps_it() {
    for changes in [
        ("within: 24h", "within: 48h"),
        ("delay: 1m", "delay: 2m"),
        ("tumbling: 1m", "tumbling: 1m, emitEvery: 5s"),
        ("maxOutOfOrderness: 5s", "maxOutOfOrderness: 1m"),
        ("parallelism: 2", "parallelism: 3"),
        ("limit: 3", "limit: 2"),
    ] {
        // Early results are given to nobody who chooses the best of them.
        let changes = if changes.1.contains("emitEvery") {
            vec![
                changes,
                (
                    "topN: { orderBy: [\"orders DESC\"], limit: 3 }",
                    "filter: \"orders > 0\"",
                ),
            ]
        } else {
            vec![changes]
        };
        let said: Vec<String> = said(&changes)
            .into_iter()
            .filter(|one| !one.starts_with("best"))
            .collect();
        assert!(said.is_empty(), "{changes:?}: {said:?}");
    }
}

#[test]
fn steps_come_and_go_by_their_names() {
    assert_eq!(
        said(&[("name: once", "name: first")]),
        [
            "first (dedup): starts empty",
            "once (dedup): is gone, and its state with it"
        ]
    );
    let carried = verdicts(&[("name: once", "name: first\n    renamedFrom: once")]);
    let first = carried.iter().find(|one| one.step == "first").unwrap();
    assert_eq!(
        (&first.state, first.renamed_from.as_deref()),
        (&State::Keeps, Some("once"))
    );
    assert!(!carried.iter().any(|one| one.state == State::Drops));
    // Once the state has moved, the old name means nothing any more.
    let moved = graph(&changed(&[("name: once", "name: first\n    renamedFrom: once")]));
    let again = compare(&moved, &moved);
    assert!(
        again
            .iter()
            .all(|one| one.state == State::Keeps && one.renamed_from.is_none())
    );
    // An operator of a source goes with it.
    let carried = verdicts(&[("name: events", "name: clicks\n    renamedFrom: events")]);
    assert!(carried.iter().all(|one| one.state == State::Keeps), "{carried:?}");
    assert!(carried.iter().any(|one| one.step == "clicks.eventTime"));
}

#[test]
fn a_name_that_is_still_there_gives_its_state_to_nobody_else() {
    let dedup = "name: again\n    renamedFrom: once\n    dedup: { key: [id], within: 24h }";
    assert_eq!(
        said(&[("name: later\n    delay: 1m", dedup)]),
        [
            "again (dedup, `once` before): refused: `once` is there too, and only one of them can have its state",
            "later (delay): is gone, and its state with it",
        ]
    );
}

#[test]
fn columns_that_come_go_or_widen_migrate() {
    assert_eq!(
        said(&[("revenue: sum(total) }", "mean: avg(total) }")]),
        [
            "perMinute (aggregate): migrates its state: `mean` is new and begins with the rows that come; `revenue` is gone",
            "best (top_n): migrates its state: `mean` is new and reads as NULL in rows from before; `revenue` is gone",
        ]
    );
    assert_eq!(
        said(&[("n: int32", "n: int64")]),
        [
            "later (delay): migrates its state: `n` was int32 and is int64",
            "perMinute (aggregate): migrates its state: `most` was int32 and is int64",
            "best (top_n): migrates its state: `most` was int32 and is int64",
        ]
    );
    assert_eq!(
        said(&[("limit: 3", "limit: 5")]),
        ["best (top_n): migrates its state: only 3 rows of a key were kept so far, not 5"]
    );
}

/// Each change is refused, for its reason.
fn refused(cases: &[(&str, &str, &str)]) {
    for (from, to, why) in cases {
        let verdicts = verdicts(&[(*from, *to)]);
        assert!(!is_possible(&verdicts), "{to}");
        let said: Vec<String> = verdicts.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|one| one == why), "{to}: {said:#?}");
    }
}

#[test]
fn what_would_be_read_as_something_else_is_refused() {
    refused(&[
        (
            "key: [id]",
            "key: [id, company]",
            "once (dedup): refused: its key was `id (string)` and is `id (string), company (string)`",
        ),
        (
            "within: 24h",
            "within: 24h, time: processing",
            "once (dedup): refused: it went by event time and goes by processing time",
        ),
        (
            "id: string",
            "id: int64",
            "once (dedup): refused: its key was `id (string)` and is `id (int64)`",
        ),
        (
            "tumbling: 1m",
            "tumbling: 2m",
            "perMinute (aggregate): refused: its window was `windows of 1m` and is `windows of 2m`",
        ),
        (
            "tumbling: 1m",
            "session: 1m",
            "perMinute (aggregate): refused: its window was `windows of 1m` and is `sessions that end after 1m`",
        ),
        (
            "most: max(n)",
            "most: min(n)",
            "perMinute (aggregate): refused: `most` was `max(n)` and is `min(n)`: a column that is folded otherwise needs another name",
        ),
        (
            "n: int32",
            "n: string",
            "perMinute (aggregate): refused: `most` was max(n) of int32 and is of string",
        ),
        (
            "company: string",
            "company: int64",
            "perMinute (aggregate): refused: its key was `company (string)` and is `company (int64)`",
        ),
        (
            "orders DESC",
            "orders ASC",
            "best (top_n): refused: its order was `orders Descending` and is `orders Ascending`",
        ),
        (
            "delay: 1m",
            "dedup: { key: [id], within: 1h }",
            "later (dedup): refused: it was a `delay` and is a `dedup`",
        ),
    ]);
}

#[test]
fn another_source_another_time_and_other_key_groups_are_refused() {
    refused(&[
        (
            "file: { path: in }",
            "file: { path: other }",
            r#"events (source): refused: it read {"path":"in"} and reads {"path":"other"}: its positions may mean nothing there"#,
        ),
        (
            "field: at",
            "field: later",
            "events.eventTime (event_time): refused: its event time was `at` and is `later`",
        ),
        (
            "total: double }",
            "total: \"decimal(10,2)\" }",
            "perMinute (aggregate): refused: `revenue` was sum(total) of double and is of decimal(10,2)",
        ),
        (
            "file: { path: in }",
            "kafka: { brokers: b, topic: t }",
            "events (source): refused: it read `file` and reads `kafka`: its positions mean nothing there",
        ),
        (
            "parallelism: 2",
            "maxParallelism: 64",
            "once (dedup): refused: `maxParallelism` was 1024 and is 64: it is fixed for the life of a datastream",
        ),
    ]);
}

#[test]
fn a_sink_that_writes_elsewhere_publishes_before_what_it_has_prepared() {
    for to in ["file: { path: elsewhere }", "kafka: { brokers: b, topic: t }"] {
        assert_eq!(
            said(&[("file: { path: out }", to)]),
            [
                "out (sink): migrates its state: what it has prepared is published where it was meant to go, before it writes otherwise"
            ]
        );
    }
}

#[test]
fn an_aggregate_in_two_halves_keeps_what_it_had_in_one() {
    let best = "name: best\n    keyBy: [company]\n    topN: { orderBy: [\"orders DESC\"], limit: 3 }";
    let one = graph(&changed(&[
        ("parallelism: 2", "parallelism: 1"),
        (best, "filter: \"orders > 0\""),
    ]));
    let two = graph(&changed(&[(best, "filter: \"orders > 0\"")]));
    let names = |graph: &JobGraph| {
        let nodes = graph.vertices.iter().flat_map(|vertex| &vertex.chain.nodes);
        nodes.map(|node| node.name.clone()).collect::<Vec<_>>()
    };
    assert!(
        names(&two).contains(&"perMinute.partial".to_owned()),
        "{:?}",
        names(&two)
    );
    assert!(!names(&one).contains(&"perMinute.partial".to_owned()));
    for (before, after) in [(&one, &two), (&two, &one)] {
        let verdicts = compare(before, after);
        assert!(verdicts.iter().all(|one| one.state == State::Keeps), "{verdicts:?}");
        assert!(
            verdicts.iter().all(|one| one.step != "perMinute.partial"),
            "it keeps nothing"
        );
    }
}

#[test]
fn a_refusal_is_shown_at_its_step() {
    let text = changed(&[("tumbling: 1m", "tumbling: 2m"), ("field: at", "field: later")]);
    let planned = planner::plan(&text, &toy::catalog(), &planner::Discovered::default());
    let verdicts = compare(&graph(DOCUMENT), &planned.jobs[0]);
    let said = planner::verdict::diagnostics(&planner::verdict::blamed(&verdicts), &planned.plans[0].places).render(
        "shop.yaml",
        &text,
        Look::Plain,
    );
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with("-->") || line.starts_with("error"))
        .collect();
    assert_eq!(
        lines,
        [
            "error[E0701]: `events.eventTime` cannot go on with what it has kept: its event time was `at` and is `later`",
            "--> shop.yaml:6:11",
            "error[E0701]: `perMinute` cannot go on with what it has kept: its window was `windows of 1m` and is `windows of 2m`",
            "--> shop.yaml:15:11",
        ],
        "{said}"
    );
}
