//! What happened to a datastream and what was asked for: failures, operations, log lines.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that went wrong, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exception {
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// The newest epoch then.
    #[serde(default)]
    pub epoch: u64,
    /// Restarts since the job manager took the job, this one counted in.
    #[serde(default)]
    pub restarts: u64,
    /// `sub-<vertex>.<index>`, where one subtask is to blame.
    pub subtask: Option<String>,
    /// The steps of that subtask, joined by ` -> `.
    #[serde(default)]
    pub vertex: Option<String>,
    /// The root cause, where the message says more than that.
    #[serde(default)]
    pub cause: Option<String>,
    /// The task manager, where one is to blame.
    pub task_manager: Option<String>,
    /// `retry`, `fail` or `bug`.
    pub disposition: String,
    /// What happened.
    pub message: String,
    /// What a person can do about it.
    pub help: Option<String>,
    /// What the job manager does: `restart 3 after 400 ms`, `the job fails`.
    pub answer: String,
    /// From the failure until all subtasks ran again, in milliseconds, once they do.
    pub recovered_ms: Option<u64>,
}

/// Long work that somebody asked for: a savepoint, a rescale, another document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// `op-<n>`.
    pub id: String,
    /// What is done, for people: `rescale to 3`.
    pub what: String,
    /// Whether it is over.
    pub state: Outlook,
    /// When it was asked for, in milliseconds since 1970 UTC.
    pub since_ms: i64,
    /// How long it took, in milliseconds, once it is over.
    pub took_ms: Option<u64>,
    /// The epoch that it is of.
    pub epoch: Option<u64>,
    /// What came of it: the path of a savepoint.
    pub result: Option<String>,
    /// Why it could not be done.
    pub reason: Option<String>,
    /// What a person can do about it.
    pub help: Option<String>,
    /// What is wrong in the document, as `weir validate -o json` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostics: Option<Value>,
    /// The same for people, with the lines of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<String>,
}

/// Whether an operation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outlook {
    /// Not yet.
    UnderWay,
    /// Done.
    Done,
    /// It could not be done; the datastream goes on as it was.
    Failed,
}

/// A line of a job's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// Its number; it grows in the order in which lines are heard. Ask for lines after it.
    pub number: u64,
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// `ERROR`, `WARN`, `INFO`.
    pub level: String,
    /// `jobmanager` or the task manager's name.
    pub origin: String,
    /// The name of the subtask's vertex, where a subtask says it.
    pub vertex: Option<String>,
    /// `sub-<vertex>.<index>`, where a subtask says it.
    pub subtask: Option<String>,
    /// Which try at the subtask, where a subtask says it.
    pub attempt: Option<String>,
    /// Whether that attempt was over when the line came.
    pub over: bool,
    /// What it says.
    pub text: String,
}

/// What nobody needs any more of one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// The job.
    pub job: String,
    /// Records of old epochs.
    pub records: Vec<u64>,
    /// State files, by their names in the job's folder of state.
    pub objects: Vec<String>,
}
