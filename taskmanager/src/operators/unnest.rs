//! Makes one row of each element of a list, at most one batch of them at a time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{take, take_record_batch};
use arrow::error::ArrowError;
use arrow_schema::SchemaRef;
use dataflow::element::{BATCH_ROWS_MAX, Batch, columns};
use dataflow::expr::Path;
use dataflow::recipe::{self, Node};
use dataflow::{Failure, contract};

use super::drop::splicer;
use super::{Emitted, Ground, Operator, Outbox};
use crate::chain::columns as rows;
use crate::chain::dead::DeadLetters;

/// Rows of a batch that still have elements to give.
pub(super) struct Unnest {
    path: Path,
    output: SchemaRef,
    splicer: Option<Arc<dyn contract::Format>>,
    dead: DeadLetters,
    outbox: Outbox,
    rest: Option<Rest>,
}

/// What is left of the batch that was pushed last.
struct Rest {
    input: RecordBatch,
    /// For each row to come, the row it is made of.
    parents: Vec<u32>,
    /// What takes the list's place, as long as `parents`: the elements, or the new records.
    values: Values,
    given: usize,
}

enum Values {
    Elements(ArrayRef),
    Records(ArrayRef),
}

impl Unnest {
    pub(super) fn build(recipe: &recipe::Unnest, node: &Node, ground: &Ground<'_>) -> Result<Self, Failure> {
        Ok(Self {
            path: recipe.path.clone(),
            output: Arc::clone(&node.output),
            splicer: splicer(node, ground)?,
            dead: ground.dead_letters(),
            outbox: Outbox::default(),
            rest: None,
        })
    }

    fn split_records(&mut self, input: &RecordBatch) -> Result<Option<Rest>, Failure> {
        let Some(splicer) = self.splicer.as_ref().and_then(|format| format.splicer()) else {
            return Ok(None);
        };
        let records = input
            .column_by_name(columns::RAW)
            .and_then(|column| column.as_binary_view_opt());
        let records = records.ok_or_else(|| Failure::bug("records that are not bytes"))?;
        let unnested = splicer.unnest(records, &self.path);
        self.outbox.dead(&self.dead, input, &unnested.bad)?;
        let values = Values::Records(Arc::new(unnested.records));
        Ok(Some(Rest {
            input: input.clone(),
            parents: unnested.rows,
            values,
            given: 0,
        }))
    }

    fn split_columns(&self, input: &RecordBatch) -> Result<Rest, Failure> {
        let missing = || {
            Failure::bug(format!(
                "the plan unnests `{}`, which is no list of the rows",
                self.path
            ))
        };
        let lists = rows::at(input, &self.path).ok_or_else(missing)?;
        let lists = lists.as_list_opt::<i32>().ok_or_else(missing)?;
        let (mut parents, mut elements) = (Vec::new(), Vec::new());
        for row in 0..lists.len() {
            if lists.is_null(row) {
                continue;
            }
            let offsets = lists.value_offsets();
            for element in offsets[row]..offsets[row + 1] {
                parents.push(u32::try_from(row).map_err(|error| missing().because(&error))?);
                elements.push(u32::try_from(element).map_err(|error| missing().because(&error))?);
            }
        }
        let values = take(lists.values(), &UInt32Array::from(elements), None).map_err(|error| wrong(&error))?;
        Ok(Rest {
            input: input.clone(),
            parents,
            values: Values::Elements(values),
            given: 0,
        })
    }

    /// The next rows of the batch.
    fn next(&self, rest: &mut Rest) -> Result<RecordBatch, Failure> {
        let count = BATCH_ROWS_MAX.min(rest.parents.len() - rest.given);
        let parents = UInt32Array::from_iter_values(rest.parents[rest.given..rest.given + count].iter().copied());
        let repeated = take_record_batch(&rest.input, &parents).map_err(|error| wrong(&error))?;
        let output = match &rest.values {
            Values::Elements(elements) => rows::conform(
                &repeated,
                &self.output,
                Some((&self.path, &elements.slice(rest.given, count))),
            ),
            Values::Records(records) => {
                let raw = columns::RAW
                    .parse()
                    .map_err(|error| Failure::bug("a reserved name that is no path").because(&error))?;
                rows::conform(&repeated, &self.output, Some((&raw, &records.slice(rest.given, count))))
            }
        };
        rest.given += count;
        output
    }
}

impl Operator for Unnest {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let input = batch.into_records();
        self.rest = match self.split_records(&input)? {
            Some(rest) => Some(rest),
            None => Some(self.split_columns(&input)?),
        };
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        if let Some(dead) = self.outbox.take() {
            return Ok(Some(dead));
        }
        let Some(mut rest) = self.rest.take() else {
            return Ok(None);
        };
        if rest.given == rest.parents.len() {
            return Ok(None);
        }
        let rows = self.next(&mut rest)?;
        self.rest = Some(rest);
        self.outbox.main(rows);
        Ok(self.outbox.take())
    }
}

fn wrong(error: &ArrowError) -> Failure {
    Failure::bug("a list that cannot be taken apart").because(error)
}
