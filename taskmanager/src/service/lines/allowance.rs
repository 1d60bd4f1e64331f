//! How many lines of a job are taken: a burst at once, then so many a second. Pure.

use std::time::Duration;

use dataflow::time::Instant;

/// Lines a second, for long.
pub(super) const PER_SECOND: u32 = 50;
/// Lines at once: a deployment of a hundred subtasks says what it does.
const BURST: u32 = 256;

/// Each line costs its share of a second; a job may be in debt by one burst.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Allowance {
    /// When all lines so far are paid for.
    paid_at: Instant,
}

impl Allowance {
    /// Whether one more line may pass now.
    pub(super) fn grants(&mut self, now: Instant) -> bool {
        let price = Duration::from_secs(1) / PER_SECOND;
        let paid_at = self.paid_at.max(now);
        if paid_at.since(now) > price * (BURST - 1) {
            return false;
        }
        self.paid_at = paid_at + price;
        true
    }
}
