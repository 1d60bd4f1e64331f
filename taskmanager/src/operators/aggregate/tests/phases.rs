//! Half the work in front of a shuffle and half behind it comes to what is done at once.

use arrow::array::RecordBatch;
use arrow::array::{Array, AsArray, UInt32Array};
use arrow::compute::take_record_batch;
use dataflow::element::{Batch, Watermark};
use dataflow::key::{self, KeyReader};
use dataflow::time::{Instant, WallTime};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::operators::Moment;
use crate::operators::aggregate::partial::Partial;
use crate::operators::{Emitted, Operator, build};
use crate::state::{KeyGroups, Restored};
use crate::task::gauges::NodeGauges;
use crate::testing::{Footing, Step, Trial, typed};

/// How an operator of these tests comes alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Usual,
    /// A first half that has seen that folding spares nothing.
    Passing,
}

fn made(node: &Node, groups: KeyGroups, manner: Manner) -> (Box<dyn Operator>, Arc<NodeGauges>) {
    let (footing, restored) = (Footing::of(node), Restored::default());
    let ground = footing.ground(groups, &restored);
    let operator: Box<dyn Operator> = match (&node.recipe, manner) {
        (Recipe::Aggregate(recipe), Manner::Passing) => {
            Box::new(Partial::build(recipe, node, &ground).unwrap().passing())
        }
        _ => build(node, &ground).unwrap(),
    };
    (operator, Arc::clone(&footing.gauges))
}

fn alive(node: &Node) -> Box<dyn Operator> {
    made(node, KeyGroups::of(0, 1, GROUPS), Manner::Usual).0
}

const GROUPS: u32 = 64;

fn pulled(operator: &mut dyn Operator) -> Vec<RecordBatch> {
    let mut all = Vec::new();
    while let Some(emitted) = operator.pull().unwrap() {
        if let Emitted::Rows(Port::Main, batch) = emitted {
            all.push(batch.into_records());
        }
    }
    all
}

fn measures() -> Vec<Measure> {
    let all = [
        Function::CountDistinct,
        Function::Sum,
        Function::Min,
        Function::Max,
        Function::Avg,
        Function::First,
        Function::Last,
        Function::Stddev,
        Function::ApproxDistinct,
        Function::ApproxPercentile(0.5),
    ];
    let named = all.into_iter().enumerate();
    let mut measures: Vec<Measure> = named
        .map(|(index, function)| measure(&format!("m{index}"), function, Some("n")))
        .collect();
    measures[1].filter = Some(Expression::new("n > 1"));
    measures.push(measure("rows", Function::Count, None));
    measures
}

fn phase(window: Option<Window>, phase: Phase) -> Node {
    let mut node = node_of(recipe::Aggregate {
        keys: by_key(),
        window,
        measures: measures(),
        phase,
    });
    if phase == Phase::Final {
        let partial = recipe::Aggregate {
            keys: by_key(),
            window: None,
            measures: measures(),
            phase: Phase::Partial,
        };
        node.input = output(&partial);
        let wanted = node.output.fields().iter().filter(|field| {
            field.name() != columns::TIME
                || matches!(&node.recipe, Recipe::Aggregate(aggregate) if aggregate.window.is_some())
        });
        node.output = Arc::new(Schema::new(wanted.cloned().collect::<Vec<_>>()));
    }
    node
}

/// Rows of so many keys, each of its own.
fn rows_of(keys: std::ops::Range<usize>) -> RecordBatch {
    let lines: Vec<String> = keys
        .map(|key| format!(r#"{{"$time": 1, "k": "{key}", "n": 1}}"#))
        .collect();
    typed(&input(), &lines.iter().map(String::as_str).collect::<Vec<_>>())
}

fn counting(phase: Phase, window: Option<Window>) -> Node {
    let recipe = |phase, window| recipe::Aggregate {
        keys: by_key(),
        window,
        measures: rows_and_sum(),
        phase,
    };
    let mut node = node_of(recipe(phase, window));
    if phase == Phase::Final {
        node.input = output(&recipe(Phase::Partial, None));
    }
    node
}

const LINES: [&str; 6] = [
    r#"{"$time": 1, "k": "a", "n": 1}"#,
    r#"{"$time": 12, "k": "a", "n": 2}"#,
    r#"{"$time": 2, "k": "b"}"#,
    r#"{"$time": 3, "k": "a", "n": 4}"#,
    r#"{"$time": 13, "k": "a", "n": 8}"#,
    r#"{"$time": 4, "n": 16}"#,
];

#[test]
fn two_phases_come_to_what_one_does() {
    let sliding = Spans::Sliding {
        size_ms: 20,
        slide_ms: 10,
        origin: Origin::default(),
    };
    for window in [tumbling(10), windows(sliding), windows(Spans::Global)] {
        let window = Some(window);
        let whole = Trial::new(
            &phase(window.clone(), Phase::Whole),
            &format!("{}\nend", LINES.join("\n")),
        )
        .run();
        let mut fore = alive(&phase(window.clone(), Phase::Partial));
        let last = phase(window.clone(), Phase::Final);
        let mut back = alive(&last);
        for lines in LINES.chunks(3) {
            fore.push(Batch::new(typed(&input(), lines))).unwrap();
            fore.settle().unwrap();
            for states in pulled(fore.as_mut()) {
                assert_eq!(states.schema(), last.input);
                back.push(Batch::new(states)).unwrap();
            }
        }
        back.advance(Watermark::MAX).unwrap();
        let rows = pulled(back.as_mut());
        let mut found: Vec<String> = rows.iter().flat_map(crate::testing::picture).collect();
        let mut expected = whole.lines();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_hot_key_is_one_row_of_many_batches() {
    let mut fore = alive(&phase(None, Phase::Partial));
    let lines = vec![r#"{"$time": 1, "k": "a", "n": 1}"#; 5000];
    for _ in 0..3 {
        fore.push(Batch::new(typed(&input(), &lines))).unwrap();
        assert!(fore.pull().unwrap().is_none(), "more of it may come");
    }
    assert!(fore.settle().unwrap());
    assert_eq!(
        pulled(fore.as_mut())
            .iter()
            .map(RecordBatch::num_rows)
            .collect::<Vec<_>>(),
        [1]
    );
}

#[test]
fn two_phases_without_windows_tell_the_same_changes() {
    let mut fore = alive(&phase(None, Phase::Partial));
    let mut back = alive(&phase(None, Phase::Final));
    let mut found = Vec::new();
    for lines in [&LINES[..2], &LINES[3..4]] {
        fore.push(Batch::new(typed(&input(), lines))).unwrap();
        fore.settle().unwrap();
        for states in pulled(fore.as_mut()) {
            back.push(Batch::new(states)).unwrap();
            found.extend(pulled(back.as_mut()).iter().flat_map(crate::testing::picture));
        }
    }
    assert_eq!(found.len(), 3);
    assert!(
        found[0].contains(r#""rows":2"#) && found[1] == found[0] && found[2].contains(r#""rows":3"#),
        "{found:?}"
    );
}

#[test]
fn rows_that_folding_does_not_spare_pass_as_they_are_until_it_is_tried_again() {
    let (mut fore, gauges) = made(
        &counting(Phase::Partial, None),
        KeyGroups::of(0, 1, GROUPS),
        Manner::Usual,
    );
    let mut back = alive(&counting(Phase::Final, None));
    let mut given = Vec::new();
    for batch in 0..3 {
        fore.push(Batch::new(rows_of(batch * 8192..(batch + 1) * 8192)))
            .unwrap();
        fore.settle().unwrap();
        given.extend(pulled(fore.as_mut()));
    }
    let folded: Vec<usize> = given
        .iter()
        .map(|rows| rows.column_by_name(columns::STATE).unwrap().null_count())
        .collect();
    assert_eq!(folded, [0, 8192, 8192], "the first batch shows that it is in vain");
    assert_eq!(gauges.unfolded.get(), 2 * 8192);
    // Batches are brought together on their way.
    let together = arrow::compute::concat_batches(&given[0].schema(), &given).unwrap();
    for start in (4096..together.num_rows()).step_by(8192) {
        back.push(Batch::new(together.slice(start, 8192.min(together.num_rows() - start))))
            .unwrap();
        assert!(pulled(back.as_mut()).iter().all(|rows| rows.num_rows() > 0));
    }
    // A hot key again: after a million rows it is tried once more.
    let hot = vec![r#"{"$time": 1, "k": "a", "n": 1}"#; 8192];
    let hot = typed(&input(), &hot);
    let mut passed = 0;
    while gauges.unfolded.get() < 2 * (1 << 20) && passed < 1000 {
        let before = gauges.unfolded.get();
        fore.push(Batch::new(hot.clone())).unwrap();
        drop(pulled(fore.as_mut()));
        if gauges.unfolded.get() == before {
            return;
        }
        passed += 1;
    }
    panic!("it never folds again, though one key is hot");
}

#[test]
fn keys_that_do_not_repeat_are_not_held_up_for_more() {
    let mut fore = alive(&counting(Phase::Partial, None));
    let rows = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    fore.push(Batch::new(rows_of(0..8191))).unwrap();
    assert_eq!(rows(&pulled(fore.as_mut())), 0, "one sample is needed");
    fore.push(Batch::new(rows_of(8191..8192))).unwrap();
    assert_eq!(rows(&pulled(fore.as_mut())), 8192);
    fore.push(Batch::new(rows_of(8192..8292))).unwrap();
    assert_eq!(rows(&pulled(fore.as_mut())), 100, "they pass now");
    // A tenth of the rows are of keys that were there: eight times as many rows may be worth it.
    let mut fore = alive(&counting(Phase::Partial, None));
    fore.push(Batch::new(rows_of(0..7372))).unwrap();
    fore.push(Batch::new(rows_of(0..820))).unwrap();
    assert_eq!(rows(&pulled(fore.as_mut())), 0);
}

#[test]
fn nothing_is_held_for_long_though_rows_come_without_a_pause() {
    let mut fore = alive(&counting(Phase::Partial, None));
    let at = |ms| Moment {
        instant: Instant::from_start(Duration::from_millis(ms)),
        wall: WallTime(0),
        held_up: Duration::ZERO,
    };
    let lines = [r#"{"$time": 1, "k": "a", "n": 1}"#];
    for (ms, given) in [(0, 0), (20, 0), (49, 0), (50, 1), (60, 0), (99, 0), (100, 1), (120, 0)] {
        fore.tick(at(ms)).unwrap();
        let rows: usize = pulled(fore.as_mut()).iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, given, "after {ms} ms");
        fore.push(Batch::new(typed(&input(), &lines))).unwrap();
    }
    fore.idle().unwrap();
    assert_eq!(pulled(fore.as_mut()).len(), 1, "time may go on without it");
}

#[test]
fn a_watermark_passes_behind_the_rows_it_would_make_late_and_before_the_others() {
    let mut fore = alive(&counting(Phase::Partial, Some(tumbling(10))));
    fore.push(Batch::new(typed(&input(), &LINES))).unwrap();
    fore.advance(Watermark(8)).unwrap();
    assert!(pulled(fore.as_mut()).is_empty(), "no window is complete");
    fore.advance(Watermark(9)).unwrap();
    let given = pulled(fore.as_mut());
    let panes: Vec<i64> = given
        .iter()
        .flat_map(|rows| {
            rows.column_by_name(columns::PANE)
                .unwrap()
                .as_primitive::<arrow::datatypes::Int64Type>()
                .values()
                .to_vec()
        })
        .collect();
    assert_eq!(panes, [0, 0, 0], "three keys of the first window");
    fore.advance(Watermark::MAX).unwrap();
    assert_eq!(pulled(fore.as_mut()).len(), 1);
}

#[test]
fn late_rows_are_counted_though_they_were_folded() {
    let mut fore = alive(&counting(Phase::Partial, Some(tumbling(10))));
    let window = Some(tumbling(10));
    let (mut back, gauges) = made(
        &counting(Phase::Final, window),
        KeyGroups::of(0, 1, GROUPS),
        Manner::Usual,
    );
    back.advance(Watermark(9)).unwrap();
    fore.push(Batch::new(typed(&input(), &LINES))).unwrap();
    fore.settle().unwrap();
    pulled(fore.as_mut())
        .into_iter()
        .for_each(|rows| back.push(Batch::new(rows)).unwrap());
    assert_eq!((gauges.late.get(), gauges.dead.get()), (4, 0));
    back.advance(Watermark::MAX).unwrap();
    assert_eq!(
        pulled(back.as_mut()).iter().map(RecordBatch::num_rows).sum::<usize>(),
        1
    );
}

/// Some first halves and some second ones, and what lies between them.
struct Halves {
    fore: Vec<Box<dyn Operator>>,
    back: Vec<(Box<dyn Operator>, Arc<NodeGauges>)>,
    keys: KeyReader,
    results: Vec<Vec<String>>,
}

impl Halves {
    fn new(window: Option<&Window>, (fore, back): (u32, u32), passing: u32) -> Self {
        let first = counting(Phase::Partial, window.cloned());
        let second = counting(Phase::Final, window.cloned());
        let manner = |index| {
            if index < passing {
                Manner::Passing
            } else {
                Manner::Usual
            }
        };
        Self {
            fore: (0..fore)
                .map(|index| made(&first, KeyGroups::of(0, 1, GROUPS), manner(index)).0)
                .collect(),
            back: (0..back)
                .map(|index| made(&second, KeyGroups::of(index, back, GROUPS), Manner::Usual))
                .collect(),
            keys: KeyReader::new(&second.input, &["k".parse().unwrap()]).unwrap(),
            results: vec![Vec::new(); back as usize],
        }
    }

    /// Sends on what a first half gives.
    fn carry(&mut self, from: usize) {
        for rows in pulled(self.fore[from].as_mut()) {
            let (mut hashes, mut dealt) = (Vec::new(), vec![Vec::new(); self.back.len()]);
            self.keys.hashes(&rows, &mut hashes).unwrap();
            for (row, hash) in (0_u32..).zip(&hashes) {
                let to = key::owner(
                    key::key_group(*hash, GROUPS),
                    u32::try_from(self.back.len()).unwrap(),
                    GROUPS,
                );
                dealt[to as usize].push(row);
            }
            for (to, picked) in dealt.into_iter().enumerate().filter(|(_, picked)| !picked.is_empty()) {
                let rows = take_record_batch(&rows, &UInt32Array::from(picked)).unwrap();
                self.back[to].0.push(Batch::new(rows)).unwrap();
                self.collect(to);
            }
        }
    }

    fn collect(&mut self, to: usize) {
        let rows = pulled(self.back[to].0.as_mut());
        self.results[to].extend(rows.iter().flat_map(changes));
    }

    fn watermark(&mut self, watermark: Watermark) {
        for from in 0..self.fore.len() {
            self.fore[from].advance(watermark).unwrap();
            self.carry(from);
        }
        for to in 0..self.back.len() {
            self.back[to].0.advance(watermark).unwrap();
            self.collect(to);
        }
    }

    fn play(&mut self, steps: &[Step], chance: &mut impl Iterator<Item = usize>) {
        let mut turn = || chance.next().unwrap();
        for step in steps {
            match step {
                Step::Row(line) => {
                    let from = turn() % self.fore.len();
                    self.fore[from]
                        .push(Batch::new(typed(&input(), &[line.as_str()])))
                        .unwrap();
                    if turn() % 3 == 0 {
                        self.fore[from].settle().unwrap();
                    }
                    self.carry(from);
                }
                Step::Watermark(time) => self.watermark(Watermark(*time)),
                Step::End => self.watermark(Watermark::MAX),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Rows without their time; of changes only what holds after them.
fn changes(rows: &RecordBatch) -> Vec<String> {
    let kinds = rows
        .column_by_name(columns::KIND)
        .map(|kinds| kinds.as_primitive::<arrow::datatypes::Int8Type>().clone());
    let shown = crate::testing::picture(rows).into_iter().enumerate();
    let kept = shown.filter(|(row, _)| kinds.as_ref().is_none_or(|kinds| kinds.value(*row) != columns::BEFORE));
    kept.map(|(_, line)| line[line.find('{').unwrap()..].to_owned())
        .collect()
}

/// The last result of each key and window.
fn latest<'a>(lines: impl Iterator<Item = &'a String>) -> BTreeMap<String, String> {
    let mut latest = BTreeMap::new();
    for line in lines {
        let row: Value = serde_json::from_str(line).unwrap();
        latest.insert(
            format!("{} {} {}", row["k"], row["window_start"], row["window_end"]),
            line.clone(),
        );
    }
    latest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn two_halves_on_any_subtasks_come_to_what_one_subtask_does(
        rows in prop::collection::vec((0_i64..100, prop::sample::select(vec!["a", "b", "c", "d", "e"]), -5_i64..5, prop::bool::weighted(0.2)), 1..40),
        kind in 0..5,
        lateness in prop::sample::select(vec![0_u64, 15]),
        (fore, back, passing) in (1_u32..4, 1_u32..4, 0_u32..3),
        chances in prop::collection::vec(any::<usize>(), 97),
    ) {
        let origin = Origin::default();
        let window = match kind {
            0 => Some(tumbling(20)),
            1 => Some(windows(Spans::Sliding { size_ms: 30, slide_ms: 10, origin })),
            2 => Some(windows(Spans::Cumulative { size_ms: 30, step_ms: 10, origin })),
            3 => Some(windows(Spans::Global)),
            _ => None,
        };
        let window = window.map(|window| Window { allowed_lateness_ms: lateness, ..window });
        let steps = reference::script(rows);
        let whole = Trial::of(&counting(Phase::Whole, window.clone()), steps.clone()).run();
        let lines: Vec<String> = whole.lines();
        let rows: Vec<String> = lines
            .iter()
            .filter(|line| !line.starts_with("before") && !line.starts_with("dead") && !line.starts_with("late"))
            .map(|line| line[line.find('{').unwrap()..].to_owned())
            .collect();
        let mut halves = Halves::new(window.as_ref(), (fore, back), passing);
        halves.play(&steps, &mut chances.into_iter().cycle());
        prop_assert_eq!(latest(halves.results.iter().flatten()), latest(rows.iter()));
        prop_assert_eq!(halves.back.iter().map(|(_, gauges)| gauges.late.get()).sum::<u64>(), whole.late);
        if lateness == 0 && window.is_some() {
            prop_assert_eq!(halves.results.iter().map(Vec::len).sum::<usize>(), rows.len(), "each result once");
        }
    }
}
