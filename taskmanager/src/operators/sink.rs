//! Hands rows to a sink's writer, which works behind a queue on the runtime for I/O; never waits for it.
//!
//! Where the sink wants bytes, rows become lines here: what waits in the queue then weighs what will be written, views
//! into big buffers end, and a row that cannot be written is a dead letter like any other. The bytes that rows came as are
//! for such letters only: neither the format nor the connector sees them.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use dataflow::contract::{Encoder, Lines};
use dataflow::element::{Batch, columns};
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
    /// How many columns the connector takes, the first ones.
    width: usize,
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

/// The rows that a sink takes of those that reach it: all columns but the bytes they came as, which stand last.
pub(crate) fn rows(input: &SchemaRef) -> SchemaRef {
    match input.fields().split_last() {
        Some((last, before)) if last.name() == columns::ORIGIN => Arc::new(Schema::new(before.to_vec())),
        _ => Arc::clone(input),
    }
}

/// The encoder that a sink wants.
pub(crate) fn encoder(registry: &Registry, recipe: &recipe::Sink, input: &SchemaRef) -> Result<Option<Named>, Failure> {
    let Some(recipe::Format { name, options }) = &recipe.format else {
        return Ok(None);
    };
    let format = registry
        .format(name)
        .ok_or_else(|| Failure::fail(format!("this build has no format `{name}`")))?;
    let encoder = format.encoder(options, rows(input));
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
            width: rows(&node.input).fields().len(),
            encoding: encoder.map(|(_, encoder)| Encoding {
                encoder,
                letters: ground.dead_letters(),
                bytes_before: 0,
            }),
            outbox: Outbox::default(),
        })
    }
}

fn narrow(batch: Batch, width: usize) -> Result<Batch, Failure> {
    if batch.records().num_columns() <= width {
        return Ok(batch);
    }
    let wanted: Vec<usize> = (0..width).collect();
    let rows = batch.records().project(&wanted);
    rows.map(Batch::new)
        .map_err(|error| Failure::bug("rows for a sink that are not as planned").because(&error))
}

impl Operator for Sink {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let Some(encoding) = &mut self.encoding else {
            self.gauges.records_out.add_size(batch.row_count());
            self.gauges.book.passed(batch.row_count() as u64);
            self.writer.write(narrow(batch, self.width)?);
            return Ok(());
        };
        let rows = batch.into_records();
        // An eighth more than the last ones took: most batches then need no second allocation.
        let mut lines = Lines::with_capacity(rows.num_rows(), encoding.bytes_before / 8 * 9);
        let bad = encoding.encoder.encode(&rows, &mut lines);
        encoding.bytes_before = lines.bytes().len();
        self.outbox.dead(&encoding.letters, &rows, &bad)?;
        self.gauges.records_out.add_size(lines.count());
        self.gauges.book.passed(lines.count() as u64);
        if lines.count() > 0 {
            self.writer.write(Batch::new(lines.into_rows()));
        }
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(self.outbox.take())
    }
}
