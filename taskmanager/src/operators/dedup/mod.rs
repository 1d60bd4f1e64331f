//! Keeps the first row of each key within a span of time.
//!
//! A key is remembered by the time of its row that passed, 8 bytes, in the table of that time's bucket. A bucket is as
//! long as the span, so a row looks into its own bucket and the two beside it, and what is over is forgotten a whole
//! table at a time. What such tables left in the snapshots' cuts is told by the time that was reached. Of a bucket that is
//! over in part, keys on disk vanish one by one when the disk is compacted: a read would have passed over them.

mod passed;
mod times;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow_schema::SchemaRef;
use dataflow::Failure;
use dataflow::element::{Batch, Watermark, columns};
use dataflow::key::{KeyReader, Keys};
use dataflow::recipe::{self, Clocked, Node};
use serde::{Deserialize, Serialize};

use super::aggregate::{Reached, Span};
use super::{Emitted, Ground, Moment, Operator, Outbox, column};
use crate::chain::columns::conform;
use crate::chain::dead::DeadLetters;
use crate::state::{Cut, Expiry, KeyGroups, NONE, Spill, Table};
use crate::task::gauges::NodeGauges;
use passed::{NEVER, Passed, passed, remembers};

/// The state of keys.
const KEYS: u8 = 1;

/// First rows at work.
pub(super) struct Dedup {
    keys: KeyReader,
    within: i64,
    clock: Clocked,
    output: SchemaRef,
    buckets: BTreeMap<i64, Table<Passed>>,
    reached: Reached,
    groups: KeyGroups,
    cut: u64,
    spill: Option<Spill>,
    expiry: Expiry,
    now: i64,
    gauges: Arc<NodeGauges>,
    dead: DeadLetters,
    outbox: Outbox,
    scratch: Scratch,
}

/// Used for one batch, and kept for the next.
#[derive(Default)]
struct Scratch {
    slots: Vec<u32>,
    run: Vec<u32>,
    left: Vec<u32>,
}

/// What is in a snapshot beside the keys' entries.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    reached: Vec<Span>,
}

fn table(bucket: i64, cut: u64, spill: Option<&Spill>, expiry: &Expiry) -> Table<Passed> {
    let table = Table::new(KEYS, bucket, Passed::default(), cut);
    match spill {
        Some(spill) => table.spilling(spill).expiring(expiry),
        None => table,
    }
}

impl Dedup {
    pub(super) fn build(recipe: &recipe::Dedup, node: &Node, ground: &Ground<'_>) -> Result<Self, Failure> {
        let keys = KeyReader::new(&node.input, &recipe.keys);
        if recipe.clock == Clocked::Event {
            column(&node.input, columns::TIME)?;
        }
        let unreadable = |error: serde_json::Error| {
            Failure::fail(format!("the state of `{}` cannot be read", node.name)).because(&error)
        };
        let notes = ground
            .restored
            .notes
            .iter()
            .map(|note| Note::deserialize(note).map_err(unreadable));
        let notes = notes.collect::<Result<Vec<_>, Failure>>()?;
        let mut dedup = Self {
            keys: keys.map_err(|error| Failure::fail(format!("`{}` cannot run", node.name)).because(&error))?,
            within: i64::try_from(recipe.within_ms).unwrap_or(i64::MAX).max(1),
            clock: recipe.clock,
            output: Arc::clone(&node.output),
            buckets: BTreeMap::new(),
            reached: Reached::restore(notes.into_iter().flat_map(|note| note.reached), &ground.groups),
            groups: ground.groups.clone(),
            cut: 1,
            spill: ground.spill.cloned(),
            expiry: Expiry::default(),
            now: 0,
            gauges: Arc::clone(ground.gauges),
            dead: ground.dead_letters(),
            outbox: Outbox::default(),
            scratch: Scratch::default(),
        };
        dedup.now = dedup.reached.furthest().max(0);
        dedup.expire();
        ground.restored.each(&ground.groups, |entry| match entry.value {
            Some(value) if entry.place.state == KEYS => dedup.remember(entry.place.group, entry.key, value),
            _ => Ok(()),
        })?;
        Ok(dedup)
    }

    /// Takes an entry back. Its bucket follows from its time: the span may be another than it was.
    fn remember(&mut self, group: u16, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        let passed = passed(value)?;
        if self.is_forgotten(passed, self.reached.of(group)) {
            return Ok(());
        }
        let bucket = self.bucket(passed);
        let table = self
            .buckets
            .entry(bucket)
            .or_insert_with(|| table(bucket, 0, self.spill.as_ref(), &self.expiry));
        match table.find(key)? {
            Some(slot) if table.values().0[slot as usize] >= passed => Ok(()),
            _ => table.restore(key, Some(value), &self.groups),
        }
    }

    fn bucket(&self, time: i64) -> i64 {
        time.div_euclid(self.within)
    }

    /// Whether nothing of a bucket is remembered any more.
    fn is_over(&self, bucket: i64, reached: i64) -> bool {
        let last = bucket.saturating_add(1).saturating_mul(self.within).saturating_sub(1);
        self.is_forgotten(last, reached)
    }

    fn is_forgotten(&self, passed: i64, reached: i64) -> bool {
        passed.saturating_add(self.within) <= reached
    }

    /// What is forgotten by now needs no place on disk.
    fn expire(&self) {
        self.expiry.reach(self.reached.watermark().saturating_sub(self.within));
    }

    fn reach(&mut self, time: i64) {
        self.reached.advance(time);
        self.expire();
        while let Some(bucket) = self.buckets.first_key_value().map(|(bucket, _)| *bucket)
            && self.is_over(bucket, self.reached.watermark())
        {
            self.buckets.remove(&bucket);
        }
    }

    /// The rows that pass, of a run of rows whose times are of one bucket.
    fn pass(&mut self, bucket: i64, keys: &Keys, times: &[i64], kept: &mut Vec<u32>) -> Result<(), Failure> {
        let Scratch {
            mut slots,
            mut run,
            mut left,
        } = std::mem::take(&mut self.scratch);
        for beside in [bucket.saturating_sub(1), bucket.saturating_add(1)] {
            let Some(table) = self.buckets.get_mut(&beside) else {
                continue;
            };
            table.find_all(run.iter().map(|row| keys.row(*row as usize)), &mut slots)?;
            left.clear();
            for (row, slot) in run.iter().zip(&slots) {
                let passed = if *slot == NONE {
                    NEVER
                } else {
                    table.values().0[*slot as usize]
                };
                if !remembers(passed, times[*row as usize], self.within, self.reached.watermark()) {
                    left.push(*row);
                }
            }
            std::mem::swap(&mut run, &mut left);
        }
        let cut = self.cut;
        let table = self
            .buckets
            .entry(bucket)
            .or_insert_with(|| table(bucket, cut, self.spill.as_ref(), &self.expiry));
        table.slots(keys, &run, &mut slots)?;
        let values = &mut table.values_mut().0;
        for (row, slot) in run.iter().zip(&slots) {
            let (passed, time) = (&mut values[*slot as usize], times[*row as usize]);
            if !remembers(*passed, time, self.within, self.reached.watermark()) {
                *passed = time.max(*passed);
                kept.push(*row);
            }
        }
        run.clear();
        self.scratch = Scratch { slots, run, left };
        Ok(())
    }

    /// Passes the rows of a batch, in runs of one bucket each.
    fn first_ones(&mut self, keys: &Keys, times: &[i64]) -> Result<Vec<u32>, Failure> {
        let mut kept = Vec::with_capacity(times.len());
        let mut current = None;
        for (row, time) in (0_u32..).zip(times) {
            let bucket = self.bucket(*time);
            if let Some(before) = current.replace(bucket)
                && before != bucket
            {
                self.pass(before, keys, times, &mut kept)?;
            }
            self.scratch.run.push(row);
        }
        if let Some(bucket) = current {
            self.pass(bucket, keys, times, &mut kept)?;
        }
        Ok(kept)
    }
}

fn picked(rows: &RecordBatch, which: UInt32Array) -> Result<RecordBatch, Failure> {
    take_record_batch(rows, &which).map_err(|error| Failure::bug("rows that cannot be picked").because(&error))
}

impl Operator for Dedup {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let (input, times) = self.times(batch.into_records())?;
        let keys = self
            .keys
            .encode(&input)
            .map_err(|error| Failure::bug("rows without their key").because(&error))?;
        let kept = self.first_ones(&keys, &times)?;
        let rows = if kept.len() == input.num_rows() {
            input
        } else {
            let rows = picked(&input, kept.into())?;
            self.gauges.leave_out(&input, &rows, &[]);
            rows
        };
        self.outbox.main(conform(&rows, &self.output, None)?);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(self.outbox.take())
    }

    fn advance(&mut self, watermark: Watermark) -> Result<(), Failure> {
        if self.clock == Clocked::Event {
            self.reach(watermark.0);
        }
        Ok(())
    }

    fn is_clocked(&self) -> bool {
        self.clock == Clocked::Processing
    }

    fn tick(&mut self, now: Moment) -> Result<(), Failure> {
        // The clock may be set back; what was remembered is not.
        self.now = self.now.max(now.wall.0);
        self.reach(self.now);
        Ok(())
    }

    fn freeze(&mut self, cut: &mut Cut) -> Result<(), Failure> {
        self.cut = cut.number() + 1;
        self.buckets
            .values_mut()
            .for_each(|table| table.freeze(cut, &self.groups));
        let note = Note {
            reached: self.reached.spans(),
        };
        cut.note(serde_json::to_value(note).map_err(|error| Failure::bug("times that are not JSON").because(&error))?);
        Ok(())
    }
}
