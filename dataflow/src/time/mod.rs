//! The clock, as a parameter: nothing in Weir reads the time of the machine but through it. And where windows begin.

mod grid;
mod manual;
mod system;
mod zone;

pub use grid::{Grid, InvalidGrid};
pub use manual::ManualClock;
pub use system::SystemClock;
pub use zone::{is_zone, zones};

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A point on one process' own monotonic clock. Comparable only within that process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    /// An instant `since_start` after the clock began.
    #[must_use]
    pub fn from_start(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// Time from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

/// Wall-clock time: milliseconds since 1970 UTC. Shown to people and written to files; never decides anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(pub i64);

/// Where time comes from.
#[async_trait]
pub trait Clock: Send + Sync + fmt::Debug {
    /// Monotonic: never goes back.
    fn now(&self) -> Instant;

    /// The time of day, which may jump.
    fn wall(&self) -> WallTime;

    /// Waits until `deadline`. Cancel-safe.
    async fn sleep_until(&self, deadline: Instant);

    /// Waits for `duration`. Cancel-safe.
    async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now() + duration).await;
    }
}
