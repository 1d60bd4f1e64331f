//! The checkpoints of a datastream: what they took, and the one under way.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The checkpoints of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// What of `collectMs` went where, in the subtask that answered last; none where not all have answered.
    #[serde(default)]
    pub split: Option<Split>,
    /// Bytes of the snapshots.
    pub bytes: u64,
    /// Bytes of all state files that the snapshots name: with `bytes`, the full size.
    #[serde(default)]
    pub state_bytes: u64,
    /// Of those, what was written for this checkpoint: with `bytes`, the incremental size.
    #[serde(default)]
    pub written_bytes: u64,
    /// Why it was aborted.
    pub aborted: Option<String>,
}

/// Where the time went in the subtask that answered last, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Split {
    /// `sub-<vertex>.<index>`.
    pub subtask: String,
    /// From the trigger until the barrier came by its first channel, and the ways of the messages.
    pub start_us: u64,
    /// From there until the barrier had come by all channels and passed.
    pub alignment_us: u64,
    /// What its own thread was held up by the snapshot.
    pub sync_us: u64,
    /// From there until state and what the sinks prepared were durable, while rows flowed.
    pub upload_us: u64,
}
