//! What a subtask says of itself while it runs: counts, and what it waits for. Written by its thread, read by anybody.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow::array::RecordBatch;
use dataflow::contract::BadRecord;
use dataflow::element::Watermark;
use dataflow::id::{EdgeId, Generation};
use dataflow::tally::Tallies;
use dataflow::time::Instant;
use parking_lot::Mutex;

use crate::channel::{Fill, Intake};
use crate::checkpoint::Counts;
use crate::meter::{Book, Told};
use crate::tap::Valve;

/// So many dead letters of a node are kept as text, for a person to look at.
const SAMPLES_MAX: usize = 5;

/// A number that only grows. One thread writes; readers see it a little late.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// Adds.
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Adds a size or a number of rows.
    pub(crate) fn add_size(&self, count: usize) {
        self.add(count as u64);
    }

    /// Replaces what was counted elsewhere.
    pub(crate) fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    /// The number.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Event time, as far as it has come. One thread writes.
#[derive(Debug)]
pub(crate) struct Reached(AtomicI64);

impl Default for Reached {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Reached {
    /// It has come to here.
    pub(crate) fn set(&self, watermark: Watermark) {
        self.0.store(watermark.0, Ordering::Relaxed);
    }

    /// It has come to here at least.
    pub(crate) fn raise(&self, watermark: Watermark) {
        self.0.fetch_max(watermark.0, Ordering::Relaxed);
    }

    /// How far it has come, if anything was said of it.
    pub(crate) fn get(&self) -> Option<Watermark> {
        Some(Watermark(self.0.load(Ordering::Relaxed))).filter(|watermark| watermark.0 > i64::MIN)
    }
}

/// What a subtask waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Rows, or barriers on its other channels, as the gate says it: `input`, `alignment of chk-1.1.7 for …`.
    Input(String),
    /// Credit, as the output says it: `credit of edge-1 to sub-2.0`.
    Credit(String),
    /// Room in the queue of a sink, by its step.
    Sink(Arc<str>),
    /// Room for what has changed in the state of a step, while earlier changes are written.
    State(Arc<str>),
    /// The time at which a step gives rows that it holds back, by its name.
    Held(Arc<str>),
    /// A slower subtask of the same source, by its id: this one is `maxDrift` ahead of it.
    Drift(String),
    /// The sinks' repeated commits.
    Restore,
    /// The record that ends the job.
    LastRecord,
}

impl Wait {
    /// As the heartbeat says it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Input(name) | Self::Credit(name) => name.clone(),
            Self::Sink(step) => format!("sink {step}"),
            Self::State(step) => format!("state of {step}"),
            Self::Held(step) => format!("rows held back by {step}"),
            Self::Drift(slowest) => format!("event time of {slowest}, by maxDrift"),
            Self::Restore => "restored commits".to_owned(),
            Self::LastRecord => "last record".to_owned(),
        }
    }

    /// Whether its input is held up: that is nobody's idleness.
    pub(crate) fn is_backpressure(&self) -> bool {
        self.is_elsewhere() || matches!(self, Self::Held(_) | Self::Drift(_))
    }

    /// Whether others hold it up, and not the time.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Credit(_) | Self::Sink(_) | Self::State(_))
    }
}

/// The counts of one attempt of one subtask.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    /// Rows that entered the chain.
    pub(crate) records_in: Count,
    /// Rows that left it, by edges and to sinks.
    pub(crate) records_out: Count,
    /// Bytes of rows that entered.
    pub(crate) bytes_in: Count,
    /// Bytes of rows that left.
    pub(crate) bytes_out: Count,
    /// Bytes its reader has read of the world.
    pub(crate) source_bytes_read: Count,
    /// Time at work, in microseconds.
    pub(crate) busy_us: Count,
    /// Time held up by others, in microseconds.
    pub(crate) backpressured_us: Count,
    /// Time without anything to do, in microseconds.
    pub(crate) idle_us: Count,
    waiting: Mutex<Option<(Wait, Instant)>>,
    surroundings: OnceLock<Vec<Arc<Intake>>>,
    /// One for each node of the chain.
    pub(crate) nodes: Vec<Arc<NodeGauges>>,
    /// One for each edge by which it sends.
    pub(crate) edges: Vec<Arc<EdgeGauges>>,
    /// Who was told all tallies last, and how often others were told since what had changed.
    told: Mutex<(Generation, u32)>,
}

/// So often a heartbeat says of tallies only what has changed, before one says everything: who was too busy to hear one of
/// them is not wrong for long.
const CHANGES_TOLD: u32 = 15;

impl Gauges {
    /// What was counted so far, for a snapshot.
    pub(crate) fn counts(&self) -> Counts {
        let step = |node: &Arc<NodeGauges>| (node.step.clone(), (node.records_in.get(), node.records_out.get()));
        Counts {
            bytes_read: self.source_bytes_read.get(),
            dead_letters: self.dead(),
            steps: self.nodes.iter().map(step).collect(),
            tallies: self.tallies(),
        }
    }

    /// What became of the rows of each step, where any came.
    fn tallies(&self) -> Tallies {
        let tallies = self.nodes.iter().map(|node| (node.step.clone(), node.book.tally()));
        tallies.filter(|(_, tally)| !tally.is_empty()).collect()
    }

    /// Gauges of a chain with these steps.
    pub(crate) fn new(steps: impl Iterator<Item = String>) -> Self {
        let nodes = steps.map(|step| Arc::new(NodeGauges::new(step))).collect();
        Self {
            nodes,
            ..Self::default()
        }
    }

    /// The same with these edges.
    pub(crate) fn sending_by(self, edges: impl Iterator<Item = EdgeId>) -> Self {
        let edges = edges.map(|edge| Arc::new(EdgeGauges::new(edge))).collect();
        Self { edges, ..self }
    }

    /// What whoever leads now is to be told of tallies.
    pub(crate) fn to_be_told(&self, leader: Generation) -> Told {
        let mut told = self.told.lock();
        let (to, since) = *told;
        let everything = to != leader || since >= CHANGES_TOLD;
        *told = (leader, if everything { 0 } else { since + 1 });
        match everything {
            true => Told::Everything,
            false => Told::Changes,
        }
    }

    /// Notes what the thread waits for from `now` on. The same wait as before goes on.
    pub(crate) fn wait(&self, wait: &Wait, now: Instant) {
        let mut waiting = self.waiting.lock();
        if waiting.as_ref().is_none_or(|(other, _)| other != wait) {
            *waiting = Some((wait.clone(), now));
        }
    }

    /// Notes that the thread works again, and what it has spent on the wait: one moment for whoever looks.
    pub(crate) fn wake(&self, wait: &Wait, time: Duration) {
        let mut waiting = self.waiting.lock();
        self.spend(Some(wait), time);
        *waiting = None;
    }

    /// Time at work, held up and without anything to do, in microseconds, up to now: a wait that lasts counts while it does.
    pub(crate) fn spent(&self, now: Instant) -> [u64; 3] {
        let waiting = self.waiting.lock();
        let [busy, mut held_up, mut idle] = [&self.busy_us, &self.backpressured_us, &self.idle_us].map(Count::get);
        if let Some((wait, since)) = waiting.as_ref() {
            let lasts = u64::try_from(now.since(*since).as_micros()).unwrap_or(u64::MAX);
            match wait.is_backpressure() {
                true => held_up = held_up.saturating_add(lasts),
                false => idle = idle.saturating_add(lasts),
            }
        }
        [busy, held_up, idle]
    }

    /// What it waits for, and for how long.
    pub(crate) fn waiting(&self, now: Instant) -> Option<(String, Duration)> {
        self.waiting
            .lock()
            .as_ref()
            .map(|(wait, since)| (wait.name(), now.since(*since)))
    }

    /// The channels that it takes from. Once, when it is built.
    pub(crate) fn surround(&self, channels: Vec<Arc<Intake>>) {
        // Built once.
        let _ = self.surroundings.set(channels);
    }

    /// How full its channels are; none where it has none.
    pub(crate) fn fill(&self) -> Option<Fill> {
        let channels = self.surroundings.get()?;
        let all = channels.iter().map(|channel| channel.fill());
        all.reduce(|sum, one| Fill {
            queued: sum.queued + one.queued,
            backlog: sum.backlog + one.backlog,
            credit: sum.credit + one.credit,
        })
    }

    /// Adds time spent.
    pub(crate) fn spend(&self, wait: Option<&Wait>, time: Duration) {
        let count = match wait {
            None => &self.busy_us,
            Some(wait) if wait.is_backpressure() => &self.backpressured_us,
            Some(_) => &self.idle_us,
        };
        count.add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Dead letters of all nodes.
    pub(crate) fn dead(&self) -> u64 {
        self.nodes.iter().map(|node| node.dead.get()).sum()
    }
}

/// What is sent by one edge.
#[derive(Debug)]
pub(crate) struct EdgeGauges {
    /// Which.
    pub(crate) edge: EdgeId,
    /// Rows that were handed to it.
    pub(crate) rows: Count,
    /// Their bytes.
    pub(crate) bytes: Count,
    /// Bytes of rows that wait for company or for credit.
    pub(crate) backlog_bytes: Count,
}

impl EdgeGauges {
    fn new(edge: EdgeId) -> Self {
        Self {
            edge,
            rows: Count::default(),
            bytes: Count::default(),
            backlog_bytes: Count::default(),
        }
    }
}

/// The counts of one node.
#[derive(Debug, Default)]
pub(crate) struct NodeGauges {
    /// The step's name.
    pub(crate) step: String,
    /// Rows that reached it.
    pub(crate) records_in: Count,
    /// Rows that left it.
    pub(crate) records_out: Count,
    /// Rows it left out on purpose: a filter, a sample.
    pub(crate) dropped: Count,
    /// Rows that came after their time.
    pub(crate) late: Count,
    /// Rows that the first half of an aggregate passed on as they were, because folding them had not spared anything.
    pub(crate) unfolded: Count,
    /// Rows it could not take.
    pub(crate) dead: Count,
    /// Changes of keys that are another subtask's: rows of one key were at two places.
    pub(crate) strangers: Count,
    /// How far event time has come here.
    pub(crate) watermark: Reached,
    /// What became of its rows, by the minute of their time, and how old they were.
    pub(crate) book: Book,
    /// Where people look at its rows.
    pub(crate) valve: Valve,
    samples: Mutex<Vec<String>>,
}

impl NodeGauges {
    /// Of this step.
    pub(crate) fn new(step: String) -> Self {
        Self {
            step,
            ..Self::default()
        }
    }

    /// The rows of `input` that are neither kept nor failed are left out on purpose.
    pub(crate) fn leave_out(&self, input: &RecordBatch, kept: &RecordBatch, failed: &[BadRecord]) {
        let rows = input.num_rows() - kept.num_rows() - failed.len();
        if rows > 0 {
            self.dropped.add_size(rows);
            self.book.leave_out(rows as u64, input, kept, failed);
        }
    }

    /// Keeps the text of one of the first dead letters; `false` when there are enough.
    pub(crate) fn sample(&self, text: impl FnOnce() -> String) -> Option<String> {
        let mut samples = self.samples.lock();
        if samples.len() >= SAMPLES_MAX {
            return None;
        }
        let text = text();
        samples.push(text.clone());
        Some(text)
    }

    /// The first dead letters, as a person reads them.
    pub(crate) fn samples(&self) -> Vec<String> {
        self.samples.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_keeps_its_beginning_until_another_one_begins() {
        let gauges = Gauges::new(std::iter::empty());
        let start = Instant::from_start(Duration::from_secs(10));
        gauges.wait(&Wait::Input("input".to_owned()), start);
        gauges.wait(&Wait::Input("input".to_owned()), start + Duration::from_secs(2));
        let later = start + Duration::from_secs(3);
        assert_eq!(
            gauges.waiting(later),
            Some(("input".to_owned(), Duration::from_secs(3)))
        );
        gauges.wait(&Wait::Sink("out".into()), later);
        assert_eq!(gauges.waiting(later), Some(("sink out".to_owned(), Duration::ZERO)));
        // Held up for two seconds, and nobody has woken it.
        let seconds = |count| Duration::from_secs(count);
        assert_eq!(gauges.spent(later + seconds(2)), [0, 2_000_000, 0]);
        gauges.wake(&Wait::Sink("out".into()), seconds(3));
        assert_eq!(gauges.waiting(later), None);
        assert_eq!(gauges.spent(later + seconds(9)), [0, 3_000_000, 0]);
    }

    #[test]
    fn time_is_busy_held_up_or_idle_and_never_two_of_them() {
        let gauges = Gauges::new(std::iter::empty());
        gauges.spend(None, Duration::from_micros(3));
        gauges.spend(
            Some(&Wait::Credit("credit of edge-0 to sub-1.0".into())),
            Duration::from_micros(5),
        );
        gauges.spend(Some(&Wait::LastRecord), Duration::from_micros(7));
        assert_eq!(
            (
                gauges.busy_us.get(),
                gauges.backpressured_us.get(),
                gauges.idle_us.get()
            ),
            (3, 5, 7)
        );
    }

    #[test]
    fn only_the_first_dead_letters_are_kept_as_text() {
        let node = NodeGauges::default();
        let kept = (0..20)
            .filter(|number| node.sample(|| number.to_string()).is_some())
            .count();
        assert_eq!(kept, SAMPLES_MAX);
        assert_eq!(node.samples(), ["0", "1", "2", "3", "4"]);
    }
}
