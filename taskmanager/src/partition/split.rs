//! Deals the rows of a batch out to targets: one gather for the whole batch, whatever the number of targets.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, SchemaRef};
use dataflow::error::Failure;
use dataflow::key::{KeyReader, key_group, owner};
use dataflow::recipe::Partition;

/// A [`Partition`] come alive, for one subtask of the sending vertex.
pub struct Partitioner {
    kind: Kind,
    targets: usize,
}

enum Kind {
    /// Everything to the one target there is.
    Forward,
    Rebalance {
        next: usize,
    },
    Hash(Box<Hash>),
    Broadcast,
}

struct Hash {
    keys: KeyReader,
    max_parallelism: u32,
    /// Scratch, kept between batches.
    hashes: Vec<u64>,
    owners: Vec<u32>,
}

impl Partitioner {
    /// A partitioner over `targets` subtasks; rebalancing begins at `first`.
    ///
    /// # Errors
    /// A key is not in `schema`, or of a type that cannot be one.
    pub fn new(partition: &Partition, schema: &SchemaRef, targets: usize, first: usize) -> Result<Self, Failure> {
        let kind = match partition {
            Partition::Forward => Kind::Forward,
            Partition::Rebalance => Kind::Rebalance {
                next: first % targets.max(1),
            },
            Partition::Broadcast => Kind::Broadcast,
            Partition::Hash { keys, max_parallelism } => {
                let keys = KeyReader::new(schema, keys)
                    .map_err(|error| Failure::fail("the rows cannot be dealt out by their key").because(&error))?;
                let max_parallelism = *max_parallelism;
                Kind::Hash(Box::new(Hash {
                    keys,
                    max_parallelism,
                    hashes: Vec::new(),
                    owners: Vec::new(),
                }))
            }
        };
        Ok(Self { kind, targets })
    }

    /// The rows for each target that gets some, rows in their order.
    ///
    /// # Errors
    /// The batch is not of the schema that was promised.
    pub fn split(&mut self, records: &RecordBatch) -> Result<Vec<(usize, RecordBatch)>, Failure> {
        if records.num_rows() == 0 {
            return Ok(Vec::new());
        }
        match &mut self.kind {
            Kind::Forward => Ok(vec![(0, records.clone())]),
            Kind::Broadcast => Ok((0..self.targets).map(|target| (target, records.clone())).collect()),
            Kind::Rebalance { next } => {
                let target = *next;
                *next = (*next + 1) % self.targets;
                Ok(vec![(target, records.clone())])
            }
            Kind::Hash(_) if self.targets == 1 => Ok(vec![(0, records.clone())]),
            Kind::Hash(hash) => hash.split(records, self.targets),
        }
    }
}

impl Hash {
    /// A counting sort of the row numbers by target, one gather, and a slice for each target.
    fn split(&mut self, records: &RecordBatch, targets: usize) -> Result<Vec<(usize, RecordBatch)>, Failure> {
        let unfit = |error: &(dyn std::error::Error + 'static)| Failure::bug("a batch has no key").because(error);
        self.keys
            .hashes(records, &mut self.hashes)
            .map_err(|error| unfit(&error))?;
        let parallelism = u32::try_from(targets).map_err(|error| unfit(&error))?;
        let mut ends = vec![0u32; targets + 1];
        self.owners.clear();
        for hash in &self.hashes {
            let owner = owner(
                key_group(*hash, self.max_parallelism),
                parallelism,
                self.max_parallelism,
            );
            ends[owner as usize + 1] += 1;
            self.owners.push(owner);
        }
        if let Some(only) = (0..targets).find(|target| ends[target + 1] as usize == records.num_rows()) {
            return Ok(vec![(only, records.clone())]);
        }
        for target in 0..targets {
            ends[target + 1] += ends[target];
        }
        let starts = ends.clone();
        let mut order = vec![0u32; records.num_rows()];
        for (row, owner) in (0u32..).zip(&self.owners) {
            let place = &mut ends[*owner as usize];
            order[*place as usize] = row;
            *place += 1;
        }
        let gathered = gather(records, &UInt32Array::from(order)).map_err(|error| unfit(&error))?;
        let part = |target: usize| (starts[target] as usize, (starts[target + 1] - starts[target]) as usize);
        let parts = (0..targets)
            .map(|target| (target, part(target)))
            .filter(|(_, (_, rows))| *rows > 0);
        Ok(parts
            .map(|(target, (start, rows))| (target, gathered.slice(start, rows)))
            .collect())
    }
}

/// All rows in another order. Columns in which all are NULL, as they are where an aggregate's first half does not fold, stay
/// as they are: gathering them would take as long as the others.
fn gather(records: &RecordBatch, order: &UInt32Array) -> Result<RecordBatch, ArrowError> {
    let column = |column: &ArrayRef| {
        if column.null_count() == column.len() {
            Ok(Arc::clone(column))
        } else {
            take(column, order, None)
        }
    };
    let columns = records.columns().iter().map(column).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(order.len()));
    RecordBatch::try_new_with_options(records.schema(), columns, &options)
}
