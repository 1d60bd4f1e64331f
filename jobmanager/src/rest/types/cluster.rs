//! The cluster: its leader and its task managers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
