//! The half of the work in front of a shuffle: rows of one key and pane become one, as long as that spares something.
//!
//! ```text
//!   rows ── by pane ──> tables ── full, or nothing waits to come in, or a barrier ──> one half-folded row for each key
//!     └── where folding spares nothing: as they are, with their values
//! ```
//!
//! Must stay true: it keeps nothing over a barrier; no watermark passes before the rows it would make late; what it holds
//! is bounded, in rows, in bytes and in time. A row that was folded cannot be told from the others any more: late rows are
//! judged, and counted, by the second half.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, BinaryBuilder, Int64Array, RecordBatch, new_null_array};
use arrow_schema::SchemaRef;
use dataflow::Failure;
use dataflow::element::{BATCH_ROWS_MAX, Batch, Watermark, columns};
use dataflow::expr::{Evaluator, Expression};
use dataflow::recipe::{self, Node};

use super::accumulate::packed::put_count;
use super::accumulate::{Accumulators, Shape};
use super::frames::Frames;
use super::input::{Input, Letters, Reading, Rows};
use super::results::{Around, Results, fitted};
use crate::chain::columns::batch;
use crate::chain::dead::DeadLetters;
use crate::operators::{Emitted, Ground, Moment, Operator, Outbox};
use crate::state::Table;
use crate::task::gauges::NodeGauges;

/// So many rows are held at most,
const ROWS_MAX: u64 = 65_536;
/// so many bytes, roughly,
const BYTES_MAX: usize = 8 << 20;
/// and for so long.
const HOLD_MAX: Duration = Duration::from_millis(50);
/// After so many rows it is judged whether folding has spared anything.
const SAMPLE: u64 = 8_192;
/// Where it has not, so many rows pass as they are before it is tried again.
const PASS: u64 = 1 << 20;
/// Folding has to spare this part at least: half of the rows, and half of the bytes.
const WORTH: u64 = 2;
/// Where more than so many of sixteen rows of a sample have a key of their own, it will not have come to that at the most
/// rows that are held either: eight times the sample, of evenly spread keys, has two rows of three with a key of their own.
const ALONE_OF_16: u64 = 15;

/// The first half of an aggregate, at work.
pub(super) struct Partial {
    reading: Reading,
    frames: Option<Frames>,
    shape: Arc<Shape>,
    results: Results,
    unfolded: Unfolded,
    held: BTreeMap<i64, Pane>,
    held_rows: u64,
    /// When the oldest held row came.
    since: Option<Moment>,
    now: Moment,
    tally: Tally,
    gauges: Arc<NodeGauges>,
    dead: DeadLetters,
    outbox: Outbox,
}

/// The held rows of one pane.
struct Pane {
    table: Table<Accumulators>,
    /// How many rows were folded into each slot.
    rows: Vec<u64>,
    /// What they would have been on their way, roughly.
    row_bytes: u64,
    latest: i64,
}

/// Whether folding spares anything, as far as is known.
#[derive(Debug, Default)]
struct Tally {
    rows: u64,
    row_bytes: u64,
    states: u64,
    state_bytes: u64,
    /// So many rows are still to pass as they are.
    pass: u64,
}

impl Tally {
    /// Judges, once there is enough to judge by.
    fn judge(&mut self) {
        if self.rows < SAMPLE {
            return;
        }
        let wasted = self.states * WORTH > self.rows || self.state_bytes * WORTH > self.row_bytes;
        *self = Self {
            pass: if wasted { PASS } else { 0 },
            ..Self::default()
        };
    }

    /// Whether these rows are to pass as they are.
    fn passes(&mut self, rows: usize) -> bool {
        let passes = self.pass > 0;
        self.pass = self.pass.saturating_sub(rows as u64);
        passes
    }
}

impl Partial {
    pub(super) fn build(recipe: &recipe::Aggregate, node: &Node, ground: &Ground<'_>) -> Result<Self, Failure> {
        let reading = Reading::new(recipe, node)?;
        let shape = Arc::new(Shape::new(reading.layout(), Vec::new())?);
        let frames = match &recipe.window {
            None => None,
            Some(window) => Some(Frames::new(&window.spans, window.allowed_lateness_ms)?.ok_or_else(|| {
                Failure::bug("sessions cannot be folded in two halves: which rows are one is known only where all meet")
            })?),
        };
        Ok(Self {
            reading,
            frames,
            shape,
            results: Results::new(recipe, node)?,
            unfolded: Unfolded::new(recipe, node)?,
            held: BTreeMap::new(),
            held_rows: 0,
            since: None,
            now: Moment::default(),
            tally: Tally::default(),
            gauges: Arc::clone(ground.gauges),
            dead: ground.dead_letters(),
            outbox: Outbox::default(),
        })
    }

    /// As one that has seen that folding spares nothing.
    #[cfg(test)]
    pub(super) fn passing(mut self) -> Self {
        self.tally.pass = u64::MAX;
        self
    }

    fn fold(&mut self, input: &Input) -> Result<(), Failure> {
        self.held_rows += input.keys.len() as u64;
        self.since.get_or_insert(self.now);
        for (pane, rows) in self.deal(&input.at) {
            let pane = match self.held.entry(pane) {
                std::collections::btree_map::Entry::Occupied(held) => held.into_mut(),
                std::collections::btree_map::Entry::Vacant(place) => place.insert(Pane::new(&self.shape)?),
            };
            pane.fold(input, &rows)?;
            pane.row_bytes += (rows.len() * (1 + self.unfolded.values) * size_of::<u64>()) as u64;
        }
        let bytes: usize = self.held.values().map(Pane::bytes).sum();
        if self.held_rows >= ROWS_MAX || bytes >= BYTES_MAX || self.is_hopeless() {
            self.give_all()?;
        }
        Ok(())
    }

    /// Whether what is held is enough to see that folding spares nothing: what is folded in vain costs as much as the second
    /// half does.
    fn is_hopeless(&self) -> bool {
        let keys = || self.held.values().map(|pane| pane.table.len() as u64).sum::<u64>();
        self.held_rows >= SAMPLE && keys() * 16 > self.held_rows * ALONE_OF_16
    }

    /// The rows of each pane; most batches are of one or two.
    fn deal(&self, at: &[i64]) -> BTreeMap<i64, Vec<u32>> {
        let mut panes: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        let Some(frames) = &self.frames else {
            panes.insert(0, (0..).take(at.len()).collect());
            return panes;
        };
        let mut current = (i64::MAX, i64::MIN, 0);
        for (row, time) in (0_u32..).zip(at) {
            if *time < current.0 || *time >= current.1 {
                let pane = frames.pane(*time);
                current = (frames.start(pane), frames.start(pane + 1), pane);
            }
            panes.entry(current.2).or_default().push(row);
        }
        panes
    }

    fn give_all(&mut self) -> Result<(), Failure> {
        let held = std::mem::take(&mut self.held);
        self.give(held)
    }

    fn give(&mut self, panes: BTreeMap<i64, Pane>) -> Result<(), Failure> {
        for (number, pane) in panes {
            let begins = self.frames.as_ref().and_then(|frames| {
                frames.bounds(number + 1)?;
                Some(frames.start(number))
            });
            let given = pane.rows.iter().sum::<u64>();
            self.held_rows = self.held_rows.saturating_sub(given);
            self.tally.rows += given;
            self.tally.row_bytes += pane.row_bytes;
            self.give_pane(begins.unwrap_or(pane.latest), &pane)?;
        }
        if self.held.is_empty() {
            self.since = None;
        }
        self.tally.judge();
        Ok(())
    }

    fn give_pane(&mut self, at: i64, pane: &Pane) -> Result<(), Failure> {
        let slots: Vec<u32> = pane.table.live().collect();
        let mut state = Vec::new();
        for slots in slots.chunks(BATCH_ROWS_MAX) {
            let mut states = BinaryBuilder::new();
            for slot in slots {
                state.clear();
                put_count(pane.rows[*slot as usize], &mut state);
                pane.table.values().put(*slot, &mut state);
                states.append_value(&state);
                self.tally.state_bytes += (state.len() + pane.table.key(*slot).len() + size_of::<u64>()) as u64;
            }
            self.tally.states += slots.len() as u64;
            let around = Around {
                pane: at,
                states: Some(Arc::new(states.finish())),
                ..Around::default()
            };
            let none = |_| Err(Failure::bug("half-folded rows have no results"));
            let keys = slots.iter().map(|slot| pane.table.key(*slot));
            self.outbox.main(self.results.rows(keys, none, &around)?);
        }
        Ok(())
    }
}

impl Operator for Partial {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let mut letters = Letters {
            dead: &self.dead,
            outbox: &mut self.outbox,
            shape: &self.shape,
        };
        let rows = self.reading.rows(batch.records(), self.now.wall.0, &mut letters)?;
        let count = rows.records.num_rows();
        if count == 0 {
            return Ok(());
        }
        if self.tally.passes(count) {
            self.gauges.unfolded.add_size(count);
            self.outbox.main(self.unfolded.rows(&rows)?);
            return Ok(());
        }
        let input = self.reading.input(rows)?;
        self.fold(&input)
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(self.outbox.take())
    }

    /// Gives what the watermark would make late.
    fn advance(&mut self, watermark: Watermark) -> Result<(), Failure> {
        match &self.frames {
            Some(frames) => {
                let left = self.held.split_off(&frames.complete(watermark.0));
                let due = std::mem::replace(&mut self.held, left);
                self.give(due)
            }
            // Changes have the time of the rows that made them.
            None => self.give_all(),
        }
    }

    /// Time may go on without it now.
    fn idle(&mut self) -> Result<(), Failure> {
        self.give_all()
    }

    fn settle(&mut self) -> Result<bool, Failure> {
        let held = !self.held.is_empty();
        self.give_all()?;
        Ok(held)
    }

    fn is_clocked(&self) -> bool {
        true
    }

    fn tick(&mut self, now: Moment) -> Result<(), Failure> {
        self.now = now;
        match self.since {
            Some(since) if now.instant.since(since.instant) >= HOLD_MAX => self.give_all(),
            _ => Ok(()),
        }
    }
}

impl Pane {
    fn new(shape: &Arc<Shape>) -> Result<Self, Failure> {
        Ok(Self {
            table: Table::new(0, 0, Accumulators::new(shape)?, 0),
            rows: Vec::new(),
            row_bytes: 0,
            latest: i64::MIN,
        })
    }

    fn fold(&mut self, input: &Input, rows: &[u32]) -> Result<(), Failure> {
        let mut slots = Vec::with_capacity(rows.len());
        self.table.slots(&input.keys, rows, &mut slots)?;
        input.content.fold(self.table.values_mut(), &slots, rows)?;
        for (slot, row) in slots.iter().zip(rows) {
            let slot = *slot as usize;
            if slot >= self.rows.len() {
                self.rows.resize(slot + 1, 0);
            }
            self.rows[slot] += 1;
            self.row_bytes += input.keys.row(*row as usize).len() as u64;
            self.latest = self.latest.max(input.at[*row as usize]);
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.table.bytes() + self.rows.capacity() * size_of::<u64>()
    }
}

/// Makes rows that were not folded of those that came.
struct Unfolded {
    output: SchemaRef,
    columns: Vec<Source>,
    /// How many values a row has.
    values: usize,
}

/// Where a column of such a row comes from.
enum Source {
    Key(Evaluator),
    Value(usize),
    Time,
    Nothing,
}

impl Unfolded {
    fn new(recipe: &recipe::Aggregate, node: &Node) -> Result<Self, Failure> {
        let values = recipe.values().len();
        let unplanned =
            |name: &str| Failure::bug(format!("`{}` is to give `{name}`, which it does not have", node.name));
        let column = |name: &str| match name {
            columns::PANE => Ok(Source::Time),
            columns::STATE => Ok(Source::Nothing),
            name => {
                if let Some(place) = (0..values).find(|place| columns::value_name(*place) == name) {
                    return Ok(Source::Value(place));
                }
                let key = recipe
                    .keys
                    .iter()
                    .find(|key| key.name == name)
                    .ok_or_else(|| unplanned(name))?;
                let path = Expression::new(key.path.to_string());
                let found = Evaluator::compile(&path, &node.input);
                found
                    .map(Source::Key)
                    .map_err(|error| Failure::bug(format!("`{}` has no such key", node.name)).because(&error))
            }
        };
        let columns = node.output.fields().iter().map(|field| column(field.name()));
        Ok(Self {
            columns: columns.collect::<Result<_, _>>()?,
            output: Arc::clone(&node.output),
            values,
        })
    }

    fn rows(&self, rows: &Rows) -> Result<RecordBatch, Failure> {
        let count = rows.records.num_rows();
        let made = self.columns.iter().zip(self.output.fields()).map(|(source, field)| {
            let made: ArrayRef = match source {
                Source::Key(key) => key
                    .evaluate(&rows.records)
                    .map_err(|error| Failure::bug(format!("a key that cannot be read: {error}")))?,
                Source::Value(place) => Arc::clone(&rows.values[*place]),
                Source::Time => Arc::new(Int64Array::from(rows.at.clone())),
                Source::Nothing => new_null_array(field.data_type(), count),
            };
            fitted(made, field.data_type())
        });
        batch(&self.output, made.collect::<Result<_, _>>()?, count)
    }
}
