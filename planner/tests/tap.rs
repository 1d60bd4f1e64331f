//! Looking at the rows of a step: where they are, which conditions fit them, and what cannot be asked for.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod toy;

use planner::job::JobGraph;
use planner::tap::{Refusal, look};

const TYPED: &str = "
datastreamName: shop
contactName: eng
parallelism: 2
hidden: [email, payload.card]
sources:
  - name: events
    file: { path: in }
    format: { json: { schema: { id: string, email: string, total: double, payload: { card: string, note: string } } } }
steps:
  - name: big
    filter: total > 5
sinks:
  - name: out
    file: { path: out }
";

const OPEN: &str = "
datastreamName: shop
contactName: eng
sources:
  - name: events
    file: { path: in }
eventTypeFilters: [PURCHASE]
sinks:
  - name: out
    file: { path: out }
";

fn graph(text: &str) -> JobGraph {
    let mut planned = planner::plan(text, &toy::catalog(), &planner::Discovered::default());
    assert!(!planned.diagnostics.has_errors());
    planned.jobs.remove(0)
}

fn refused(graph: &JobGraph, step: &str, sql: &str) -> (String, String) {
    match look(graph, step, Some(sql)).unwrap_err() {
        Refusal::Step { step, help } => (step, help),
        Refusal::Condition { message, range, .. } => (sql[range].to_owned(), message),
    }
}

#[test]
fn a_condition_over_columns_is_checked_against_the_rows_of_its_step() {
    let graph = graph(TYPED);
    let found = look(&graph, "big", Some("total > 7 AND payload.note IS NULL")).unwrap();
    assert_eq!((found.parallelism, found.condition.unwrap().open), (2, None));
    assert!(found.columns.contains(&"total".to_owned()));
    assert!(
        look(&graph, "out", None).unwrap().condition.is_none(),
        "a sink is looked at in front"
    );
    let (at, message) = refused(&graph, "big", "totl > 7");
    assert_eq!(at, "totl");
    assert!(message.contains("no field `totl`"), "{message}");
    assert_eq!(
        refused(&graph, "big", "total + 1").1,
        "it yields double for each row, not true or false"
    );
    assert!(refused(&graph, "big", "total >").1.len() > 5);
    assert_eq!(
        refused(&graph, "bog", "true"),
        ("bog".to_owned(), "did you mean `big`?".to_owned())
    );
    assert!(
        refused(&graph, "nothing-like-it", "true")
            .1
            .starts_with("there are: events, ")
    );
}

#[test]
fn what_is_hidden_cannot_be_asked_for_in_any_way() {
    let graph = graph(TYPED);
    for (step, sql, at) in [
        ("big", "total > 1 AND email LIKE 'a%'", "email"),
        ("big", "payload.card = '4'", "payload.card"),
        ("events", "payload IS NULL", "payload"),
    ] {
        let (found, message) = refused(&graph, step, sql);
        assert_eq!(found, at);
        assert!(message.contains("hidden"), "{message}");
    }
    assert!(
        refused(&graph, "events", "\"$raw\" IS NOT NULL")
            .1
            .contains("Weir's own")
    );
}

#[test]
fn a_condition_over_records_without_a_schema_says_what_is_to_be_read_of_them() {
    let graph = graph(OPEN);
    let condition = look(&graph, "events", Some("payload.total > 5 AND lower(kind) = 'x'"))
        .unwrap()
        .condition
        .unwrap();
    let (fields, format) = condition.open.unwrap();
    let names: Vec<&str> = fields.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(
        (names.as_slice(), format.name.as_str()),
        (["kind", "payload"].as_slice(), "json")
    );
    assert_eq!(refused(&graph, "events", "total > 5 AND total = 'x'").0, "total");
}
