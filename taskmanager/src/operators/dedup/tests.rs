//! First rows, by hand and against a list of everything that passed.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use dataflow::element::{Batch, Watermark, columns};
use dataflow::recipe::{self, Clocked, Node, Recipe};
use proptest::prelude::*;

use super::Dedup;
use crate::operators::{Ground, Operator as _};
use crate::state::{KeyGroups, Limits, Restored, Scan, Scratch, Spill};
use crate::testing::{Footing, Step, Trial, typed};

fn input() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("k", DataType::Utf8View, true),
        Field::new("n", DataType::Int64, true),
        columns::time().as_ref().clone(),
    ]))
}

fn dedup(within_ms: u64, clock: Clocked) -> Node {
    Node {
        name: "step".to_owned(),
        recipe: Recipe::Dedup(recipe::Dedup {
            keys: vec!["k".parse().unwrap()],
            within_ms,
            clock,
        }),
        input: input(),
        output: input(),
        targets: vec![],
    }
}

#[test]
fn the_first_row_of_a_key_passes_and_again_after_the_span() {
    let trial = Trial::new(
        &dedup(100, Clocked::Event),
        r#"
        {"$time": 0, "k": "a", "n": 1}
        {"$time": 99, "k": "a", "n": 2}
        {"$time": 50, "k": "b", "n": 3}
        {"$time": 100, "k": "a", "n": 4}
        {"$time": 199, "k": "a", "n": 5}
        watermark 150
        {"$time": 201, "k": "b", "n": 6}
        "#,
    );
    trial.shows(
        r#"
        @0 {"k":"a","n":1}
        @50 {"k":"b","n":3}
        @100 {"k":"a","n":4}
        @201 {"k":"b","n":6}
        "#,
    );
    assert_eq!(trial.run().dropped, 2);
}

#[test]
fn rows_out_of_order_find_what_passed_before_them_and_behind_them() {
    Trial::new(
        &dedup(100, Clocked::Event),
        r#"
        {"$time": 110, "k": "a", "n": 1}
        {"$time": 90, "k": "a", "n": 2}
        {"$time": 10, "k": "a", "n": 3}
        {"$time": 205, "k": "a", "n": 4}
        {"$time": 210, "k": "a", "n": 5}
        "#,
    )
    .shows(
        r#"
        @110 {"k":"a","n":1}
        @10 {"k":"a","n":3}
        @210 {"k":"a","n":5}
        "#,
    );
}

#[test]
fn a_key_is_forgotten_when_the_watermark_has_passed_its_span() {
    Trial::new(
        &dedup(100, Clocked::Event),
        r#"
        {"$time": 20, "k": "a", "n": 1}
        watermark 119
        {"$time": 30, "k": "a", "n": 2}
        watermark 120
        barrier
        {"$time": 30, "k": "a", "n": 3}
        watermark 1000
        {"$time": 1000, "k": "a", "n": 4}
        end
        "#,
    )
    .shows(
        r#"
        @20 {"k":"a","n":1}
        @30 {"k":"a","n":3}
        @1000 {"k":"a","n":4}
        "#,
    );
}

#[test]
fn by_the_clock_the_span_is_counted_from_when_a_row_came() {
    Trial::new(
        &dedup(1000, Clocked::Processing),
        r#"
        tick 5000
        {"k": "a", "n": 1}
        tick 5999
        {"k": "a", "n": 2}
        {"k": "b", "n": 3}
        tick 6000
        {"k": "a", "n": 4}
        {"k": "b", "n": 5}
        "#,
    )
    .shows(
        r#"
        {"k":"a","n":1}
        {"k":"b","n":3}
        {"k":"a","n":4}
        "#,
    );
}

#[test]
fn a_row_without_event_time_is_a_dead_letter() {
    Trial::new(&dedup(10, Clocked::Event), r#"{"k": "a", "n": 1}"#)
        .shows(r#"dead has no event time, so nobody can say whether it is the first: {"k":"a","n":1}"#);
}

/// How many keys the first bucket has, in memory and on disk.
fn remembered(dedup: &mut Dedup) -> usize {
    let table = dedup.buckets.get_mut(&0).unwrap();
    let (mut scan, mut part, mut keys) = (Scan::default(), Vec::new(), 0);
    while table.scan(&mut scan, &mut part).unwrap() {
        keys += part.len();
    }
    keys
}

#[test]
fn a_key_that_is_over_leaves_the_disk_though_its_bucket_stays() {
    let node = dedup(100, Clocked::Event);
    let Recipe::Dedup(recipe) = &node.recipe else {
        unreachable!()
    };
    let folder = tempfile::tempdir().unwrap();
    let (groups, limits) = (
        KeyGroups::of(0, 1, 8),
        Limits {
            tables: 0,
            cache: 1 << 20,
        },
    );
    let scratch = Arc::new(Scratch::new(folder.path().to_owned(), "dedup"));
    let spill = Spill::new(scratch, "spill".to_owned(), groups.clone(), limits);
    let (footing, restored) = (Footing::of(&node), Restored::default());
    let ground = Ground {
        spill: Some(&spill),
        ..footing.ground(groups, &restored)
    };
    let mut dedup = Dedup::build(recipe, &node, &ground).unwrap();
    let push = |dedup: &mut Dedup, lines: &[&str]| {
        dedup.push(Batch::new(typed(&input(), lines))).unwrap();
    };
    push(
        &mut dedup,
        &[
            r#"{"$time": 10, "k": "a", "n": 1}"#,
            r#"{"$time": 90, "k": "b", "n": 2}"#,
        ],
    );
    dedup.advance(Watermark(115)).unwrap();
    push(&mut dedup, &[r#"{"$time": 96, "k": "c", "n": 3}"#]);
    assert_eq!(remembered(&mut dedup), 3, "no compaction has come yet");
    spill.compact();
    assert_eq!(remembered(&mut dedup), 2);
    push(&mut dedup, &[r#"{"$time": 97, "k": "b", "n": 4}"#]);
    assert_eq!(footing.gauges.dropped.get(), 1, "what is not over is remembered");
}

/// What passes, remembered in a list.
fn by_hand(steps: &[Step], within: i64) -> Vec<String> {
    let mut passed: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let (mut watermark, mut shown) = (i64::MIN, Vec::new());
    for step in steps {
        match step {
            Step::Watermark(time) => watermark = watermark.max(*time),
            Step::Row(line) => {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                let (time, key) = (row["$time"].as_i64().unwrap(), row["k"].as_str().unwrap());
                let known = passed.entry(key.to_owned()).or_default();
                if !known
                    .iter()
                    .any(|other| (other - time).abs() < within && other + within > watermark)
                {
                    known.push(time);
                    shown.push(format!(r#"@{time} {{"k":"{key}","n":{}}}"#, row["n"]));
                }
            }
            _ => {}
        }
    }
    shown
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_passes_is_what_a_list_of_all_that_passed_says(
        rows in prop::collection::vec((0_i64..120, prop::sample::select(vec!["a", "b", "c"]), prop::bool::weighted(0.3)), 0..24),
        chance in any::<usize>(),
    ) {
        let mut steps = Vec::new();
        let mut time = 0;
        for (n, (moved, key, marked)) in rows.into_iter().enumerate() {
            // Out of order by less than 60, and seldom late.
            time += moved / 4;
            let at = time - moved % 60;
            steps.push(Step::Row(format!(r#"{{"$time": {at}, "k": "{key}", "n": {n}}}"#)));
            if marked {
                steps.push(Step::Watermark(time - 50));
            }
        }
        let trial = Trial::of(&dedup(40, Clocked::Event), steps.clone());
        prop_assert_eq!(trial.run().lines(), by_hand(&steps, 40));
        trial.holds_by_chance(chance);
    }
}
