//! What subtasks have counted, summed by vertex: those that run, and those that have left.

use std::collections::BTreeMap;

use dataflow::metric::{
    BACKPRESSURED, BUSY, BYTES_IN, BYTES_OUT, DEAD, DROPPED, IDLE, LATE, Metric, RECORDS_IN, RECORDS_OUT, SOURCE_READ,
    STEP_DEAD, STEP_DROPPED, STEP_IN, STEP_LATE, STEP_OUT, STEP_UNFOLDED, STRANGERS,
};
use dataflow::time::Instant;

use crate::channel::Fill;
use crate::deploy::Handle;
use crate::service::Tasks;
use crate::task::gauges::{Gauges, NodeGauges};

/// So many vertices of which nothing runs here any more are remembered; those that left first go first beyond that.
const RETIRED_MAX: usize = 500;

/// A datastream, and a vertex of it.
pub(super) type Vertex = (String, String);

/// The moment of a look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) steady: Instant,
    pub(super) wall_ms: i64,
}

/// A count of a subtask, and how it is read: the last argument is its time at work, held up and idle, in microseconds.
type OfSubtask = (&'static Metric, fn(&Gauges, [u64; 3]) -> f64);
/// A count of a node, and how it is read.
type OfNode = (&'static Metric, fn(&NodeGauges) -> u64);

const OF_SUBTASKS: [OfSubtask; 12] = [
    (RECORDS_IN, |gauges, _| float(gauges.records_in.get())),
    (RECORDS_OUT, |gauges, _| float(gauges.records_out.get())),
    (BYTES_IN, |gauges, _| float(gauges.bytes_in.get())),
    (BYTES_OUT, |gauges, _| float(gauges.bytes_out.get())),
    (BUSY, |_, [busy, _, _]| seconds(busy)),
    (BACKPRESSURED, |_, [_, held_up, _]| seconds(held_up)),
    (IDLE, |_, [_, _, idle]| seconds(idle)),
    (DEAD, |gauges, _| float(gauges.dead())),
    (LATE, |gauges, _| sum(gauges, |node| node.late.get())),
    (DROPPED, |gauges, _| sum(gauges, |node| node.dropped.get())),
    (STRANGERS, |gauges, _| sum(gauges, |node| node.strangers.get())),
    (SOURCE_READ, |gauges, _| float(gauges.source_bytes_read.get())),
];

/// In this order: what every step has, then what few have.
pub(super) const OF_NODES: [OfNode; 6] = [
    (STEP_IN, |node| node.records_in.get()),
    (STEP_OUT, |node| node.records_out.get()),
    (STEP_DROPPED, |node| node.dropped.get()),
    (STEP_LATE, |node| node.late.get()),
    (STEP_DEAD, |node| node.dead.get()),
    (STEP_UNFOLDED, |node| node.unfolded.get()),
];

#[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
fn float(count: u64) -> f64 {
    count as f64
}

pub(super) fn seconds(micros: u64) -> f64 {
    float(micros) / 1e6
}

fn sum(gauges: &Gauges, count: fn(&NodeGauges) -> u64) -> f64 {
    float(gauges.nodes.iter().map(|node| count(node)).sum())
}

/// What all subtasks of a vertex have counted here.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    sums: [f64; OF_SUBTASKS.len()],
    /// In the order of the chain.
    pub(super) steps: Vec<Step>,
    /// Those that run.
    pub(super) subtasks: u64,
    /// Since the lowest watermark, in seconds.
    pub(super) lag: Option<f64>,
    pub(super) fill: Option<Fill>,
    /// When the last one left, among all that did.
    left: u64,
}

/// What one step has counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) sums: [u64; OF_NODES.len()],
    /// How far event time has come in the subtask that is furthest back, in milliseconds since 1970.
    pub(super) watermark_ms: Option<i64>,
}

impl Step {
    /// Adds another of the same name, or one that is to be shown with it.
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, count) in self.sums.iter_mut().zip(other.sums) {
            *sum += count;
        }
        self.watermark_ms = lower(self.watermark_ms, other.watermark_ms);
    }
}

/// The lower one of those that are known.
fn lower(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

impl Counts {
    fn add(&mut self, gauges: &Gauges, spent: [u64; 3]) {
        for (sum, (_, read)) in self.sums.iter_mut().zip(&OF_SUBTASKS) {
            *sum += read(gauges, spent);
        }
        for node in &gauges.nodes {
            let own = Step {
                name: node.step.clone(),
                sums: OF_NODES.map(|(_, read)| read(node)),
                watermark_ms: None,
            };
            match self.steps.iter_mut().find(|step| step.name == own.name) {
                Some(step) => step.add(&own),
                None => self.steps.push(own),
            }
        }
    }

    fn add_running(&mut self, gauges: &Gauges, now: Now) {
        self.add(gauges, gauges.spent(now.steady));
        self.subtasks += 1;
        self.fill = match (self.fill, gauges.fill()) {
            (Some(sum), Some(one)) => Some(Fill {
                queued: sum.queued + one.queued,
                backlog: sum.backlog + one.backlog,
                credit: sum.credit + one.credit,
            }),
            (one, other) => one.or(other),
        };
        for node in &gauges.nodes {
            // The end of all input is no time that anybody knows.
            let reached = node.watermark.get().map(|watermark| watermark.0);
            let reached = reached.filter(|time| *time < i64::MAX);
            if let Some(step) = self.steps.iter_mut().find(|step| step.name == node.step) {
                step.watermark_ms = lower(step.watermark_ms, reached);
            }
        }
        let lowest = self.steps.iter().filter_map(|step| step.watermark_ms).min();
        #[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
        let lag = |time| now.wall_ms.saturating_sub(time) as f64 / 1e3;
        self.lag = lowest.map(lag);
    }

    /// Every count of the vertex; what only readers have, where there is any.
    pub(super) fn each(&self, mut show: impl FnMut(&'static Metric, f64)) {
        for (sum, (metric, _)) in self.sums.iter().zip(&OF_SUBTASKS) {
            if *metric != SOURCE_READ || *sum > 0.0 {
                show(metric, *sum);
            }
        }
    }
}

/// What subtasks that have left have counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retired {
    vertices: BTreeMap<Vertex, Counts>,
    left: u64,
}

impl Retired {
    /// Keeps what a subtask has counted.
    pub(crate) fn add(&mut self, handle: &Handle) {
        let gauges = &handle.gauges;
        let spent = [&gauges.busy_us, &gauges.backpressured_us, &gauges.idle_us].map(|count| count.get());
        self.left += 1;
        let counts = self.vertices.entry(vertex(handle)).or_default();
        counts.add(gauges, spent);
        counts.left = self.left;
        if self.vertices.len() > RETIRED_MAX {
            let first = self.vertices.iter().min_by_key(|(_, counts)| counts.left);
            if let Some(first) = first.map(|(vertex, _)| vertex.clone()) {
                self.vertices.remove(&first);
            }
        }
    }
}

fn vertex(handle: &Handle) -> Vertex {
    (handle.identity.job.name.clone(), handle.name.clone())
}

/// Everything, by vertex.
pub(super) struct Counted(BTreeMap<Vertex, Counts>);

impl Counted {
    /// Those that have left and those that run, in one sum: a restart does not turn a counter back.
    pub(super) fn look(tasks: &Tasks, now: Now) -> Self {
        let mut vertices = tasks.retired().vertices.clone();
        for running in tasks.running() {
            let counts = vertices.entry(vertex(&running.handle)).or_default();
            counts.add_running(&running.handle.gauges, now);
        }
        Self(vertices)
    }

    /// Those of which something runs, then the others.
    pub(super) fn vertices(&self) -> impl Iterator<Item = (&Vertex, &Counts)> {
        let runs = |(_, counts): &(&Vertex, &Counts)| counts.subtasks > 0;
        let others = self.0.iter().filter(move |one| !runs(one));
        self.0.iter().filter(runs).chain(others)
    }
}

#[cfg(test)]
mod tests;
