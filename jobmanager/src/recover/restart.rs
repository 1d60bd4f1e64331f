//! Whether and when a job is tried again after a failure. Pure: its only chance is the seed it is given.
//!
//! ```text
//!   failure ── fail, bug ──────────────────────> give up
//!      └────── retry ── attempts left? ── no ──> give up
//!                             └── yes ──> restart after a delay; a quiet time since the last failure makes it short again
//! ```
//!
//! Must stay true: delays stay within the policy's bounds; the same seed gives the same delays.

use std::time::Duration;

use dataflow::time::Instant;
use dataflow::{Disposition, Failure};
use planner::job::Restart;

/// What is done about a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try again after this long; it is the how-many-eth time in a row.
    RestartAfter(Duration, u32),
    /// Leave it failed, for this reason.
    GiveUp(String),
}

/// Remembers failures and decides about the next.
#[derive(Clone, Debug)]
pub struct RestartPolicy {
    policy: Restart,
    in_a_row: u32,
    last: Option<Instant>,
    chance: u64,
}

impl RestartPolicy {
    /// Follows `policy`; `seed` makes its jitter.
    #[must_use]
    pub fn new(policy: Restart, seed: u64) -> Self {
        Self {
            policy,
            in_a_row: 0,
            last: None,
            chance: seed,
        }
    }

    /// Follows another policy; what has failed in a row stays counted.
    pub fn follow(&mut self, policy: Restart) {
        self.policy = policy;
    }

    /// Decides about a failure.
    pub fn on(&mut self, failure: &Failure, now: Instant) -> Decision {
        match failure.disposition {
            Disposition::Retry => {}
            Disposition::Fail => return Decision::GiveUp("trying again cannot help".to_owned()),
            Disposition::Bug => return Decision::GiveUp("this is a defect of Weir, please report it".to_owned()),
        }
        if self.was_quiet(now) {
            self.in_a_row = 0;
        }
        self.last = Some(now);
        self.in_a_row = self.in_a_row.saturating_add(1);
        match self.policy.clone() {
            Restart::Never => Decision::GiveUp("its restart policy is `never`".to_owned()),
            Restart::Fixed { attempts, delay } => self.within(Some(attempts), delay),
            Restart::Exponential {
                first,
                longest,
                attempts,
                ..
            } => {
                let doubled = first.saturating_mul(1_u32.checked_shl(self.in_a_row - 1).unwrap_or(u32::MAX));
                let delay = self.jittered(doubled.min(longest)).min(longest);
                self.within(attempts, delay)
            }
        }
    }

    /// Whether the row of failures is over. A fixed policy has no quiet time of its own: ten delays, and a minute at least.
    fn was_quiet(&self, now: Instant) -> bool {
        let quiet = match &self.policy {
            Restart::Never => return false,
            Restart::Fixed { delay, .. } => delay.saturating_mul(10).max(Duration::from_secs(60)),
            Restart::Exponential { quiet, .. } => *quiet,
        };
        self.last.is_some_and(|last| now.since(last) >= quiet)
    }

    fn within(&self, attempts: Option<u32>, delay: Duration) -> Decision {
        match attempts {
            Some(attempts) if self.in_a_row > attempts => {
                Decision::GiveUp(format!("it failed again after {attempts} restarts in a row"))
            }
            Some(_) | None => Decision::RestartAfter(delay, self.in_a_row),
        }
    }

    /// Between three quarters and five quarters of `delay`, so that many jobs do not come back at one moment.
    fn jittered(&mut self, delay: Duration) -> Duration {
        // SplitMix64: one multiplication-free step would correlate neighbouring seeds.
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.chance;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        let spread = delay / 2;
        let part = u32::try_from(word >> 40).unwrap_or(0);
        delay - delay / 4 + spread / (1 << 24) * part
    }
}
