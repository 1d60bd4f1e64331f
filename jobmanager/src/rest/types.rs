//! What REST `/v1` says: the bodies of answers, as the job manager writes them and the command line reads them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

/// One datastream in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
}

/// How far a job has come, in rows and bytes of its sources and sinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// One datastream with everything known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Datastream {
    /// As in the list.
    pub summary: Summary,
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
}

/// One chain of a datastream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// One parallel instance of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its name in the document.
    pub name: String,
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
    /// How far event time has come in all its subtasks, in milliseconds since 1970 UTC; none where one of them knows of none.
    #[serde(default)]
    pub watermark_ms: Option<i64>,
    /// The subtask that is furthest back, where time has come further in others.
    #[serde(default)]
    pub held_by: Option<String>,
}

/// The checkpoints of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoints {
    /// How many were committed since this job manager took the job.
    pub completed: u64,
    /// How many were given up.
    pub aborted: u64,
    /// The one under way: `collecting`, `overtaking`, `recording`, `committing`, with its age in milliseconds.
    pub current: Option<CurrentCheckpoint>,
    /// The last ones, the newest first, bounded.
    pub history: Vec<Checkpoint>,
}

/// A checkpoint under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CurrentCheckpoint {
    /// Its barrier, `chk-<term>.<deployment>.<counter>`.
    pub barrier: String,
    /// `collecting`, `overtaking`, `recording` or `committing`.
    pub phase: String,
    /// Subtasks whose answer is awaited, a few of them.
    pub waits_for: Vec<String>,
    /// How long it has been under way.
    pub age_ms: u64,
}

/// A checkpoint that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Its barrier, `chk-<term>.<deployment>.<counter>`.
    pub barrier: String,
    /// The number of its record; none where it was aborted.
    pub epoch: Option<u64>,
    /// When it was triggered, in milliseconds since 1970 UTC.
    pub triggered_ms: i64,
    /// From the trigger to the last commit, in milliseconds.
    pub duration_ms: u64,
    /// From the trigger to the last acknowledgement.
    pub collect_ms: u64,
    /// Making the record.
    pub record_ms: u64,
    /// From the record to the last commit.
    pub commit_ms: u64,
    /// How long the barrier was aligned where that took longest.
    #[serde(default)]
    pub alignment_ms: u64,
    /// The bytes of rows in flight that the barrier overtook, which are in the snapshot; none where it was aligned.
    #[serde(default)]
    pub overtook_bytes: Option<u64>,
    /// Bytes of the snapshots.
    pub bytes: u64,
    /// Why it was aborted.
    pub aborted: Option<String>,
}

/// Something that went wrong, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// What nobody needs any more of one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// The job.
    pub job: String,
    /// Records of old epochs.
    pub records: Vec<u64>,
    /// State files, by their names in the job's folder of state.
    pub objects: Vec<String>,
}

/// Whether an operation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outlook {
    /// Not yet.
    UnderWay,
    /// Done.
    Done,
    /// It could not be done; the datastream goes on as it was.
    Failed,
}

/// Who holds the watermark of a datastream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetters {
    /// The step's name in the document.
    pub step: String,
    /// How many since the last start.
    pub count: u64,
    /// The first few, as a person reads them.
    pub samples: Vec<String>,
}

/// A line of a job's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// What became of a submitted document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// What was done about a submitted document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// How wide a datastream is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rescale {
    /// How many subtasks its steps have, but for those that say so themselves.
    pub parallelism: u32,
}

/// How a datastream is to be stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stop {
    /// Whether time runs out first: windows fire, and the datastream is finished for good.
    #[serde(default)]
    pub drain: bool,
    /// The label under which its last checkpoint is kept.
    #[serde(default)]
    pub savepoint: Option<String>,
}

/// Under which name a checkpoint is to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavepointRequest {
    /// The label; one made of the datastream's name and the time, where there is none.
    #[serde(default)]
    pub label: Option<String>,
}

/// The cluster: its leader and its task managers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

/// That the job manager lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// The leader's term.
    pub term: u64,
    /// Which start of the process.
    pub incarnation: String,
    /// What was built.
    pub build: String,
}

/// An error, as RFC 9457 has it, with our code and help.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The HTTP status again.
    pub status: u16,
    /// A word for programs: `not-found`, `already-running`, `diagnostics`.
    pub code: String,
    /// What kind of problem.
    pub title: String,
    /// What is wrong; one sentence.
    pub detail: String,
    /// What a person can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What is wrong in the document, as `weir validate -o json` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostics: Option<Value>,
    /// The same for people, with the lines of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<String>,
    /// The datastreams of the same text that were taken before this one was not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub submitted: Vec<String>,
}
