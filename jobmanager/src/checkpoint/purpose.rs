//! What a checkpoint is for, and what that asks of the sinks.

use dataflow::element::Roll;

/// What a checkpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The next one in the series.
    Periodic,
    /// One that somebody asked for, to be kept by name: open files are closed, so that it is complete by itself.
    Savepoint,
    /// The last one of a graph that another one takes over from: nothing follows until those have gone who run now.
    Change,
    /// The last one before a stop: open files are closed, the job may go on from it another day.
    Stop,
    /// The last one at the end of all input: after it the job is never run again.
    Final,
}

impl Purpose {
    /// What the sinks do with open files.
    #[must_use]
    pub fn roll(self) -> Roll {
        match self {
            Self::Periodic => Roll::Keep,
            Self::Savepoint | Self::Change | Self::Stop | Self::Final => Roll::All,
        }
    }
}
