//! Hands on the rows of slices, one slice after another, as fast as the replay's speed allows.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, TimestampMillisecondArray, UInt64Array};
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, Field, FieldRef};
use dataflow::Failure;
use dataflow::contract::{Polled, Progress, Reader, ReaderContext, Split};
use dataflow::element::columns::{POSITION, RAW, SPLIT, TIME, is_reserved};
use dataflow::time::Instant;

use super::merge::{Merge, Piece};
use super::options::Replay;
use super::split::{Place, Slice, overlap};
use super::times::Range;
use super::window::{Sorted, Wanted};
use crate::alarm::Alarm;
use crate::coordinates::{SplitLabel, columns_of};
use crate::handoff::{Taken, Taker, handoff};
use crate::parquet::layout;
use crate::turns::Turns;

/// A paced replay wakes at most this often.
const PAUSE: Duration = Duration::from_millis(5);

/// Reads slices of an archive.
pub(super) struct ArchiveReader {
    context: ReaderContext,
    wanted: Wanted,
    pace: Option<Pace>,
    alarm: Alarm,
    turns: Turns<Current>,
    finished_bytes: u64,
}

/// The slice that is being read.
struct Current {
    split: Split,
    slice: Slice,
    label: SplitLabel,
    place: Option<Place>,
    pieces: Taker<Piece>,
    /// Rows that are read but not due yet.
    held: Option<Sorted>,
}

/// When rows of an event time are due.
struct Pace {
    speed: f64,
    /// This moment of event time …
    event: i64,
    /// … is this moment of the clock; known with the first row.
    started: Option<Instant>,
}

impl Pace {
    /// The event time up to which rows are due now.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, and a fraction of a millisecond is dropped"
    )]
    fn due(&mut self, begin: i64, now: Instant) -> i64 {
        let started = *self.started.get_or_insert_with(|| {
            self.event = begin;
            now
        });
        self.event
            .saturating_add((now.since(started).as_secs_f64() * 1000.0 * self.speed) as i64)
    }

    /// When a row of `event` is due.
    fn instant(&self, event: i64, now: Instant) -> Instant {
        let ahead = event.saturating_sub(self.event) as f64 / 1000.0 / self.speed;
        let ahead = Duration::try_from_secs_f64(ahead.max(0.0)).unwrap_or(Duration::from_secs(86_400));
        self.started.map_or(now, |started| (started + ahead).max(now + PAUSE))
    }
}

impl ArchiveReader {
    pub(super) fn new(replay: Replay, context: ReaderContext) -> Self {
        let stored = |field: &FieldRef| match field.name().as_str() {
            RAW => Some(Arc::new(Field::new(layout::RAW, DataType::BinaryView, true))),
            name if is_reserved(name) => None,
            _ => Some(Arc::clone(field)),
        };
        let wanted = Wanted {
            columns: context.output.fields().iter().filter_map(stored).collect(),
            time_column: replay.time_column,
            type_column: replay.type_column,
            types: replay.types,
            timeless: replay.from.is_none().then_some(i64::MIN),
        };
        let pace = replay.speed.map(|speed| Pace {
            speed,
            event: 0,
            started: None,
        });
        let alarm = Alarm::new(&context);
        Self {
            context,
            wanted,
            pace,
            alarm,
            turns: Turns::default(),
            finished_bytes: 0,
        }
    }

    /// The rows at the front of `held` that are due; none where the alarm was set for the first of them.
    fn due(&mut self) -> Option<Sorted> {
        let current = self.turns.current_mut()?;
        let sorted = current.held.take()?;
        let Some(pace) = &mut self.pace else {
            return Some(sorted);
        };
        let now = self.context.clock.now();
        let first = sorted.times.value(0);
        // All readers of a fresh replay count from its beginning; a restored one goes on where it was.
        let begin = if current.place.is_some() {
            first
        } else {
            current.slice.origin
        };
        let until = pace.due(begin, now);
        let count = sorted.times.values().partition_point(|time| *time <= until);
        if count == 0 {
            self.alarm.set(pace.instant(first, now));
            current.held = Some(sorted);
            return None;
        }
        let left = sorted.times.len() - count;
        let front = Sorted {
            rows: sorted.rows.slice(0, count),
            times: sorted.times.slice(0, count),
        };
        let rest = Sorted {
            rows: sorted.rows.slice(count, left),
            times: sorted.times.slice(count, left),
        };
        current.held = (left > 0).then_some(rest);
        Some(front)
    }

    fn batch(&mut self, sorted: &Sorted) -> Result<RecordBatch, Failure> {
        let Some(current) = self.turns.current_mut() else {
            return Err(Failure::bug("rows of no slice"));
        };
        let count = sorted.times.len();
        let first = current.place.map_or(0, |place| place.rows);
        current.advance(sorted);
        columns_of(&self.context.output, count, |name| match name {
            RAW => sorted.rows.column_by_name(layout::RAW).cloned(),
            SPLIT => Some(current.label.rows(count)),
            POSITION => Some(Arc::new(UInt64Array::from_iter_values(first..first + count as u64)) as ArrayRef),
            TIME => {
                let times = TimestampMillisecondArray::new(sorted.times.values().clone(), None);
                Some(Arc::new(times.with_timezone("UTC")) as ArrayRef)
            }
            name => sorted.rows.column_by_name(name).cloned(),
        })
    }
}

impl Current {
    fn open(split: Split, wanted: &Wanted, context: &ReaderContext) -> Result<Self, Failure> {
        let (slice, place) = Slice::read(&split)?;
        // One window waits in the queue, one is being read, and one is held.
        let budget = context.buffer_bytes / 3;
        let (giver, pieces) = handoff(budget, context.waker.clone());
        let timeless = wanted.timeless.map(|_| slice.origin);
        let wanted = Wanted {
            timeless,
            ..wanted.clone()
        };
        let merge = Merge {
            slice: slice.clone(),
            place,
            stores: Arc::clone(&context.stores),
            wanted,
            budget,
        };
        context.scope.run(merge.run(giver));
        Ok(Self {
            label: SplitLabel::new(&split.id),
            split,
            slice,
            place,
            pieces,
            held: None,
        })
    }

    /// Moves the place behind these rows.
    fn advance(&mut self, sorted: &Sorted) {
        let times = sorted.times.values();
        let Some(last) = times.last().copied() else { return };
        let of_last = (times.len() - times.partition_point(|time| *time < last)) as u64;
        let before = self
            .place
            .filter(|place| place.time == last)
            .map_or(0, |place| place.rows_of_time);
        let rows = self.place.map_or(0, |place| place.rows) + times.len() as u64;
        self.place = Some(Place {
            time: last,
            rows_of_time: before + of_last,
            rows,
        });
    }

    fn snapshot(&self) -> Split {
        let position = self
            .place
            .map(|place| serde_json::to_value(place).expect("numbers are JSON"));
        Split {
            position: position.unwrap_or_default(),
            ..self.split.clone()
        }
    }

    /// Bytes of the slice, by how much of its time has passed.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate, between 0 and the whole"
    )]
    fn bytes_read(&self) -> u64 {
        let range = Range {
            min: self.slice.from,
            max: self.slice.to.saturating_sub(1),
        };
        let part = self
            .place
            .map_or(0.0, |place| overlap(range, self.slice.from, place.time));
        (self.slice.bytes as f64 * part) as u64
    }
}

impl Reader for ArchiveReader {
    fn assign(&mut self, splits: Vec<Split>) -> Result<(), Failure> {
        splits.iter().try_for_each(|split| Slice::read(split).map(drop))?;
        self.turns.assign(splits);
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.turns.complete();
    }

    fn poll(&mut self) -> Result<Polled, Failure> {
        let open = |split| Current::open(split, &self.wanted, &self.context);
        let current = match self.turns.next(open)? {
            ControlFlow::Continue(current) => current,
            ControlFlow::Break(answer) => return Ok(answer),
        };
        if current.held.is_none() {
            match current.pieces.try_take() {
                Taken::Item(Piece::Rows(sorted)) => current.held = Some(sorted),
                Taken::Item(Piece::Failed(failure)) => return Err(failure),
                Taken::Nothing => return Ok(Polled::Wait),
                Taken::Ended => return Err(Failure::bug("nobody reads the archive any more")),
                Taken::Item(Piece::Complete) => {
                    self.finished_bytes += current.slice.bytes;
                    let id = current.split.id.clone();
                    self.turns.finish();
                    return Ok(Polled::Finished(id));
                }
            }
        }
        match self.due() {
            Some(sorted) => self.batch(&sorted).map(Polled::Batch),
            None => Ok(Polled::Wait),
        }
    }

    fn snapshot(&self) -> Vec<Split> {
        self.turns.snapshot(Current::snapshot)
    }

    fn progress(&self) -> Progress {
        Progress {
            bytes_read: self.finished_bytes + self.turns.current().map_or(0, Current::bytes_read),
        }
    }
}
