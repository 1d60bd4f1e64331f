//! Every metric of a task manager, declared once, with its unit and labels; rendered in Prometheus' text format.
//!
//! Labels are few: `job` and `vertex` (the names of its steps), and `step` where nodes differ. Counters count over
//! attempts: what a subtask has counted when it leaves is kept.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::deploy::Handle;
use crate::service::{Tasks, resident_bytes};
use crate::task::gauges::{Gauges, NodeGauges};

/// So many vertices of jobs that have left are remembered; the oldest names in the alphabet go first beyond that.
const RETIRED_MAX: usize = 10_000;

type Labels<'a> = Vec<(&'static str, &'a str)>;

/// A counter of a subtask: name, help, and how it is read.
struct OfSubtask(&'static str, &'static str, fn(&Gauges) -> f64);

/// A counter of a node.
struct OfNode(&'static str, &'static str, fn(&NodeGauges) -> u64);

#[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
fn float(count: u64) -> f64 {
    count as f64
}

fn seconds(micros: u64) -> f64 {
    float(micros) / 1e6
}

/// Counters by job and vertex. Their names end in `_total`.
const OF_SUBTASKS: [OfSubtask; 9] = [
    OfSubtask("weir_records_in", "Rows that entered the chain", |gauges| {
        float(gauges.records_in.get())
    }),
    OfSubtask("weir_records_out", "Rows that left the chain", |gauges| {
        float(gauges.records_out.get())
    }),
    OfSubtask("weir_bytes_in", "Bytes of rows that entered the chain", |gauges| {
        float(gauges.bytes_in.get())
    }),
    OfSubtask("weir_bytes_out", "Bytes of rows that left the chain", |gauges| {
        float(gauges.bytes_out.get())
    }),
    OfSubtask(
        "weir_source_read_bytes",
        "Bytes that readers have read of the world",
        |gauges| float(gauges.source_bytes_read.get()),
    ),
    OfSubtask("weir_dead_letters", "Rows that no step could take", |gauges| {
        float(gauges.dead())
    }),
    OfSubtask("weir_busy_seconds", "Time at work", |gauges| {
        seconds(gauges.busy_us.get())
    }),
    OfSubtask("weir_backpressured_seconds", "Time held up by others", |gauges| {
        seconds(gauges.backpressured_us.get())
    }),
    OfSubtask("weir_idle_seconds", "Time without anything to do", |gauges| {
        seconds(gauges.idle_us.get())
    }),
];

/// Counters by job, vertex and step.
const OF_NODES: [OfNode; 7] = [
    OfNode("weir_step_records_in", "Rows that reached a step", |node| {
        node.records_in.get()
    }),
    OfNode("weir_step_records_out", "Rows that left a step", |node| {
        node.records_out.get()
    }),
    OfNode("weir_step_dropped", "Rows that a step left out on purpose", |node| {
        node.dropped.get()
    }),
    OfNode("weir_late_records", "Rows that came after their time", |node| {
        node.late.get()
    }),
    OfNode(
        "weir_step_unfolded_records",
        "Rows that the first half of an aggregate passed on as they were",
        |node| node.unfolded.get(),
    ),
    OfNode("weir_step_dead_letters", "Rows that a step could not take", |node| {
        node.dead.get()
    }),
    OfNode(
        "weir_step_strangers",
        "Changes of keys that another subtask has; must be 0",
        |node| node.strangers.get(),
    ),
];

type Vertex = (String, String);
type Step = (String, String, String);

/// What subtasks that have left have counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retired {
    subtasks: BTreeMap<Vertex, [f64; OF_SUBTASKS.len()]>,
    nodes: BTreeMap<Step, [u64; OF_NODES.len()]>,
}

impl Retired {
    /// Keeps what a subtask has counted.
    pub(crate) fn add(&mut self, handle: &Handle) {
        let (job, vertex) = (&handle.identity.job.name, &handle.name);
        let sums = self.subtasks.entry((job.clone(), vertex.clone())).or_default();
        for (sum, metric) in sums.iter_mut().zip(&OF_SUBTASKS) {
            *sum += metric.2(&handle.gauges);
        }
        for node in &handle.gauges.nodes {
            let sums = self
                .nodes
                .entry((job.clone(), vertex.clone(), node.step.clone()))
                .or_default();
            for (sum, metric) in sums.iter_mut().zip(&OF_NODES) {
                *sum += metric.2(node);
            }
        }
        while self.subtasks.len() > RETIRED_MAX {
            self.subtasks.pop_first();
        }
        while self.nodes.len() > RETIRED_MAX {
            self.nodes.pop_first();
        }
    }
}

/// The page that `/metrics` serves.
pub(crate) struct Page {
    registry: Registry,
}

impl Page {
    /// Of these subtasks.
    pub(crate) fn new(tasks: Arc<Mutex<Tasks>>) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Source(tasks)));
        Self { registry }
    }

    /// The page as it is now.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string cannot fail");
        text
    }
}

/// How far event time has come, by job, vertex and step: in the subtask here that is furthest back.
fn watermarks(tasks: &Tasks, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let mut lowest: BTreeMap<Step, i64> = BTreeMap::new();
    for running in tasks.running() {
        let handle = &running.handle;
        for node in &handle.gauges.nodes {
            let Some(watermark) = node.watermark.get() else {
                continue;
            };
            let place = (handle.identity.job.name.clone(), handle.name.clone(), node.step.clone());
            let known = lowest.entry(place).or_insert(watermark.0);
            *known = (*known).min(watermark.0);
        }
    }
    let help = "How far event time has come, in seconds since 1970 UTC";
    let mut metric = encoder.encode_descriptor("weir_watermark_seconds", help, None, MetricType::Gauge)?;
    for ((job, vertex, step), watermark) in &lowest {
        let labels: Labels<'_> = vec![("job", job), ("vertex", vertex), ("step", step)];
        #[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
        let seconds = *watermark as f64 / 1e3;
        metric.encode_family(&labels)?.encode_gauge(&seconds)?;
    }
    Ok(())
}

/// Memory that state holds, by who holds it.
fn state_memory(tasks: &Tasks, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let help = "Memory of keyed state: of tables, and of the cache of what they spilled to disk";
    let mut metric = encoder.encode_descriptor("weir_state_memory_bytes", help, None, MetricType::Gauge)?;
    for (user, bytes) in tasks.state_memory() {
        let labels: Labels<'_> = vec![("user", user)];
        metric
            .encode_family(&labels)?
            .encode_gauge(&i64::try_from(bytes).unwrap_or(i64::MAX))?;
    }
    Ok(())
}

struct Source(Arc<Mutex<Tasks>>);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl Collector for Source {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let tasks = self.0.lock();
        // Those that have left and those that run, in one sum: a restart does not turn a counter back.
        let mut all = tasks.retired().clone();
        tasks.running().for_each(|running| all.add(&running.handle));
        for (index, OfSubtask(name, help, _)) in OF_SUBTASKS.iter().enumerate() {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for ((job, vertex), sums) in &all.subtasks {
                let labels: Labels<'_> = vec![("job", job), ("vertex", vertex)];
                metric
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(&sums[index], None)?;
            }
        }
        for (index, OfNode(name, help, _)) in OF_NODES.iter().enumerate() {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for ((job, vertex, step), sums) in &all.nodes {
                let labels: Labels<'_> = vec![("job", job), ("vertex", vertex), ("step", step)];
                metric
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(&sums[index], None)?;
            }
        }
        watermarks(&tasks, &mut encoder)?;
        state_memory(&tasks, &mut encoder)?;
        encoder
            .encode_descriptor(
                "weir_control_messages_dropped",
                "Messages whose fence matched nothing",
                None,
                MetricType::Counter,
            )?
            .encode_counter::<NoLabelSet, _, u64>(&tasks.dropped(), None)?;
        encoder
            .encode_descriptor("weir_subtasks", "Subtasks that run here", None, MetricType::Gauge)?
            .encode_gauge(&tasks.running().count())?;
        encoder
            .encode_descriptor(
                "weir_resident_memory_bytes",
                "Memory of this process that is really there",
                None,
                MetricType::Gauge,
            )?
            .encode_gauge(&resident_bytes())
    }
}
