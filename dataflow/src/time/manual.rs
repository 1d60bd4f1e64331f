//! A clock that moves only when told to: for tests and simulations.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{Clock, Instant, WallTime};

/// Time that stands still until [`ManualClock::advance`].
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: watch::Sender<Duration>,
}

impl ManualClock {
    /// Begins an hour after its own start, so that subtraction does not saturate.
    #[must_use]
    pub fn new() -> Self {
        Self {
            now: watch::Sender::new(Duration::from_secs(3600)),
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
        WallTime(i64::try_from(self.now.borrow().as_millis()).unwrap_or(i64::MAX))
    }

    async fn sleep_until(&self, deadline: Instant) {
        let mut now = self.now.subscribe();
        // The sender lives in `self`, so the only way out is that the time has come.
        let _ = now.wait_for(|now| Instant::from_start(*now) >= deadline).await;
    }
}
