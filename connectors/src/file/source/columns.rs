//! Reads Parquet files: a task decodes the columns that are wanted, the reader hands them on.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::record_batch::RecordBatch;
use arrow_schema::SchemaRef;
use dataflow::Failure;
use dataflow::contract::{Polled, Progress, Reader, ReaderContext, Split};
use dataflow::element::columns::{POSITION, SPLIT, TIME, is_reserved};
use dataflow::element::{BATCH_ROWS_MAX, row_bytes};
use dataflow::store::{Error, Object, Stores};
use futures::TryStreamExt as _;

use super::split::Spec;
use crate::columnar::{self, Parquet};
use crate::coordinates::{SplitLabel, columns_of, times};
use crate::handoff::{Giver, Taken, Taker, handoff};
use crate::lanes::{Advance, Gave, Lane, Lanes};

/// Reads Parquet files: one after another, or side by side.
pub(super) struct ColumnReader {
    context: Arc<ReaderContext>,
    lanes: Lanes<Current>,
    bytes_read: u64,
}

struct Current {
    context: Arc<ReaderContext>,
    split: Split,
    size: u64,
    label: SplitLabel,
    /// The number of the next row in the file.
    next: u64,
    batches: Taker<Decoded>,
}

enum Decoded {
    Batch(RecordBatch),
    Failed(Failure),
    Complete,
}

impl ColumnReader {
    pub(super) fn new(context: ReaderContext) -> Self {
        Self {
            lanes: Lanes::new(context.alignment, 1),
            context: Arc::new(context),
            bytes_read: 0,
        }
    }
}

impl Current {
    fn open(split: Split, context: &Arc<ReaderContext>, budget: usize) -> Result<Self, Failure> {
        let (spec, position) = Spec::read(&split)?;
        let next = position.unwrap_or(0);
        let size = spec.size;
        let (giver, batches) = handoff(budget, context.waker.clone());
        let task = Decoding {
            spec,
            from: next,
            stores: Arc::clone(&context.stores),
            output: Arc::clone(&context.output),
        };
        context.scope.run(task.run(giver));
        Ok(Self {
            context: Arc::clone(context),
            label: SplitLabel::new(&split.id),
            split,
            size,
            next,
            batches,
        })
    }

    fn batch(&mut self, decoded: &RecordBatch) -> Result<RecordBatch, Failure> {
        let count = decoded.num_rows();
        let first = self.next;
        self.next += count as u64;
        let arrival = self.context.clock.wall().0;
        columns_of(&self.context.output, count, |name| match name {
            SPLIT => Some(self.label.rows(count)),
            POSITION => Some(Arc::new(UInt64Array::from_iter_values(first..first + count as u64)) as ArrayRef),
            TIME => Some(times(arrival, count)),
            name => decoded.column_by_name(name).cloned(),
        })
    }
}

impl Lane for Current {
    fn snapshot(&self) -> Split {
        let position = if self.next == 0 {
            serde_json::Value::Null
        } else {
            self.next.into()
        };
        Split {
            position,
            ..self.split.clone()
        }
    }

    fn advance(&mut self) -> Result<Advance, Failure> {
        match self.batches.try_take() {
            Taken::Item(Decoded::Batch(batch)) => self.batch(&batch).map(Advance::Batch),
            Taken::Item(Decoded::Failed(failure)) => Err(failure),
            Taken::Item(Decoded::Complete) => Ok(Advance::Finished),
            Taken::Nothing => Ok(Advance::Starved),
            Taken::Ended => Err(Failure::bug("nobody decodes the Parquet file any more")),
        }
    }
}

impl Reader for ColumnReader {
    fn assign(&mut self, splits: Vec<Split>) -> Result<(), Failure> {
        splits.iter().try_for_each(|split| Spec::read(split).map(drop))?;
        self.lanes.assign(splits);
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.lanes.complete();
    }

    fn room(&self) -> usize {
        self.lanes.room()
    }

    fn poll(&mut self) -> Result<Polled, Failure> {
        let (context, budget) = (&self.context, self.context.buffer_bytes / self.lanes.most());
        Ok(match self.lanes.next(|split| Current::open(split, context, budget))? {
            Gave::Batch(batch) => Polled::Batch(batch),
            Gave::Nothing => Polled::Wait,
            Gave::End => Polled::End,
            Gave::Finished(id, file) => {
                self.bytes_read += file.size;
                Polled::Finished(id)
            }
        })
    }

    fn hold(&mut self, ahead: &BTreeSet<String>) {
        self.lanes.hold(ahead);
    }

    fn snapshot(&self) -> Vec<Split> {
        self.lanes.snapshot()
    }

    fn progress(&self) -> Progress {
        Progress {
            bytes_read: self.bytes_read,
        }
    }
}

/// Decodes one file from a row on.
struct Decoding {
    spec: Spec,
    from: u64,
    stores: Arc<dyn Stores>,
    output: SchemaRef,
}

impl Decoding {
    async fn run(self, giver: Giver<Decoded>) {
        let last = match self.decode(&giver).await {
            Ok(()) => Decoded::Complete,
            Err(failure) => Decoded::Failed(failure),
        };
        if let Some(reservation) = giver.reserve(0).await {
            giver.send(last, reservation).await;
        }
    }

    async fn decode(&self, giver: &Giver<Decoded>) -> Result<(), Failure> {
        let store = self.stores.open(&self.spec.store)?;
        let object = match store.head(&self.spec.path).await {
            Ok(object) => object,
            Err(Error::Missing { .. }) => return Err(self.spec.changed("was removed")),
            Err(error) => return Err(error.into()),
        };
        let found = Object {
            path: self.spec.path.clone(),
            size: self.spec.size,
            version: self.spec.version.clone(),
        };
        if object != found {
            return Err(self.spec.changed("changed"));
        }
        let parquet = Parquet::open(store, &object).await?;
        let wanted = self
            .output
            .fields()
            .iter()
            .filter(|field| !is_reserved(field.name()))
            .cloned()
            .collect::<Vec<_>>();
        let offset = usize::try_from(self.from).unwrap_or(usize::MAX);
        let builder = parquet
            .columns(&wanted)?
            .with_batch_size(BATCH_ROWS_MAX)
            .with_offset(offset);
        let mut batches = builder.build().map_err(|error| parquet.failure(error))?;
        while let Some(batch) = batches.try_next().await.map_err(|error| parquet.failure(error))? {
            if batch.num_rows() == 0 {
                continue;
            }
            let batch = columnar::conform(&batch, &wanted).map_err(|failure| parquet.named(failure))?;
            let Some(reservation) = giver.reserve(row_bytes(&batch)).await else {
                break;
            };
            if !giver.send(Decoded::Batch(batch), reservation).await {
                break;
            }
        }
        Ok(())
    }
}
