//! Hands rows to a sink's writer, which works behind a queue on the runtime for I/O; never waits for it.
//!
//! Where the sink wants bytes, rows become lines here: what waits in the queue then weighs what will be written, views
//! into big buffers end, and a row that cannot be written is a dead letter like any other.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use dataflow::contract::{Encoder, Lines};
use dataflow::element::Batch;
use dataflow::recipe::{self, Node};
use dataflow::{Failure, Registry};

use super::{Emitted, Ground, Operator, Outbox};
use crate::chain::dead::DeadLetters;
use crate::task::gauges::NodeGauges;
use crate::writer::Writer;

/// The synchronous half of a sink. Whoever pushes has asked the writer for room before.
pub(super) struct Sink {
    writer: Writer,
    gauges: Arc<NodeGauges>,
    encoding: Option<Encoding>,
    outbox: Outbox,
}

/// What makes lines of rows.
struct Encoding {
    encoder: Box<dyn Encoder>,
    letters: DeadLetters,
    /// The bytes of the lines before, which say how much room the next ones will want.
    bytes_before: usize,
}

/// A format's name, and an encoder of it.
type Named = (String, Box<dyn Encoder>);

/// The encoder that a sink wants.
pub(crate) fn encoder(registry: &Registry, recipe: &recipe::Sink, input: &SchemaRef) -> Result<Option<Named>, Failure> {
    let Some(recipe::Format { name, options }) = &recipe.format else {
        return Ok(None);
    };
    let format = registry
        .format(name)
        .ok_or_else(|| Failure::fail(format!("this build has no format `{name}`")))?;
    let encoder = format.encoder(options, Arc::clone(input));
    let encoder = encoder.map_err(|invalid| Failure::fail(invalid.message))?;
    Ok(Some((name.clone(), encoder)))
}

impl Sink {
    pub(super) fn build(recipe: &recipe::Sink, node: &Node, ground: &Ground<'_>) -> Result<Self, Failure> {
        let writer = ground.writer.ok_or_else(|| Failure::bug("a sink without its writer"))?;
        let encoder = encoder(ground.registry, recipe, &node.input)?;
        Ok(Self {
            writer: writer.clone(),
            gauges: Arc::clone(ground.gauges),
            encoding: encoder.map(|(_, encoder)| Encoding {
                encoder,
                letters: ground.dead_letters(),
                bytes_before: 0,
            }),
            outbox: Outbox::default(),
        })
    }
}

impl Operator for Sink {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let Some(encoding) = &mut self.encoding else {
            self.gauges.records_out.add_size(batch.row_count());
            self.writer.write(batch);
            return Ok(());
        };
        let rows = batch.into_records();
        // An eighth more than the last ones took: most batches then need no second allocation.
        let mut lines = Lines::with_capacity(rows.num_rows(), encoding.bytes_before / 8 * 9);
        let bad = encoding.encoder.encode(&rows, &mut lines);
        encoding.bytes_before = lines.bytes().len();
        self.outbox.dead(&encoding.letters, &rows, &bad)?;
        self.gauges.records_out.add_size(lines.count());
        if lines.count() > 0 {
            self.writer.write(Batch::new(lines.into_rows()));
        }
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(self.outbox.take())
    }
}
