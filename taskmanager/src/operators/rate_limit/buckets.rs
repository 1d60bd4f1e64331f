//! A bucket for each key that passed rows lately: in bounded memory, because a full bucket is as one that never was.

use ahash::HashMap;
use dataflow::time::Instant;

use super::bucket::{Bucket, Rate};

/// So many keys may be short of tokens at once: 32 MiB.
const KEYS_MAX: usize = 1 << 20;

/// The buckets that are not full, by their keys' hashes. Two keys in four billion share a hash among a million: they would
/// share a bucket.
pub(super) struct Buckets {
    rate: Rate,
    buckets: HashMap<u64, Bucket>,
    most: usize,
}

impl Buckets {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: HashMap::default(),
            most: KEYS_MAX,
        }
    }

    /// Whether a row of this key may pass.
    pub(super) fn take(&mut self, key: u64, now: Instant) -> bool {
        if self.buckets.len() >= self.most && !self.buckets.contains_key(&key) {
            self.make_room(now);
        }
        let bucket = self.buckets.entry(key).or_default();
        self.rate.take(bucket, now, 1) == 1
    }

    /// Forgets those that are full. Where too few are, a quarter goes that would be full soonest: their keys may pass what is
    /// left to be filled once more, which harms least.
    fn make_room(&mut self, now: Instant) {
        self.buckets.retain(|_, bucket| !bucket.is_full(now));
        let kept = self.most - self.most.div_ceil(4);
        if self.buckets.len() <= kept {
            return;
        }
        let mut fullness: Vec<Bucket> = self.buckets.values().copied().collect();
        let gone = fullness.len() - kept;
        let (_, limit, _) = fullness.select_nth_unstable(gone - 1);
        let limit = *limit;
        self.buckets.retain(|_, bucket| *bucket > limit);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(milliseconds: u64) -> Instant {
        Instant::from_start(Duration::from_millis(milliseconds))
    }

    fn buckets(most: usize) -> Buckets {
        Buckets {
            most,
            ..Buckets::new(Rate::new(1.0, 2))
        }
    }

    #[test]
    fn keys_have_buckets_of_their_own() {
        let mut buckets = buckets(100);
        let passed: Vec<bool> = [1, 1, 1, 2, 2, 2].map(|key| buckets.take(key, at(0))).to_vec();
        assert_eq!(passed, [true, true, false, true, true, false]);
        assert!(buckets.take(1, at(1000)) && !buckets.take(1, at(1000)));
    }

    #[test]
    fn full_buckets_are_forgotten_and_nobody_notices() {
        let mut few = buckets(4);
        let mut all = buckets(1 << 20);
        // Every key comes twice a second, and is full again after four: never more than two or three are short of tokens.
        for turn in 0..1000_u64 {
            let now = at(turn * 2000);
            for key in [turn, turn, turn, turn.saturating_sub(1)] {
                assert_eq!(few.take(key, now), all.take(key, now), "{key} at {now:?}");
            }
        }
        assert!(few.buckets.len() <= 4);
        assert_eq!(all.buckets.len(), 1000);
    }

    #[test]
    fn more_keys_than_there_is_room_for_stay_within_it_and_the_emptiest_are_remembered() {
        let mut buckets = buckets(8);
        buckets.take(7, at(0));
        assert!(buckets.take(7, at(0)) && !buckets.take(7, at(0)));
        for key in 100..200 {
            assert!(buckets.take(key, at(1)));
            assert!(buckets.buckets.len() <= 8);
        }
        assert!(!buckets.take(7, at(2)), "it has no token, and the others have one");
    }
}
