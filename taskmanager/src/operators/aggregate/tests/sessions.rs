//! Sessions: by hand, and against a list of rows.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Compare, Step, Trial};

fn sessions(lateness_ms: u64) -> Node {
    let window = Window {
        allowed_lateness_ms: lateness_ms,
        ..windows(Spans::Session { gap_ms: 10 })
    };
    let mut node = aggregate(by_key(), Some(window), vec![measure("sum", Function::Sum, Some("n"))]);
    let bound = |field: &Field| {
        let is_bound = field.name().starts_with("window");
        if is_bound {
            field.clone().with_data_type(DataType::Int64)
        } else {
            field.clone()
        }
    };
    node.output = Arc::new(Schema::new(
        node.output
            .fields()
            .iter()
            .map(|field| bound(field))
            .collect::<Vec<_>>(),
    ));
    node
}

#[test]
fn a_session_ends_when_no_row_can_come_within_the_gap() {
    Trial::new(
        &sessions(0),
        r#"
        {"$time": 1, "k": "a", "n": 1}
        {"$time": 3, "k": "b", "n": 10}
        {"$time": 11, "k": "a", "n": 2}
        watermark 13
        barrier
        {"$time": 22, "k": "a", "n": 4}
        watermark 20
        watermark 21
        end
        "#,
    )
    .shows(
        r#"
        @12 {"k":"b","window_start":3,"window_end":13,"sum":10}
        @20 {"k":"a","window_start":1,"window_end":21,"sum":3}
        @31 {"k":"a","window_start":22,"window_end":32,"sum":4}
        "#,
    );
}

#[test]
fn a_row_between_sessions_makes_them_one() {
    Trial::new(
        &sessions(0),
        r#"
        {"$time": 1, "k": "a", "n": 1}
        {"$time": 41, "k": "a", "n": 8}
        {"$time": 21, "k": "a", "n": 2}
        {"$time": 11, "k": "a", "n": 4}
        {"$time": 31, "k": "a", "n": 16}
        {"$time": 5, "k": "b", "n": 5}
        end
        "#,
    )
    .shows(
        r#"
        @14 {"k":"b","window_start":5,"window_end":15,"sum":5}
        @50 {"k":"a","window_start":1,"window_end":51,"sum":31}
        "#,
    );
}

#[test]
fn late_rows_change_a_session_that_was_given_and_is_not_forgotten() {
    let trial = Trial::new(
        &sessions(20),
        r#"
        {"$time": 1, "k": "a", "n": 1}
        watermark 15
        {"$time": 4, "k": "a", "n": 2}
        watermark 33
        {"$time": 2, "k": "a", "n": 4}
        watermark 34
        {"$time": 4, "k": "a", "n": 8}
        {"$time": 2, "k": "b", "n": 8}
        end
        "#,
    );
    trial.compare(Compare::Latest(&["k", "window_start"])).shows(
        r#"
        @10 {"k":"a","window_start":1,"window_end":11,"sum":1}
        @13 {"k":"a","window_start":1,"window_end":14,"sum":3}
        @13 {"k":"a","window_start":1,"window_end":14,"sum":7}
        dead came 0 ms after its window had closed: {"k":"a","n":8}
        dead came 2 ms after its window had closed: {"k":"b","n":8}
        "#,
    );
}

#[test]
fn early_results_are_of_the_sessions_that_have_changed() {
    let mut node = sessions(0);
    if let Recipe::Aggregate(recipe) = &mut node.recipe {
        recipe.window.as_mut().unwrap().emit_every_ms = Some(100);
    }
    let shown = Trial::new(
        &node,
        r#"
        {"$time": 1, "k": "a", "n": 1}
        {"$time": 2, "k": "b", "n": 2}
        tick 100
        {"$time": 3, "k": "b", "n": 4}
        tick 200
        end
        "#,
    )
    .run()
    .segments;
    assert_eq!(shown[1].len(), 2);
    assert_eq!(shown[3], [r#"@12 {"k":"b","window_start":2,"window_end":13,"sum":6}"#]);
    assert_eq!(shown[4].len(), 2);
}

struct Session {
    key: String,
    start: i64,
    end: i64,
    sum: i64,
    due: bool,
}

/// What is given, step by step.
fn by_hand(lateness: i64, steps: &[Step]) -> (Vec<String>, u64) {
    let mut sessions: Vec<Session> = Vec::new();
    let (mut watermark, mut late, mut shown) = (i64::MIN, 0, Vec::new());
    for step in steps {
        match step {
            Step::Watermark(time) => watermark = watermark.max(*time),
            Step::End => watermark = i64::MAX,
            Step::Row(line) => {
                let row: Value = serde_json::from_str(line).unwrap();
                let (time, n, key) = (
                    row["$time"].as_i64().unwrap(),
                    row["n"].as_i64().unwrap(),
                    row["k"].as_str().unwrap(),
                );
                let touches =
                    |session: &Session| session.key == key && time <= session.end && session.start <= time + 10;
                let (touched, rest): (Vec<_>, Vec<_>) = sessions.into_iter().partition(touches);
                sessions = rest;
                if touched.is_empty() && time + 10 + lateness <= watermark {
                    late += 1;
                    continue;
                }
                sessions.push(Session {
                    key: key.to_owned(),
                    start: touched
                        .iter()
                        .map(|session| session.start)
                        .min()
                        .unwrap_or(time)
                        .min(time),
                    end: touched
                        .iter()
                        .map(|session| session.end)
                        .max()
                        .unwrap_or(time)
                        .max(time + 10),
                    sum: touched.iter().map(|session| session.sum).sum::<i64>() + n,
                    due: true,
                });
            }
            _ => {}
        }
        sessions.sort_by_key(|session| session.end);
        for session in sessions
            .iter_mut()
            .filter(|session| session.due && session.end <= watermark)
        {
            session.due = false;
            let Session {
                key, start, end, sum, ..
            } = session;
            shown.push(format!(
                r#"@{} {{"k":"{key}","window_start":{start},"window_end":{end},"sum":{sum}}}"#,
                *end - 1
            ));
        }
        sessions.retain(|session| session.end.saturating_add(lateness) > watermark);
    }
    shown.sort();
    (shown, late)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn sessions_are_those_of_a_list_of_rows(
        rows in prop::collection::vec((0_i64..60, prop::sample::select(vec!["a", "b"]), 0_i64..9, prop::bool::weighted(0.3)), 1..24),
        lateness in prop::sample::select(vec![0_u64, 12]),
        chance in any::<usize>(),
    ) {
        let mut steps = Vec::new();
        let mut time = 0;
        for (moved, key, n, marked) in rows {
            time += moved / 5;
            let at = time - moved % 25;
            // One row at a time, so that what late ones change is seen each time.
            steps.push(Step::Row(json!({"$time": at, "k": key, "n": n}).to_string()));
            steps.push(Step::Barrier);
            if marked {
                steps.push(Step::Watermark(time - 20));
            }
        }
        steps.push(Step::End);
        let trial = Trial::of(&sessions(lateness), steps.clone());
        let shown = trial.run();
        let mut lines: Vec<String> = shown.lines().into_iter().filter(|line| line.starts_with('@')).collect();
        lines.sort();
        let (expected, late) = by_hand(i64::try_from(lateness).unwrap(), &steps);
        prop_assert_eq!(lines, expected);
        prop_assert_eq!(shown.late, late);
        trial.holds_by_chance(chance);
        // And in whole batches: what is not given twice does not depend on them.
        if lateness == 0 {
        let rows: Vec<Step> = steps.into_iter().filter(|step| *step != Step::Barrier).collect();
        Trial::of(&sessions(lateness), rows).compare(Compare::Latest(&["k", "window_start", "window_end"])).holds_by_chance(chance);
        }
    }
}
