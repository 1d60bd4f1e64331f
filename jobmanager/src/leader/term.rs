//! How a job manager becomes the leader. Pure.
//!
//! ```text
//!   Probing ── lock held by another ──────────────────────────────────────────> Refused
//!      ├── no claim yet, or the lock says that its owner is gone ──> Claiming(T+1) ── created ──> Leading(T+1)
//!      └── a claim, no lock to ask ──> Dialing ── answers ──> Refused        └── exists ──> Probing
//!                                         ├── refused, or another process there ──> Claiming(T+1)
//!                                         └── silent ──> wait the lease ──> Claiming(T+1)
//! ```
//!
//! Must stay true: a term is claimed by creating its object, so that it has one owner; terms only grow.

use std::time::Duration;

use dataflow::time::{Instant, WallTime};
use serde::{Deserialize, Serialize};

/// How long a silent leader may still believe that it leads.
const LEASE: Duration = Duration::from_secs(10);

/// What `leader/term-T.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The term.
    pub term: u64,
    /// Which start of which process.
    pub incarnation: String,
    /// Where its REST interface is; empty where it has none.
    pub address: String,
    /// Its process id and the name of its machine, for messages.
    pub process: String,
    /// When it was claimed.
    pub at: WallTime,
}

/// What the file lock of a local folder says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// It is ours now: whoever had it is gone.
    Ours,
    /// Another living process holds it.
    Theirs,
    /// The store is no local folder and has none.
    None,
}

/// What came of dialing the last leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It lives.
    Lives,
    /// Nobody is there, or somebody else.
    Gone,
    /// Nothing came back in time.
    Silent,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The newest claim in the folder, and the lock.
    Probed(Option<Claim>, Lock),
    /// The last leader was dialed.
    Dialed(Answer),
    /// Our claim was created.
    Created,
    /// Somebody else has created that term.
    Exists,
    /// Time went on.
    Tick,
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Find the newest claim.
    Probe,
    /// Ask this one whether it lives.
    Dial(Claim),
    /// Wait until then, and tick.
    WaitUntil(Instant),
    /// Create the claim of this term.
    Create(u64),
    /// We lead in this term.
    Lead(u64),
    /// Another one leads; none where it has the lock and has not yet written its claim.
    Refuse(Option<Claim>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Probing,
    Dialing(u64),
    Waiting(u64, Instant),
    Claiming(u64),
    Leading,
    Refused,
}

/// One try at becoming the leader.
#[derive(Clone, Debug)]
pub struct Election {
    phase: Phase,
}

impl Election {
    /// Begins; the first action is to probe.
    #[must_use]
    pub fn begin() -> (Self, Action) {
        (Self { phase: Phase::Probing }, Action::Probe)
    }

    /// Takes an event; says what to do. Nothing where the event does not fit.
    pub fn on(&mut self, event: Event, now: Instant) -> Option<Action> {
        let (phase, action) = match (&self.phase, event) {
            (Phase::Probing, Event::Probed(claim, Lock::Theirs)) => (Phase::Refused, Action::Refuse(claim)),
            (Phase::Probing, Event::Probed(claim, Lock::Ours)) => claiming(claim.map_or(0, |claim| claim.term)),
            (Phase::Probing, Event::Probed(None, Lock::None)) => claiming(0),
            (Phase::Probing, Event::Probed(Some(claim), Lock::None)) if claim.address.is_empty() => {
                claiming(claim.term)
            }
            (Phase::Probing, Event::Probed(Some(claim), Lock::None)) => {
                (Phase::Dialing(claim.term), Action::Dial(claim))
            }
            (Phase::Dialing(_), Event::Dialed(Answer::Lives)) => (Phase::Refused, Action::Refuse(None)),
            (Phase::Dialing(term), Event::Dialed(Answer::Gone)) => claiming(*term),
            (Phase::Dialing(term), Event::Dialed(Answer::Silent)) => {
                let until = now + LEASE;
                (Phase::Waiting(*term, until), Action::WaitUntil(until))
            }
            (Phase::Waiting(term, until), Event::Tick) if now >= *until => claiming(*term),
            (Phase::Claiming(term), Event::Created) => (Phase::Leading, Action::Lead(*term)),
            (Phase::Claiming(_), Event::Exists) => (Phase::Probing, Action::Probe),
            (
                Phase::Probing
                | Phase::Dialing(_)
                | Phase::Waiting(..)
                | Phase::Claiming(_)
                | Phase::Leading
                | Phase::Refused,
                Event::Probed(..) | Event::Dialed(_) | Event::Created | Event::Exists | Event::Tick,
            ) => return None,
        };
        self.phase = phase;
        Some(action)
    }
}

fn claiming(last: u64) -> (Phase, Action) {
    (Phase::Claiming(last + 1), Action::Create(last + 1))
}
