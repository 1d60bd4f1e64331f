//! What comes alive from each recipe: one file per operator, and the one match that picks it.
//!
//! Enters: one batch, by `push`, or the time, by `advance` (event time) and `tick` (the clock's). Leaves: batches, one for
//! each `pull`, until there are none; so an operator that makes many rows of one never holds up a barrier. At a barrier
//! `freeze` gives what has changed. Who calls: the chain's driver. Must stay true: an operator neither waits, spawns,
//! sleeps nor reads a clock, and knows nothing of its neighbours. Not here: where rows go, and that watermarks go on
//! behind the rows they made (chain); where state goes (state).

mod source;
mod decode;
mod event_time;
mod filter;
mod select;
mod drop;
mod unnest;
mod sample;
mod late;
mod dedup;
mod aggregate;
mod row;
mod held;
mod top_n;
mod delay;
mod rate_limit;
mod sink;
#[cfg(test)]
mod tests;

pub(crate) use sink::{encoder, rows as sink_rows};
pub(crate) use source::{Event, Outlook, Source};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow_schema::SchemaRef;
use dataflow::contract::BadRecord;
use dataflow::element::{Batch, Watermark, columns};
use dataflow::recipe::{Excess, Node, Phase, Port, Recipe};
use dataflow::time::{Instant, WallTime};
use dataflow::{Failure, Registry};

use crate::chain::dead::{DeadLetters, Origin};
use crate::meter::Carries;
use crate::state::{Cut, KeyGroups, Restored, Spill};
use crate::task::gauges::NodeGauges;
use crate::writer::Writer;

/// One step at work.
pub(crate) trait Operator: Send {
    /// Takes one batch. Called only when `pull` has given everything of what came before.
    fn push(&mut self, batch: Batch) -> Result<(), Failure>;

    /// The next part of its output, if there is one.
    fn pull(&mut self) -> Result<Option<Emitted>, Failure>;

    /// Event time has come to here: what fires by it comes by `pull`. The driver sends the watermark on behind that, unless
    /// it [`holds_time`](Operator::holds_time). Never falls; the last one, at the end of all input, is [`Watermark::MAX`].
    fn advance(&mut self, watermark: Watermark) -> Result<(), Failure> {
        let _ = watermark;
        Ok(())
    }

    /// Its input has nothing to say about time until its next rows or watermark. The driver sends this on, too.
    fn idle(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether rows wait in it, so that it must say itself how far time has come in what it gives: it emits watermarks and
    /// idleness, and the driver sends none on.
    fn holds_time(&self) -> bool {
        false
    }

    /// Whether it takes more rows, after `pull` has given all it could.
    fn room(&self) -> Room {
        Room::Open
    }

    /// Whether it wants to know the time of the clock: then `tick` is called before each batch, and when `wake_at` is due.
    fn is_clocked(&self) -> bool {
        false
    }

    /// When `tick` is to be called though no batch comes.
    fn wake_at(&self) -> Option<Instant> {
        None
    }

    /// It is now this late. What is due comes by `pull`.
    fn tick(&mut self, now: Moment) -> Result<(), Failure> {
        let _ = now;
        Ok(())
    }

    /// Gives now what it holds back only to have more of it together: nothing else is waiting to come in, or a barrier is
    /// about to pass. Called when nothing is left to pull. Whether there is something to pull then.
    fn settle(&mut self) -> Result<bool, Failure> {
        Ok(false)
    }

    /// The splits of the chain's source have changed: said to every operator of a chain that begins with one.
    fn splits(&mut self, change: &SplitChange) {
        let _ = change;
    }

    /// Adds how far each split has come that is being read and is not idle, where it knows.
    fn reached(&self, splits: &mut BTreeMap<String, i64>) {
        let _ = splits;
    }

    /// Writes what has changed since the barrier before into the cut. Called at each barrier when nothing is left to pull, of
    /// operators whose recipe [`has_state`].
    fn freeze(&mut self, cut: &mut Cut) -> Result<(), Failure> {
        let _ = cut;
        Ok(())
    }
}

/// Whether an operator takes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Any.
    Open,
    /// Rows wait in it: nothing is to enter the chain. What is in the chain may still come, and barriers may pass: what waits
    /// is written by [`Operator::freeze`].
    Closed,
    /// Nothing, until it was told the time.
    Full,
}

/// What time it is: for time-outs, and for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// By the monotonic clock.
    pub(crate) instant: Instant,
    /// By the wall clock: the time of windows in processing time.
    pub(crate) wall: WallTime,
    /// How long the subtask was held up by others so far: that is nobody's idleness.
    pub(crate) held_up: Duration,
}

/// What happened to the splits of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SplitChange {
    /// They were given to this subtask, by their ids.
    Assigned(Vec<String>),
    /// It was read to its end.
    Finished(String),
    /// These are not read, and no others: they are too far ahead.
    Held(BTreeSet<String>),
}

/// What leaves an operator.
#[derive(Debug)]
pub(crate) enum Emitted {
    /// Rows, by one of its outputs.
    Rows(Port, Batch),
    /// Time has come to here in what it has given; only of an operator that knows the splits, or that holds rows back.
    Watermark(Watermark),
    /// Nobody is to wait for it until its next rows or watermark; only of such an operator.
    Idle,
}

/// What an operator is built with.
pub(crate) struct Ground<'a> {
    /// Connectors and formats.
    pub(crate) registry: &'a Registry,
    /// Whose dead letters these are.
    pub(crate) origin: &'a Origin,
    /// The counts of this node.
    pub(crate) gauges: &'a Arc<NodeGauges>,
    /// The asynchronous half, for a sink.
    pub(crate) writer: Option<&'a Writer>,
    /// Which keys are this subtask's.
    pub(crate) groups: KeyGroups,
    /// How long a small batch may wait for company.
    pub(crate) buffer_timeout: Duration,
    /// What this node goes on from.
    pub(crate) restored: &'a Restored,
    /// Where its tables may put what does not fit into memory: for those whose slots nobody keeps from batch to batch.
    pub(crate) spill: Option<&'a Spill>,
}

/// The operator of a node.
pub(crate) fn build(node: &Node, ground: &Ground<'_>) -> Result<Box<dyn Operator>, Failure> {
    Ok(match &node.recipe {
        Recipe::Source(_) => Box::new(source::Passing::default()),
        Recipe::Decode(recipe) => Box::new(decode::Decode::build(recipe, node, ground)?),
        Recipe::EventTime(recipe) => Box::new(event_time::EventTime::build(recipe, node, ground)?),
        Recipe::Filter(recipe) => Box::new(filter::Filter::build(recipe, node, ground)?),
        Recipe::Select(recipe) => Box::new(select::Select::build(recipe, node, ground)?),
        Recipe::Drop(recipe) => Box::new(drop::Drop::build(recipe, node, ground)?),
        Recipe::Unnest(recipe) => Box::new(unnest::Unnest::build(recipe, node, ground)?),
        Recipe::Sample(recipe) => Box::new(sample::Sample::build(recipe, node, ground)?),
        Recipe::Sink(recipe) => Box::new(sink::Sink::build(recipe, node, ground)?),
        Recipe::Dedup(recipe) => Box::new(dedup::Dedup::build(recipe, node, ground)?),
        Recipe::Aggregate(recipe) => aggregate::build(recipe, node, ground)?,
        Recipe::TopN(recipe) => Box::new(top_n::TopN::build(recipe, node, ground)?),
        Recipe::Delay(recipe) => delay::build(recipe, node, ground)?,
        Recipe::RateLimit(recipe) => rate_limit::build(recipe, node, ground)?,
    })
}

/// Whether what comes alive from a recipe has state that outlives it.
pub(crate) fn has_state(recipe: &Recipe) -> bool {
    match recipe {
        Recipe::EventTime(_) | Recipe::Dedup(_) | Recipe::TopN(_) | Recipe::Delay(_) => true,
        Recipe::Aggregate(aggregate) => aggregate.phase != Phase::Partial,
        // Rows that wait for their turn. Tokens are not worth keeping: a restart begins with a full bucket.
        Recipe::RateLimit(limit) => limit.excess == Excess::Wait,
        Recipe::Source(_)
        | Recipe::Decode(_)
        | Recipe::Filter(_)
        | Recipe::Select(_)
        | Recipe::Drop(_)
        | Recipe::Unnest(_)
        | Recipe::Sample(_)
        | Recipe::Sink(_) => false,
    }
}

/// Whether each of its rows goes on, or is said to be left out.
pub(crate) fn carries(recipe: &Recipe) -> Carries {
    match recipe {
        Recipe::EventTime(_) => Carries::Retimed,
        _ if recipe.carries_row_by_row() => Carries::RowByRow,
        _ => Carries::Otherwise,
    }
}

/// Whether it has state of its own for each key.
pub(crate) fn has_tables(recipe: &Recipe) -> bool {
    has_state(recipe) && !matches!(recipe, Recipe::EventTime(_))
}

impl Ground<'_> {
    /// Writes this node's dead letters.
    fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.origin.clone(), Arc::clone(self.gauges))
    }
}

/// The output of an operator until it is pulled: a batch or two.
#[derive(Debug, Default)]
struct Outbox(VecDeque<Emitted>);

impl Outbox {
    /// Rows, unless there are none.
    fn main(&mut self, rows: RecordBatch) {
        if rows.num_rows() > 0 {
            self.0.push_back(Emitted::Rows(Port::Main, Batch::new(rows)));
        }
    }

    /// Rows that were weighed before.
    fn unchanged(&mut self, batch: Batch) {
        self.0.push_back(Emitted::Rows(Port::Main, batch));
    }

    /// Anything else.
    fn emit(&mut self, emitted: Emitted) {
        self.0.push_back(emitted);
    }

    /// The failed rows of `rows`.
    fn dead(&mut self, letters: &DeadLetters, rows: &RecordBatch, failed: &[BadRecord]) -> Result<(), Failure> {
        if !failed.is_empty() {
            self.0
                .push_back(Emitted::Rows(Port::Dead, letters.write(rows, failed)?));
        }
        Ok(())
    }

    fn take(&mut self) -> Option<Emitted> {
        self.0.pop_front()
    }
}

/// The index of a column that the plan promises. The first to give the bytes that rows came as takes them from the rows.
fn column(schema: &SchemaRef, name: &str) -> Result<usize, Failure> {
    if let (columns::ORIGIN, Some(original)) = (name, columns::original(schema)) {
        return Ok(original);
    }
    schema
        .index_of(name)
        .map_err(|error| Failure::bug(format!("no column `{name}` where the plan wants it")).because(&error))
}
