//! Aggregates without windows: streams of changes.

use super::*;
use crate::testing::{Compare, Trial};

#[test]
fn each_batch_tells_what_its_keys_were_and_what_they_have_become() {
    Trial::new(
        &aggregate(by_key(), None, rows_and_sum()),
        r#"
        {"$time": 1, "k": "a", "n": 1}
        {"$time": 2, "k": "a", "n": 2}
        {"$time": 3, "k": "b", "n": 5}
        barrier
        {"$time": 4, "k": "b", "n": 6}
        {"$time": 3, "n": 9}
        end
        "#,
    )
    .compare(Compare::Changes)
    .shows(
        r#"
        insert @3 {"k":"a","rows":2,"sum":3}
        insert @3 {"k":"b","rows":1,"sum":5}
        before @4 {"k":"b","rows":1,"sum":5}
        after @4 {"k":"b","rows":2,"sum":11}
        insert @4 {"rows":1,"sum":9}
        "#,
    );
}

#[test]
fn a_result_that_stays_what_it_was_is_no_change() {
    Trial::new(
        &aggregate(by_key(), None, vec![measure("most", Function::Max, Some("n"))]),
        r#"
        {"$time": 1, "k": "a", "n": 5}
        {"$time": 1, "k": "b"}
        watermark 0
        {"$time": 2, "k": "a", "n": 3}
        {"$time": 2, "k": "b"}
        watermark 1
        {"$time": 3, "k": "a", "n": 7}
        {"$time": 3, "k": "b", "n": 0}
        "#,
    )
    .compare(Compare::Changes)
    .shows(
        r#"
        insert @1 {"k":"a","most":5}
        insert @1 {"k":"b"}
        before @3 {"k":"a","most":5}
        after @3 {"k":"a","most":7}
        before @3 {"k":"b"}
        after @3 {"k":"b","most":0}
        "#,
    );
}

#[test]
fn distinct_values_are_counted_by_each_measure_that_wants_them() {
    let odd = |name: &str| Measure {
        filter: Some(Expression::new("n % 2 = 1")),
        ..measure(name, Function::CountDistinct, Some("n"))
    };
    let measures = vec![
        measure("all", Function::CountDistinct, Some("n")),
        odd("odd"),
        measure("halves", Function::CountDistinct, Some("n / 2")),
        measure("rows", Function::Count, None),
    ];
    Trial::new(
        &aggregate(by_key(), None, measures),
        r#"
        {"$time": 1, "k": "a", "n": 2}
        {"$time": 1, "k": "a", "n": 3}
        {"$time": 1, "k": "a", "n": 3}
        {"$time": 1, "k": "b", "n": 3}
        barrier
        {"$time": 2, "k": "a", "n": 3}
        {"$time": 2, "k": "a"}
        barrier
        {"$time": 3, "k": "a", "n": 5}
        {"$time": 3, "k": "b", "n": 2}
        end
        "#,
    )
    .compare(Compare::Changes)
    .shows(
        r#"
        insert @1 {"k":"a","all":2,"odd":1,"halves":1,"rows":3}
        insert @1 {"k":"b","all":1,"odd":1,"halves":1,"rows":1}
        before @2 {"k":"a","all":2,"odd":1,"halves":1,"rows":3}
        after @2 {"k":"a","all":2,"odd":1,"halves":1,"rows":5}
        before @3 {"k":"a","all":2,"odd":1,"halves":1,"rows":5}
        after @3 {"k":"a","all":3,"odd":2,"halves":2,"rows":6}
        before @3 {"k":"b","all":1,"odd":1,"halves":1,"rows":1}
        after @3 {"k":"b","all":2,"odd":1,"halves":1,"rows":2}
        "#,
    );
}

#[test]
fn a_batch_of_many_keys_comes_in_batches() {
    let lines = (0..8000).map(|n| format!(r#"{{"$time": 1, "k": "{n}", "n": {n}}}"#));
    let batch = lines.collect::<Vec<_>>().join("\n");
    let script = format!("{batch}\nwatermark 0\n{batch}");
    let shown = Trial::new(&aggregate(by_key(), None, rows_and_sum()), &script).run();
    assert_eq!(
        shown.segments.iter().map(Vec::len).collect::<Vec<_>>(),
        [8000, 0, 16_000]
    );
}
