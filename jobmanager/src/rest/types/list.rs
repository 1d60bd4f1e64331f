//! A datastream in a list: its state, how far it has come, what became of its document.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Known, and nothing done yet.
    Created,
    /// Looking for slots.
    Scheduling,
    /// Its subtasks are being started.
    Deploying,
    /// At work.
    Running,
    /// Waits after a failure, to be started again.
    Restarting,
    /// Takes a checkpoint, to go on with another document or parallelism.
    Changing,
    /// Its input has ended; the last checkpoint is under way.
    Finishing,
    /// Its input has ended and everything is committed.
    Finished,
    /// Takes its last checkpoint, to stop.
    Stopping,
    /// Stopped; its state is kept.
    Stopped,
    /// Being cancelled.
    Cancelling,
    /// Cancelled; nothing is committed behind the last checkpoint.
    Cancelled,
    /// Its subtasks are being taken down after a failure that ends it.
    Failing,
    /// Failed, and not to be tried again by itself.
    Failed,
}

impl State {
    /// Whether nothing will happen any more without a person.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Stopped | Self::Cancelled | Self::Failed)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Scheduling => "scheduling",
            Self::Deploying => "deploying",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Changing => "changing",
            Self::Finishing => "finishing",
            Self::Finished => "finished",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Failing => "failing",
            Self::Failed => "failed",
        })
    }
}

/// What is missing of a datastream's rows, at the newest checkpoint that can be judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// Rows, over all places where some are missing.
    pub rows: u64,
    /// Whether it is more than its document lets pass.
    pub alarm: bool,
}

/// One datastream in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Its name.
    pub name: String,
    /// `<name>@<life>`.
    pub job: String,
    /// Where it is in its life.
    pub state: State,
    /// Why it is there, where that needs saying: what it waits for, what failed.
    pub reason: Option<String>,
    /// What a person can do about it.
    pub help: Option<String>,
    /// Since when, in milliseconds since 1970 UTC.
    pub since_ms: i64,
    /// When it was submitted or taken up again by a person, in milliseconds since 1970 UTC: its run lasts from then.
    #[serde(default)]
    pub started_ms: Option<i64>,
    /// Subtasks at work, and of how many.
    pub subtasks_running: u32,
    /// How many subtasks it has.
    pub subtasks: u32,
    /// Restarts since this job manager took the job.
    pub restarts: u64,
    /// The newest epoch of its chain.
    pub epoch: u64,
    /// How far it has come.
    pub progress: Progress,
    /// Who is to be asked about it: `contactName` of its document.
    #[serde(default)]
    pub contact: Option<String>,
    /// The lowest event time that its sinks have come to, in milliseconds since 1970 UTC; none without event time.
    #[serde(default)]
    pub watermark_ms: Option<i64>,
    /// Bytes of rows that wait to be sent from subtask to subtask.
    #[serde(default)]
    pub backlog_bytes: u64,
    /// Rows that came in on some way and of which nothing is known; none before a checkpoint can say.
    #[serde(default)]
    pub missing: Option<Missing>,
    /// The last checkpoint that was committed, since this job manager took the job.
    #[serde(default)]
    pub last_checkpoint: Option<LastCheckpoint>,
}

impl Summary {
    /// A datastream of which nothing is known yet but that it is there.
    #[must_use]
    pub fn begin(name: &str, job: String, (state, since_ms): (State, i64)) -> Self {
        Self {
            name: name.to_owned(),
            job,
            state,
            reason: None,
            help: None,
            since_ms,
            started_ms: None,
            subtasks_running: 0,
            subtasks: 0,
            restarts: 0,
            epoch: 0,
            progress: Progress::default(),
            contact: None,
            watermark_ms: None,
            backlog_bytes: 0,
            missing: None,
            last_checkpoint: None,
        }
    }
}

/// The last checkpoint in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastCheckpoint {
    /// The number of its record.
    pub epoch: u64,
    /// When it was triggered, in milliseconds since 1970 UTC.
    pub triggered_ms: i64,
    /// From the trigger to the last commit, in milliseconds.
    pub duration_ms: u64,
    /// Bytes of the snapshots.
    pub bytes: u64,
}

/// How far a job has come, in rows and bytes of its sources and sinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Rows that its sources gave, in this life.
    pub rows_in: u64,
    /// Rows that reached its sinks, in this life.
    pub rows_out: u64,
    /// Bytes of input read.
    pub bytes_read: u64,
    /// Bytes of input there are, where that is known.
    pub bytes_total: Option<u64>,
    /// Share of the input read, from 0 to 1, where that is known.
    pub share: Option<f64>,
    /// Rows a second in, lately.
    pub rows_in_rate: f64,
    /// Rows a second out, lately.
    pub rows_out_rate: f64,
    /// Bytes of input a second, lately.
    pub bytes_rate: f64,
    /// Seconds to the end of the input at the rate of late, where that can be said.
    pub eta_seconds: Option<f64>,
    /// Records that went to the dead letters.
    pub dead_letters: u64,
}

/// What was done about a submitted document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It is new and was started.
    Started,
    /// It goes on where it was.
    Resumed,
    /// It finished earlier; nothing was done.
    AlreadyFinished,
    /// It is kept, and off as the document says.
    Off,
    /// It runs, and is being changed to what the document says.
    Changing,
    /// It runs, and is what the document says.
    Unchanged,
    /// It runs, and is being stopped, as the document says.
    Stopping,
}

/// What became of a submitted document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Submitted {
    /// The datastream's name.
    pub name: String,
    /// `<name>@<life>`.
    pub job: String,
    /// What was done.
    pub outcome: Outcome,
    /// The epoch it goes on from, where it goes on.
    pub epoch: u64,
    /// The operation that changes it, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
}
