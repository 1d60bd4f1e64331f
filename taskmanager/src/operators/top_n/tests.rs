//! The best rows from outside: by window and as changes, in any batches, restored anywhere, and beside a naive sort.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use dataflow::element::columns;
use dataflow::recipe::{self, Direction, Emission, Node, Order, Origin, Port, Recipe, Spans, Target, Ties, Window};
use proptest::prelude::*;

use crate::testing::{Compare, Step, Trial};

fn number(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

fn time() -> Field {
    columns::time().as_ref().clone()
}

fn kind() -> Field {
    columns::kind().as_ref().clone()
}

fn instant(name: &str) -> Field {
    Field::new(name, columns::timestamp(), true)
}

fn schema(fields: Vec<Field>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

fn best(keys: &[&str], limit: u64, emission: Emission) -> recipe::TopN {
    recipe::TopN {
        keys: keys.iter().map(|key| key.parse().unwrap()).collect(),
        order: vec![Order {
            path: "n".parse().unwrap(),
            direction: Direction::Descending,
        }],
        limit,
        ties: Ties::Cut,
        rank: None,
        emission,
        window: None,
    }
}

fn node(recipe: recipe::TopN, input: Vec<Field>, output: Vec<Field>) -> Node {
    Node {
        name: "best".to_owned(),
        recipe: Recipe::TopN(recipe),
        input: schema(input),
        output: schema(output),
        targets: vec![],
    }
}

/// Rows of an aggregate: `k`, `n` and the end of their window.
fn results() -> Vec<Field> {
    vec![
        Field::new("k", DataType::Utf8View, true),
        number("n"),
        instant("window_end"),
        time(),
    ]
}

/// Rows as they come: `k`, `n`, `id`.
fn raw() -> Vec<Field> {
    vec![
        Field::new("k", DataType::Utf8View, true),
        number("n"),
        number("id"),
        time(),
    ]
}

fn and(mut fields: Vec<Field>, more: Field) -> Vec<Field> {
    fields.push(more);
    fields
}

fn tumbling(size_ms: u64) -> Option<Window> {
    Some(Window {
        spans: Spans::Tumbling {
            size_ms,
            origin: Origin::default(),
        },
        clock: recipe::Clocked::Event,
        allowed_lateness_ms: 0,
        emit_every_ms: None,
    })
}

#[test]
fn the_best_rows_of_each_window_are_given_when_it_is_complete() {
    let recipe = recipe::TopN {
        rank: Some("rank".to_owned()),
        ..best(&["k", "window_end"], 2, Emission::Window)
    };
    let node = node(recipe, results(), and(results(), number("rank")));
    Trial::new(
        &node,
        r#"
        {"k": "a", "n": 1, "window_end": 2000, "$time": 1999}
        {"k": "a", "n": 7, "window_end": 1000, "$time": 999}
        {"k": "a", "n": 9, "window_end": 1000, "$time": 999}
        {"k": "b", "n": null, "window_end": 1000, "$time": 999}
        {"k": "a", "n": 8, "window_end": 1000, "$time": 999}
        watermark 998
        watermark 999
        {"k": "a", "n": 5, "window_end": 1000, "$time": 999}
        end
        "#,
    )
    .shows(
        r#"
        @999 {"k":"a","n":9,"window_end":"1970-01-01T00:00:01Z","rank":1}
        @999 {"k":"a","n":8,"window_end":"1970-01-01T00:00:01Z","rank":2}
        @999 {"k":"b","window_end":"1970-01-01T00:00:01Z","rank":1}
        dead came 0 ms after its window had closed: {"k":"a","n":5,"window_end":"1970-01-01T00:00:01Z"}
        @1999 {"k":"a","n":1,"window_end":"1970-01-01T00:00:02Z","rank":1}
        "#,
    );
}

#[test]
fn of_equal_rows_the_first_is_kept_or_all_of_them() {
    let script = r#"
        {"k": "a", "n": 5, "id": 1, "$time": 10}
        {"k": "a", "n": 6, "id": 2, "$time": 20}
        {"k": "a", "n": 5, "id": 3, "$time": 30}
        {"k": "a", "n": 6, "id": 4, "$time": 15}
        {"k": "a", "n": 4, "id": 5, "$time": 15}
        watermark 99
    "#;
    let output = vec![
        number("id"),
        number("rank"),
        instant("window_start"),
        instant("window_end"),
        time(),
    ];
    let with = |ties, limit| {
        let recipe = recipe::TopN {
            rank: Some("rank".to_owned()),
            window: tumbling(100),
            ties,
            ..best(&["k"], limit, Emission::Window)
        };
        Trial::new(&node(recipe, raw(), output.clone()), script)
    };
    let row = |id: i64, rank: i64| {
        let window = r#""window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:00.100Z""#;
        format!(r#"@99 {{"id":{id},"rank":{rank},{window}}}"#)
    };
    let shows = |ties, limit, rows: &[(i64, i64)]| {
        let expected: Vec<String> = rows.iter().map(|(id, rank)| row(*id, *rank)).collect();
        with(ties, limit).shows(&expected.join("\n"));
    };
    shows(Ties::Cut, 1, &[(2, 1)]);
    shows(Ties::Cut, 3, &[(2, 1), (4, 2), (1, 3)]);
    shows(Ties::Kept, 1, &[(2, 1), (4, 1)]);
    shows(Ties::Kept, 2, &[(2, 1), (4, 1)]);
    shows(Ties::Kept, 3, &[(2, 1), (4, 1), (1, 3), (3, 3)]);
    shows(Ties::Kept, 5, &[(2, 1), (4, 1), (1, 3), (3, 3), (5, 5)]);
}

#[test]
fn late_rows_go_to_those_who_want_them() {
    let recipe = recipe::TopN {
        window: tumbling(100),
        ..best(&[], 1, Emission::Window)
    };
    let mut node = node(recipe, raw(), vec![number("id")]);
    node.targets.push((Port::Late, Target::Node(1)));
    Trial::new(
        &node,
        r#"
        {"n": 1, "id": 1, "$time": 150}
        watermark 250
        {"n": 2, "id": 2, "$time": 199}
        {"n": 3, "id": 3, "$time": 200}
        {"n": 4, "id": 4, "$time": null}
        end
        "#,
    )
    .shows(
        r#"
        {"id":1}
        dead has no time, so nobody can say which window it is of: {"n":4,"id":4}
        late @199 {"n":2,"id":2}
        {"id":3}
        "#,
    );
}

fn changes(limit: u64, rank: Option<&str>) -> Node {
    let recipe = recipe::TopN {
        rank: rank.map(str::to_owned),
        ..best(&["k"], limit, Emission::Changes)
    };
    let output = vec![kind(), number("n"), number("id")];
    let output = output.into_iter().chain(rank.map(number)).collect();
    node(recipe, raw(), output)
}

#[test]
fn the_one_best_row_becomes_another() {
    let trial = Trial::new(
        &changes(1, None),
        r#"
        {"k": "a", "n": 5, "id": 1}
        barrier
        {"k": "a", "n": 5, "id": 2}
        {"k": "a", "n": 6, "id": 3}
        {"k": "b", "n": 1, "id": 4}
        "#,
    );
    trial.compare(Compare::Changes).shows(
        r#"
        insert {"n":5,"id":1}
        before {"n":5,"id":1}
        after {"n":6,"id":3}
        insert {"n":1,"id":4}
        "#,
    );
}

#[test]
fn rows_leave_and_come_where_several_are_kept() {
    let trial = Trial::new(
        &changes(2, None),
        r#"
        {"k": "a", "n": 5, "id": 1}
        {"k": "a", "n": 3, "id": 2}
        barrier
        {"k": "a", "n": 4, "id": 3}
        barrier
        {"k": "a", "n": 9, "id": 4}
        {"k": "a", "n": 8, "id": 5}
        barrier
        {"k": "a", "n": 7, "id": 6}
        "#,
    );
    trial.compare(Compare::Changes).shows(
        r#"
        insert {"n":5,"id":1}
        insert {"n":3,"id":2}
        before {"n":3,"id":2}
        insert {"n":4,"id":3}
        before {"n":5,"id":1}
        before {"n":4,"id":3}
        insert {"n":9,"id":4}
        insert {"n":8,"id":5}
        "#,
    );
}

#[test]
fn every_row_whose_place_changed_says_so_where_places_are_told() {
    let trial = Trial::new(
        &changes(3, Some("place")),
        r#"
        {"k": "a", "n": 5, "id": 1}
        {"k": "a", "n": 3, "id": 2}
        barrier
        {"k": "a", "n": 4, "id": 3}
        barrier
        {"k": "a", "n": 4, "id": 4}
        "#,
    );
    trial.compare(Compare::Changes).shows(
        r#"
        insert {"n":5,"id":1,"place":1}
        insert {"n":3,"id":2,"place":2}
        before {"n":3,"id":2,"place":2}
        after {"n":4,"id":3,"place":2}
        insert {"n":3,"id":2,"place":3}
        before {"n":3,"id":2,"place":3}
        after {"n":4,"id":4,"place":3}
        "#,
    );
}

#[test]
fn many_changes_come_in_batches_that_are_not_too_large() {
    let rows = (0..20_000).map(|row| Step::Row(format!(r#"{{"k":"k{row}","n":1,"id":{row}}}"#)));
    // The harness checks the size of each batch.
    let shown = Trial::of(&changes(1, None), rows.collect())
        .compare(Compare::Changes)
        .run();
    assert_eq!(shown.lines().len(), 20_000);
}

/// The arena is tidied while rows come and go.
#[test]
fn a_list_that_changes_for_long_keeps_the_right_rows() {
    let text = "x".repeat(2000);
    let fields = vec![
        Field::new("k", DataType::Utf8View, true),
        number("n"),
        Field::new("t", DataType::Utf8View, true),
    ];
    let recipe = best(&["k"], 2, Emission::Changes);
    let node = node(
        recipe,
        fields.clone(),
        and(vec![kind()], fields[1].clone())
            .into_iter()
            .chain([fields[2].clone()])
            .collect(),
    );
    let row = |n: i64| Step::Row(format!(r#"{{"k":"k{}","n":{n},"t":"{n}-{text}"}}"#, n % 3));
    let steps = (0..1500).flat_map(|n| {
        if n % 100 == 0 {
            vec![row(n), Step::Barrier]
        } else {
            vec![row(n)]
        }
    });
    let shown = Trial::of(&node, steps.collect()).run();
    let mut rows: BTreeMap<String, i64> = BTreeMap::new();
    for line in shown.lines() {
        let (kind, row) = line.split_once(' ').unwrap();
        *rows.entry(row.to_owned()).or_default() += if kind == "before" { -1 } else { 1 };
    }
    rows.retain(|_, count| *count != 0);
    let mut left: Vec<String> = (1494..1500)
        .map(|n| format!(r#"{{"n":{n},"t":"{n}-{text}"}}"#))
        .collect();
    left.sort();
    assert_eq!(
        rows.into_iter().collect::<Vec<_>>(),
        left.into_iter().map(|row| (row, 1)).collect::<Vec<_>>()
    );
}

#[test]
fn recipes_that_cannot_be_are_refused() {
    let build = |node: &Node| {
        let built = std::panic::catch_unwind(|| Trial::of(node, vec![]).run());
        built.is_ok()
    };
    let kept = recipe::TopN {
        ties: Ties::Kept,
        ..best(&["k"], 2, Emission::Changes)
    };
    assert!(!build(&node(kept, raw(), vec![kind(), number("id")])));
    let changed = best(&["k"], 2, Emission::Changes);
    assert!(!build(&node(changed, and(raw(), kind()), vec![kind(), number("id")])));
    let late = recipe::TopN {
        window: tumbling(100).map(|window| Window {
            allowed_lateness_ms: 5,
            ..window
        }),
        ..best(&["k"], 2, Emission::Window)
    };
    assert!(!build(&node(late, raw(), vec![number("id")])));
}

fn rows() -> impl Strategy<Value = Vec<(u8, Option<i64>, i64, bool)>> {
    let row = (
        0..3_u8,
        prop::option::of(0..6_i64),
        0..400_i64,
        prop::bool::weighted(0.2),
    );
    prop::collection::vec(row, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn windows_are_as_a_sort_would_have_them(rows in rows(), limit in 1..4_u64, keep in any::<bool>(), chance in any::<usize>()) {
        let ties = if keep { Ties::Kept } else { Ties::Cut };
        let recipe = recipe::TopN {
            rank: Some("rank".to_owned()),
            window: tumbling(100),
            ties,
            ..best(&["k"], limit, Emission::Window)
        };
        let node = node(recipe, raw(), vec![number("id"), number("rank"), time()]);
        let (mut steps, mut windows, mut watermark, mut late) = (vec![], BTreeMap::new(), i64::MIN, 0);
        for (id, (key, n, time, advance)) in rows.iter().enumerate() {
            let n_text = n.map_or("null".to_owned(), |n| n.to_string());
            steps.push(Step::Row(format!(r#"{{"k":"k{key}","n":{n_text},"id":{id},"$time":{time}}}"#)));
            let end = (time / 100 + 1) * 100;
            if watermark >= end - 1 {
                late += 1;
            } else {
                windows.entry((end, *key)).or_insert_with(Vec::new).push((n.map_or(i64::MAX, |n| -n), id));
            }
            if *advance {
                watermark = watermark.max(*time);
                steps.push(Step::Watermark(watermark));
            }
        }
        steps.push(Step::End);
        let mut expected = vec![];
        for ((end, _), mut rows) in windows {
            rows.sort();
            for (place, (sort, id)) in rows.iter().enumerate() {
                let better = rows.iter().filter(|(other, _)| other < sort).count();
                let rank = if keep { better + 1 } else { place + 1 };
                if rank <= usize::try_from(limit).unwrap() {
                    expected.push(format!(r#"@{} {{"id":{id},"rank":{rank}}}"#, end - 1));
                }
            }
        }
        let trial = Trial::of(&node, steps);
        let shown = trial.run();
        let mut lines: Vec<String> = shown.lines().into_iter().filter(|line| line.starts_with('@')).collect();
        lines.sort();
        expected.sort();
        prop_assert_eq!(lines, expected);
        prop_assert_eq!(shown.late, late);
        trial.holds_by_chance(chance);
    }

    #[test]
    fn changes_come_to_what_a_sort_would_have(rows in rows(), limit in 1..4_u64, ranked in any::<bool>(), chance in any::<usize>()) {
        let node = changes(limit, ranked.then_some("rank"));
        let mut steps = vec![];
        let mut keys: BTreeMap<u8, Vec<(i64, usize)>> = BTreeMap::new();
        for (id, (key, n, _, barrier)) in rows.iter().enumerate() {
            let n_text = n.map_or("null".to_owned(), |n| n.to_string());
            steps.push(Step::Row(format!(r#"{{"k":"k{key}","n":{n_text},"id":{id}}}"#)));
            keys.entry(*key).or_default().push((n.map_or(i64::MAX, |n| -n), id));
            if *barrier {
                steps.push(Step::Barrier);
            }
        }
        let mut expected = vec![];
        for rows in keys.values_mut() {
            rows.sort();
            for (place, (sort, id)) in rows.iter().take(usize::try_from(limit).unwrap()).enumerate() {
                let n = if *sort == i64::MAX { String::new() } else { format!(r#""n":{},"#, -sort) };
                let rank = if ranked { format!(r#","rank":{}"#, place + 1) } else { String::new() };
                expected.push(format!(r#"{{{n}"id":{id}{rank}}}"#));
            }
        }
        let trial = Trial::of(&node, steps).compare(Compare::Changes);
        let mut table: BTreeMap<String, i64> = BTreeMap::new();
        for line in trial.run().lines() {
            let (kind, row) = line.split_once(' ').unwrap();
            *table.entry(row.to_owned()).or_default() += if kind == "before" { -1 } else { 1 };
        }
        table.retain(|_, count| *count != 0);
        expected.sort();
        prop_assert_eq!(table.into_iter().collect::<Vec<_>>(), expected.into_iter().map(|row| (row, 1)).collect::<Vec<_>>());
        trial.holds_by_chance(chance);
    }
}
