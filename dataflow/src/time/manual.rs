//! A clock that moves only when told to: for tests and simulations.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{Clock, Instant, WallTime};

/// How long it has run when it begins, so that subtraction does not saturate.
const BEGINNING: Duration = Duration::from_secs(3600);

/// Time that stands still until [`ManualClock::advance`].
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: watch::Sender<Duration>,
    /// What the time of day is ahead of it, in milliseconds.
    ahead: i64,
}

impl ManualClock {
    /// Begins an hour after its own start, which is its midnight of 1970.
    #[must_use]
    pub fn new() -> Self {
        Self {
            now: watch::Sender::new(BEGINNING),
            ahead: 0,
        }
    }

    /// Begins at this time of day.
    #[must_use]
    pub fn at(wall: WallTime) -> Self {
        let begun = i64::try_from(BEGINNING.as_millis()).unwrap_or(0);
        Self {
            ahead: wall.0.saturating_sub(begun),
            ..Self::new()
        }
    }

    /// Moves on; wakes the sleepers whose time has come.
    pub fn advance(&self, duration: Duration) {
        self.now.send_modify(|now| *now += duration);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Instant {
        Instant::from_start(*self.now.borrow())
    }

    fn wall(&self) -> WallTime {
        let passed = i64::try_from(self.now.borrow().as_millis()).unwrap_or(i64::MAX);
        WallTime(passed.saturating_add(self.ahead))
    }

    async fn sleep_until(&self, deadline: Instant) {
        let mut now = self.now.subscribe();
        // The sender lives in `self`, so the only way out is that the time has come.
        let _ = now.wait_for(|now| Instant::from_start(*now) >= deadline).await;
    }
}
