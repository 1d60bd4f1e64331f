//! Turns the bytes of records into columns; those that cannot be read become dead letters.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow_schema::{Schema, SchemaRef};
use dataflow::Failure;
use dataflow::contract::Decoder;
use dataflow::element::{Batch, columns};
use dataflow::recipe::{self, Node};

use super::{Emitted, Ground, Operator, Outbox, column};
use crate::chain::columns as rows;
use crate::chain::dead::{DeadLetters, without};

/// A format's decoder, and what of the input stays beside its columns.
pub(super) struct Decode {
    decoder: Box<dyn Decoder>,
    raw: usize,
    /// Reserved columns of the input that stay.
    kept: Vec<usize>,
    output: SchemaRef,
    dead: DeadLetters,
    outbox: Outbox,
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
        let kept = reserved.iter().map(|field| column(&node.input, field.name()));
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
        let mut output = decoded.columns;
        output.extend(self.kept.iter().map(|index| Arc::clone(input.column(*index))));
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
