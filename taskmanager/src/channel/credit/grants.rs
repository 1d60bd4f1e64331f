//! The receiver's end of a channel's credit.

use std::time::Duration;

use dataflow::time::Instant;

use super::{BURST, DRAIN_TARGET, EXCLUSIVE, HOLD, Pool, QUANTUM};

/// The pace of consumption is measured over stretches of at least this length.
const STRETCH: Duration = Duration::from_millis(50);

/// What the receiver has promised, and what of it was used.
///
/// | event | effect | `Grant` |
/// |---|---|---|
/// | `Received` | a lease follows an overdraft; a backlog widens the window | if the window grew |
/// | `Consumed` | the pace is measured | up to the window, if it is worth a message |
/// | `Closed` | the lease goes back; later events change nothing | never again |
#[derive(Clone, Debug)]
pub struct Grants {
    granted: u64,
    received: u64,
    consumed: u64,
    leased: u64,
    backlog: u64,
    backlog_at: Option<Instant>,
    pace: Pace,
    closed: bool,
}

/// What happens to a channel's grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantsEvent {
    /// A batch came.
    Received {
        /// Its cost.
        cost: u64,
        /// What waits behind it at the sender.
        backlog: u64,
    },
    /// The receiver took a batch.
    Consumed {
        /// Its cost.
        cost: u64,
    },
    /// The channel is at its end.
    Closed,
}

/// The sender is to be told that it may send so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Since the channel was opened.
    pub total: u64,
}

impl Default for Grants {
    fn default() -> Self {
        Self::new()
    }
}

impl Grants {
    /// A channel begins with its exclusive bytes granted.
    #[must_use]
    pub fn new() -> Self {
        Self {
            granted: EXCLUSIVE,
            received: 0,
            consumed: 0,
            leased: 0,
            backlog: 0,
            backlog_at: None,
            pace: Pace::default(),
            closed: false,
        }
    }

    /// Takes an event.
    pub fn on(&mut self, event: GrantsEvent, now: Instant, pool: &mut Pool) -> Option<Grant> {
        if self.closed {
            return None;
        }
        match event {
            GrantsEvent::Received { cost, backlog } => {
                self.received += cost;
                self.backlog = backlog;
                if backlog > 0 {
                    self.backlog_at = Some(now);
                }
            }
            GrantsEvent::Consumed { cost } => {
                self.consumed += cost;
                self.pace.consumed(cost, now);
            }
            GrantsEvent::Closed => {
                pool.change(self.leased, 0);
                self.leased = 0;
                self.closed = true;
                return None;
            }
        }
        self.settle(now, pool)
    }

    /// Grants up to the window, and leases what that takes.
    fn settle(&mut self, now: Instant, pool: &mut Pool) -> Option<Grant> {
        let floating = self.wanted(now).min(pool.limit(self.leased));
        let total = self.consumed + EXCLUSIVE + floating;
        // A grant in crumbs is not worth a message, unless nothing else may follow that would bring a larger one.
        let idle = self.received == self.consumed;
        let grant = (total >= self.granted + QUANTUM || (total > self.granted && idle)).then_some(Grant { total });
        if grant.is_some() {
            self.granted = total;
        }
        let leased = self.outstanding().saturating_sub(EXCLUSIVE);
        pool.change(self.leased, leased);
        self.leased = leased;
        grant
    }

    /// The floating bytes that would be of use.
    fn wanted(&self, now: Instant) -> u64 {
        let busy = self.backlog_at.is_some_and(|at| now.since(at) < HOLD);
        if !busy {
            return 0;
        }
        let unused = self.granted.saturating_sub(self.received);
        let queued = self.received - self.consumed;
        // What waits at the sender, beside what is here; never less than the window already is.
        let wanted = (queued + unused.max(self.backlog)).max(self.leased);
        wanted.min(self.pace.drains_in(DRAIN_TARGET).max(BURST))
    }

    /// Bytes of memory that are promised or used.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        self.granted.max(self.received) - self.consumed
    }

    /// Bytes granted since the channel was opened.
    #[must_use]
    pub fn granted(&self) -> u64 {
        self.granted
    }

    /// Bytes that came and were not yet taken.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.received - self.consumed
    }

    /// Bytes that may still come.
    #[must_use]
    pub fn unused(&self) -> u64 {
        self.granted.saturating_sub(self.received)
    }

    /// Bytes that wait at the sender, as it last said.
    #[must_use]
    pub fn backlog(&self) -> u64 {
        self.backlog
    }
}

/// Bytes consumed in a second, lately.
#[derive(Clone, Debug, Default)]
struct Pace {
    since: Option<Instant>,
    bytes: u64,
    per_second: u64,
}

impl Pace {
    fn consumed(&mut self, bytes: u64, now: Instant) {
        let since = *self.since.get_or_insert(now);
        self.bytes += bytes;
        let elapsed = now.since(since);
        if elapsed >= STRETCH {
            let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
            let measured = self.bytes.saturating_mul(1_000_000) / micros;
            self.per_second = if self.per_second == 0 {
                measured
            } else {
                self.per_second / 2 + measured / 2
            };
            self.since = Some(now);
            self.bytes = 0;
        }
    }

    fn drains_in(&self, target: Duration) -> u64 {
        let millis = u64::try_from(target.as_millis()).unwrap_or(u64::MAX);
        (self.per_second / 1000).saturating_mul(millis)
    }
}
