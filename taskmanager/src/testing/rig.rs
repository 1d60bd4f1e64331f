//! Some subtasks of one operator at work, as a trial wants them: restored, frozen, without memory.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int8Type;
use dataflow::element::{BATCH_ROWS_MAX, Batch, Watermark, columns};
use dataflow::key::{self, KeyReader};
use dataflow::recipe::{Node, Port};
use dataflow::time::{Instant, WallTime};
use serde_json::Value;
use tempfile::TempDir;

use super::Footing;
use super::harness::{letters, picture};
use super::script::{Shown, Trial};
use crate::operators::{Emitted, Ground, Moment, Operator, build};
use crate::state::{Cut, KeyGroups, Limits, Restored, Scratch, Source, Spill};
use crate::task::gauges::NodeGauges;

/// Key groups of every trial.
const GROUPS: u32 = 64;

/// How much memory there is for state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Enough,
    /// All keys go to disk whenever others are asked for.
    None,
    /// And the disk is compacted behind every step: what may vanish from it does so at once.
    Compacted,
}

/// What the subtasks are told.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Batch(RecordBatch),
    Watermark(Watermark),
    Tick(i64),
    Barrier,
}

/// Some subtasks at work.
pub(super) struct Rig<'a> {
    trial: &'a Trial,
    room: Room,
    subtasks: Vec<Subtask>,
    pub(super) shown: Shown,
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
        let spill = (room != Room::Enough).then(|| NARROW.with(|(_, spill)| spill.beside(groups.clone())));
        let footing = Footing::of(node);
        let ground = Ground {
            spill: spill.as_ref(),
            ..footing.ground(groups.clone(), restored)
        };
        let mut operator = build(node, &ground).unwrap();
        if operator.is_clocked() {
            operator.tick(now).unwrap();
        }
        Subtask {
            operator,
            gauges: footing.gauges,
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
    pub(super) fn start(trial: &'a Trial, room: Room) -> Self {
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
    pub(super) fn restart(mut self, parallelism: u32) -> Self {
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

    pub(super) fn finish(mut self) -> Shown {
        self.tally();
        self.shown
    }

    pub(super) fn act(&mut self, segment: usize, action: &Action) {
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
        if self.room == Room::Compacted {
            NARROW.with(|(_, spill)| spill.compact());
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
