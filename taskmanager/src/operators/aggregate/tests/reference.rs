//! Windows against a list of all rows: random rows, random order, watermarks in between.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Compare, Step, Trial};

/// The windows of an instant, as start and end.
fn windows_of(spans: &Spans, time: i64) -> Vec<(i64, i64)> {
    let span = |ms: &u64| i64::try_from(*ms).unwrap();
    match spans {
        Spans::Tumbling { size_ms, .. } => {
            let start = time.div_euclid(span(size_ms)) * span(size_ms);
            vec![(start, start + span(size_ms))]
        }
        Spans::Sliding { size_ms, slide_ms, .. } => {
            let last = time.div_euclid(span(slide_ms)) * span(slide_ms);
            let starts = (0..size_ms / slide_ms).map(|back| last - i64::try_from(back * slide_ms).unwrap());
            starts.map(|start| (start, start + span(size_ms))).collect()
        }
        Spans::Cumulative { size_ms, step_ms, .. } => {
            let start = time.div_euclid(span(size_ms)) * span(size_ms);
            let ends = (1..=size_ms / step_ms).map(|step| start + i64::try_from(step * step_ms).unwrap());
            ends.filter(|end| *end > time).map(|end| (start, end)).collect()
        }
        _ => vec![],
    }
}

/// What each window and key comes to at the end, and how many rows were late.
#[expect(clippy::type_complexity, reason = "windows and what is in them")]
fn by_hand(spans: &Spans, lateness: i64, steps: &[Step]) -> (BTreeMap<(i64, i64, String), (i64, i64)>, u64) {
    let mut results: BTreeMap<(i64, i64, String), (i64, i64)> = BTreeMap::new();
    let (mut watermark, mut late) = (i64::MIN, 0);
    for step in steps {
        match step {
            Step::Watermark(time) => watermark = watermark.max(*time),
            Step::Row(line) => {
                let row: Value = serde_json::from_str(line).unwrap();
                let (time, n) = (row["$time"].as_i64().unwrap(), row["n"].as_i64().unwrap());
                let open = windows_of(spans, time)
                    .into_iter()
                    .filter(|(_, end)| end - 1 + lateness > watermark);
                let open: Vec<_> = open.collect();
                late += u64::from(open.is_empty());
                for (start, end) in open {
                    let result = results
                        .entry((end, start, row["k"].as_str().unwrap().to_owned()))
                        .or_default();
                    *result = (result.0 + 1, result.1 + n);
                }
            }
            _ => {}
        }
    }
    (results, late)
}

pub(super) fn script(rows: Vec<(i64, &'static str, i64, bool)>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut time = 0;
    for (moved, key, n, marked) in rows {
        time += moved / 3;
        let at = time - moved % 40;
        steps.push(Step::Row(json!({"$time": at, "k": key, "n": n}).to_string()));
        if marked {
            steps.push(Step::Watermark(time - 30));
        }
    }
    steps.push(Step::End);
    steps
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_last_result_of_each_window_is_that_of_a_list_of_its_rows(
        rows in prop::collection::vec((0_i64..100, prop::sample::select(vec!["a", "b", "c"]), -5_i64..5, prop::bool::weighted(0.25)), 1..24),
        kind in 0..3,
        lateness in prop::sample::select(vec![0_u64, 15]),
        chance in any::<usize>(),
    ) {
        let origin = Origin::default();
        let spans = match kind {
            0 => Spans::Tumbling { size_ms: 20, origin },
            1 => Spans::Sliding { size_ms: 30, slide_ms: 10, origin },
            _ => Spans::Cumulative { size_ms: 30, step_ms: 10, origin },
        };
        let steps = script(rows);
        let window = Window { allowed_lateness_ms: lateness, ..windows(spans.clone()) };
        let trial = Trial::of(&aggregate(by_key(), Some(window), rows_and_sum()), steps.clone())
            .compare(Compare::Latest(&["k", "window_start", "window_end"]));
        let shown = trial.run();
        let mut found = BTreeMap::new();
        for line in shown.lines().iter().filter(|line| line.starts_with('@')) {
            let row: Value = serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap();
            let (k, start, end) = (row["k"].to_string(), row["window_start"].to_string(), row["window_end"].to_string());
            let before = found.insert((k, start, end), (row["rows"].as_i64().unwrap(), row["sum"].as_i64().unwrap()));
            prop_assert!(lateness > 0 || before.is_none(), "a window fired twice: {line}");
        }
        let (expected, late) = by_hand(&spans, i64::try_from(lateness).unwrap(), &steps);
        prop_assert_eq!(shown.late, late);
        let instant = |time: i64| {
            let times = arrow::array::TimestampMillisecondArray::from(vec![time]).with_timezone("UTC");
            let schema = Arc::new(Schema::new(vec![Field::new("t", columns::timestamp(), true)]));
            let rows = arrow::array::RecordBatch::try_new(schema, vec![Arc::new(times)]).unwrap();
            let row: Value = serde_json::from_str(&crate::testing::picture(&rows)[0]).unwrap();
            row["t"].to_string()
        };
        let expected: BTreeMap<_, _> = expected
            .into_iter()
            .map(|((end, start, k), result)| ((json!(k).to_string(), instant(start), instant(end)), result))
            .collect();
        prop_assert_eq!(found, expected);
        trial.holds_by_chance(chance);
    }
}
