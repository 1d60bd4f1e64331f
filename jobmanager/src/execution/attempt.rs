//! One try at running one subtask. Pure.
//!
//! ```text
//!   Planned ──Deployed──> Deploying ──Running──> Running ──Ended──> Ended
//!      │                      │                     │                 │
//!      └──────────────────────┴───── Cancel ────────┴─────────────────┴──> Cancelling ──> Cancelled
//!      any of them ── Failed ──> Failed        any of them ── the process died ──> Lost
//! ```
//!
//! Must stay true: Cancelled, Failed and Lost are never left; only a running attempt may end.

use std::fmt;

/// Where an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Has a place, and nothing was sent yet.
    Planned,
    /// Sent; restores and commits again.
    Deploying,
    /// At work.
    Running,
    /// At the end of its input; lives on for the last checkpoint.
    Ended,
    /// Asked to go.
    Cancelling,
    /// Gone as asked.
    Cancelled,
    /// Gone by a failure of its own.
    Failed,
    /// Its process is gone.
    Lost,
}

/// What happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was sent to its task manager.
    Deployed,
    /// It has restored, committed again and works.
    Running,
    /// End has left it.
    Ended,
    /// It was asked to go.
    Cancel,
    /// It has gone as asked.
    Cancelled,
    /// It has gone by a failure.
    Failed,
    /// Its process is gone.
    Lost,
}

/// One try at running one subtask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    state: State,
}

impl Default for Attempt {
    fn default() -> Self {
        Self { state: State::Planned }
    }
}

impl Attempt {
    /// Where it is.
    #[must_use]
    pub fn state(self) -> State {
        self.state
    }

    /// Whether it holds nothing any more.
    #[must_use]
    pub fn is_gone(self) -> bool {
        matches!(self.state, State::Cancelled | State::Failed | State::Lost)
    }

    /// Whether it has restored and committed what it was restored from.
    #[must_use]
    pub fn has_started(self) -> bool {
        matches!(self.state, State::Running | State::Ended)
    }

    /// Takes an event; says whether anything changed. What cannot follow is ignored: messages cross on the wire.
    pub fn on(&mut self, event: Event) -> bool {
        let next = match (self.state, event) {
            (State::Cancelled | State::Failed | State::Lost, _) => return false,
            (_, Event::Lost) => State::Lost,
            (_, Event::Failed) => State::Failed,
            (_, Event::Cancelled) => State::Cancelled,
            // Nothing was sent: there is nobody to wait for.
            (State::Planned, Event::Cancel) => State::Cancelled,
            (State::Planned, Event::Deployed) => State::Deploying,
            (State::Deploying, Event::Running) => State::Running,
            // A source without input may end before its word that it runs was heard.
            (State::Deploying | State::Running, Event::Ended) => State::Ended,
            (State::Deploying | State::Running | State::Ended, Event::Cancel) => State::Cancelling,
            (State::Planned, Event::Running | Event::Ended)
            | (State::Deploying | State::Running | State::Ended | State::Cancelling, Event::Deployed)
            | (State::Running | State::Ended | State::Cancelling, Event::Running)
            | (State::Ended | State::Cancelling, Event::Ended)
            | (State::Cancelling, Event::Cancel) => return false,
        };
        self.state = next;
        true
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Planned => "planned",
            Self::Deploying => "deploying",
            Self::Running => "running",
            Self::Ended => "ended",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Lost => "lost",
        })
    }
}
