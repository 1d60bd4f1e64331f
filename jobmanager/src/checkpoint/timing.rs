//! How often checkpoints come, how long they may take, and how long they took.

use std::time::Duration;

use dataflow::id::SubtaskId;
use dataflow::time::Instant;

/// How often, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// From one barrier to the next.
    pub interval: Duration,
    /// How long acknowledgements of a periodic checkpoint may take before its barrier overtakes what flows; none for ever.
    pub aligned_timeout: Option<Duration>,
    /// How long acknowledgements may take before the barrier is given up.
    pub collect_deadline: Duration,
    /// How long commits may take before the job is restarted, to commit again.
    pub commit_deadline: Duration,
}

impl Config {
    /// Checkpoints each `interval`, with time-outs that only a stuck world meets.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self {
            interval,
            aligned_timeout: None,
            collect_deadline: Duration::from_secs(600),
            commit_deadline: Duration::from_secs(600),
        }
    }
}

impl Config {
    /// The same with barriers that overtake what flows when they are not aligned in this time.
    #[must_use]
    pub fn overtaking_after(self, aligned_timeout: Option<Duration>) -> Self {
        Self {
            aligned_timeout,
            ..self
        }
    }
}

/// How a barrier got through a subtask, or through all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aligned {
    /// The time between its coming by the first channel and its passing; the longest of all.
    pub longest: Duration,
    /// The bytes of rows that it overtook, which are in the snapshot; none where it was aligned.
    pub overtook: Option<u64>,
    /// Bytes of the state files that the snapshots name.
    pub state_bytes: u64,
    /// Of those, what was written for this barrier.
    pub written_bytes: u64,
    /// What it took in the subtask that answered last: all others are within that.
    pub last: Parts,
    /// Which that is; none as long as nobody has.
    pub last_of: Option<SubtaskId>,
}

/// What a barrier took in one subtask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// From its coming by the first channel to its passing.
    pub alignment: Duration,
    /// What the subtask's own thread spent on it.
    pub sync: Duration,
    /// From there until state and sinks were durable.
    pub upload: Duration,
}

impl Aligned {
    /// Of this one and another, who has answered later.
    pub(super) fn and(self, other: Self) -> Self {
        let overtook = match (self.overtook, other.overtook) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        Self {
            longest: self.longest.max(other.longest),
            overtook,
            state_bytes: self.state_bytes.saturating_add(other.state_bytes),
            written_bytes: self.written_bytes.saturating_add(other.written_bytes),
            last: other.last,
            last_of: other.last_of,
        }
    }
}

/// When the steps of a checkpoint came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The barrier went out.
    pub triggered: Instant,
    /// The last acknowledgement came.
    pub collected: Option<Instant>,
    /// The record was known to exist.
    pub recorded: Option<Instant>,
    /// It was over.
    pub over: Instant,
    /// How it got through those who have answered.
    pub aligned: Aligned,
}
