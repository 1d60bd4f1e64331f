//! What comes alive from each recipe: one file per operator, and the one match that picks it.
//!
//! Enters: one batch, by `push`. Leaves: batches, one for each `pull`, until there are none; so an operator that makes
//! many rows of one never holds up a barrier. Who calls: the chain's driver. Must stay true: an operator neither waits,
//! spawns, sleeps nor reads a clock, and knows nothing of its neighbours. Not here: where rows go (chain).

mod source;
mod decode;
mod filter;
mod select;
mod drop;
mod unnest;
mod sample;
mod sink;
#[cfg(test)]
mod tests;

pub(crate) use sink::{encoder, rows as sink_rows};
pub(crate) use source::{Event, Outlook, Source};

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow_schema::SchemaRef;
use dataflow::contract::BadRecord;
use dataflow::element::{Batch, columns};
use dataflow::recipe::{Node, Port, Recipe};
use dataflow::{Failure, Registry};

use crate::chain::dead::{DeadLetters, Origin};
use crate::task::gauges::NodeGauges;
use crate::writer::Writer;

/// One step at work.
pub(crate) trait Operator: Send {
    /// Takes one batch. Called only when `pull` has given everything of the batch before.
    fn push(&mut self, batch: Batch) -> Result<(), Failure>;

    /// The next batch of its output, if there is one.
    fn pull(&mut self) -> Result<Option<Emitted>, Failure>;
}

/// A batch on its way out of an operator.
#[derive(Debug)]
pub(crate) struct Emitted {
    /// By which output.
    pub(crate) port: Port,
    /// The rows.
    pub(crate) batch: Batch,
}

/// What an operator is built with.
pub(crate) struct Ground<'a> {
    /// Connectors and formats.
    pub(crate) registry: &'a Registry,
    /// Whose dead letters these are.
    pub(crate) origin: &'a Origin,
    /// The counts of this node.
    pub(crate) gauges: &'a Arc<NodeGauges>,
    /// The asynchronous half, for a sink.
    pub(crate) writer: Option<&'a Writer>,
}

/// The operator of a node.
pub(crate) fn build(node: &Node, ground: &Ground<'_>) -> Result<Box<dyn Operator>, Failure> {
    Ok(match &node.recipe {
        Recipe::Source(_) => Box::new(source::Passing::default()),
        Recipe::Decode(recipe) => Box::new(decode::Decode::build(recipe, node, ground)?),
        Recipe::Filter(recipe) => Box::new(filter::Filter::build(recipe, node, ground)?),
        Recipe::Select(recipe) => Box::new(select::Select::build(recipe, node, ground)?),
        Recipe::Drop(recipe) => Box::new(drop::Drop::build(recipe, node, ground)?),
        Recipe::Unnest(recipe) => Box::new(unnest::Unnest::build(recipe, node, ground)?),
        Recipe::Sample(recipe) => Box::new(sample::Sample::build(recipe, node, ground)?),
        Recipe::Sink(recipe) => Box::new(sink::Sink::build(recipe, node, ground)?),
    })
}

impl Ground<'_> {
    /// Writes this node's dead letters.
    fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.origin.clone(), Arc::clone(self.gauges))
    }
}

/// The output of an operator until it is pulled: a batch or two.
#[derive(Debug, Default)]
struct Outbox(VecDeque<Emitted>);

impl Outbox {
    /// Rows, unless there are none.
    fn main(&mut self, rows: RecordBatch) {
        if rows.num_rows() > 0 {
            self.0.push_back(Emitted {
                port: Port::Main,
                batch: Batch::new(rows),
            });
        }
    }

    /// Rows that were weighed before.
    fn unchanged(&mut self, batch: Batch) {
        self.0.push_back(Emitted {
            port: Port::Main,
            batch,
        });
    }

    /// The failed rows of `rows`.
    fn dead(&mut self, letters: &DeadLetters, rows: &RecordBatch, failed: &[BadRecord]) -> Result<(), Failure> {
        if !failed.is_empty() {
            self.0.push_back(Emitted {
                port: Port::Dead,
                batch: letters.write(rows, failed)?,
            });
        }
        Ok(())
    }

    fn take(&mut self) -> Option<Emitted> {
        self.0.pop_front()
    }
}

/// The index of a column that the plan promises. The first to give the bytes that rows came as takes them from the rows.
fn column(schema: &SchemaRef, name: &str) -> Result<usize, Failure> {
    if let (columns::ORIGIN, Some(original)) = (name, columns::original(schema)) {
        return Ok(original);
    }
    schema
        .index_of(name)
        .map_err(|error| Failure::bug(format!("no column `{name}` where the plan wants it")).because(&error))
}
