//! Holds rows back: until so much time has passed since they came, or until event time is so far behind them.
//!
//! Rows that leave late must not be late for those behind: so what is said about time is held back as well. By the clock a
//! watermark leaves behind the rows that came before it; by event time it is said to be as much lower as rows wait longer.
//! At the end of all input everything leaves.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMillisecondType;
use arrow_schema::{Schema, SchemaRef};
use dataflow::Failure;
use dataflow::contract::BadRecord;
use dataflow::element::{Batch, Watermark, columns};
use dataflow::recipe::{self, Clocked, Node};
use dataflow::time::Instant;

use super::held::{HELD_MAX, Held, Joined};
use super::{Emitted, Ground, Moment, Operator, Outbox, Room};
use crate::chain::columns::conform;
use crate::chain::dead::DeadLetters;
use crate::state::Cut;

/// The operator of a delay.
pub(super) fn build(recipe: &recipe::Delay, node: &Node, ground: &Ground<'_>) -> Result<Box<dyn Operator>, Failure> {
    match recipe.clock {
        Clocked::Processing => {
            let (held, _) = Held::restore(&node.output, node, ground)?;
            Ok(Box::new(ByClock {
                by: Duration::from_millis(recipe.by_ms),
                untimed: !held.queue().is_empty(),
                held: held.joining(Joined::by_last(recipe.by_ms)),
                over: false,
                output: Arc::clone(&node.output),
                now: Moment::default(),
                outbox: Outbox::default(),
            }))
        }
        Clocked::Event => Ok(Box::new(ByTime::build(recipe, node, ground)?)),
    }
}

/// Rows wait by the clock.
struct ByClock {
    by: Duration,
    held: Held,
    /// When what was restored is due, is not known before the first tick.
    untimed: bool,
    /// No row comes any more: none waits.
    over: bool,
    output: SchemaRef,
    now: Moment,
    outbox: Outbox,
}

impl ByClock {
    fn by_ms(&self) -> i64 {
        i64::try_from(self.by.as_millis()).unwrap_or(i64::MAX)
    }

    /// The clock may have been set since the rows came; none waits longer than it would have.
    fn time_restored(&mut self) {
        let (by, now) = (self.by_ms(), self.now);
        for ticket in self.held.queue_mut() {
            let left = ticket.due.saturating_sub(now.wall.0).clamp(0, by);
            let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
            ticket.at.get_or_insert(now.instant + left);
        }
        self.untimed = false;
    }
}

impl Operator for ByClock {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let rows = conform(batch.records(), &self.output, None)?;
        let due = self.now.wall.0.saturating_add(self.by_ms());
        self.held.push(&rows, due, Some(self.now.instant + self.by))
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        if let Some(emitted) = self.outbox.take() {
            return Ok(Some(emitted));
        }
        let Some(front) = self.held.queue().front() else {
            return Ok(None);
        };
        let is_due = front.at.is_some_and(|at| at <= self.now.instant);
        if is_due || self.over {
            let rows = front.rows;
            self.held.take_front(rows, &mut self.outbox)?;
        }
        Ok(self.outbox.take())
    }

    fn advance(&mut self, watermark: Watermark) -> Result<(), Failure> {
        self.over = watermark == Watermark::MAX;
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
        self.held.room()
    }

    fn is_clocked(&self) -> bool {
        true
    }

    fn wake_at(&self) -> Option<Instant> {
        self.held.queue().front().map(|front| front.at.unwrap_or_default())
    }

    fn tick(&mut self, now: Moment) -> Result<(), Failure> {
        self.now = now;
        if self.untimed {
            self.time_restored();
        }
        Ok(())
    }

    fn freeze(&mut self, cut: &mut Cut) -> Result<(), Failure> {
        self.held.freeze(cut, None)
    }
}

/// Rows wait for watermarks.
struct ByTime {
    by_ms: i64,
    held: Held,
    /// The highest watermark that came.
    reached: i64,
    /// So many batches were looked at since then.
    seen: usize,
    /// What is to be said when all were.
    owed: Option<Watermark>,
    /// The columns that wait: those of the output, and the time.
    kept: SchemaRef,
    output: SchemaRef,
    name: String,
    dead: DeadLetters,
    outbox: Outbox,
}

impl ByTime {
    fn build(recipe: &recipe::Delay, node: &Node, ground: &Ground<'_>) -> Result<Self, Failure> {
        super::column(&node.input, columns::TIME)?;
        let kept = match node.output.index_of(columns::TIME) {
            Ok(_) => Arc::clone(&node.output),
            Err(_) => {
                let fields = node.output.fields().iter().cloned();
                Arc::new(Schema::new(fields.chain([columns::time()]).collect::<Vec<_>>()))
            }
        };
        let (held, reached) = Held::restore(&kept, node, ground)?;
        Ok(Self {
            by_ms: i64::try_from(recipe.by_ms).unwrap_or(i64::MAX),
            held: held.joining(Joined::by_first(recipe.by_ms)),
            reached: reached.unwrap_or(i64::MIN),
            seen: usize::MAX,
            owed: None,
            kept,
            output: Arc::clone(&node.output),
            name: node.name.clone(),
            dead: ground.dead_letters(),
            outbox: Outbox::default(),
        })
    }

    /// Gives those of `rows` that are due; the others, and when the first of them is.
    fn give_due(&mut self, rows: &RecordBatch) -> Result<Option<(i64, RecordBatch)>, Failure> {
        let dues = self.dues(rows)?;
        let (mut first, mut waiting) = (i64::MAX, 0_usize);
        for due in dues.iter().filter(|due| **due > self.reached) {
            first = first.min(*due);
            waiting += 1;
        }
        if waiting == 0 {
            self.outbox.main(conform(rows, &self.output, None)?);
            return Ok(None);
        }
        if waiting == rows.num_rows() {
            return Ok(Some((first, rows.clone())));
        }
        let parts = [false, true].map(|wait| {
            let mask: BooleanArray = dues.iter().map(|due| Some((*due > self.reached) == wait)).collect();
            filter_record_batch(rows, &mask).map_err(|error| Failure::bug("rows that cannot be picked").because(&error))
        });
        let [given, left] = parts;
        self.outbox.main(conform(&given?, &self.output, None)?);
        Ok(Some((first, left?)))
    }

    /// The watermark at which each row is due.
    fn dues(&self, rows: &RecordBatch) -> Result<Vec<i64>, Failure> {
        let times = rows.column_by_name(columns::TIME);
        let times = times.and_then(|times| times.as_primitive_opt::<TimestampMillisecondType>());
        let times = times.ok_or_else(|| Failure::bug("rows without the time that the plan promises"))?;
        Ok(times
            .values()
            .iter()
            .map(|time| time.saturating_add(self.by_ms))
            .collect())
    }

    /// The rows that have a time; the others are dead letters.
    fn timed(&mut self, input: &RecordBatch) -> Result<RecordBatch, Failure> {
        let times = input.column_by_name(columns::TIME);
        let Some(nulls) = times
            .and_then(|times| times.logical_nulls())
            .filter(|nulls| nulls.null_count() > 0)
        else {
            return Ok(input.clone());
        };
        let bad = (0..input.num_rows()).filter(|row| nulls.is_null(*row));
        let bad = bad.map(|row| BadRecord {
            row,
            error: "has no event time, so nobody can say how long it waits".to_owned(),
        });
        self.outbox.dead(&self.dead, input, &bad.collect::<Vec<_>>())?;
        filter_record_batch(input, &BooleanArray::new(nulls.inner().clone(), None))
            .map_err(|error| Failure::bug("rows that cannot be picked").because(&error))
    }
}

impl Operator for ByTime {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let timed = self.timed(batch.records())?;
        let rows = conform(&timed, &self.kept, None)?;
        if let Some((due, left)) = self.give_due(&rows)? {
            self.held.push(&left, due, None)?;
        }
        // It cannot wait for less to wait: what gives rows is time, and that comes with the input.
        if self.held.is_too_much() {
            let mib = HELD_MAX >> 20;
            return Err(Failure::fail(format!(
                "more than {mib} MiB of rows wait in one subtask of `{}`",
                self.name
            ))
            .help("shorten the delay, leave out columns before it, or give the datastream more `parallelism`"));
        }
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        loop {
            if let Some(emitted) = self.outbox.take() {
                return Ok(Some(emitted));
            }
            match self.held.queue().get(self.seen).map(|ticket| ticket.due) {
                Some(due) if due <= self.reached => {
                    let rows = self.held.batch_at(self.seen)?;
                    match self.give_due(&rows)? {
                        Some((due, left)) => {
                            self.held.replace(self.seen, due, left)?;
                            self.seen += 1;
                        }
                        None => {
                            self.held.remove(self.seen)?;
                        }
                    }
                }
                Some(_) => self.seen += 1,
                None => return Ok(self.owed.take().map(Emitted::Watermark)),
            }
        }
    }

    fn advance(&mut self, watermark: Watermark) -> Result<(), Failure> {
        self.reached = self.reached.max(watermark.0);
        self.seen = 0;
        self.owed = Some(match watermark {
            Watermark::MAX => watermark,
            Watermark(time) => Watermark(time.saturating_sub(self.by_ms)),
        });
        Ok(())
    }

    /// Rows that wait for time wait on: as the open windows of an aggregate, they hold nobody up.
    fn idle(&mut self) -> Result<(), Failure> {
        self.outbox.emit(Emitted::Idle);
        Ok(())
    }

    fn holds_time(&self) -> bool {
        true
    }

    fn freeze(&mut self, cut: &mut Cut) -> Result<(), Failure> {
        self.held
            .freeze(cut, Some(self.reached).filter(|reached| *reached > i64::MIN))
    }
}
