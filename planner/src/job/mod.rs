//! The job graph: what runs, fused into chains and joined by partitioned edges. The planner's result.
//!
//! Enters: a rewritten logical plan. Leaves: a [`JobGraph`], inert, with a stable text form. Who calls: the job
//! manager (to run it) and `weir plan` (to show it). Must stay true: same text and same catalog, same graph, byte for byte.

mod dealt;
mod lower;

pub(crate) use dealt::dealt;
pub use lower::{DEAD_LETTER, dead_letter_folder, lower};

use std::collections::BTreeMap;
use std::time::Duration;

use dataflow::Hidden;
use dataflow::id::{EdgeId, VertexId};
use dataflow::recipe::{Chain, Partition};
use serde::{Deserialize, Serialize};

/// A datastream as vertices and edges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobGraph {
    /// The datastream's name.
    pub name: String,
    /// Who is to be asked about it.
    pub contact: Option<String>,
    /// The chains; a vertex' id is its index.
    pub vertices: Vec<Vertex>,
    /// The edges between them; an edge's id is its index.
    pub edges: Vec<Edge>,
    /// What holds for the whole job.
    pub settings: Settings,
}

/// One chain of operators, run by `parallelism` subtasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vertex {
    /// Its index in [`JobGraph::vertices`].
    pub id: VertexId,
    /// The names of its steps, joined by ` -> `.
    pub name: String,
    /// How many subtasks.
    pub parallelism: u32,
    /// What each of them runs.
    pub chain: Chain,
}

/// A hand-over between the subtasks of two vertices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// Its index in [`JobGraph::edges`].
    pub id: EdgeId,
    /// Where it begins: a node's target in this vertex' chain names the edge.
    pub from: VertexId,
    /// Where it ends: node 0 of this vertex' chain.
    pub to: VertexId,
    /// Which row goes to which subtask.
    pub partition: Partition,
}

/// What holds for the whole job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How many key groups there are; fixed for the life of the job.
    pub max_parallelism: u32,
    /// Bytes of memory the job may use for what flows and waits, on each task manager; none for the task manager's own number.
    pub memory_bytes: Option<u64>,
    /// Time between checkpoints.
    pub checkpoint_interval: Duration,
    /// How long a checkpoint may take to be aligned before its barrier overtakes what flows; none for ever.
    #[serde(default = "aligned_timeout")]
    pub aligned_timeout: Option<Duration>,
    /// How long a batch may wait for company before it is sent.
    pub buffer_timeout: Duration,
    /// What happens after a failure.
    pub restart: Restart,
    /// When somebody is told that rows are missing.
    #[serde(default, skip_serializing_if = "LossAlarm::is_default")]
    pub loss_alarm: LossAlarm,
    /// What steps were called before, by their names now: `renamedFrom`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub renamed: BTreeMap<String, String>,
    /// What nobody is shown who looks at rows: `hidden`.
    #[serde(default, skip_serializing_if = "Hidden::is_empty")]
    pub hidden: Hidden,
}

/// When missing rows are worth an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LossAlarm {
    /// The share of a minute's rows, from 0 to 1, above which they are.
    pub above: f64,
    /// How long a minute must be over before.
    pub settle: Duration,
}

impl Default for LossAlarm {
    fn default() -> Self {
        Self {
            above: 0.01,
            settle: Duration::from_secs(60),
        }
    }
}

impl LossAlarm {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What happens after a failure that may pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Restart {
    /// The job stays failed.
    Never,
    /// The same delay each time, at most this many times in a row.
    Fixed {
        /// How many restarts in a row.
        attempts: u32,
        /// The delay before each.
        delay: Duration,
    },
    /// A delay that doubles, with jitter, and begins anew after a quiet time.
    Exponential {
        /// The first delay.
        first: Duration,
        /// The longest delay.
        longest: Duration,
        /// After this long without a failure the delay begins anew.
        quiet: Duration,
        /// How many restarts in a row before it gives up; none for never.
        attempts: Option<u32>,
    },
}

fn aligned_timeout() -> Option<Duration> {
    Some(Duration::from_secs(1))
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_parallelism: 1024,
            memory_bytes: None,
            checkpoint_interval: Duration::from_secs(1),
            aligned_timeout: aligned_timeout(),
            buffer_timeout: Duration::from_millis(5),
            restart: Restart::default(),
            loss_alarm: LossAlarm::default(),
            renamed: BTreeMap::new(),
            hidden: Hidden::default(),
        }
    }
}

impl Default for Restart {
    fn default() -> Self {
        Self::Exponential {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(60),
            quiet: Duration::from_secs(600),
            attempts: None,
        }
    }
}
