//! A bucket of tokens, as one number: the instant at which it will be full again. A pure machine, in whole numbers.
//!
//! ```text
//!   tokens = (now + capacity - full_at) / interval, at most `burst`      taking one moves full_at by one interval
//!   ──────┬──────────────┬───────────────> time
//!        now          full_at             a bucket that is full needs no memory: it is as one that never was
//! ```
//!
//! Must stay true: in any span of time, no more rows pass than `burst` and `rate` times the span.

use std::time::Duration;

use dataflow::time::Instant;

/// Time is counted in these, so that an interval is exact to a billionth at a million rows a second.
const FEMTOSECONDS: f64 = 1e15;
const FEMTOSECONDS_PER_NANOSECOND: u128 = 1_000_000;
/// No rate is so low that the next row is further away: some thirty years.
const INTERVAL_MAX: u128 = 1_000_000_000 * 1_000_000_000_000_000;
/// More rows at once than any batch could have.
const BURST_MAX: u64 = u32::MAX as u64;

/// How fast buckets fill, and how much they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// From one token to the next.
    interval: u128,
    /// As long as a full bucket lasts.
    capacity: u128,
}

/// One bucket. A new one is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bucket {
    full_at: u128,
}

impl Rate {
    /// So many rows a second, and so many at once after a quiet time; at least one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float becomes the nearest whole number; what is no number or too large becomes a bound"
    )]
    pub(super) fn new(rows_per_second: f64, burst: u64) -> Self {
        let interval = ((FEMTOSECONDS / rows_per_second).round() as u128).clamp(1, INTERVAL_MAX);
        Self {
            interval,
            capacity: interval * u128::from(burst.clamp(1, BURST_MAX)),
        }
    }

    /// Takes up to `wanted` tokens; how many there were.
    pub(super) fn take(&self, bucket: &mut Bucket, now: Instant, wanted: u64) -> u64 {
        let now = count(now);
        let begin = bucket.full_at.max(now);
        let room = self.capacity.saturating_sub(begin - now);
        let granted = (room / self.interval).min(u128::from(wanted));
        bucket.full_at = begin + granted * self.interval;
        u64::try_from(granted).unwrap_or(u64::MAX)
    }

    /// When the bucket will have a token.
    pub(super) fn ready_at(&self, bucket: &Bucket) -> Instant {
        let at = bucket.full_at + self.interval;
        let nanoseconds = at.saturating_sub(self.capacity).div_ceil(FEMTOSECONDS_PER_NANOSECOND);
        Instant::from_start(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)))
    }
}

impl Bucket {
    /// Whether it may be forgotten.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.full_at <= count(now)
    }
}

fn count(now: Instant) -> u128 {
    now.since(Instant::default()).as_nanos() * FEMTOSECONDS_PER_NANOSECOND
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(milliseconds: u64) -> Instant {
        Instant::from_start(Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_quiet_time_fills_the_bucket_and_no_more() {
        let rate = Rate::new(10.0, 5);
        let mut bucket = Bucket::default();
        assert_eq!(rate.take(&mut bucket, at(0), 100), 5);
        assert_eq!(rate.take(&mut bucket, at(99), 100), 0);
        assert_eq!(rate.take(&mut bucket, at(100), 100), 1);
        assert_eq!(rate.take(&mut bucket, at(350), 1), 1);
        assert_eq!(rate.take(&mut bucket, at(350), 1), 1);
        assert_eq!(rate.take(&mut bucket, at(399), 1), 0);
        assert_eq!(rate.take(&mut bucket, at(1_000_000), 100), 5);
    }

    #[test]
    fn it_says_when_there_will_be_a_token() {
        let rate = Rate::new(4.0, 2);
        let mut bucket = Bucket::default();
        assert_eq!(rate.ready_at(&bucket), at(0));
        assert_eq!(rate.take(&mut bucket, at(1000), 2), 2);
        assert_eq!(rate.ready_at(&bucket), at(1250));
        assert!(!bucket.is_full(at(1499)) && bucket.is_full(at(1500)));
    }

    #[test]
    fn one_row_an_hour_is_a_rate_and_a_burst_of_none_is_one() {
        let rate = Rate::new(1.0 / 3600.0, 0);
        let mut bucket = Bucket::default();
        assert_eq!(rate.take(&mut bucket, at(0), 9), 1);
        assert_eq!(rate.take(&mut bucket, at(3_599_999), 9), 0);
        assert_eq!(rate.take(&mut bucket, at(3_600_001), 9), 1);
        // Nonsense becomes a bound and never a panic.
        for rows in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let rate = Rate::new(rows, u64::MAX);
            let mut bucket = Bucket::default();
            assert!(rate.take(&mut bucket, at(7), 3) <= 3);
            rate.ready_at(&bucket);
        }
    }

    /// The bucket as everybody writes it down: tokens, filled by the time that passed; in units of a microrow.
    struct Naive {
        tokens: u128,
        at: u128,
    }

    impl Naive {
        fn take(&mut self, rows_per_second: u128, burst: u128, now: u128, wanted: u128) -> u128 {
            let filled = self.tokens + (now - self.at) * rows_per_second * 1000;
            self.tokens = filled.min(burst * 1_000_000);
            self.at = now;
            let granted = (self.tokens / 1_000_000).min(wanted);
            self.tokens -= granted * 1_000_000;
            granted
        }
    }

    proptest! {
        #[test]
        fn it_grants_what_a_bucket_of_tokens_does(
            // Rates whose interval is a whole number of femtoseconds.
            rate in prop::sample::select(vec![1_u64, 2, 5, 8, 100, 1000, 64_000]),
            burst in 1..500_u64,
            steps in prop::collection::vec((0..5000_u64, 0..300_u64), 1..60),
        ) {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let machine = Rate::new(rate as f64, burst);
            let mut bucket = Bucket::default();
            let mut naive = Naive { tokens: u128::from(burst) * 1_000_000, at: 0 };
            let mut now = 0;
            for (later, wanted) in steps {
                now += later;
                let expected = naive.take(rate.into(), burst.into(), now.into(), wanted.into());
                prop_assert_eq!(u128::from(machine.take(&mut bucket, at(now), wanted)), expected, "at {} ms", now);
            }
        }

        #[test]
        fn no_span_of_time_lets_more_through_than_burst_and_rate(
            rate in 0.01..100_000_f64,
            burst in 1..1000_u64,
            steps in prop::collection::vec((0..2000_u64, 0..2000_u64), 1..40),
        ) {
            let machine = Rate::new(rate, burst);
            let mut bucket = Bucket::default();
            let mut passed = Vec::new();
            let mut now = 0;
            for (later, wanted) in steps {
                now += later;
                // Where it gave less than was wanted there is none left, and it says so.
                let granted = machine.take(&mut bucket, at(now), wanted);
                prop_assert!(granted == wanted || machine.ready_at(&bucket) > at(now));
                passed.push((now, granted));
            }
            for (index, (begin, _)) in passed.iter().enumerate() {
                let mut sum = 0;
                for (end, granted) in &passed[index..] {
                    sum += granted;
                    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                    let most = burst as f64 + rate * (end - begin) as f64 / 1000.0;
                    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                    let sum = sum as f64;
                    prop_assert!(sum <= most * (1.0 + 1e-9) + 1e-6, "{} rows in {} ms", sum, end - begin);
                }
            }
        }
    }
}
