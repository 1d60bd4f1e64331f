//! Keeps the best rows of each key: given window by window, or as changes.
//!
//! ```text
//!   batch ── keys, order, ends ──> contenders: those that no full list beats ──> Lists (bytes of rows, best first)
//!              └── late rows                                                       │
//!                                                  window complete, or at once ────┴──> rows, a batch for each pull
//! ```
//!
//! Enters: batches, watermarks. Leaves: the best rows; late rows; dead letters. Must stay true: of equal rows the one that
//! came first is better; only rows that are kept are ever copied; in any batches it comes to the same.

mod order;
mod lists;
mod output;
mod windows;
mod changes;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMillisecondType;
use dataflow::Failure;
use dataflow::contract::BadRecord;
use dataflow::element::{BATCH_BYTES_TARGET, BATCH_ROWS_MAX, Batch, Watermark, columns};
use dataflow::key::{KeyReader, Keys};
use dataflow::recipe::{self, Clocked, Emission, Node, Spans, Ties};
use dataflow::time::Grid;
use serde::{Deserialize, Serialize};

use super::aggregate::{Reached, Span};
use super::late::LateRows;
use super::row::{Layouts, RowWriter};
use super::{Emitted, Ground, Operator, Outbox};
use crate::chain::columns::conform;
use crate::chain::dead::DeadLetters;
use crate::state::{Cut, NONE, Spill, Table, Values};
use changes::{Changes, Placed};
use lists::{Limit, Lists};
use order::{SortKeys, Sorter};
use output::{Bounds, Given, Output, WINDOW_END};
use windows::Windows;

/// The state of lists.
const LISTS: u8 = 1;

/// The best rows, at work.
pub(super) struct TopN {
    keys: Option<KeyReader>,
    sorter: Sorter,
    output: Output,
    body: Body,
    late: LateRows,
    dead: DeadLetters,
    outbox: Outbox,
}

enum Body {
    Windows(Box<Windows>, Frame),
    Changes(Box<Changes>),
}

/// Which window a row is of.
enum Frame {
    /// The one whose end stands in this column.
    Column(usize),
    /// The one that holds the time in this column.
    Grid(usize, Grid),
}

/// What is in a snapshot beside the lists.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    layouts: Layouts,
    reached: Vec<Span>,
}

/// A batch, read as far as it must be to compare its rows.
struct Input {
    keys: Keys,
    sorts: SortKeys,
    /// What is kept of the rows.
    payload: RecordBatch,
}

impl Input {
    /// Those of `rows` that no full list beats, and the slots of their lists, which are made where there was none.
    fn contenders(&self, table: &mut Table<Lists>, rows: Vec<u32>, slots: &mut Vec<u32>) -> Result<Vec<u32>, Failure> {
        table.find_all(rows.iter().map(|row| self.keys.row(*row as usize)), slots)?;
        let lists = table.values();
        let rows = rows
            .into_iter()
            .zip(&*slots)
            .filter(|(row, slot)| **slot == NONE || !lists.is_beaten(**slot, self.sorts.row(*row as usize)));
        let rows: Vec<u32> = rows.map(|(row, _)| row).collect();
        table.slots(&self.keys, &rows, slots)?;
        Ok(rows)
    }

    /// Puts them into their lists, unless those have become too good meanwhile.
    fn insert(&self, table: &mut Table<Lists>, rows: &[u32], slots: &[u32]) -> Result<(), Failure> {
        if rows.is_empty() {
            return Ok(());
        }
        let writer = RowWriter::new(&self.payload)?;
        let lists = table.values_mut();
        for (row, slot) in rows.iter().map(|row| *row as usize).zip(slots) {
            let sort = self.sorts.row(row);
            if !lists.is_beaten(*slot, sort) {
                lists.insert(*slot, sort, |out| writer.write(row, out));
            }
        }
        Ok(())
    }
}

impl Frame {
    fn new(recipe: &recipe::TopN, node: &Node) -> Result<Self, Failure> {
        let cannot = |what: &str| Failure::fail(format!("`{}` cannot run: {what}", node.name));
        let Some(window) = &recipe.window else {
            return Ok(Self::Column(super::column(&node.input, WINDOW_END)?));
        };
        let plain = window.clock == Clocked::Event && window.allowed_lateness_ms == 0 && window.emit_every_ms.is_none();
        match &window.spans {
            Spans::Tumbling { size_ms, origin } if plain => {
                let grid = Grid::new(*size_ms, origin.offset_ms, origin.zone.as_deref());
                let grid = grid.map_err(|error| cannot("there are no such windows").because(&error))?;
                Ok(Self::Grid(super::column(&node.input, columns::TIME)?, grid))
            }
            Spans::Tumbling { .. }
            | Spans::Sliding { .. }
            | Spans::Cumulative { .. }
            | Spans::Session { .. }
            | Spans::Global => Err(cannot("its windows are tumbling ones by event time, each given once")),
        }
    }

    fn column(&self) -> usize {
        match self {
            Self::Column(column) | Self::Grid(column, _) => *column,
        }
    }

    /// The end of each row's window. No time is NULL.
    fn ends(&self, input: &RecordBatch) -> Result<Vec<i64>, Failure> {
        let times = input
            .column(self.column())
            .as_primitive_opt::<TimestampMillisecondType>();
        let times = times
            .ok_or_else(|| Failure::bug("a window's end, or a row's time, is no time"))?
            .values();
        let Self::Grid(_, grid) = self else {
            return Ok(times.to_vec());
        };
        let mut window = (i64::MAX, i64::MIN);
        let end = |time: &i64| {
            if *time < window.0 || *time >= window.1 {
                let index = grid.index(*time);
                window = (grid.start(index), grid.start(index.saturating_add(1)));
            }
            window.1
        };
        Ok(times.iter().map(end).collect())
    }

    /// The bounds of the window with this end.
    fn bounds(&self, end: i64) -> Bounds {
        let start = match self {
            Self::Column(_) => end,
            Self::Grid(_, grid) => grid.start(grid.index(end.saturating_sub(1))),
        };
        Bounds { start, end }
    }
}

impl TopN {
    pub(super) fn build(recipe: &recipe::TopN, node: &Node, ground: &Ground<'_>) -> Result<Self, Failure> {
        let cannot = |what: &str| Failure::fail(format!("`{}` cannot run: {what}", node.name));
        if node.input.column_with_name(columns::KIND).is_some() {
            return Err(cannot("rows that take back others are not ranked")
                .help("aggregate in windows before, so that each row comes once"));
        }
        if (recipe.ties, recipe.emission) == (Ties::Kept, Emission::Changes) {
            return Err(cannot("equal rows are all kept only by window"));
        }
        let no_key = |error| cannot("rows cannot be told apart or ordered by these").because(&error);
        let unreadable = |error: serde_json::Error| {
            Failure::fail(format!("the state of `{}` cannot be read", node.name)).because(&error)
        };
        let notes = ground
            .restored
            .notes
            .iter()
            .map(|note| Note::deserialize(note).map_err(unreadable));
        let notes = notes.collect::<Result<Vec<_>, Failure>>()?;
        let (layouts, reached): (Vec<_>, Vec<_>) = notes.into_iter().map(|note| (note.layouts, note.reached)).unzip();
        let output = Output::new(recipe, node, layouts)?;
        let limit = Limit {
            rows: usize::try_from(recipe.limit).unwrap_or(usize::MAX),
            ties: recipe.ties,
        };
        let body = match recipe.emission {
            Emission::Window => {
                let reached = Reached::restore(reached.into_iter().flatten(), &ground.groups);
                let windows = Windows::restore((limit, &output), reached, ground)?;
                Body::Windows(Box::new(windows), Frame::new(recipe, node)?)
            }
            Emission::Changes => {
                let placed = recipe.rank.is_some() || recipe.limit == 1;
                let placed = if placed { Placed::Yes } else { Placed::No };
                Body::Changes(Box::new(Changes::restore((limit, &output), placed, ground)?))
            }
        };
        let keys = (!recipe.keys.is_empty()).then(|| KeyReader::new(&node.input, &recipe.keys));
        Ok(Self {
            keys: keys.transpose().map_err(no_key)?,
            sorter: Sorter::new(&node.input, &recipe.order).map_err(no_key)?,
            output,
            body,
            late: LateRows::new(node, ground),
            dead: ground.dead_letters(),
            outbox: Outbox::default(),
        })
    }

    /// Reads a batch; rows that are of no window are dead letters.
    fn read(&mut self, records: RecordBatch) -> Result<(RecordBatch, Input), Failure> {
        let records = match &self.body {
            Body::Windows(_, frame) => windowed(records, frame, &self.dead, &mut self.outbox)?,
            Body::Changes(_) => records,
        };
        let keys = match &self.keys {
            Some(keys) => keys.encode(&records),
            None => Ok(Keys::one_for_all(records.num_rows())),
        };
        let input = Input {
            keys: keys.map_err(|error| Failure::bug("rows without their key").because(&error))?,
            sorts: self.sorter.read(&records)?,
            payload: conform(&records, self.output.rows().schema(), None)?,
        };
        Ok((records, input))
    }
}

/// The rows that have a time or a window.
fn windowed(
    records: RecordBatch,
    frame: &Frame,
    dead: &DeadLetters,
    outbox: &mut Outbox,
) -> Result<RecordBatch, Failure> {
    let nulls = records.column(frame.column()).logical_nulls();
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else {
        return Ok(records);
    };
    let bad = (0..records.num_rows()).filter(|row| nulls.is_null(*row));
    let bad = bad.map(|row| BadRecord {
        row,
        error: "has no time, so nobody can say which window it is of".to_owned(),
    });
    outbox.dead(dead, &records, &bad.collect::<Vec<_>>())?;
    filter_record_batch(&records, &BooleanArray::new(nulls.inner().clone(), None))
        .map_err(|error| Failure::bug("rows that cannot be picked").because(&error))
}

/// As many rows as a batch holds.
fn next_rows(given: &mut VecDeque<Given>) -> Vec<Given> {
    let mut bytes = 0;
    let fits = |given: &&Given| {
        bytes += given.entry.row_bytes();
        bytes <= BATCH_BYTES_TARGET
    };
    let count = given.iter().take(BATCH_ROWS_MAX).take_while(fits).count();
    given.drain(..count.max(1)).collect()
}

fn spilling<V: Values>(table: Table<V>, spill: Option<&Spill>) -> Table<V> {
    match spill {
        Some(spill) => table.spilling(spill),
        None => table,
    }
}

impl Operator for TopN {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let (records, input) = self.read(batch.into_records())?;
        match &mut self.body {
            Body::Windows(windows, frame) => {
                let ends = frame.ends(&records)?;
                let late = windows.take(&input, &ends, &self.output)?;
                self.late.send(&records, late, &mut self.outbox)
            }
            Body::Changes(changes) => changes.take(&input),
        }
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        if let Some(emitted) = self.outbox.take() {
            return Ok(Some(emitted));
        }
        let rows = match &mut self.body {
            Body::Windows(windows, frame) => windows.pull(&self.output, |end| frame.bounds(end))?,
            Body::Changes(changes) => changes.pull(&self.output)?,
        };
        rows.into_iter().for_each(|rows| self.outbox.main(rows));
        Ok(self.outbox.take())
    }

    fn advance(&mut self, watermark: Watermark) -> Result<(), Failure> {
        if let Body::Windows(windows, _) = &mut self.body {
            windows.advance(watermark.0);
        }
        Ok(())
    }

    fn freeze(&mut self, cut: &mut Cut) -> Result<(), Failure> {
        let reached = match &mut self.body {
            Body::Windows(windows, _) => {
                windows.freeze(cut);
                windows.reached().spans()
            }
            Body::Changes(changes) => {
                changes.freeze(cut);
                Vec::new()
            }
        };
        let note = Note {
            layouts: self.output.rows().layouts(),
            reached,
        };
        cut.note(serde_json::to_value(note).map_err(|error| Failure::bug("a note that is not JSON").because(&error))?);
        Ok(())
    }
}
