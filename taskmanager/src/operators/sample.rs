//! Keeps a share of the rows, the same ones on every run and at every parallelism.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use arrow_schema::SchemaRef;
use dataflow::Failure;
use dataflow::element::{Batch, columns};
use dataflow::expr::Path;
use dataflow::key::{KeyReader, hash};
use dataflow::recipe::{self, Node};

use super::{Emitted, Ground, Operator, Outbox};
use crate::chain::columns::conform;
use crate::task::gauges::NodeGauges;

/// A row stays when the hash of its key falls below the bound.
pub(super) struct Sample {
    keys: KeyReader,
    seed: u64,
    /// Out of 2^64; 2^64 itself keeps everything.
    bound: u128,
    output: SchemaRef,
    gauges: Arc<NodeGauges>,
    hashes: Vec<u64>,
    outbox: Outbox,
}

impl Sample {
    pub(super) fn build(recipe: &recipe::Sample, node: &Node, ground: &Ground<'_>) -> Result<Self, Failure> {
        let place = || {
            [columns::SPLIT, columns::POSITION]
                .map(str::parse::<Path>)
                .into_iter()
                .collect::<Result<Vec<_>, _>>()
        };
        let paths = match &recipe.by {
            Some(path) => vec![path.clone()],
            None => place().map_err(|error| Failure::bug("a reserved name that is no path").because(&error))?,
        };
        let keys = KeyReader::new(&node.input, &paths);
        Ok(Self {
            keys: keys.map_err(|error| Failure::fail(format!("`{}` cannot run", node.name)).because(&error))?,
            seed: recipe.seed,
            bound: bound(recipe.share),
            output: Arc::clone(&node.output),
            gauges: Arc::clone(ground.gauges),
            hashes: Vec::new(),
            outbox: Outbox::default(),
        })
    }

    fn keeps(&self, key: u64) -> bool {
        let mut seeded = [0; 16];
        seeded[..8].copy_from_slice(&self.seed.to_be_bytes());
        seeded[8..].copy_from_slice(&key.to_be_bytes());
        u128::from(hash(&seeded)) < self.bound
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1 of 2^64 fits and is not negative"
)]
fn bound(share: f64) -> u128 {
    (share.clamp(0.0, 1.0) * 2_f64.powi(64)) as u128
}

impl Operator for Sample {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let input = batch.records();
        let mut hashes = std::mem::take(&mut self.hashes);
        self.keys
            .hashes(input, &mut hashes)
            .map_err(|error| Failure::bug("rows without their key").because(&error))?;
        let mask: BooleanArray = hashes.iter().map(|key| Some(self.keeps(*key))).collect();
        self.hashes = hashes;
        let kept = filter_record_batch(input, &mask)
            .map_err(|error| Failure::bug("rows that cannot be picked").because(&error))?;
        self.gauges.leave_out(input, &kept, &[]);
        self.outbox.main(conform(&kept, &self.output, None)?);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(self.outbox.take())
    }
}
