//! Where a job is in its life, and what a look at that alone says.

use dataflow::Failure;
use dataflow::time::Instant;

use super::event::End;
use crate::rest::types::State;

/// What follows when those are gone who were told to go.
#[derive(Clone, Debug)]
pub(super) enum Then {
    Restart(Instant),
    Change,
    Finish,
    Stop,
    Cancel,
    Fail(Failure),
}

/// Where a job is.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    Created,
    Scheduling,
    Deploying,
    Running,
    Finishing,
    Stopping,
    Changing,
    Amending,
    Down { then: Then, gone: bool, until: Instant },
    Over(End),
}

impl Phase {
    /// For people.
    pub(super) fn state(&self) -> State {
        match self {
            Self::Created => State::Created,
            Self::Scheduling => State::Scheduling,
            Self::Deploying => State::Deploying,
            Self::Running => State::Running,
            Self::Finishing => State::Finishing,
            Self::Stopping => State::Stopping,
            Self::Changing | Self::Amending => State::Changing,
            Self::Down { then, .. } => match then {
                Then::Restart(_) => State::Restarting,
                Then::Change => State::Changing,
                Then::Finish => State::Finishing,
                Then::Stop => State::Stopping,
                Then::Cancel => State::Cancelling,
                Then::Fail(_) => State::Failing,
            },
            Self::Over(end) => match end {
                End::Finished => State::Finished,
                End::Stopped => State::Stopped,
                End::Cancelled => State::Cancelled,
                End::Failed(_) => State::Failed,
            },
        }
    }

    /// The failure that ends the job, or has.
    pub(super) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Down {
                then: Then::Fail(failure),
                ..
            }
            | Self::Over(End::Failed(failure)) => Some(failure),
            _ => None,
        }
    }

    /// When time alone moves it on.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Down { gone: false, until, .. } => Some(*until),
            Self::Down {
                then: Then::Restart(due),
                ..
            } => Some(*due),
            _ => None,
        }
    }
}
