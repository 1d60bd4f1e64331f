//! What is measured: one list of metrics, and the pages of samples that are made of it.
//!
//! Enters: what a process counts, sample by sample. Leaves: Prometheus' text form, or the samples themselves for whoever
//! pushes them elsewhere. Who calls: job manager and task manager, once for each look. Must stay true: a metric that is not
//! on the list cannot be shown; a vertex has at most [`PER_VERTEX`] series over both processes, a page at most as many as its
//! bounds say, and what is left out is counted. Not here: who counts what.
//!
//! Labels are few. `datastream` and not `job`, which Prometheus gives to every target itself; `vertex` by the names of its
//! steps; `step`; `subtask` only where somebody asks for it.

mod histogram;
mod list;
mod page;
pub mod process;

pub use histogram::{Buckets, Histogram};
pub use list::*;
pub use page::{Bounds, Page, Sample, Value};

/// How much of all of it a person wants to see of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Whether subtasks have series of their own.
    pub subtasks: Subtasks,
    /// Series of a page.
    pub series: usize,
}

/// How subtasks are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subtasks {
    /// As sums of their vertex, and its extremes.
    #[default]
    Summed,
    /// Each by itself as well.
    Each,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            subtasks: Subtasks::default(),
            series: SERIES_MAX,
        }
    }
}

/// Series of a page, unless somebody says otherwise.
pub const SERIES_MAX: usize = 20_000;
/// Series of one vertex, over job manager and task manager.
pub const PER_VERTEX: usize = 50;
/// Of these, those of the job manager, which alone sees all subtasks.
pub const PER_VERTEX_OF_JOBMANAGER: usize = 9;
/// The rest are a task manager's.
pub const PER_VERTEX_OF_TASKMANAGER: usize = PER_VERTEX - PER_VERTEX_OF_JOBMANAGER;

/// One metric: everything there is to know of it but its values.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// As Prometheus names it: in base units, with `_total` where it only grows.
    pub name: &'static str,
    /// How its values behave.
    pub kind: Kind,
    /// What its series are of.
    pub of: Of,
    /// The labels beside those of [`Of`].
    pub labels: &'static [&'static str],
    /// Who shows it.
    pub by: By,
    /// What it is, in a sentence.
    pub help: &'static str,
}

/// How the values of a metric behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows; back to 0 with the process.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

impl Kind {
    /// As Prometheus names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What a series is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    /// The process that shows it.
    Process,
    /// The cluster.
    Cluster,
    /// A datastream.
    Datastream,
    /// A vertex of one.
    Vertex,
    /// A step of a vertex.
    Step,
    /// A subtask; shown only where somebody asks for it.
    Subtask,
}

impl Of {
    /// The labels that say which one.
    #[must_use]
    pub fn labels(self) -> &'static [&'static str] {
        match self {
            Self::Process | Self::Cluster => &[],
            Self::Datastream => &["datastream"],
            Self::Vertex => &["datastream", "vertex"],
            Self::Step => &["datastream", "vertex", "step"],
            Self::Subtask => &["datastream", "vertex", "subtask"],
        }
    }
}

/// Who shows a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The job manager.
    Jobmanager,
    /// A task manager.
    Taskmanager,
    /// Both.
    Both,
}

impl Metric {
    /// All labels, in the order in which values are given.
    pub fn label_names(&self) -> impl Iterator<Item = &'static str> {
        self.of.labels().iter().chain(self.labels).copied()
    }
}

#[cfg(test)]
mod tests;
