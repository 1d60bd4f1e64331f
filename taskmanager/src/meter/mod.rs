//! Counts what becomes of rows, by the minute of their time, and how old they are, for each step.
//!
//! Enters: the batches that a chain pushes into its nodes and pulls out of them, and what operators say of rows that they
//! leave out. Leaves: a [`Tally`](dataflow::tally::Tally) and two histograms a node, for snapshots and heartbeats. Who calls:
//! the chain's driver, and operators by their gauges. Must stay true: no work for each row where a batch is of one minute
//! but one comparison; a column that goes on as it was is looked at once. Not here: what is missing (job manager).
//!
//! Rows count by their `$time` where the plan carries it, else by their arrival: a column that nobody reads is not kept
//! for being counted. All that is counted of one node counts by the same time, or the minutes of one would push out those
//! of the other (`docs/decisions/017-rows-are-counted-by-the-time-they-carry.md`).

mod spread;
mod sample;
mod book;
#[cfg(test)]
mod tests;

pub(crate) use book::{Ages, Book, Told, Which};

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use dataflow::element::{Batch, columns};
use dataflow::tally::minute_of;
use dataflow::time::Clock;

use crate::task::gauges::NodeGauges;
use sample::Sample;
use spread::Spread;

/// Counts for the nodes of one chain.
pub(crate) struct Meter {
    clock: Arc<dyn Clock>,
    /// The times that were looked at last, and their minutes. Given back when the chain is through: they are a part of
    /// buffers that others share.
    known: Option<ArrayRef>,
    spread: Spread,
    /// Of the rows under way.
    sample: Sample,
}

impl Meter {
    /// By this clock.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            known: None,
            spread: Spread::default(),
            sample: Sample::default(),
        }
    }

    /// A batch is about to be pushed into a node.
    pub(crate) fn entered(&mut self, gauges: &NodeGauges, batch: &Batch, carries: Carries) {
        let wall = self.clock.wall().0;
        let times = times(batch.records());
        times.into_iter().for_each(|times| self.sample.take(times));
        match (times, carries) {
            (_, Carries::Retimed) => gauges.book.to_be_retimed(batch.row_count() as u64, wall),
            (Some(times), _) => {
                self.look_at(times, wall);
                gauges.book.entered(&self.spread, wall);
            }
            (None, _) => gauges.book.arrived(batch.row_count() as u64, wall),
        }
        gauges.book.came(&self.sample, wall);
    }

    /// A batch was pulled out of a node, by its main output.
    pub(crate) fn left(&mut self, gauges: &NodeGauges, batch: &Batch, carries: Carries) {
        let wall = self.clock.wall().0;
        match (times(batch.records()), carries) {
            (Some(times), _) => {
                self.look_at(times, wall);
                self.sample.take(times);
                gauges.book.left(&self.spread, wall);
            }
            (None, Carries::RowByRow | Carries::Retimed) => gauges.book.passed(batch.row_count() as u64),
            (None, Carries::Otherwise) => {
                // They are other rows than those that came.
                self.sample.forget();
                gauges.book.gave(batch.row_count() as u64, gauges.watermark.get(), wall);
            }
        }
        gauges.book.went(&self.sample, wall);
    }

    /// A sink has handed on what it was pushed.
    pub(crate) fn written(&self, gauges: &NodeGauges) {
        gauges.book.went(&self.sample, self.clock.wall().0);
    }

    /// Nothing is under way any more.
    pub(crate) fn forget(&mut self) {
        self.known = None;
        self.sample.forget();
    }

    fn look_at(&mut self, times: &ArrayRef, wall: i64) {
        let known = self.known.as_ref().is_some_and(|known| is_same(known, times));
        if !known {
            self.spread.fill(times, minute_of(wall));
            self.known = Some(Arc::clone(times));
        }
    }
}

/// How a node's output follows from its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    /// Each row goes on, or is said to be left out.
    RowByRow,
    /// Each row goes on with another time, by which it counts here.
    Retimed,
    /// Rows are folded, unfolded or held back.
    Otherwise,
}

/// The times of rows, where they carry any.
fn times(rows: &RecordBatch) -> Option<&ArrayRef> {
    rows.column_by_name(columns::TIME)
}

/// Whether two columns are the same piece of memory. Who asks holds both, so neither was freed and written anew.
fn is_same(one: &ArrayRef, other: &ArrayRef) -> bool {
    Arc::ptr_eq(one, other)
        || match (spread::values(one), spread::values(other)) {
            (Some(one), Some(other)) => (one.values().as_ptr(), one.len()) == (other.values().as_ptr(), other.len()),
            _ => false,
        }
}
