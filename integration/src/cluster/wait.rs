//! Waits for conditions, with deadlines.
#![expect(
    clippy::disallowed_methods,
    reason = "these processes live in the time of the machine"
)]

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::Cluster;

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

/// The newest epoch of a datastream that was described.
#[must_use]
pub fn epoch(described: &Value) -> u64 {
    described["summary"]["epoch"].as_u64().unwrap_or(0)
}

impl Cluster {
    /// Waits until a datastream runs and its newest epoch is behind this one; everything that is known of it then.
    ///
    /// # Errors
    /// When it takes longer than `limit`.
    pub fn until_past(&self, name: &str, before: u64, limit: Duration) -> Result<Value> {
        self.until(name, "to commit", limit, |described| {
            described["summary"]["state"] == "running" && epoch(described) > before
        })
    }
}
