//! Generates: an enumerator that deals the stream out, and a reader that fills one buffer a batch.

use std::collections::{BTreeSet, VecDeque};

use arrow::buffer::Buffer;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use dataflow::Failure;
use dataflow::contract::connector::options;
use dataflow::contract::{
    Alignment, Discovery, Enumerator, EnumeratorContext, InvalidOptions, Polled, Progress, Reader, ReaderContext,
    SIDE_BY_SIDE_MAX, Shape, SourceConnector, Split,
};
use dataflow::element::{BATCH_BYTES_TARGET, BATCH_ROWS_MAX};
use serde_json::{Value, json};

use super::events::{Events, events};
use super::options::Options;
use super::split::{Held, Part};
use crate::alarm::Alarm;
use crate::coordinates::Records;

/// More than the largest event of any kind, so that a buffer never grows.
const EVENT_BYTES_MAX: usize = 4096;

/// Room for an event in the small buffer of a throttled batch.
const EVENT_BYTES_TYPICAL: usize = 512;

/// The source side of the generator.
#[derive(Clone, Copy, Debug)]
pub struct GeneratorSource;

fn read(value: &Value) -> Result<Options, InvalidOptions> {
    let options: Options = options(value)?;
    options.check()?;
    Ok(options)
}

#[async_trait]
impl SourceConnector for GeneratorSource {
    fn schema(&self) -> Value {
        schemars::schema_for!(Options).to_value()
    }

    fn plan(&self, options: &Value) -> Result<Shape, InvalidOptions> {
        read(options).map(|_| Shape::Bytes)
    }

    fn enumerator(
        &self,
        options: &Value,
        _context: EnumeratorContext,
        restored: Option<Value>,
    ) -> Result<Box<dyn Enumerator>, Failure> {
        let options = read(options).map_err(|error| Failure::fail("generator").because(&error))?;
        Ok(Box::new(Dealer {
            splits: options.splits.into(),
            reported: restored.is_some_and(|value| value["reported"] == true),
        }))
    }

    fn reader(&self, options: &Value, context: ReaderContext) -> Result<Box<dyn Reader>, Failure> {
        let options = read(options).map_err(|error| Failure::fail("generator").because(&error))?;
        Ok(Box::new(Generating {
            events: events(&options),
            count: options.count.unwrap_or(u64::MAX),
            throughput: options.throughput,
            alarm: Alarm::new(&context),
            context,
            held: VecDeque::new(),
            complete: false,
            progress: Progress::default(),
        }))
    }
}

/// Deals the stream out into splits, once.
#[derive(Debug)]
struct Dealer {
    splits: u64,
    reported: bool,
}

#[async_trait]
impl Enumerator for Dealer {
    async fn discover(&mut self) -> Result<Discovery, Failure> {
        if self.reported {
            return Ok(Discovery::default());
        }
        self.reported = true;
        let splits = (0..self.splits)
            .map(|part| Part { part, of: self.splits }.split())
            .collect();
        Ok(Discovery {
            splits,
            next: None,
            bytes: None,
        })
    }

    fn snapshot(&self) -> Value {
        json!({ "reported": self.reported })
    }
}

/// Generates the events of its splits, a batch of each in turn.
struct Generating {
    events: Box<dyn Events>,
    count: u64,
    throughput: Option<f64>,
    alarm: Alarm,
    context: ReaderContext,
    held: VecDeque<Held>,
    complete: bool,
    progress: Progress,
}

impl Generating {
    /// Moves a split to the front that may yield rows now, and says how many; none where all have to wait.
    fn choose(&mut self) -> Option<usize> {
        let now = self.context.clock.now();
        for _ in 0..self.held.len() {
            let front = self.held.front_mut()?;
            if front.is_ahead {
                self.held.rotate_left(1);
                continue;
            }
            let rows = front
                .allowance
                .as_mut()
                .map_or(BATCH_ROWS_MAX, |allowance| allowance.rows(now));
            if rows > 0 {
                return Some(rows.min(BATCH_ROWS_MAX));
            }
            self.held.rotate_left(1);
        }
        let ready = self
            .held
            .iter()
            .filter(|split| !split.is_ahead)
            .filter_map(|split| split.allowance.as_ref())
            .map(|allowance| allowance.ready())
            .min();
        if let Some(ready) = ready {
            self.alarm.set(ready);
        }
        None
    }

    /// The next events of the split at the front, at most `rows`; none at its end.
    fn generate(&mut self, rows: usize) -> Result<Option<RecordBatch>, Failure> {
        let Some(split) = self.held.front_mut() else {
            return Ok(None);
        };
        let group = self.events.group();
        let mut bytes = Vec::with_capacity(BATCH_BYTES_TARGET.min(rows * EVENT_BYTES_TYPICAL) + EVENT_BYTES_MAX);
        let mut records = Records::new();
        while records.len() < rows && bytes.len() < BATCH_BYTES_TARGET {
            let index = split.part.index(group, split.next);
            if index >= self.count {
                break;
            }
            let start = bytes.len();
            if self.events.write(index, &mut bytes) {
                records.push(&bytes[start..], start, split.next);
                // Between two records stands a line feed, so that an encoder of lines may copy runs of them.
                bytes.push(b'\n');
            }
            split.next += 1;
        }
        let count = records.len();
        if count == 0 {
            return Ok(None);
        }
        if let Some(allowance) = &mut split.allowance {
            allowance.spend(count);
        }
        self.progress.bytes_read += bytes.len() as u64;
        let arrival = self.context.clock.wall().0;
        records
            .finish(Buffer::from_vec(bytes), &self.context.output, &split.label, arrival)
            .map(Some)
    }
}

impl Reader for Generating {
    fn assign(&mut self, splits: Vec<Split>) -> Result<(), Failure> {
        let now = self.context.clock.now();
        for split in splits {
            self.held.push_back(Held::new(split, self.throughput, now)?);
        }
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.complete = true;
    }

    fn room(&self) -> usize {
        match self.context.alignment {
            Alignment::Free => 0,
            Alignment::ByDrift => SIDE_BY_SIDE_MAX.saturating_sub(self.held.len()),
        }
    }

    fn poll(&mut self) -> Result<Polled, Failure> {
        if self.held.is_empty() {
            return Ok(if self.complete { Polled::End } else { Polled::Wait });
        }
        let Some(rows) = self.choose() else {
            return Ok(Polled::Wait);
        };
        if let Some(batch) = self.generate(rows)? {
            self.held.rotate_left(1);
            return Ok(Polled::Batch(batch));
        }
        let finished = self.held.pop_front().map(|split| split.id);
        Ok(finished.map_or(Polled::Wait, Polled::Finished))
    }

    fn hold(&mut self, ahead: &BTreeSet<String>) {
        for split in &mut self.held {
            split.is_ahead = ahead.contains(&split.id);
        }
    }

    fn snapshot(&self) -> Vec<Split> {
        self.held.iter().map(Held::snapshot).collect()
    }

    fn progress(&self) -> Progress {
        self.progress
    }
}
