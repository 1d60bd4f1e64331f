//! Waits for conditions, with deadlines.
#![expect(
    clippy::disallowed_methods,
    reason = "these processes live in the time of the machine"
)]

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// A condition is looked at this often.
const PAUSE: Duration = Duration::from_millis(20);

/// When waiting ends.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// `limit` from now.
    #[must_use]
    pub fn of(limit: Duration) -> Self {
        Self {
            at: Instant::now() + limit,
            limit,
        }
    }

    /// Whether it has passed.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        Instant::now() >= self.at
    }
}

/// Waits until `look` finds something.
///
/// # Errors
/// When `look` fails, or the deadline passes.
pub fn until<T>(what: &str, deadline: Deadline, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() >= deadline.at {
            bail!("waited {:?} for {what}", deadline.limit);
        }
        thread::sleep(PAUSE);
    }
}
