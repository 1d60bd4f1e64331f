//! Keeps the rows for which an expression is true; bytes are not moved, only views of them.

use dataflow::Failure;
use dataflow::contract::BadRecord;
use dataflow::element::Batch;
use dataflow::expr::{Evaluator, FailedRow};
use dataflow::recipe::{self, Node};

use std::sync::Arc;

use arrow_schema::SchemaRef;

use super::{Emitted, Ground, Operator, Outbox};
use crate::chain::columns::conform;
use crate::chain::dead::DeadLetters;
use crate::task::gauges::NodeGauges;

/// A predicate at work.
pub(super) struct Filter {
    predicate: Evaluator,
    output: SchemaRef,
    gauges: Arc<NodeGauges>,
    dead: DeadLetters,
    outbox: Outbox,
}

impl Filter {
    pub(super) fn build(recipe: &recipe::Filter, node: &Node, ground: &Ground<'_>) -> Result<Self, Failure> {
        let predicate = Evaluator::compile(&recipe.predicate, &node.input);
        let predicate =
            predicate.map_err(|error| Failure::fail(format!("`{}` cannot run", node.name)).because(&error))?;
        Ok(Self {
            predicate,
            output: Arc::clone(&node.output),
            gauges: Arc::clone(ground.gauges),
            dead: ground.dead_letters(),
            outbox: Outbox::default(),
        })
    }
}

/// Rows for which an expression failed, as a dead letter wants them.
pub(super) fn bad(failed: Vec<FailedRow>) -> Vec<BadRecord> {
    failed
        .into_iter()
        .map(|FailedRow { row, error }| BadRecord { row, error })
        .collect()
}

impl Operator for Filter {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let input = batch.records();
        let filtered = self.predicate.filter(input);
        let (kept, failed) = (filtered.kept, bad(filtered.failed));
        self.gauges.leave_out(input, &kept, &failed);
        self.outbox.dead(&self.dead, input, &failed)?;
        let narrower = kept.schema().fields() != self.output.fields();
        self.outbox.main(if narrower {
            conform(&kept, &self.output, None)?
        } else {
            kept
        });
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(self.outbox.take())
    }
}
