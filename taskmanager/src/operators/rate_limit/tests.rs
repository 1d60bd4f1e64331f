//! Rate limits at work: what passes, what waits, what is dropped, and what a snapshot keeps of it.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use dataflow::recipe::{Port, Recipe};
use dataflow::time::WallTime;
use proptest::prelude::*;

use super::*;
use crate::operators::build as build_any;
use crate::state::{Cut, Restored};
use crate::testing::Footing;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int64, true),
        Field::new("n", DataType::Int64, true),
    ]))
}

fn rows(numbers: impl Iterator<Item = (i64, i64)>) -> Batch {
    let (keys, numbers): (Vec<i64>, Vec<i64>) = numbers.unzip();
    let columns: Vec<Arc<dyn arrow::array::Array>> =
        vec![Arc::new(Int64Array::from(keys)), Arc::new(Int64Array::from(numbers))];
    Batch::new(RecordBatch::try_new(schema(), columns).unwrap())
}

fn numbered(numbers: std::ops::Range<i64>) -> Batch {
    rows(numbers.map(|number| (0, number)))
}

#[expect(clippy::fn_params_excessive_bools, reason = "two kinds of limit")]
fn node(keyed: bool, rows_per_second: f64, burst: u64, excess: Excess) -> Node {
    Node {
        name: "slow".to_owned(),
        recipe: Recipe::RateLimit(recipe::RateLimit {
            keys: if keyed { vec!["k".parse().unwrap()] } else { vec![] },
            rows_per_second,
            burst,
            excess,
        }),
        input: schema(),
        output: schema(),
        targets: vec![],
    }
}

struct Rig {
    operator: Box<dyn Operator>,
    gauges: Arc<NodeGauges>,
}

impl Rig {
    fn new(node: &Node) -> Self {
        Self::of(node, (0, 1), &Restored::default())
    }

    fn of(node: &Node, (subtask, parallelism): (u32, u32), restored: &Restored) -> Self {
        let footing = Footing::of(node);
        let ground = footing.ground(KeyGroups::of(subtask, parallelism, 64), restored);
        let operator = build_any(node, &ground).unwrap();
        let gauges = Arc::clone(&footing.gauges);
        Self { operator, gauges }
    }

    fn tick(&mut self, milliseconds: u64) -> Vec<String> {
        let moment = Moment {
            instant: Instant::from_start(Duration::from_millis(milliseconds)),
            wall: WallTime(i64::try_from(milliseconds).unwrap()),
            held_up: Duration::ZERO,
        };
        self.operator.tick(moment).unwrap();
        self.pull()
    }

    fn push(&mut self, batch: Batch) -> Vec<String> {
        self.operator.push(batch).unwrap();
        self.pull()
    }

    /// What leaves, as text.
    fn pull(&mut self) -> Vec<String> {
        let mut out = vec![];
        while let Some(emitted) = self.operator.pull().unwrap() {
            match emitted {
                Emitted::Rows(port, batch) => {
                    assert_eq!(port, Port::Main);
                    let numbers = batch.records().column(1).as_primitive::<Int64Type>().clone();
                    out.extend(numbers.values().iter().map(ToString::to_string));
                }
                Emitted::Watermark(watermark) => out.push(format!("watermark {}", watermark.0)),
                Emitted::Idle => out.push("idle".to_owned()),
            }
        }
        out
    }

    fn cut(&mut self) -> Restored {
        let mut cut = Cut::new(1);
        self.operator.freeze(&mut cut).unwrap();
        let (bytes, note) = cut.into_parts();
        Restored {
            cuts: vec![bytes.into()],
            notes: note.into_iter().collect(),
        }
    }
}

#[test]
fn rows_above_the_limit_wait_for_their_turn_and_the_watermark_behind_them() {
    let mut rig = Rig::new(&node(false, 10.0, 2, Excess::Wait));
    rig.tick(0);
    assert_eq!(rig.operator.room(), Room::Open);
    assert_eq!(rig.push(numbered(0..4)), ["0", "1"]);
    assert_eq!(rig.operator.room(), Room::Closed);
    rig.operator.advance(Watermark(70)).unwrap();
    rig.operator.idle().unwrap();
    assert_eq!(rig.pull(), Vec::<String>::new());
    assert_eq!(
        rig.operator.wake_at(),
        Some(Instant::from_start(Duration::from_millis(100)))
    );
    assert_eq!(rig.tick(99), Vec::<String>::new());
    assert_eq!(rig.tick(100), ["2"]);
    assert_eq!(rig.tick(200), ["3", "watermark 70", "idle"]);
    assert_eq!((rig.operator.room(), rig.operator.wake_at()), (Room::Open, None));
    // Nothing waits: what is said about time goes on at once.
    rig.operator.advance(Watermark(80)).unwrap();
    rig.operator.idle().unwrap();
    assert_eq!(rig.pull(), ["watermark 80", "idle"]);
}

#[test]
fn rows_above_the_limit_are_dropped_and_counted() {
    let mut rig = Rig::new(&node(false, 10.0, 2, Excess::Drop));
    rig.tick(0);
    assert_eq!(rig.push(numbered(0..4)), ["0", "1"]);
    rig.tick(100);
    assert_eq!(rig.push(numbered(4..6)), ["4"]);
    assert_eq!(rig.gauges.dropped.get(), 3);
    assert_eq!((rig.operator.room(), rig.operator.holds_time()), (Room::Open, false));
}

#[test]
fn each_key_has_a_limit_of_its_own() {
    let mut rig = Rig::new(&node(true, 1.0, 1, Excess::Drop));
    rig.tick(0);
    let batch = [(1, 10), (2, 20), (1, 11), (3, 30), (2, 21)];
    assert_eq!(rig.push(rows(batch.into_iter())), ["10", "20", "30"]);
    assert_eq!(rig.gauges.dropped.get(), 2);
    rig.tick(1000);
    assert_eq!(rig.push(rows([(1, 12), (1, 13)].into_iter())), ["12"]);
}

#[test]
fn subtasks_share_the_rate_of_the_stream() {
    let node = node(false, 40.0, 8, Excess::Drop);
    let passed = (0..4).map(|subtask| {
        let mut rig = Rig::of(&node, (subtask, 4), &Restored::default());
        rig.tick(0);
        let burst = rig.push(numbered(0..100)).len();
        rig.tick(1000);
        (burst, rig.push(numbered(0..1)).len())
    });
    assert_eq!(passed.collect::<Vec<_>>(), [(2, 1); 4]);
}

#[test]
fn rows_that_wait_are_state_at_any_parallelism() {
    let node = node(false, 10.0, 1, Excess::Wait);
    let mut rig = Rig::new(&node);
    rig.tick(0);
    assert_eq!(rig.push(numbered(0..3)), ["0"]);
    for batch in [3..5, 5..9, 9..10, 10..30] {
        assert_eq!(rig.push(numbered(batch)), Vec::<String>::new());
    }
    assert_eq!(rig.tick(100), ["1"]);
    let restored = rig.cut();
    for parallelism in 1..4 {
        let mut left = vec![];
        for subtask in 0..parallelism {
            let mut rig = Rig::of(&node, (subtask, parallelism), &restored);
            for second in 0..200 {
                left.extend(rig.tick(second * 1000));
            }
            assert_eq!(rig.operator.room(), Room::Open);
        }
        let mut left: Vec<i64> = left.iter().map(|number| number.parse().unwrap()).collect();
        if parallelism > 1 {
            left.sort_unstable();
        }
        assert_eq!(left, (2..30).collect::<Vec<_>>(), "parallelism {parallelism}");
    }
}

#[test]
fn a_row_that_left_is_not_in_the_next_snapshot_and_new_ones_never_take_the_place_of_old_ones() {
    let node = node(false, 10.0, 1, Excess::Wait);
    let mut rig = Rig::new(&node);
    rig.tick(0);
    rig.push(numbered(0..3));
    rig.push(numbered(3..5));
    let mut restored = rig.cut();
    let mut rig = Rig::of(&node, (0, 1), &restored);
    assert_eq!(rig.tick(0), ["1"]);
    rig.push(numbered(5..7));
    assert_eq!(rig.tick(100), ["2"]);
    assert_eq!(rig.tick(200), ["3"]);
    // Both cuts are read, as a snapshot between rewrites names them.
    restored.cuts.extend(rig.cut().cuts);
    let mut rig = Rig::of(&node, (0, 1), &restored);
    let left = (0..10).flat_map(|turn| rig.tick(turn * 1000)).collect::<Vec<_>>();
    assert_eq!(left, ["4", "5", "6"]);
}

#[test]
fn one_that_holds_too_much_takes_nothing_at_all() {
    let mut rig = Rig::new(&node(false, 1.0, 1, Excess::Wait));
    rig.tick(0);
    let mut pushed = 0;
    while rig.operator.room() != Room::Full {
        rig.push(numbered(0..8192));
        pushed += 1;
        assert!(pushed < 4000, "it never said that it is full");
    }
    assert!(pushed > 500);
}

#[test]
fn recipes_that_cannot_be_are_refused() {
    for (keyed, rate, excess) in [
        (true, 1.0, Excess::Wait),
        (false, 0.0, Excess::Drop),
        (false, f64::NAN, Excess::Wait),
    ] {
        let node = node(keyed, rate, 1, excess);
        let (footing, restored) = (Footing::of(&node), Restored::default());
        let ground = footing.ground(KeyGroups::of(0, 1, 64), &restored);
        assert!(build_any(&node, &ground).is_err());
    }
}

proptest! {
    /// Every row leaves once and in its order, never faster than the limit, and as soon as it may.
    #[test]
    fn what_waits_leaves_in_order_and_in_time(steps in prop::collection::vec((0..300_u64, 0..20_i64), 1..30), restore_at in 0..30_usize) {
        let node = node(false, 20.0, 5, Excess::Wait);
        let mut rig = Rig::new(&node);
        let (mut now, mut next) = (0, 0);
        let mut left: Vec<(u64, String)> = vec![];
        let mut came = vec![];
        for (index, (later, count)) in steps.into_iter().enumerate() {
            if index == restore_at {
                rig = Rig::of(&node, (0, 1), &rig.cut());
            }
            for millisecond in 0..=later {
                left.extend(rig.tick(now + millisecond).into_iter().map(|row| (now + millisecond, row)));
            }
            now += later;
            left.extend(rig.push(numbered(next..next + count)).into_iter().map(|row| (now, row)));
            came.extend((next..next + count).map(|row| (now, row)));
            next += count;
        }
        for millisecond in 0..=u64::try_from(next).unwrap() * 50 + 1000 {
            left.extend(rig.tick(now + millisecond).into_iter().map(|row| (now + millisecond, row)));
        }
        let order: Vec<String> = (0..next).map(|row| row.to_string()).collect();
        prop_assert_eq!(left.iter().map(|(_, row)| row.clone()).collect::<Vec<_>>(), order);
        // A restart begins with a full bucket: from then on only the order is promised.
        let before = came.len().min(left.len());
        if restore_at >= 30 {
            for (index, (at, _)) in left.iter().enumerate().take(before) {
                prop_assert!(*at >= came[index].0);
            }
        }
    }
}
