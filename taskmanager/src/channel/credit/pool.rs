//! The floating bytes that busy channels share.

/// How much is leased of what there is.
///
/// A channel may hold at most as much as is free after it took its part. So the pool is never used up: each further busy
/// channel still finds something, and a stuck one cannot take all.
#[derive(Clone, Debug)]
pub struct Pool {
    total: u64,
    leased: u64,
}

impl Pool {
    /// A pool of `total` bytes.
    #[must_use]
    pub fn new(total: u64) -> Self {
        Self { total, leased: 0 }
    }

    /// The most that a channel may hold that holds `held` now.
    #[must_use]
    pub fn limit(&self, held: u64) -> u64 {
        (self.total.saturating_sub(self.leased) + held) / 2
    }

    /// A channel that held `before` now holds `after`.
    pub fn change(&mut self, before: u64, after: u64) {
        debug_assert!(self.leased >= before, "channels give back what they took");
        self.leased = self.leased - before + after;
    }

    /// Bytes held by channels. Above the total only while rows overdraw that are larger than their window.
    #[must_use]
    pub fn leased(&self) -> u64 {
        self.leased
    }
}
