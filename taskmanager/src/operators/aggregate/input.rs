//! What is folded of a batch: each row's key, the time it counts for, and the values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, is_not_null, is_null};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use dataflow::Failure;
use dataflow::contract::BadRecord;
use dataflow::element::columns;
use dataflow::key::{KeyReader, Keys};
use dataflow::recipe::{self, Clocked, Node, Phase};

use super::accumulate::packed::take_count;
use super::accumulate::{Accumulators, Argument, Fold, Layout, Merge, Shape};
use super::arguments::Arguments;
use crate::chain::columns::batch;
use crate::chain::dead::{DeadLetters, without};
use crate::operators::{Outbox, column};
use crate::state::Values;

/// A batch whose values are known.
pub(super) struct Rows {
    /// Its rows.
    pub(super) records: RecordBatch,
    /// Which time each row counts for.
    pub(super) at: Vec<i64>,
    /// Their event times, if they have any.
    pub(super) times: Option<Vec<i64>>,
    /// The values of each expression.
    pub(super) values: Vec<ArrayRef>,
}

/// A batch, ready to be folded.
pub(super) struct Input {
    /// Its rows.
    pub(super) records: RecordBatch,
    /// Their keys.
    pub(super) keys: Keys,
    /// Which time each row counts for; of half-folded rows, the start of their pane.
    pub(super) at: Vec<i64>,
    /// What is folded.
    pub(super) content: Content,
}

/// What is folded.
pub(super) enum Content {
    /// Rows, by their arguments and event times, if they have any.
    Rows {
        arguments: Vec<Argument>,
        times: Option<Vec<i64>>,
    },
    /// States, one for each row, and how many rows were folded to each.
    States { states: Box<Accumulators>, rows: Vec<u64> },
}

impl Content {
    /// Folds some rows into slots.
    pub(super) fn fold(&self, into: &mut Accumulators, slots: &[u32], rows: &[u32]) -> Result<(), Failure> {
        match self {
            Self::Rows { arguments, times } => {
                let times = times.as_deref();
                into.fold(Fold { slots, rows, times }, arguments)
            }
            Self::States { states, .. } => into.merge(
                Merge {
                    into: slots,
                    from: rows,
                },
                states,
            ),
        }
    }

    /// How many rows one of these stands for.
    pub(super) fn weight(&self, row: u32) -> u64 {
        match self {
            Self::Rows { .. } => 1,
            Self::States { rows, .. } => rows[row as usize],
        }
    }
}

/// Slots, each once, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    bits: Vec<u64>,
    list: Vec<u32>,
    /// So many of the list are there no more, or twice.
    gone: usize,
}

impl Slots {
    /// The slots.
    pub(super) fn into_list(mut self) -> Vec<u32> {
        if self.gone > 0 {
            self.tidy();
        }
        self.list
    }

    /// Takes one out; whether it was there.
    pub(super) fn remove(&mut self, slot: u32) -> bool {
        let (word, bit) = (slot as usize / 64, 1_u64 << (slot % 64));
        let was = self.bits.get(word).is_some_and(|bits| bits & bit != 0);
        if was {
            self.bits[word] &= !bit;
            self.gone += 1;
            // Not one by one: a slot that is taken out stands in the list until there are many of them.
            if self.gone > self.list.len() / 2 {
                self.tidy();
            }
        }
        was
    }

    /// The list says what the bits say.
    fn tidy(&mut self) {
        let mut left = self.bits.clone();
        self.list.retain(|slot| {
            let (word, bit) = (*slot as usize / 64, 1_u64 << (*slot % 64));
            let is_there = left[word] & bit != 0;
            left[word] &= !bit;
            is_there
        });
        self.gone = 0;
    }
}

impl Extend<u32> for Slots {
    fn extend<I: IntoIterator<Item = u32>>(&mut self, slots: I) {
        for slot in slots {
            let (word, bit) = (slot as usize / 64, 1_u64 << (slot % 64));
            if word >= self.bits.len() {
                self.bits.resize(word + 1, 0);
            }
            if self.bits[word] & bit == 0 {
                self.bits[word] |= bit;
                self.list.push(slot);
            }
        }
    }
}

/// Keys, one behind another.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyRun {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl KeyRun {
    /// The keys.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        (0..self.ends.len()).map(|place| {
            let begin = if place == 0 { 0 } else { self.ends[place - 1] };
            &self.bytes[begin..self.ends[place]]
        })
    }
}

impl<'a> FromIterator<&'a [u8]> for KeyRun {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(keys: I) -> Self {
        let mut run = Self::default();
        for key in keys {
            run.bytes.extend_from_slice(key);
            run.ends.push(run.bytes.len());
        }
        run
    }
}

/// How batches are read.
pub(super) struct Reading {
    keys: Option<KeyReader>,
    arguments: Arguments,
    times: Times,
    phase: Phase,
}

/// Which time a row counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    /// Its own, which it must have.
    Event,
    /// The clock's.
    Clock,
    /// Its own if it has one; it decides nothing.
    Any,
}

impl Reading {
    pub(super) fn new(recipe: &recipe::Aggregate, node: &Node) -> Result<Self, Failure> {
        let paths: Vec<_> = recipe.keys.iter().map(|key| key.path.clone()).collect();
        let keys = (!paths.is_empty())
            .then(|| KeyReader::new(&node.input, &paths))
            .transpose();
        let arguments = Arguments::new(recipe, &node.input)?;
        let times = match recipe.window.as_ref().map(|window| window.clock) {
            None => Times::Any,
            Some(Clocked::Event) => Times::Event,
            Some(Clocked::Processing) => Times::Clock,
        };
        match recipe.phase {
            Phase::Final => {
                column(&node.input, columns::PANE)?;
                column(&node.input, columns::STATE)?;
            }
            Phase::Whole | Phase::Partial if times == Times::Event => {
                column(&node.input, columns::TIME)?;
            }
            Phase::Whole | Phase::Partial => {}
        }
        Ok(Self {
            keys: keys.map_err(|error| Failure::fail(format!("`{}` cannot run", node.name)).because(&error))?,
            arguments,
            times,
            phase: recipe.phase,
        })
    }

    /// What the states of the measures are of.
    pub(super) fn layout(&self) -> Layout {
        self.arguments.layout()
    }

    /// The parts of a batch that are read each in one manner: half-folded rows and others may come together.
    pub(super) fn parts(&self, records: &RecordBatch) -> Result<Vec<RecordBatch>, Failure> {
        let states = records
            .column_by_name(columns::STATE)
            .filter(|_| self.phase == Phase::Final);
        let Some(states) = states.filter(|states| (1..states.len()).contains(&states.null_count())) else {
            return Ok(vec![records.clone()]);
        };
        let wrong =
            |error: arrow::error::ArrowError| Failure::bug("half-folded rows that cannot be picked").because(&error);
        let masks = [is_not_null(states), is_null(states)];
        let part = |mask: &BooleanArray| filter_record_batch(records, mask).map_err(wrong);
        masks.into_iter().map(|mask| part(&mask.map_err(wrong)?)).collect()
    }

    /// Reads a part of a batch that came at `now`; rows that cannot be folded go to the dead letters.
    pub(super) fn read(&self, records: &RecordBatch, now: i64, out: &mut Letters<'_>) -> Result<Input, Failure> {
        let half_folded = || {
            let states = records.column_by_name(columns::STATE);
            states.is_some_and(|states| states.null_count() == 0)
        };
        if self.phase == Phase::Final && half_folded() {
            return self.read_states(records, out.shape);
        }
        let rows = self.rows(records, now, out)?;
        self.input(rows)
    }

    /// The rows that can be folded, and their values.
    pub(super) fn rows(&self, records: &RecordBatch, now: i64, out: &mut Letters<'_>) -> Result<Rows, Failure> {
        let timed = self.timed(records, out)?;
        let evaluation = self.arguments.evaluate(&timed)?;
        out.outbox.dead(out.dead, &timed, &evaluation.failed)?;
        let records = evaluation.kept;
        let times = match self.phase {
            Phase::Final => Some(panes(&records)?.to_vec()),
            Phase::Whole | Phase::Partial => {
                let times = records.column_by_name(columns::TIME);
                let times = times.and_then(|times| times.as_primitive_opt::<TimestampMillisecondType>());
                let times = times.filter(|times| times.null_count() == 0);
                times.map(|times| times.values().to_vec())
            }
        };
        let at = match (self.times, &times) {
            (Times::Event | Times::Any, Some(times)) => times.clone(),
            (Times::Event, None) => return Err(Failure::bug("rows without the time that the plan promises")),
            (Times::Clock | Times::Any, _) => vec![now; records.num_rows()],
        };
        Ok(Rows {
            records,
            at,
            times,
            values: evaluation.values,
        })
    }

    /// The same, ready to be folded.
    pub(super) fn input(&self, rows: Rows) -> Result<Input, Failure> {
        Ok(Input {
            keys: self.keys(&rows.records)?,
            at: rows.at,
            content: Content::Rows {
                arguments: self.arguments.of(&rows.values, rows.records.num_rows())?,
                times: rows.times,
            },
            records: rows.records,
        })
    }

    /// The rows that have the time they need.
    fn timed(&self, records: &RecordBatch, out: &mut Letters<'_>) -> Result<RecordBatch, Failure> {
        let times = records
            .column_by_name(columns::TIME)
            .filter(|times| times.null_count() > 0);
        let Some(times) = times.filter(|_| self.times == Times::Event) else {
            return Ok(records.clone());
        };
        let without_time = (0..records.num_rows()).filter(|row| times.is_null(*row));
        let failed = without_time.map(|row| BadRecord {
            row,
            error: "has no event time, so it belongs to no window".to_owned(),
        });
        let failed: Vec<BadRecord> = failed.collect();
        out.outbox.dead(out.dead, records, &failed)?;
        let columns = without(records.columns(), records.num_rows(), &failed)?;
        batch(&records.schema(), columns, records.num_rows() - failed.len())
    }

    fn read_states(&self, records: &RecordBatch, shape: &Arc<Shape>) -> Result<Input, Failure> {
        let malformed = || Failure::bug("half-folded rows that are not as the first half writes them");
        let bytes = records.column_by_name(columns::STATE);
        let bytes = bytes
            .and_then(|bytes| bytes.as_binary_opt::<i32>())
            .ok_or_else(malformed)?;
        let mut states = Accumulators::new(shape)?;
        states.grow(records.num_rows());
        let mut rows = Vec::with_capacity(records.num_rows());
        for (row, state) in (0..).zip(bytes.iter()) {
            let mut state = state.unwrap_or_default();
            rows.push(take_count(&mut state).ok_or_else(malformed)?);
            states.take(row, state)?;
        }
        Ok(Input {
            keys: self.keys(records)?,
            at: panes(records)?.to_vec(),
            content: Content::States {
                states: Box::new(states),
                rows,
            },
            records: records.clone(),
        })
    }

    fn keys(&self, records: &RecordBatch) -> Result<Keys, Failure> {
        match &self.keys {
            Some(keys) => keys
                .encode(records)
                .map_err(|error| Failure::bug("rows without their key").because(&error)),
            None => Ok(Keys::one_for_all(records.num_rows())),
        }
    }
}

/// Where rows go that cannot be folded, and what states are of.
pub(super) struct Letters<'a> {
    /// Writes them.
    pub(super) dead: &'a DeadLetters,
    /// Sends them.
    pub(super) outbox: &'a mut Outbox,
    /// What the states of half-folded rows are of.
    pub(super) shape: &'a Arc<Shape>,
}

/// Which time half-folded rows count for.
fn panes(records: &RecordBatch) -> Result<&[i64], Failure> {
    let panes = records.column_by_name(columns::PANE);
    let panes = panes.and_then(|panes| panes.as_primitive_opt::<Int64Type>());
    let panes = panes.ok_or_else(|| Failure::bug("half-folded rows without a pane"))?;
    Ok(panes.values())
}
