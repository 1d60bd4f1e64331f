//! Delays from outside: rows leave in time and in order, and time leaves behind them.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow_schema::{DataType, Field, Schema};
use dataflow::recipe::Recipe;
use dataflow::time::WallTime;
use proptest::prelude::*;

use super::*;
use crate::operators::build as build_any;
use crate::state::{KeyGroups, Restored};
use crate::testing::{Footing, Step, Trial, typed};

#[expect(clippy::fn_params_excessive_bools, reason = "two schemas")]
fn schema(with_time: bool) -> SchemaRef {
    let mut fields = vec![Field::new("id", DataType::Int64, true)];
    if with_time {
        fields.push(columns::time().as_ref().clone());
    }
    Arc::new(Schema::new(fields))
}

fn node(clock: Clocked, by_ms: u64) -> Node {
    Node {
        name: "later".to_owned(),
        recipe: Recipe::Delay(recipe::Delay { by_ms, clock }),
        input: schema(true),
        output: schema(true),
        targets: vec![],
    }
}

#[test]
fn rows_leave_when_they_have_waited_by_the_clock() {
    Trial::new(
        &node(Clocked::Processing, 100),
        r#"
        tick 1000
        {"id": 1, "$time": 5}
        {"id": 2, "$time": 3}
        tick 1050
        {"id": 3, "$time": 4}
        tick 1099
        tick 1100
        tick 1149
        tick 2000
        {"id": 4, "$time": 9}
        end
        "#,
    )
    .shows(
        r#"
        @5 {"id":1}
        @3 {"id":2}
        @4 {"id":3}
        @9 {"id":4}
        "#,
    );
}

#[test]
fn rows_leave_when_event_time_is_so_far_behind_them() {
    Trial::new(
        &node(Clocked::Event, 100),
        r#"
        {"id": 1, "$time": 1000}
        {"id": 2, "$time": 900}
        {"id": 3, "$time": 1100}
        watermark 999
        watermark 1000
        watermark 1150
        {"id": 4, "$time": 1050}
        {"id": 5, "$time": 1051}
        {"id": 6, "$time": null}
        end
        "#,
    )
    .shows(
        r#"
        @900 {"id":2}
        @1000 {"id":1}
        dead has no event time, so nobody can say how long it waits: {"id":6}
        @1050 {"id":4}
        @1100 {"id":3}
        @1051 {"id":5}
        "#,
    );
}

#[test]
fn the_time_is_kept_where_nobody_behind_reads_it() {
    let node = Node {
        output: schema(false),
        ..node(Clocked::Event, 10)
    };
    Trial::new(&node, "{\"id\": 1, \"$time\": 5}\n watermark 14\n watermark 15").shows(r#"{"id":1}"#);
}

struct Rig(Box<dyn Operator>);

impl Rig {
    fn new(node: &Node, restored: &Restored) -> Self {
        let footing = Footing::of(node);
        let ground = footing.ground(KeyGroups::of(0, 1, 64), restored);
        Self(build_any(node, &ground).unwrap())
    }

    fn tick(&mut self, instant: u64, wall: i64) -> Vec<String> {
        let moment = Moment {
            instant: Instant::from_start(Duration::from_millis(instant)),
            wall: WallTime(wall),
            held_up: Duration::ZERO,
        };
        self.0.tick(moment).unwrap();
        self.pull()
    }

    fn push(&mut self, rows: &[(i64, i64)]) -> Vec<String> {
        let lines: Vec<String> = rows
            .iter()
            .map(|(id, time)| format!(r#"{{"id":{id},"$time":{time}}}"#))
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.0.push(Batch::new(typed(&schema(true), &lines))).unwrap();
        self.pull()
    }

    fn watermark(&mut self, time: i64) -> Vec<String> {
        self.0.advance(Watermark(time)).unwrap();
        self.pull()
    }

    fn idle(&mut self) -> Vec<String> {
        self.0.idle().unwrap();
        self.pull()
    }

    fn pull(&mut self) -> Vec<String> {
        let mut out = vec![];
        while let Some(emitted) = self.0.pull().unwrap() {
            match emitted {
                Emitted::Rows(_, batch) => {
                    let ids = batch.records().column(0).as_primitive::<Int64Type>().clone();
                    out.extend(ids.values().iter().map(|id| format!("row {id}")));
                }
                Emitted::Watermark(watermark) => out.push(format!("watermark {}", watermark.0)),
                Emitted::Idle => out.push("idle".to_owned()),
            }
        }
        out
    }

    fn restart(mut self, node: &Node) -> Self {
        let mut cut = Cut::new(1);
        self.0.freeze(&mut cut).unwrap();
        let (bytes, note) = cut.into_parts();
        let restored = Restored {
            cuts: vec![bytes.into()],
            notes: note.into_iter().collect(),
        };
        Self::new(node, &restored)
    }
}

const NOTHING: Vec<String> = Vec::new();

#[test]
fn by_the_clock_time_stays_behind_the_rows_it_is_about() {
    let mut rig = Rig::new(&node(Clocked::Processing, 100), &Restored::default());
    assert!(rig.0.holds_time());
    assert_eq!(rig.tick(0, 0), NOTHING);
    assert_eq!(rig.watermark(7), ["watermark 7"]);
    assert_eq!(rig.push(&[(1, 10)]), NOTHING);
    // Of those that nothing stands between the last one counts.
    assert_eq!(rig.watermark(8), NOTHING);
    assert_eq!(rig.watermark(9), NOTHING);
    rig.tick(50, 50);
    assert_eq!(rig.push(&[(2, 11)]), NOTHING);
    assert_eq!(rig.watermark(20), NOTHING);
    assert_eq!(rig.idle(), NOTHING);
    assert_eq!(rig.0.wake_at(), Some(Instant::from_start(Duration::from_millis(100))));
    assert_eq!(rig.tick(100, 100), ["row 1", "watermark 9"]);
    assert_eq!(rig.tick(150, 150), ["row 2", "watermark 20", "idle"]);
    assert_eq!(rig.idle(), ["idle"]);
    assert_eq!(rig.0.wake_at(), None);
    rig.push(&[(3, 12)]);
    assert_eq!(
        rig.watermark(i64::MAX),
        ["row 3", format!("watermark {}", i64::MAX).as_str()]
    );
}

#[test]
fn by_event_time_it_is_said_to_be_as_much_lower() {
    let mut rig = Rig::new(&node(Clocked::Event, 100), &Restored::default());
    assert!(rig.0.holds_time());
    rig.push(&[(1, 10), (2, 20)]);
    assert_eq!(rig.watermark(50), ["watermark -50"]);
    assert_eq!(rig.watermark(110), ["row 1", "watermark 10"]);
    assert_eq!(
        rig.watermark(i64::MAX),
        ["row 2", format!("watermark {}", i64::MAX).as_str()]
    );
    assert_eq!(rig.idle(), ["idle"]);
}

#[test]
fn a_clock_that_was_set_holds_rows_no_longer_than_they_would_have_waited() {
    let node = node(Clocked::Processing, 100);
    for (wall, due) in [(60, 40), (-5_000_000, 100), (5_000_000, 0)] {
        let mut rig = Rig::new(&node, &Restored::default());
        rig.tick(1000, 0);
        rig.push(&[(1, 10)]);
        // The next process' monotonic clock begins anew.
        let mut rig = rig.restart(&node);
        assert_eq!(
            rig.0.wake_at(),
            Some(Instant::default()),
            "it asks for the time at once"
        );
        if due > 0 {
            assert_eq!(rig.tick(7, wall), NOTHING);
            assert_eq!(rig.tick(7 + due - 1, wall), NOTHING);
        }
        assert_eq!(rig.tick(7 + due, wall), ["row 1"], "{wall}");
    }
}

#[test]
fn without_a_disk_only_so_much_waits() {
    let text = Field::new("t", DataType::Utf8View, true);
    let wide: SchemaRef = Arc::new(Schema::new(vec![text, columns::time().as_ref().clone()]));
    let line = format!(r#"{{"t":"{}","$time":5}}"#, "x".repeat(1 << 20));
    let batch: RecordBatch = typed(&wide, &[&line]);
    for (clock, ends_well) in [(Clocked::Processing, true), (Clocked::Event, false)] {
        let node = Node {
            input: Arc::clone(&wide),
            output: Arc::clone(&wide),
            ..node(clock, 100)
        };
        let mut rig = Rig::new(&node, &Restored::default());
        let pushed = (0..70).map(|_| rig.0.push(Batch::new(batch.clone())));
        let pushed = pushed.collect::<Result<Vec<_>, Failure>>();
        assert_eq!(pushed.is_ok(), ends_well);
        assert_eq!(rig.0.room() == Room::Closed, ends_well);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Beside a naive list: each row leaves at the first watermark that is so far behind it.
    #[test]
    fn event_time_gives_each_row_at_its_watermark(steps in prop::collection::vec((0..500_i64, 0..4_usize), 1..20), by in 0..200_i64, chance in any::<usize>()) {
        let node = node(Clocked::Event, by.unsigned_abs());
        let (mut script, mut expected, mut waiting) = (vec![], vec![], vec![]);
        let (mut watermark, mut id) = (i64::MIN, 0);
        for (time, count) in steps {
            let mut given = vec![];
            for row in 0..count {
                let time = time + i64::try_from(row).unwrap() * 37;
                script.push(Step::Row(format!(r#"{{"id":{id},"$time":{time}}}"#)));
                let line = format!(r#"@{time} {{"id":{id}}}"#);
                if time + by <= watermark { given.push(line) } else { waiting.push((time, line)) }
                id += 1;
            }
            if count > 0 {
                expected.push(given);
            }
            watermark = watermark.max(time + by / 2);
            script.push(Step::Watermark(watermark));
            let (due, left): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(time, _)| time + by <= watermark);
            waiting = left;
            expected.push(due.into_iter().map(|(_, line)| line).collect());
        }
        script.push(Step::End);
        expected.push(waiting.into_iter().map(|(_, line)| line).collect());
        let trial = Trial::of(&node, script);
        let sorted = |segments: Vec<Vec<String>>| segments.into_iter().map(|mut lines| { lines.sort(); lines }).collect::<Vec<_>>();
        prop_assert_eq!(sorted(trial.run().segments), sorted(expected));
        trial.holds_by_chance(chance);
    }
}

/// One row a batch, as a slow stream gives them.
fn one(id: i64) -> RecordBatch {
    let ids = arrow::array::Int64Array::from(vec![id]);
    let times = arrow::array::TimestampMillisecondArray::from(vec![id]).with_timezone("UTC");
    RecordBatch::try_new(schema(true), vec![Arc::new(ids), Arc::new(times)]).unwrap()
}

#[test]
fn a_day_of_small_batches_waits_as_few_large_ones_and_leaves_in_order() {
    let node = node(Clocked::Processing, 24 * 3_600_000);
    let (footing, restored) = (Footing::of(&node), Restored::default());
    let ground = footing.ground(KeyGroups::of(0, 1, 64), &restored);
    let Recipe::Delay(recipe) = &node.recipe else {
        panic!("it is a delay")
    };
    let (held, _) = Held::restore(&schema(true), &node, &ground).unwrap();
    let mut held = held.joining(Joined::by_last(recipe.by_ms));
    let start = Instant::from_start(Duration::ZERO);
    for id in 0..20_000 {
        let after = Duration::from_millis(u64::try_from(id).unwrap() * 5);
        held.push(&one(id), id * 5, Some(start + after)).unwrap();
        held.watermark(Watermark(id), &mut Outbox::default());
    }
    // A hundred seconds, of which 8.64 s are one batch, or less where that would be more than 64 KiB.
    let tickets = held.queue().len();
    assert!((12..200).contains(&tickets), "{tickets} tickets of 20,000 batches");
    let mut outbox = Outbox::default();
    let mut given = Vec::new();
    while let Some(front) = held.queue().front() {
        let (rows, due) = (front.rows, front.due);
        held.take_front(rows, &mut outbox).unwrap();
        while let Some(emitted) = outbox.take() {
            if let Emitted::Rows(_, batch) = emitted {
                let ids = batch.records().column(0).as_primitive::<Int64Type>().values().to_vec();
                assert!(
                    ids.iter().all(|id| (0..=8_640).contains(&(due - id * 5))),
                    "{due} for {ids:?}"
                );
                given.extend(ids);
            }
        }
    }
    assert!(given.iter().copied().eq(0..20_000));
}

#[test]
fn by_event_time_rows_that_wait_together_leave_each_in_its_time() {
    // A hundred seconds: rows within ten milliseconds are one batch.
    let mut rig = Rig::new(&node(Clocked::Event, 100_000), &Restored::default());
    for (id, time) in [(1, 1_000), (2, 1_004), (3, 1_010), (4, 1_011)] {
        assert_eq!(rig.push(&[(id, time)]), NOTHING);
    }
    assert_eq!(rig.watermark(100_999), ["watermark 999"]);
    assert_eq!(rig.watermark(101_003), ["row 1", "watermark 1003"]);
    assert_eq!(rig.watermark(101_004), ["row 2", "watermark 1004"]);
    assert_eq!(rig.watermark(101_010), ["row 3", "watermark 1010"]);
    assert_eq!(rig.watermark(101_011), ["row 4", "watermark 1011"]);
}
