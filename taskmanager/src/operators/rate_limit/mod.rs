//! Lets so many rows through in a second: of the stream, or of each key.
//!
//! Enters: batches, the time. Leaves: the rows that there were tokens for; the others are dropped and counted, or wait in
//! here and hold up the input, with watermarks in their place behind them. Must stay true: no more rows leave than the rate
//! and the burst allow; rows that wait are state. Not here: how tokens are counted (bucket).

mod bucket;
mod buckets;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow_schema::SchemaRef;
use dataflow::Failure;
use dataflow::element::{Batch, Watermark};
use dataflow::key::KeyReader;
use dataflow::recipe::{self, Excess, Node};
use dataflow::time::Instant;

use super::held::Held;
use super::{Emitted, Ground, Moment, Operator, Outbox, Room};
use crate::chain::columns::conform;
use crate::state::{Cut, KeyGroups};
use crate::task::gauges::NodeGauges;
use bucket::{Bucket, Rate};
use buckets::Buckets;

/// The operator of a rate limit.
pub(super) fn build(
    recipe: &recipe::RateLimit,
    node: &Node,
    ground: &Ground<'_>,
) -> Result<Box<dyn Operator>, Failure> {
    let cannot = |what: &str| Failure::fail(format!("`{}` cannot run: {what}", node.name));
    if !recipe.rows_per_second.is_finite() || recipe.rows_per_second <= 0.0 {
        return Err(cannot("a rate is a number of rows a second, above zero"));
    }
    match (recipe.excess, recipe.keys.is_empty()) {
        (Excess::Wait, false) => Err(cannot("the rows of one key that wait would hold up all others")
            .help("write `excess: drop`, or leave out the key")),
        (Excess::Wait, true) => Ok(Box::new(Waits {
            rate: shared(recipe, &ground.groups),
            bucket: Bucket::default(),
            held: Held::restore(&node.output, node, ground)?.0,
            output: Arc::clone(&node.output),
            now: Instant::default(),
            outbox: Outbox::default(),
        })),
        (Excess::Drop, keyless) => {
            let tokens = if keyless {
                Tokens::One(shared(recipe, &ground.groups), Bucket::default())
            } else {
                let keys = KeyReader::new(&node.input, &recipe.keys);
                let keys = keys.map_err(|error| cannot("rows have no such key").because(&error))?;
                Tokens::Keyed(keys, Buckets::new(Rate::new(recipe.rows_per_second, recipe.burst)))
            };
            Ok(Box::new(Drops {
                tokens,
                output: Arc::clone(&node.output),
                gauges: Arc::clone(ground.gauges),
                now: Instant::default(),
                outbox: Outbox::default(),
            }))
        }
    }
}

/// A subtask's share of the rate: as large as its share of the key groups.
fn shared(recipe: &recipe::RateLimit, groups: &KeyGroups) -> Rate {
    let share = f64::from(groups.owned.end - groups.owned.start) / f64::from(groups.max_parallelism.max(1));
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a number of rows, rounded down"
    )]
    let burst = (recipe.burst as f64 * share) as u64;
    Rate::new(recipe.rows_per_second * share, burst)
}

/// Rows above the limit wait.
struct Waits {
    rate: Rate,
    bucket: Bucket,
    held: Held,
    output: SchemaRef,
    now: Instant,
    outbox: Outbox,
}

impl Waits {
    /// As many of `rows` as there are tokens for.
    fn granted(&mut self, rows: usize) -> usize {
        let granted = self.rate.take(&mut self.bucket, self.now, rows as u64);
        usize::try_from(granted).unwrap_or(rows)
    }
}

impl Operator for Waits {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let rows = conform(batch.records(), &self.output, None)?;
        let granted = if self.held.queue().is_empty() {
            self.granted(rows.num_rows())
        } else {
            0
        };
        self.outbox.main(rows.slice(0, granted));
        let left = rows.num_rows() - granted;
        if left > 0 {
            self.held.push(&rows.slice(granted, left), 0, None)?;
        }
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        if let Some(emitted) = self.outbox.take() {
            return Ok(Some(emitted));
        }
        let Some(rows) = self.held.queue().front().map(|front| front.rows) else {
            return Ok(None);
        };
        let granted = self.granted(rows);
        if granted > 0 {
            self.held.take_front(granted, &mut self.outbox)?;
        }
        Ok(self.outbox.take())
    }

    fn advance(&mut self, watermark: Watermark) -> Result<(), Failure> {
        self.held.watermark(watermark, &mut self.outbox);
        Ok(())
    }

    fn idle(&mut self) -> Result<(), Failure> {
        self.held.idle(&mut self.outbox);
        Ok(())
    }

    fn holds_time(&self) -> bool {
        true
    }

    fn room(&self) -> Room {
        match self.held.room() {
            Room::Open if self.held.queue().is_empty() => Room::Open,
            Room::Open | Room::Closed => Room::Closed,
            Room::Full => Room::Full,
        }
    }

    fn is_clocked(&self) -> bool {
        true
    }

    fn wake_at(&self) -> Option<Instant> {
        (!self.held.queue().is_empty()).then(|| self.rate.ready_at(&self.bucket))
    }

    fn tick(&mut self, now: Moment) -> Result<(), Failure> {
        self.now = now.instant;
        Ok(())
    }

    fn freeze(&mut self, cut: &mut Cut) -> Result<(), Failure> {
        self.held.freeze(cut, None)
    }
}

/// Rows above the limit are dropped.
struct Drops {
    tokens: Tokens,
    output: SchemaRef,
    gauges: Arc<NodeGauges>,
    now: Instant,
    outbox: Outbox,
}

enum Tokens {
    One(Rate, Bucket),
    Keyed(KeyReader, Buckets),
}

impl Drops {
    fn kept(&mut self, rows: &RecordBatch) -> Result<RecordBatch, Failure> {
        match &mut self.tokens {
            Tokens::One(rate, bucket) => {
                let granted = rate.take(bucket, self.now, rows.num_rows() as u64);
                Ok(rows.slice(0, usize::try_from(granted).unwrap_or_else(|_| rows.num_rows())))
            }
            Tokens::Keyed(keys, buckets) => {
                let mut hashes = Vec::new();
                let read = keys.hashes(rows, &mut hashes);
                read.map_err(|error| Failure::bug("rows without their key").because(&error))?;
                let passes = hashes.iter().map(|key| buckets.take(*key, self.now));
                let passes: BooleanArray = passes.map(Some).collect();
                filter_record_batch(rows, &passes)
                    .map_err(|error| Failure::bug("rows that cannot be picked").because(&error))
            }
        }
    }
}

impl Operator for Drops {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let kept = self.kept(batch.records())?;
        self.gauges.leave_out(batch.records(), &kept, &[]);
        self.outbox.main(conform(&kept, &self.output, None)?);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(self.outbox.take())
    }

    fn is_clocked(&self) -> bool {
        true
    }

    fn tick(&mut self, now: Moment) -> Result<(), Failure> {
        self.now = now.instant;
        Ok(())
    }
}
