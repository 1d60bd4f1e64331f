//! Rows that came after their time: to those who want them, or else to the dead letters; always counted.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use dataflow::Failure;
use dataflow::contract::BadRecord;
use dataflow::element::Batch;
use dataflow::recipe::{Node, Port};
use dataflow::tally::Fate;

use super::{Emitted, Ground, Outbox};
use crate::chain::dead::DeadLetters;
use crate::meter::Which;
use crate::task::gauges::NodeGauges;

/// Where the late rows of a node go.
pub(super) struct LateRows {
    wanted: bool,
    dead: DeadLetters,
    gauges: Arc<NodeGauges>,
}

/// A row that came too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late {
    /// Its place in the batch.
    pub(super) row: u32,
    /// By how much.
    pub(super) by_ms: i64,
}

impl LateRows {
    pub(super) fn new(node: &Node, ground: &Ground<'_>) -> Self {
        Self {
            wanted: node.targets.iter().any(|(port, _)| *port == Port::Late),
            dead: ground.dead_letters(),
            gauges: Arc::clone(ground.gauges),
        }
    }

    /// Counts so many late rows that nobody can be given.
    pub(super) fn count(&self, rows: u64) {
        self.gauges.late.add(rows);
        self.gauges.book.tell_of(Fate::Late, rows);
    }

    /// Sends the late ones of `rows`, in the order of the batch.
    pub(super) fn send(&self, rows: &RecordBatch, mut late: Vec<Late>, outbox: &mut Outbox) -> Result<(), Failure> {
        if late.is_empty() {
            return Ok(());
        }
        self.gauges.late.add_size(late.len());
        late.sort_unstable_by_key(|late| late.row);
        let letters = late.iter().map(|late| BadRecord {
            row: late.row as usize,
            error: format!("came {} ms after its window had closed", late.by_ms),
        });
        let letters: Vec<_> = letters.collect();
        self.gauges.book.tell(Fate::Late, Which::Bad(rows, &letters));
        if !self.wanted {
            outbox.emit(Emitted::Rows(Port::Dead, self.dead.letters(rows, &letters)?));
            return Ok(());
        }
        let picked = UInt32Array::from_iter_values(late.iter().map(|late| late.row));
        let rows = take_record_batch(rows, &picked)
            .map_err(|error| Failure::bug("rows that cannot be picked").because(&error))?;
        outbox.emit(Emitted::Rows(Port::Late, Batch::new(rows)));
        Ok(())
    }
}
