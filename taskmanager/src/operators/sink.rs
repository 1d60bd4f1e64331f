//! Hands rows to a sink's writer, which works behind a queue on the runtime for I/O; never waits for it.

use std::sync::Arc;

use dataflow::Failure;
use dataflow::element::Batch;

use super::{Emitted, Operator};
use crate::task::gauges::NodeGauges;
use crate::writer::Writer;

/// The synchronous half of a sink. Whoever pushes has asked the writer for room before.
pub(crate) struct Sink {
    writer: Writer,
    gauges: Arc<NodeGauges>,
}

impl Sink {
    /// In front of this writer.
    pub(super) fn new(writer: Writer, gauges: Arc<NodeGauges>) -> Self {
        Self { writer, gauges }
    }
}

impl Operator for Sink {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        self.gauges.records_out.add_size(batch.row_count());
        self.writer.write(batch);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(None)
    }
}
