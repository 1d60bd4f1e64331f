//! The cluster: its leader and its task managers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LogLine, Subtask};

/// The cluster: its leader and its task managers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// The leader's term.
    pub term: u64,
    /// The state folder.
    pub state: String,
    /// What was built, the same in every process of the cluster.
    pub build: String,
    /// Its task managers, by name.
    pub task_managers: Vec<TaskManager>,
    /// All slots.
    pub slots: u32,
    /// Those that no job holds.
    pub slots_free: u32,
}

/// One task manager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskManager {
    /// Its name.
    pub name: String,
    /// Where other task managers reach it.
    pub data_address: String,
    /// Where its metrics are, if anywhere.
    pub metrics_address: String,
    /// All its slots.
    pub slots: u32,
    /// Those that no job holds.
    pub slots_free: u32,
    /// The jobs that hold slots.
    pub jobs: Vec<String>,
    /// The memory it may use for what flows and waits.
    pub memory_bytes: u64,
    /// What it uses altogether.
    pub rss_bytes: u64,
    /// How many processors it kept busy lately; none where that is not known yet.
    #[serde(default)]
    pub cpu_cores: Option<f64>,
    /// How many threads it has.
    #[serde(default)]
    pub threads: u32,
    /// What the jobs there may hold of its memory, by who holds it.
    #[serde(default)]
    pub memory: Vec<JobMemory>,
    /// What tables of keys hold of their budgets now.
    #[serde(default)]
    pub tables_bytes: u64,
    /// What the cache of spilled state holds now.
    #[serde(default)]
    pub cache_bytes: u64,
    /// Since when, in milliseconds since 1970 UTC.
    pub since_ms: i64,
    /// How long ago it was last heard, in milliseconds.
    pub silent_ms: u64,
}

/// Where metrics are, in the form that Prometheus reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// Addresses, of one process each.
    pub targets: Vec<String>,
    /// What every series from there is labelled with.
    pub labels: BTreeMap<String, String>,
}

impl Target {
    /// Of a task manager.
    #[must_use]
    pub fn of(one: TaskManager) -> Self {
        Self {
            targets: vec![one.metrics_address],
            labels: [("taskmanager".to_owned(), one.name)].into(),
        }
    }
}

/// That the job manager lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// The leader's term.
    pub term: u64,
    /// Which start of the process.
    pub incarnation: String,
    /// What was built.
    pub build: String,
}

/// What one job may hold of a task manager's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobMemory {
    /// `<name>@<life>`.
    pub job: String,
    /// Rows on their way: channels and outputs.
    pub network_bytes: u64,
    /// State: tables, what is cut and not written yet, caches.
    pub state_bytes: u64,
    /// The queues of its sinks.
    pub sink_bytes: u64,
    /// The buffers of its readers.
    pub reader_bytes: u64,
    /// The batches that its operators work on.
    pub chain_bytes: u64,
}

impl JobMemory {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.network_bytes + self.state_bytes + self.sink_bytes + self.reader_bytes + self.chain_bytes
    }
}

/// One task manager, and who sits in its slots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seated {
    /// As in the list.
    pub task_manager: TaskManager,
    /// Its slots that a job holds, by job.
    pub taken: Vec<SlotTaken>,
}

/// A slot that a job holds: room for one subtask of each of its vertices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotTaken {
    /// `<name>@<life>`.
    pub job: String,
    /// Who sits there.
    pub subtasks: Vec<Sitting>,
}

/// A subtask in a slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sitting {
    /// The names of its vertex' steps, joined by ` -> `.
    pub vertex: String,
    /// The subtask.
    pub subtask: Subtask,
}

/// A line that a task manager has said about a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobLine {
    /// The datastream.
    pub datastream: String,
    /// What was said.
    pub line: LogLine,
}
