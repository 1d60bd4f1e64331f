//! Operators with state under test: a script of rows, watermarks, ticks and barriers goes in, a picture comes out.
//!
//! ```text
//!   {"$time": 1000, "k": "a", "n": 1}        a row; rows that follow one another may come in any batches
//!   watermark 60000                          event time has come to here
//!   tick 5000                                it is so late by the clock
//!   barrier                                  a checkpoint
//!   end                                      time runs out
//! ```
//!
//! Out come rows as `@59999 {"k":"a"}` (of changes: `insert`, `before`, `after` in front), `late …`, `dead error: record`.
//! [`Trial::shows`] also runs the script in other batches, restored at any step, from one cut and from many, and at
//! another parallelism from any step on, and with no memory for state at all: each must show the same.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int8Type;
use dataflow::Registry;
use dataflow::element::{BATCH_ROWS_MAX, Batch, Watermark, columns};
use dataflow::expr::Path;
use dataflow::key::{self, KeyReader};
use dataflow::recipe::{Node, Port, Recipe};
use dataflow::time::{Instant, ManualClock, WallTime};
use serde_json::Value;
use tempfile::TempDir;

use super::Json;
use super::harness::{letters, picture, typed};
use crate::chain::dead::Origin;
use crate::operators::{Emitted, Ground, Moment, Operator, build, has_state};
use crate::state::{Cut, KeyGroups, Limits, Restored, Scratch, Source, Spill};
use crate::task::gauges::NodeGauges;

/// Key groups of every trial.
const GROUPS: u32 = 64;

/// One line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A row, as JSON.
    Row(String),
    /// Event time has come to here.
    Watermark(i64),
    /// It is so many milliseconds late, by both clocks.
    Tick(i64),
    /// A checkpoint passes.
    Barrier,
    /// Time runs out.
    End,
}

/// What is the same of two outcomes that came about in other batches, or on other subtasks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Compare {
    /// Every row.
    Rows,
    /// What changes come to: what was put in, less what was taken back.
    Changes,
    /// The last row of each value of these columns.
    Latest(&'static [&'static str]),
}

/// An operator and its script.
pub(crate) struct Trial {
    node: Node,
    steps: Vec<Step>,
    compare: Compare,
}

/// What came of a script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// The lines that each step made come; rows that follow one another are one step.
    pub(crate) segments: Vec<Vec<String>>,
    /// Rows left out on purpose.
    pub(crate) dropped: u64,
    /// Rows that came after their time.
    pub(crate) late: u64,
}

/// One of the ways to run a script.
#[derive(Clone, Copy, Debug)]
struct Way {
    batch: usize,
    /// A barrier behind every step, so that state is in many cuts.
    cuts: bool,
    /// Before this step everything is restored, at this parallelism; with `usize::MAX` before every step.
    restore: Option<(usize, u32)>,
    room: Room,
}

/// How much memory there is for state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Enough,
    /// All keys go to disk whenever others are asked for.
    None,
}

impl Shown {
    /// All lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.segments.concat()
    }
}

/// The steps of a text.
pub(crate) fn steps(script: &str) -> Vec<Step> {
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
    let step = |line: &str| match line.split_once(' ') {
        _ if line.starts_with('{') => Step::Row(line.to_owned()),
        Some(("watermark", time)) => Step::Watermark(time.parse().unwrap()),
        Some(("tick", time)) => Step::Tick(time.parse().unwrap()),
        None if line == "barrier" => Step::Barrier,
        None if line == "end" => Step::End,
        _ => panic!("a script has no `{line}`"),
    };
    lines.map(step).collect()
}

impl Trial {
    /// Of a script as text.
    pub(crate) fn new(node: &Node, script: &str) -> Self {
        Self::of(node, steps(script))
    }

    /// Of steps.
    pub(crate) fn of(node: &Node, steps: Vec<Step>) -> Self {
        Self {
            node: node.clone(),
            steps,
            compare: Compare::Rows,
        }
    }

    /// Outcomes are the same when this is.
    pub(crate) fn compare(mut self, compare: Compare) -> Self {
        self.compare = compare;
        self
    }

    /// Checks what the script shows, and that it shows it on every way.
    pub(crate) fn shows(&self, expected: &str) {
        let expected: Vec<String> = expected
            .lines()
            .map(|line| line.trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        assert_eq!(self.run().lines(), expected);
        self.holds();
    }

    /// The outcome of the plain way: rows that follow one another are one batch.
    pub(crate) fn run(&self) -> Shown {
        self.go(Way {
            batch: BATCH_ROWS_MAX,
            cuts: false,
            restore: None,
            room: Room::Enough,
        })
    }

    /// Checks that every way comes to the same.
    pub(crate) fn holds(&self) {
        self.holds_on(&self.ways());
    }

    /// Checks some of the ways, chosen by a number: for scripts that are made up, of which there are many.
    pub(crate) fn holds_by_chance(&self, chance: usize) {
        let ways = self.ways();
        let chosen = (0..8).map(|turn| ways[(chance.wrapping_add(turn * 7919)) % ways.len()]);
        self.holds_on(&chosen.collect::<Vec<_>>());
    }

    fn ways(&self) -> Vec<Way> {
        let mut ways = vec![];
        for batch in [1, 2, 3] {
            ways.push(Way {
                batch,
                cuts: false,
                restore: None,
                room: Room::Enough,
            });
        }
        if has_state(&self.node.recipe) {
            for batch in [BATCH_ROWS_MAX, 2] {
                let parallelisms: &[u32] = if self.is_keyed() { &[1, 2, 3] } else { &[1] };
                for at in (0..=self.actions(batch).len()).chain([usize::MAX]) {
                    for parallelism in parallelisms {
                        let restore = Some((at, *parallelism));
                        ways.extend([false, true].map(|cuts| Way {
                            batch,
                            cuts,
                            restore,
                            room: Room::Enough,
                        }));
                    }
                }
            }
            ways.extend(self.narrow_ways());
        }
        ways
    }

    /// Those without memory for state: fewer, for a disk is slow.
    fn narrow_ways(&self) -> Vec<Way> {
        let mut ways = Vec::new();
        let parallelisms: &[u32] = if self.is_keyed() { &[1, 3] } else { &[1] };
        for batch in [BATCH_ROWS_MAX, 1] {
            let half = self.actions(batch).len() / 2;
            let restores = parallelisms
                .iter()
                .flat_map(|parallelism| [(half, *parallelism), (usize::MAX, *parallelism)]);
            for restore in restores.map(Some).chain([None]) {
                ways.extend([false, true].map(|cuts| Way {
                    batch,
                    cuts,
                    restore,
                    room: Room::None,
                }));
            }
        }
        ways
    }

    fn holds_on(&self, ways: &[Way]) {
        let expected = self.run();
        for way in ways {
            let shown = self.go(*way);
            let pairs = shown.segments.iter().zip(&expected.segments);
            for (index, (shown, expected)) in pairs.enumerate() {
                let (shown, expected) = (self.essence(shown), self.essence(expected));
                assert_eq!(shown, expected, "segment {index}, {way:?}");
            }
            assert_eq!(shown.segments.len(), expected.segments.len());
            assert_eq!(
                (shown.dropped, shown.late),
                (expected.dropped, expected.late),
                "{way:?}"
            );
        }
    }

    fn keys(&self) -> Option<Vec<Path>> {
        match &self.node.recipe {
            Recipe::Dedup(recipe) => Some(recipe.keys.clone()),
            Recipe::Aggregate(recipe) => Some(recipe.keys.iter().map(|key| key.path.clone()).collect()),
            Recipe::TopN(recipe) => Some(recipe.keys.clone()),
            Recipe::Delay(_) => None,
            other => panic!("{} has no trials", other.name()),
        }
    }

    /// Whether several subtasks can share the work.
    fn is_keyed(&self) -> bool {
        self.keys().is_none_or(|keys| !keys.is_empty())
    }

    #[expect(clippy::explicit_counter_loop, reason = "segments are counted at barriers, not runs")]
    fn actions(&self, batch: usize) -> Vec<(usize, Action)> {
        let mut actions = Vec::new();
        let mut segment = 0;
        let runs = self
            .steps
            .chunk_by(|one, other| matches!((one, other), (Step::Row(_), Step::Row(_))));
        for run in runs {
            match &run[0] {
                Step::Row(_) => {
                    let lines: Vec<&str> = run
                        .iter()
                        .map(|step| if let Step::Row(line) = step { line } else { "" })
                        .collect();
                    for lines in lines.chunks(batch) {
                        actions.push((segment, Action::Batch(typed(&self.node.input, lines))));
                    }
                }
                Step::Watermark(time) => actions.push((segment, Action::Watermark(Watermark(*time)))),
                Step::Tick(time) => actions.push((segment, Action::Tick(*time))),
                Step::Barrier => actions.push((segment, Action::Barrier)),
                Step::End => actions.push((segment, Action::Watermark(Watermark::MAX))),
            }
            segment += 1;
        }
        actions
    }

    fn go(&self, way: Way) -> Shown {
        let mut rig = Rig::start(self, way.room);
        let actions = self.actions(way.batch);
        let count = actions.last().map_or(0, |(segment, _)| segment + 1);
        rig.shown.segments.resize(count, Vec::new());
        for (index, (segment, action)) in actions.into_iter().enumerate() {
            if let Some((at, parallelism)) = way.restore
                && (at == index || at == usize::MAX)
            {
                // Restored before every step, the parallelism goes up and down.
                let parallelism = if at == index {
                    parallelism
                } else {
                    u32::try_from(index).unwrap() % parallelism + 1
                };
                rig = rig.restart(parallelism);
            }
            rig.act(segment, &action);
            if way.cuts && !matches!(action, Action::Barrier) {
                rig.act(segment, &Action::Barrier);
            }
        }
        rig.finish()
    }

    /// What must be the same of a segment.
    fn essence(&self, lines: &[String]) -> Vec<String> {
        let mut kept: Vec<String> = match self.compare {
            Compare::Rows => lines.to_vec(),
            Compare::Changes => {
                let mut balance: BTreeMap<&str, i64> = BTreeMap::new();
                for line in lines {
                    let (kind, row) = line.split_once(' ').unwrap();
                    let row = row
                        .split_once(' ')
                        .filter(|(time, _)| time.starts_with('@'))
                        .map_or(row, |(_, row)| row);
                    let weight = match kind {
                        "insert" | "after" => 1,
                        "before" => -1,
                        _ => panic!("no change: {line}"),
                    };
                    *balance.entry(row).or_default() += weight;
                }
                let left = balance.into_iter().filter(|(_, weight)| *weight != 0);
                left.map(|(row, weight)| format!("{weight} {row}")).collect()
            }
            Compare::Latest(names) => {
                let mut latest: BTreeMap<Vec<String>, &String> = BTreeMap::new();
                for line in lines {
                    let json: Value = serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap_or_default();
                    let mut names: Vec<String> = names.iter().map(|name| json[*name].to_string()).collect();
                    if !line.starts_with('@') {
                        names.push(line.clone());
                    }
                    latest.insert(names, line);
                }
                latest.into_values().cloned().collect()
            }
        };
        kept.sort();
        kept
    }
}

#[derive(Clone, Debug)]
enum Action {
    Batch(RecordBatch),
    Watermark(Watermark),
    Tick(i64),
    Barrier,
}

/// Some subtasks at work.
struct Rig<'a> {
    trial: &'a Trial,
    room: Room,
    subtasks: Vec<Subtask>,
    shown: Shown,
    now: Moment,
    /// Rows without a key go round.
    turn: u32,
}

struct Subtask {
    operator: Box<dyn Operator>,
    gauges: Arc<NodeGauges>,
    /// As the keeper keeps them.
    cuts: VecDeque<(u64, Source)>,
    note: Option<Value>,
    counter: u64,
    groups: KeyGroups,
}

thread_local! {
    /// One database for all trials of a thread: a database of its own would cost each of their subtasks some milliseconds.
    static NARROW: (TempDir, Spill) = {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Arc::new(Scratch::new(folder.path().to_owned(), "trials"));
        let limits = Limits { tables: 0, cache: 1 << 20 };
        let spill = Spill::new(scratch, "spill".to_owned(), KeyGroups::of(0, 1, GROUPS), limits);
        (folder, spill)
    };
}

/// What subtasks start with.
struct Start<'a> {
    node: &'a Node,
    room: Room,
    now: Moment,
}

impl Start<'_> {
    fn subtask(&self, groups: KeyGroups, restored: &Restored) -> Subtask {
        let Self { node, room, now } = *self;
        let spill = (room == Room::None).then(|| NARROW.with(|(_, spill)| spill.beside(groups.clone())));
        let registry = Registry::new(vec![], vec![Arc::new(Json)]);
        let gauges = Arc::new(NodeGauges::new(node.name.clone()));
        let origin = Origin {
            job: "orders@1".parse().unwrap(),
            attempt: "a1".to_owned(),
            clock: Arc::new(ManualClock::new()),
        };
        let ground = Ground {
            buffer_timeout: Duration::from_millis(5),
            registry: &registry,
            origin: &origin,
            gauges: &gauges,
            writer: None,
            groups: groups.clone(),
            restored,
            spill: spill.as_ref(),
        };
        let mut operator = build(node, &ground).unwrap();
        if operator.is_clocked() {
            operator.tick(now).unwrap();
        }
        Subtask {
            operator,
            gauges,
            cuts: restored
                .cuts
                .iter()
                .map(|cut| (0, cut.clone().limited(groups.owned.clone())))
                .collect(),
            note: None,
            counter: 0,
            groups,
        }
    }
}

impl Subtask {
    fn freeze(&mut self) {
        self.counter += 1;
        let mut cut = Cut::new(self.counter);
        self.operator.freeze(&mut cut).unwrap();
        assert_eq!(cut.take_failure(), None);
        let needed_from = cut.needed_from();
        for early in cut.take_early_bytes() {
            self.cuts
                .push_back((self.counter, Source::from(early).limited(self.groups.owned.clone())));
        }
        let (bytes, note) = cut.into_parts();
        self.note = note;
        if !bytes.is_empty() {
            self.cuts
                .push_back((self.counter, Source::from(bytes).limited(self.groups.owned.clone())));
        }
        while self.cuts.front().is_some_and(|(number, _)| *number < needed_from) {
            self.cuts.pop_front();
        }
    }

    fn pull(&mut self, node: &Node, lines: &mut Vec<String>) {
        while let Some(emitted) = self.operator.pull().unwrap() {
            let Emitted::Rows(port, batch) = emitted else { continue };
            assert!((1..=BATCH_ROWS_MAX).contains(&batch.row_count()));
            let rows = batch.records();
            match port {
                Port::Main => {
                    assert_eq!(rows.schema(), node.output, "the output is as planned");
                    let kinds = rows
                        .column_by_name(columns::KIND)
                        .map(AsArray::as_primitive::<Int8Type>);
                    lines.extend(picture(rows).into_iter().enumerate().map(|(row, line)| match kinds {
                        None => line,
                        Some(kinds) => format!("{} {line}", kind(kinds.value(row))),
                    }));
                }
                Port::Late => {
                    assert!(
                        node.targets.iter().any(|(port, _)| *port == Port::Late),
                        "nobody takes late rows"
                    );
                    assert_eq!(rows.schema(), node.input, "late rows are as they came");
                    lines.extend(picture(rows).into_iter().map(|line| format!("late {line}")));
                }
                Port::Dead => lines.extend(letters(rows).into_iter().map(|line| format!("dead {line}"))),
            }
        }
    }
}

fn kind(kind: i8) -> &'static str {
    match kind {
        columns::INSERT => "insert",
        columns::BEFORE => "before",
        columns::AFTER => "after",
        other => panic!("a row of kind {other}"),
    }
}

impl<'a> Rig<'a> {
    fn start(trial: &'a Trial, room: Room) -> Self {
        let now = Moment::default();
        let first = Start {
            node: &trial.node,
            room,
            now,
        };
        let subtask = first.subtask(KeyGroups::of(0, 1, GROUPS), &Restored::default());
        Self {
            trial,
            room,
            subtasks: vec![subtask],
            shown: Shown::default(),
            now,
            turn: 0,
        }
    }

    /// A checkpoint, and everything anew from it.
    fn restart(mut self, parallelism: u32) -> Self {
        self.subtasks.iter_mut().for_each(Subtask::freeze);
        let old = u32::try_from(self.subtasks.len()).unwrap();
        let start = Start {
            node: &self.trial.node,
            room: self.room,
            now: self.now,
        };
        let subtasks = (0..parallelism).map(|index| {
            let groups = KeyGroups::of(index, parallelism, GROUPS);
            let mut restored = Restored::default();
            for (index, subtask) in (0..).zip(&self.subtasks) {
                let owned = KeyGroups::of(index, old, GROUPS).owned;
                // As the job manager does: only those whose keys this one takes over.
                if owned.start < groups.owned.end && groups.owned.start < owned.end {
                    restored.notes.extend(subtask.note.clone());
                    restored
                        .cuts
                        .extend(subtask.cuts.iter().map(|(_, bytes)| bytes.clone()));
                }
            }
            start.subtask(groups, &restored)
        });
        let subtasks = subtasks.collect();
        self.tally();
        self.subtasks = subtasks;
        self
    }

    fn tally(&mut self) {
        for subtask in &self.subtasks {
            self.shown.dropped += subtask.gauges.dropped.get();
            self.shown.late += subtask.gauges.late.get();
        }
    }

    fn finish(mut self) -> Shown {
        self.tally();
        self.shown
    }

    fn act(&mut self, segment: usize, action: &Action) {
        if let Action::Tick(time) = action {
            self.now = Moment {
                instant: Instant::from_start(Duration::from_millis(u64::try_from(*time).unwrap())),
                wall: WallTime(*time),
                held_up: Duration::ZERO,
            };
        }
        let parts = match action {
            Action::Batch(rows) => self.split(rows),
            _ => Vec::new(),
        };
        for (index, subtask) in self.subtasks.iter_mut().enumerate() {
            match action {
                Action::Batch(_) if parts[index].num_rows() == 0 => {}
                Action::Batch(_) => subtask.operator.push(Batch::new(parts[index].clone())).unwrap(),
                Action::Watermark(watermark) => subtask.operator.advance(*watermark).unwrap(),
                Action::Tick(_) if subtask.operator.is_clocked() => subtask.operator.tick(self.now).unwrap(),
                Action::Tick(_) => {}
                Action::Barrier => subtask.freeze(),
            }
            subtask.pull(&self.trial.node, &mut self.shown.segments[segment]);
        }
    }

    /// The rows of each subtask.
    fn split(&mut self, rows: &RecordBatch) -> Vec<RecordBatch> {
        let parallelism = u32::try_from(self.subtasks.len()).unwrap();
        if parallelism == 1 {
            return vec![rows.clone()];
        }
        let owners: Vec<u32> = match self.trial.keys() {
            Some(keys) => {
                let mut hashes = Vec::new();
                let reader = KeyReader::new(&self.trial.node.input, &keys).unwrap();
                reader.hashes(rows, &mut hashes).unwrap();
                let group = |hash: &u64| key::key_group(*hash, GROUPS);
                hashes
                    .iter()
                    .map(|hash| key::owner(group(hash), parallelism, GROUPS))
                    .collect()
            }
            None => {
                self.turn += 1;
                vec![self.turn % parallelism; rows.num_rows()]
            }
        };
        let part = |subtask: u32| {
            let mine = (0_u32..).zip(&owners).filter(|(_, owner)| **owner == subtask);
            take_record_batch(rows, &UInt32Array::from_iter_values(mine.map(|(row, _)| row))).unwrap()
        };
        (0..parallelism).map(part).collect()
    }
}
