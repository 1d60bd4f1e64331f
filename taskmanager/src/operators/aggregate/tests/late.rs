//! Rows that come when their window was complete: in time by the allowed lateness, or late.

use super::*;
use crate::testing::{Compare, Trial};

fn lenient(spans: Spans) -> Window {
    Window {
        allowed_lateness_ms: 20,
        ..windows(spans)
    }
}

#[test]
fn rows_that_come_too_late_are_dead_letters_that_say_by_how_much() {
    let trial = Trial::new(
        &aggregate(
            by_key(),
            Some(tumbling(10)),
            vec![measure("rows", Function::Count, None)],
        ),
        r#"
        {"$time": 5, "k": "a", "n": 1}
        watermark 12
        {"$time": 9, "k": "a", "n": 2}
        {"$time": 10, "k": "a", "n": 3}
        end
        "#,
    );
    trial.shows(
        r#"
        @9 {"k":"a","window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:00.010Z","rows":1}
        dead came 3 ms after its window had closed: {"k":"a","n":2}
        @19 {"k":"a","window_start":"1970-01-01T00:00:00.010Z","window_end":"1970-01-01T00:00:00.020Z","rows":1}
        "#,
    );
    assert_eq!(trial.run().late, 1);
}

#[test]
fn late_rows_go_to_those_who_want_them() {
    let trial = Trial::new(
        &with_late(aggregate(by_key(), Some(tumbling(10)), rows_and_sum())),
        r#"
        watermark 12
        {"$time": 9, "k": "a", "n": 2}
        "#,
    );
    trial.shows(r#"late @9 {"k":"a","n":2}"#);
    assert_eq!(trial.run().late, 1);
}

#[test]
fn within_the_lateness_the_window_fires_again_for_the_keys_of_late_rows() {
    Trial::new(
        &aggregate(
            by_key(),
            Some(lenient(Spans::Tumbling {
                size_ms: 10,
                origin: Origin::default(),
            })),
            rows_and_sum(),
        ),
        r#"
        {"$time": 5, "k": "a", "n": 1}
        {"$time": 6, "k": "b", "n": 1}
        watermark 9
        {"$time": 7, "k": "a", "n": 2}
        barrier
        watermark 28
        {"$time": 8, "k": "a", "n": 4}
        {"$time": 8, "k": "a", "n": 8}
        watermark 29
        {"$time": 9, "k": "a", "n": 16}
        "#,
    )
    .compare(Compare::Latest(&["k", "window_start"]))
    .shows(
        r#"
        @9 {"k":"a","window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:00.010Z","rows":1,"sum":1}
        @9 {"k":"b","window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:00.010Z","rows":1,"sum":1}
        @9 {"k":"a","window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:00.010Z","rows":2,"sum":3}
        @9 {"k":"a","window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:00.010Z","rows":4,"sum":15}
        dead came 0 ms after its window had closed: {"k":"a","n":16}
        "#,
    );
}

#[test]
fn a_late_row_counts_in_those_of_its_sliding_windows_that_are_not_closed() {
    let spans = Spans::Sliding {
        size_ms: 30,
        slide_ms: 10,
        origin: Origin::default(),
    };
    let mut node = aggregate(
        by_key(),
        Some(lenient(spans)),
        vec![measure("sum", Function::Sum, Some("n"))],
    );
    let wanted = node
        .output
        .fields()
        .iter()
        .filter(|field| !field.name().starts_with("window"));
    node.output = Arc::new(Schema::new(wanted.cloned().collect::<Vec<_>>()));
    Trial::new(
        &node,
        r#"
        {"$time": 5, "k": "a", "n": 1}
        {"$time": 25, "k": "b", "n": 1}
        watermark 35
        {"$time": 6, "k": "a", "n": 2}
        end
        "#,
    )
    .compare(Compare::Latest(&["k"]))
    .shows(
        // The window up to 10 is closed at 29; those up to 20 and 30 fire again.
        r#"
        @9 {"k":"a","sum":1}
        @19 {"k":"a","sum":1}
        @29 {"k":"a","sum":1}
        @29 {"k":"b","sum":1}
        @19 {"k":"a","sum":3}
        @29 {"k":"a","sum":3}
        @39 {"k":"b","sum":1}
        @49 {"k":"b","sum":1}
        "#,
    );
}
