//! How many rows a tap may show: so many a second, a second's worth at once. Pure.

use std::time::Duration;

use dataflow::time::Instant;

/// Each row costs its share of a second; a tap may be in debt by one second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    price: Duration,
    paid_at: Instant,
}

impl Allowance {
    pub(super) fn per_second(rows: u32) -> Self {
        Self {
            price: Duration::from_secs(1) / rows.max(1),
            paid_at: Instant::default(),
        }
    }

    /// How many rows may be shown now.
    pub(super) fn room(&self, now: Instant) -> usize {
        let left = Duration::from_secs(1).saturating_sub(self.paid_at.since(now));
        usize::try_from(left.as_nanos() / self.price.as_nanos().max(1)).unwrap_or(usize::MAX)
    }

    /// So many were shown.
    pub(super) fn spend(&mut self, rows: usize, now: Instant) {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        self.paid_at = self.paid_at.max(now) + self.price.saturating_mul(rows);
    }
}
