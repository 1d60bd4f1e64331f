//! The only chance in a simulated world: one seed, one row of numbers.

use std::ops::RangeInclusive;

/// SplitMix64: small, fast, and good enough to choose faults with.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The row of numbers of a seed.
    #[must_use]
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    /// The next number.
    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `bound`; 0 where there is none.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.word() % bound.max(1)
    }

    /// A number of a range.
    pub(crate) fn within(&mut self, range: &RangeInclusive<u64>) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// Whether something happens that happens so many times in a thousand.
    pub(crate) fn happens(&mut self, per_mille: u64) -> bool {
        // Always drawn, so that a rate of zero does not shift the rest of the row.
        self.below(1_000) < per_mille
    }

    /// One of some.
    ///
    /// # Panics
    /// Where there is none to choose.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let index = usize::try_from(self.below(of.len() as u64)).unwrap_or(0);
        of[index]
    }
}

/// Where something goes that is dealt out by value: the same in every run of every seed.
#[must_use]
pub(crate) fn scattered(value: u64) -> u64 {
    Chance(value).word()
}
