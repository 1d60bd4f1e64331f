//! Computes the columns of the output; a row for which any of them fails becomes a dead letter.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use dataflow::Failure;
use dataflow::contract::BadRecord;
use dataflow::element::Batch;
use dataflow::expr::Evaluator;
use dataflow::recipe::{self, Node};

use super::{Emitted, Ground, Operator, Outbox, column};
use crate::chain::columns as rows;
use crate::chain::dead::{DeadLetters, without};

/// Projections at work.
pub(super) struct Select {
    projections: Vec<(String, Evaluator)>,
    /// Reserved columns that stay, by their place in the input.
    kept: Vec<usize>,
    output: SchemaRef,
    dead: DeadLetters,
    outbox: Outbox,
}

impl Select {
    pub(super) fn build(recipe: &recipe::Select, node: &Node, ground: &Ground<'_>) -> Result<Self, Failure> {
        let projections = recipe.projections.iter().map(|projection| {
            let evaluator = Evaluator::compile(&projection.expression, &node.input);
            let named =
                |error| Failure::fail(format!("`{}` in `{}` cannot run", projection.name, node.name)).because(&error);
            Ok((projection.name.clone(), evaluator.map_err(named)?))
        });
        let projections = projections.collect::<Result<Vec<_>, Failure>>()?;
        let kept = node.output.fields().iter().skip(projections.len());
        Ok(Self {
            kept: kept
                .map(|field| column(&node.input, field.name()))
                .collect::<Result<_, _>>()?,
            projections,
            output: Arc::clone(&node.output),
            dead: ground.dead_letters(),
            outbox: Outbox::default(),
        })
    }
}

impl Operator for Select {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let input = batch.records();
        let mut columns = Vec::with_capacity(self.projections.len() + self.kept.len());
        let mut failed = BTreeMap::new();
        for (name, evaluator) in &self.projections {
            let evaluated = evaluator.evaluate_rows(input);
            for row in evaluated.failed {
                failed
                    .entry(row.row)
                    .or_insert_with(|| format!("{name}: {}", row.error));
            }
            columns.push(evaluated.values);
        }
        columns.extend(self.kept.iter().map(|index| Arc::clone(input.column(*index))));
        let failed: Vec<BadRecord> = failed
            .into_iter()
            .map(|(row, error)| BadRecord { row, error })
            .collect();
        if !failed.is_empty() {
            self.outbox.dead(&self.dead, input, &failed)?;
            columns = without(&columns, input.num_rows(), &failed)?;
        }
        self.outbox
            .main(rows::batch(&self.output, columns, input.num_rows() - failed.len())?);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(self.outbox.take())
    }
}
