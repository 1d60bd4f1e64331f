//! The machine's own clock: the one place that reads it.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the clock that the lint sends everybody to"
)]

use std::time::{Duration, Instant as Monotonic, SystemTime};

use async_trait::async_trait;

use super::{Clock, Instant, WallTime};

/// The clock of this machine, counted from its creation.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Monotonic,
}

impl SystemClock {
    /// Starts counting.
    #[must_use]
    pub fn start() -> Self {
        // An hour of head room lets `now() - duration` be exact from the beginning.
        let now = Monotonic::now();
        Self {
            start: now.checked_sub(Duration::from_secs(3600)).unwrap_or(now),
        }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::from_start(self.start.elapsed())
    }

    fn wall(&self) -> WallTime {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        WallTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    async fn sleep_until(&self, deadline: Instant) {
        tokio::time::sleep(deadline.since(self.now())).await;
    }
}
