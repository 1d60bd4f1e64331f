//! One datastream with everything that is known of it: graph, subtasks, steps, time, dead letters.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Checkpoints, Exception, Loss, Operation, Summary};

/// One datastream with everything known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Datastream {
    /// As in the list.
    pub summary: Summary,
    /// When it came into each state last, by the state's name, in milliseconds since 1970 UTC; of this run.
    #[serde(default)]
    pub moved_ms: BTreeMap<String, i64>,
    /// Who is to be asked about it.
    pub contact: Option<String>,
    /// The document it was submitted as.
    pub document: String,
    /// The leader's term and how many deployments it has made: `gen-<term>.<deployment>`.
    pub generation: String,
    /// Its chains.
    pub vertices: Vec<Vertex>,
    /// The edges between them.
    pub edges: Vec<Edge>,
    /// Its checkpoints.
    pub checkpoints: Checkpoints,
    /// What went wrong, the newest first, bounded.
    pub exceptions: Vec<Exception>,
    /// Who holds the watermark: of all that give time, the one that is furthest back.
    #[serde(default)]
    pub watermark: Option<Holder>,
    /// Long work that somebody asked for, the newest first, bounded.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// Dead letters by step, with a few of them.
    pub dead_letters: Vec<DeadLetters>,
    /// Points where rows are missing, at the cut of the newest checkpoint; empty while none are.
    #[serde(default)]
    pub losses: Vec<Loss>,
    /// What it takes of the machines now; none where it does not run.
    #[serde(default)]
    pub resources: Option<Resources>,
    /// What holds it up or needs somebody, the worst first; empty while all is well.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

/// What a datastream takes of the machines.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// How many processors its subtasks keep busy: the sum of their shares at work.
    pub cpu_cores: f64,
    /// What it may hold of the memory of all task managers.
    pub memory_bytes: u64,
    /// Bytes a second that enter its chains, over all hand-overs and sources.
    pub bytes_in_rate: f64,
    /// Bytes a second that leave its chains.
    pub bytes_out_rate: f64,
}

/// Something that a person should know, in one sentence, with who is behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A word for programs: `failed`, `restarting`, `waiting`, `trouble`, `backpressure`, `pace`, `checkpoint`,
    /// `checkpoints`, `watermark`, `held`, `skew`, `idle`, `loss`, `surplus`, `strangers`, `deadLetters`, `late`,
    /// `recovered`, `ended`.
    pub code: String,
    /// What is wrong; one sentence.
    pub text: String,
    /// What a person can do about it.
    pub help: Option<String>,
    /// The subtask behind it, `sub-<vertex>.<index>`, where one is.
    pub subtask: Option<String>,
    /// Since when, in milliseconds since 1970 UTC, where that is known.
    pub since_ms: Option<i64>,
    /// What is seen of it, a line each: who waits for what and for how long, who has most of the rows.
    #[serde(default)]
    pub evidence: Vec<String>,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Nothing flows any more, or not what should.
    Bad,
    /// It goes on, more slowly or with losses that are counted.
    Warning,
    /// Good to know.
    Note,
}

/// One chain of a datastream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Vertex {
    /// `vtx-<n>`.
    pub id: String,
    /// The names of its steps, joined by ` -> `.
    pub name: String,
    /// How many subtasks it has.
    pub parallelism: u32,
    /// Its subtasks.
    pub subtasks: Vec<Subtask>,
    /// Its steps, summed over the subtasks.
    pub steps: Vec<Step>,
}

/// One hand-over between two vertices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// `edge-<n>`.
    pub id: String,
    /// `vtx-<n>` where it begins.
    pub from: String,
    /// `vtx-<n>` where it ends.
    pub to: String,
    /// How rows are dealt out: `forward`, `rebalance`, `hash`, `broadcast`.
    pub partition: String,
    /// Rows a second that its senders hand to it, lately; none before they have said anything.
    #[serde(default)]
    pub rows_rate: Option<f64>,
    /// Bytes of rows that wait in the senders, for credit or for company.
    #[serde(default)]
    pub backlog_bytes: u64,
}

/// One parallel instance of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subtask {
    /// `sub-<vertex>.<index>`.
    pub id: String,
    /// The task manager it is on, if any.
    pub task_manager: Option<String>,
    /// `planned`, `deploying`, `running`, `ended`, `cancelling`, `cancelled`, `failed`, `lost`.
    pub state: String,
    /// Rows in since its start.
    pub records_in: u64,
    /// Rows out since its start.
    pub records_out: u64,
    /// Bytes in since its start.
    pub bytes_in: u64,
    /// Bytes out since its start.
    pub bytes_out: u64,
    /// Rows in a second, lately.
    pub records_in_rate: f64,
    /// Rows out a second, lately.
    pub records_out_rate: f64,
    /// Share of the last interval at work.
    pub busy: f64,
    /// Share of the last interval waiting for those behind it.
    pub backpressured: f64,
    /// Share of the last interval without anything to do.
    pub idle: f64,
    /// What it waits for now; empty while it works.
    pub waits_for: String,
    /// For how long, in seconds.
    pub waits_seconds: f64,
}

/// One step of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its name in the document.
    pub name: String,
    /// What it does: `source`, `decode`, `filter`, `aggregate`, `sink` …
    #[serde(default)]
    pub kind: String,
    /// Rows in since the last start.
    pub records_in: u64,
    /// Rows out since the last start.
    pub records_out: u64,
    /// Rows that a filter or a sample left out.
    pub dropped: u64,
    /// Rows that went to the dead letters.
    pub dead: u64,
    /// Rows that came after their time.
    #[serde(default)]
    pub late: u64,
    /// Changes of keys that are another subtask's to keep, since the last start: must be 0.
    #[serde(default)]
    pub strangers: u64,
    /// How far event time has come in all its subtasks, in milliseconds since 1970 UTC; none where one of them knows of none.
    #[serde(default)]
    pub watermark_ms: Option<i64>,
    /// The subtask that is furthest back, where time has come further in others.
    #[serde(default)]
    pub held_by: Option<String>,
}

/// Who holds the watermark of a datastream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// The step that gives rows their time.
    pub step: String,
    /// Its subtask that is furthest back.
    pub subtask: String,
    /// Where it is.
    pub task_manager: Option<String>,
    /// How far it has come, in milliseconds since 1970 UTC; none where it has not said anything yet.
    pub watermark_ms: Option<i64>,
    /// How far the others are ahead of it, at most, in milliseconds.
    pub ahead_ms: i64,
}

/// The dead letters of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetters {
    /// The step's name in the document.
    pub step: String,
    /// How many since the last start.
    pub count: u64,
    /// The first few, as a person reads them.
    pub samples: Vec<String>,
}
