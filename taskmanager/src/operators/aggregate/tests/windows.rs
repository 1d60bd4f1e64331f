//! Windows that fire: which rows they hold, when, in which order.

use arrow_schema::Schema;
use dataflow::recipe::Aggregate;

use super::*;
use crate::testing::{Compare, Trial};

#[test]
fn tumbling_windows_fire_in_order_when_the_watermark_has_passed_them() {
    Trial::new(
        &aggregate(by_key(), Some(tumbling(60_000)), rows_and_sum()),
        r#"
        {"$time": 1000, "k": "a", "n": 1}
        {"$time": 61000, "k": "a", "n": 10}
        {"$time": 59999, "k": "a", "n": 2}
        {"$time": 2000, "k": "b"}
        {"$time": 3000, "n": 7}
        watermark 59998
        barrier
        {"$time": 60000, "k": "b", "n": 20}
        watermark 59999
        watermark 200000
        "#,
    )
    .shows(
        r#"
        @59999 {"k":"a","window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:01:00Z","rows":2,"sum":3}
        @59999 {"k":"b","window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:01:00Z","rows":1}
        @59999 {"window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:01:00Z","rows":1,"sum":7}
        @119999 {"k":"a","window_start":"1970-01-01T00:01:00Z","window_end":"1970-01-01T00:02:00Z","rows":1,"sum":10}
        @119999 {"k":"b","window_start":"1970-01-01T00:01:00Z","window_end":"1970-01-01T00:02:00Z","rows":1,"sum":20}
        "#,
    );
}

#[test]
fn all_rows_are_one_group_where_there_is_no_key() {
    Trial::new(
        &aggregate(vec![], Some(tumbling(10)), rows_and_sum()),
        r#"
        {"$time": 1, "n": 1}
        {"$time": 12, "n": 5}
        {"$time": 2, "n": 2}
        end
        "#,
    )
    .shows(
        r#"
        @9 {"window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:00.010Z","rows":2,"sum":3}
        @19 {"window_start":"1970-01-01T00:00:00.010Z","window_end":"1970-01-01T00:00:00.020Z","rows":1,"sum":5}
        "#,
    );
}

/// Only key, sum and `$time`, which says the window's end: shorter to read.
fn short(mut node: Node) -> Node {
    let wanted = node
        .output
        .fields()
        .iter()
        .filter(|field| !["window_start", "window_end", "rows"].contains(&field.name().as_str()));
    node.output = Arc::new(Schema::new(wanted.cloned().collect::<Vec<_>>()));
    node
}

#[test]
fn sliding_windows_share_the_panes_of_their_slide() {
    let spans = Spans::Sliding {
        size_ms: 30,
        slide_ms: 10,
        origin: Origin::default(),
    };
    Trial::new(
        &short(aggregate(by_key(), Some(windows(spans)), rows_and_sum())),
        r#"
        {"$time": 5, "k": "a", "n": 1}
        {"$time": 15, "k": "a", "n": 2}
        {"$time": 17, "k": "b", "n": 3}
        watermark 19
        {"$time": 25, "k": "a", "n": 4}
        {"$time": 71, "k": "a", "n": 9}
        watermark 60
        end
        "#,
    )
    .shows(
        r#"
        @9 {"k":"a","sum":1}
        @19 {"k":"a","sum":3}
        @19 {"k":"b","sum":3}
        @29 {"k":"a","sum":7}
        @29 {"k":"b","sum":3}
        @39 {"k":"a","sum":6}
        @39 {"k":"b","sum":3}
        @49 {"k":"a","sum":4}
        @79 {"k":"a","sum":9}
        @89 {"k":"a","sum":9}
        @99 {"k":"a","sum":9}
        "#,
    );
}

#[test]
fn cumulative_windows_grow_step_by_step_and_begin_anew() {
    let spans = Spans::Cumulative {
        size_ms: 30,
        step_ms: 10,
        origin: Origin::default(),
    };
    Trial::new(
        &short(aggregate(by_key(), Some(windows(spans)), rows_and_sum())),
        r#"
        {"$time": 5, "k": "a", "n": 1}
        {"$time": 25, "k": "a", "n": 2}
        watermark 15
        {"$time": 31, "k": "a", "n": 4}
        end
        "#,
    )
    .shows(
        r#"
        @9 {"k":"a","sum":1}
        @19 {"k":"a","sum":1}
        @29 {"k":"a","sum":3}
        @39 {"k":"a","sum":4}
        @49 {"k":"a","sum":4}
        @59 {"k":"a","sum":4}
        "#,
    );
}

#[test]
fn a_window_of_all_time_fires_at_the_end() {
    Trial::new(
        &aggregate(by_key(), Some(windows(Spans::Global)), rows_and_sum()),
        r#"
        {"$time": 5, "k": "a", "n": 1}
        watermark 99999999
        {"$time": 3, "k": "a", "n": 2}
        end
        "#,
    )
    .shows(r#"@5 {"k":"a","rows":2,"sum":3}"#);
}

#[test]
fn early_results_tell_what_has_changed_since_the_last_ones() {
    let node = aggregate(
        by_key(),
        Some(Window {
            emit_every_ms: Some(1000),
            ..tumbling(60_000)
        }),
        rows_and_sum(),
    );
    let shown = Trial::new(
        &short(node),
        r#"
        {"$time": 1, "k": "a", "n": 1}
        {"$time": 2, "k": "b", "n": 2}
        tick 999
        tick 1000
        {"$time": 3, "k": "b", "n": 3}
        tick 2500
        watermark 59999
        "#,
    )
    .run()
    .segments;
    let lines = |segment: usize| shown[segment].join(" ");
    assert_eq!(lines(1), "");
    assert_eq!(lines(2), r#"@59999 {"k":"a","sum":1} @59999 {"k":"b","sum":2}"#);
    assert_eq!(lines(4), r#"@59999 {"k":"b","sum":5}"#);
    assert_eq!(lines(5), r#"@59999 {"k":"a","sum":1} @59999 {"k":"b","sum":5}"#);
}

#[test]
fn early_results_of_sliding_windows_are_of_every_open_window() {
    let spans = Spans::Sliding {
        size_ms: 20,
        slide_ms: 10,
        origin: Origin::default(),
    };
    let window = Window {
        emit_every_ms: Some(100),
        ..windows(spans)
    };
    let shown = Trial::new(
        &short(aggregate(by_key(), Some(window), rows_and_sum())),
        r#"
        {"$time": 1, "k": "a", "n": 1}
        {"$time": 11, "k": "a", "n": 2}
        tick 100
        watermark 15
        {"$time": 12, "k": "b", "n": 3}
        tick 200
        "#,
    )
    .run()
    .segments;
    assert_eq!(
        shown[1],
        [
            r#"@9 {"k":"a","sum":1}"#,
            r#"@19 {"k":"a","sum":3}"#,
            r#"@29 {"k":"a","sum":2}"#
        ]
    );
    assert_eq!(shown[4], [r#"@19 {"k":"b","sum":3}"#, r#"@29 {"k":"b","sum":3}"#]);
}

#[test]
fn by_the_clock_a_row_counts_when_it_comes_and_the_window_fires_by_itself() {
    let window = Window {
        clock: Clocked::Processing,
        ..tumbling(1000)
    };
    Trial::new(
        &short(aggregate(by_key(), Some(window), rows_and_sum())),
        r#"
        tick 1500
        {"$time": 1, "k": "a", "n": 1}
        tick 1999
        {"$time": 99999, "k": "a", "n": 2}
        tick 2000
        {"$time": 3, "k": "b", "n": 4}
        end
        "#,
    )
    .shows(
        r#"
        @1999 {"k":"a","sum":3}
        @2999 {"k":"b","sum":4}
        "#,
    );
}

#[test]
fn days_of_a_time_zone_are_days_there() {
    let origin = Origin {
        offset_ms: 0,
        zone: Some("Europe/Berlin".to_owned()),
    };
    let spans = Spans::Tumbling {
        size_ms: 86_400_000,
        origin,
    };
    // 2026-03-29 begins at 23:00 UTC and has 23 hours.
    Trial::new(
        &aggregate(
            by_key(),
            Some(windows(spans)),
            vec![measure("rows", Function::Count, None)],
        ),
        r#"
        {"$time": 1774738800000, "k": "a"}
        {"$time": 1774821599999, "k": "a"}
        {"$time": 1774821600000, "k": "a"}
        end
        "#,
    )
    .shows(
        r#"
        @1774821599999 {"k":"a","window_start":"2026-03-28T23:00:00Z","window_end":"2026-03-29T22:00:00Z","rows":2}
        @1774907999999 {"k":"a","window_start":"2026-03-29T22:00:00Z","window_end":"2026-03-30T22:00:00Z","rows":1}
        "#,
    );
}

#[test]
fn filters_and_expressions_choose_what_a_measure_counts() {
    let mut measures = rows_and_sum();
    measures[1].argument = Some(Expression::new("10 / n"));
    measures[1].filter = Some(Expression::new("n <> 0"));
    measures.push(measure("different", Function::CountDistinct, Some("n")));
    measures.push(measure("mean", Function::Avg, Some("n")));
    Trial::new(
        &aggregate(by_key(), Some(tumbling(10)), measures),
        r#"
        {"$time": 1, "k": "a", "n": 5}
        {"$time": 2, "k": "a", "n": 0}
        {"$time": 2, "k": "a"}
        {"$time": 3, "k": "a", "n": 5}
        end
        "#,
    )
    .shows(
        r#"
        @9 {"k":"a","window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:00.010Z","rows":4,"sum":4,"different":2,"mean":3.3333333333333335}
        "#,
    );
}

#[test]
fn a_row_whose_expression_fails_is_a_dead_letter_and_counts_nowhere() {
    let mut measures = rows_and_sum();
    measures[1].argument = Some(Expression::new("10 / n"));
    Trial::new(
        &aggregate(by_key(), Some(tumbling(10)), measures),
        r#"
        {"$time": 1, "k": "a", "n": 0}
        {"$time": 2, "k": "a", "n": 2}
        {"k": "a", "n": 1}
        end
        "#,
    )
    .compare(Compare::Rows)
    .shows(
        r#"
        dead has no event time, so it belongs to no window: {"k":"a","n":1}
        dead sum: divide by zero error: {"k":"a","n":0}
        @9 {"k":"a","window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:00.010Z","rows":1,"sum":5}
        "#,
    );
}

#[test]
fn a_window_of_many_keys_comes_in_batches() {
    let count = 20_000;
    let steps = (0..count).map(|n| format!(r#"{{"$time": 1, "k": "{n}", "n": {n}}}"#));
    let script = steps.chain(["end".to_owned()]).collect::<Vec<_>>().join("\n");
    let rows = Trial::new(&aggregate(by_key(), Some(tumbling(10)), rows_and_sum()), &script).run();
    assert_eq!(rows.lines().len(), count);
}

#[test]
fn windows_far_apart_cost_nothing_in_between() {
    let spans = Spans::Sliding {
        size_ms: 20,
        slide_ms: 10,
        origin: Origin::default(),
    };
    let window = Window {
        emit_every_ms: Some(100),
        ..windows(spans)
    };
    let shown = Trial::new(
        &short(aggregate(by_key(), Some(window), rows_and_sum())),
        r#"
        {"$time": -9000000000000000000, "k": "a", "n": 1}
        {"$time": 9000000000000000000, "k": "a", "n": 2}
        tick 100
        watermark 0
        end
        "#,
    )
    .run();
    assert_eq!(shown.segments.iter().map(Vec::len).collect::<Vec<_>>(), [0, 4, 2, 2]);
}

#[test]
fn a_sum_that_outgrows_its_type_says_which() {
    let recipe = Aggregate {
        keys: vec![],
        window: Some(tumbling(10)),
        measures: rows_and_sum(),
        phase: Phase::Whole,
    };
    let outcome = std::panic::catch_unwind(|| {
        let script = format!("{{\"$time\": 1, \"n\": {}}}\n{{\"$time\": 1, \"n\": 1}}\nend", i64::MAX);
        Trial::new(&node_of(recipe), &script).run()
    });
    let message = *outcome.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("`sum`: a sum has outgrown"), "{message}");
}
