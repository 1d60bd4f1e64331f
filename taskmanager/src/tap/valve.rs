//! Where a tap is put on: behind each step of a chain, shut but for the moment in which somebody asks for a batch.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use dataflow::element::Batch;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::task::gauges::NodeGauges;

/// So many rows of a batch are handed over.
const ROWS_MAX: usize = 1_024;

/// Shut as long as nobody asks.
#[derive(Default)]
pub(crate) struct Valve {
    open: AtomicBool,
    hoses: Mutex<Vec<Hose>>,
}

/// One who asks now and then.
struct Hose {
    tap: u64,
    /// Whether the next batch is wanted. Guarded by the lock around the list.
    wants: bool,
    /// How many batches were taken: each time other rows of a batch are looked at.
    taken: usize,
    out: mpsc::Sender<RecordBatch>,
}

impl fmt::Debug for Valve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Valve")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl Valve {
    /// A batch goes by.
    pub(crate) fn pass(&self, batch: &Batch) {
        if self.open.load(Ordering::Relaxed) {
            self.give(batch.records());
        }
    }

    /// A tap asks for the next batch.
    pub(super) fn ask(&self, tap: u64) {
        let mut hoses = self.hoses.lock();
        if let Some(hose) = hoses.iter_mut().find(|hose| hose.tap == tap) {
            // Who has not taken the last one gets no other.
            hose.wants = hose.out.capacity() > 0;
        }
        if hoses.iter().any(|hose| hose.wants) {
            self.open.store(true, Ordering::Relaxed);
        }
    }

    /// Hands a part of it to those who ask, once; shuts when nobody asks any more.
    #[cold]
    fn give(&self, rows: &RecordBatch) {
        if rows.num_rows() == 0 {
            return;
        }
        // Whoever asks just now holds the lock for a moment; the next batch will do.
        let Some(mut hoses) = self.hoses.try_lock() else { return };
        for hose in hoses.iter_mut().filter(|hose| hose.wants) {
            hose.wants = false;
            let start = (hose.taken * ROWS_MAX) % rows.num_rows();
            hose.taken = hose.taken.wrapping_add(1);
            let part = rows.slice(start, ROWS_MAX.min(rows.num_rows() - start));
            // There is room for the one that was asked for; who has gone is taken off by itself.
            let _ = hose.out.try_send(part);
        }
        self.open.store(false, Ordering::Relaxed);
    }
}

/// The other end of a hose. Dropped, it is taken off.
pub(super) struct Inlet {
    gauges: Arc<NodeGauges>,
    tap: u64,
    batches: mpsc::Receiver<RecordBatch>,
}

impl Inlet {
    /// Put on behind the step of these gauges.
    pub(super) fn new(gauges: Arc<NodeGauges>, tap: u64) -> Self {
        let (out, batches) = mpsc::channel(1);
        gauges.valve.hoses.lock().push(Hose {
            tap,
            wants: false,
            taken: 0,
            out,
        });
        Self { gauges, tap, batches }
    }

    /// Asks for the next batch; asking again changes nothing.
    pub(super) fn ask(&self) {
        self.gauges.valve.ask(self.tap);
    }

    /// The batch that was asked for. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<RecordBatch> {
        self.batches.recv().await
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.gauges.valve.hoses.lock().retain(|hose| hose.tap != self.tap);
    }
}
