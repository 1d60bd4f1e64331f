//! When a file is finished: by its size, or by its age.

use std::time::Duration;

use dataflow::contract::InvalidOptions;
use dataflow::quantity::{ByteCount, Span};
use dataflow::time::{Clock, Instant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The largest file: what S3 copies in one request.
const SIZE_MAX: u64 = 5 << 30;

/// When a file is finished and a new one begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Roll {
    /// A file that has reached this size is finished.
    pub(crate) size: ByteCount,
    /// A file that has been open for this long is finished at the next checkpoint.
    pub(crate) every: Span,
}

impl Default for Roll {
    fn default() -> Self {
        Self {
            size: ByteCount(128 << 20),
            every: Span(Duration::from_secs(60)),
        }
    }
}

impl Roll {
    /// Checks what the schema allows.
    pub(crate) fn check(&self) -> Result<(), InvalidOptions> {
        let invalid = |pointer: &str, message: &str, help: &str| {
            Err(InvalidOptions {
                pointer: pointer.to_owned(),
                message: message.to_owned(),
                help: Some(help.to_owned()),
            })
        };
        if self.size.0 == 0 || self.size.0 > SIZE_MAX {
            return invalid(
                "/roll/size",
                "a file has between 1B and 5GiB",
                "`128MiB` is a good size for most readers",
            );
        }
        if self.every.0.is_zero() {
            return invalid(
                "/roll/every",
                "a file cannot be finished as soon as it is begun",
                "write how long a file may take, such as `1m`",
            );
        }
        Ok(())
    }

    /// Whether a file of this size and age is finished.
    pub(crate) fn is_due(&self, bytes: u64, age: Duration) -> bool {
        bytes >= self.size.0 || age >= self.every.0
    }
}

/// How long a file has been open, over all attempts that wrote to it; the time between them does not count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Age {
    before: Duration,
    since: Instant,
}

impl Age {
    /// Goes on from `before`.
    pub(crate) fn from(before: Duration, clock: &dyn Clock) -> Self {
        Self {
            before,
            since: clock.now(),
        }
    }

    /// How long it is now.
    pub(crate) fn get(&self, clock: &dyn Clock) -> Duration {
        self.before.saturating_add(clock.now().since(self.since))
    }

    /// In milliseconds, for the state.
    pub(crate) fn millis(&self, clock: &dyn Clock) -> u64 {
        u64::try_from(self.get(clock).as_millis()).unwrap_or(u64::MAX)
    }
}
