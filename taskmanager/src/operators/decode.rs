//! Turns the bytes of records into columns; those that cannot be read become dead letters.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{cast, is_not_null};
use arrow_schema::{Schema, SchemaRef};
use dataflow::Failure;
use dataflow::contract::Decoder;
use dataflow::element::{Batch, columns};
use dataflow::expr::Path;
use dataflow::recipe::{self, Node};

use super::{Emitted, Ground, Operator, Outbox, column};
use crate::chain::columns as rows;
use crate::chain::dead::{DeadLetters, without};

/// A format's decoder, and what of the input stays beside its columns.
pub(super) struct Decode {
    decoder: Box<dyn Decoder>,
    raw: usize,
    kept: Vec<Kept>,
    output: SchemaRef,
    dead: DeadLetters,
    outbox: Outbox,
}

/// One reserved column of the output.
enum Kept {
    /// As it came.
    Input(usize),
    /// The value at this path, or else what came.
    Time { path: Path, arrival: Option<usize> },
}

impl Decode {
    pub(super) fn build(recipe: &recipe::Decode, node: &Node, ground: &Ground<'_>) -> Result<Self, Failure> {
        let name = &recipe.format.name;
        let format = ground.registry.format(name);
        let format = format.ok_or_else(|| Failure::fail(format!("this build has no format `{name}`")))?;
        let (reserved, user): (Vec<_>, Vec<_>) = node
            .output
            .fields()
            .iter()
            .cloned()
            .partition(|field| columns::is_reserved(field.name()));
        let decoder = format.decoder(&recipe.format.options, Arc::new(Schema::new(user)));
        let decoder =
            decoder.map_err(|error| Failure::fail(format!("`{}` cannot decode", node.name)).because(&error))?;
        let kept = reserved.iter().map(|field| match &recipe.time {
            Some(path) if field.name() == columns::TIME => Ok(Kept::Time {
                path: path.clone(),
                arrival: node.input.index_of(columns::TIME).ok(),
            }),
            _ => column(&node.input, field.name()).map(Kept::Input),
        });
        Ok(Self {
            decoder,
            raw: column(&node.input, columns::RAW)?,
            kept: kept.collect::<Result<_, _>>()?,
            output: Arc::clone(&node.output),
            dead: ground.dead_letters(),
            outbox: Outbox::default(),
        })
    }
}

impl Operator for Decode {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let input = batch.records();
        let raw = input.column(self.raw).as_binary_view_opt();
        let raw = raw.ok_or_else(|| Failure::bug("records that are not bytes reached a decoder"))?;
        let decoded = self.decoder.decode(raw);
        let user = decoded.columns.len();
        let mut output = decoded.columns;
        for kept in &self.kept {
            output.push(match kept {
                Kept::Input(index) => Arc::clone(input.column(*index)),
                Kept::Time { path, arrival } => {
                    let decoded = self.output.project(&(0..user).collect::<Vec<_>>()).map(Arc::new);
                    let decoded =
                        decoded.map_err(|error| Failure::bug("a decoder of too many columns").because(&error))?;
                    let decoded = rows::batch(&decoded, output[..user].to_vec(), input.num_rows())?;
                    event_time(&decoded, path, arrival.map(|index| input.column(index)))?
                }
            });
        }
        let mut count = input.num_rows();
        if !decoded.bad.is_empty() {
            self.outbox.dead(&self.dead, input, &decoded.bad)?;
            output = without(&output, count, &decoded.bad)?;
            count -= decoded.bad.len();
        }
        self.outbox.main(rows::batch(&self.output, output, count)?);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(self.outbox.take())
    }
}

/// The instants at `path`; where there is none, or nothing that is one, the record's arrival.
fn event_time(decoded: &RecordBatch, path: &Path, arrival: Option<&ArrayRef>) -> Result<ArrayRef, Failure> {
    let missing = || Failure::bug(format!("the event time `{path}` is not among the decoded columns"));
    let wrong =
        |error: arrow::error::ArrowError| Failure::fail(format!("`{path}` cannot be an event time")).because(&error);
    let found = cast(&rows::at(decoded, path).ok_or_else(missing)?, &columns::timestamp()).map_err(wrong)?;
    match arrival {
        Some(arrival) if found.null_count() > 0 => {
            let there = is_not_null(&found).map_err(wrong)?;
            zip(&there, &found, arrival).map_err(wrong)
        }
        _ => Ok(found),
    }
}
