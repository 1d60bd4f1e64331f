//! How many rows of a column of times are of which minute.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, TimestampMillisecondArray};
use arrow::datatypes::TimestampMillisecondType;
use dataflow::tally::{MINUTE_MS, minute_of};

/// Minutes that lie no further apart are counted in one run over an array; wilder times one by one.
const RANGE_MAX: i64 = 4_096;

/// Rows by minute; each minute once, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Spread {
    minutes: Vec<(i64, u64)>,
    counts: Vec<u64>,
}

/// The times of a column. A column of another type is nobody's times.
pub(super) fn values(times: &ArrayRef) -> Option<&TimestampMillisecondArray> {
    times.as_primitive_opt::<TimestampMillisecondType>()
}

impl Spread {
    /// Rows and their minutes.
    pub(super) fn minutes(&self) -> &[(i64, u64)] {
        &self.minutes
    }

    /// The minute that all rows are of.
    pub(super) fn whole(&self) -> Option<i64> {
        match self.minutes.as_slice() {
            [(minute, _)] => Some(*minute),
            _ => None,
        }
    }

    /// Looks at a column. Rows without a time are of the minute `now`.
    pub(super) fn fill(&mut self, times: &ArrayRef, now: i64) {
        self.minutes.clear();
        let Some(times) = values(times) else {
            self.minutes.push((now, times.len() as u64));
            return;
        };
        if times.null_count() > 0 {
            return self.one_by_one(times.iter().map(|time| time.map_or(now, minute_of)));
        }
        let Some((first, rest)) = times.values().split_first() else {
            return;
        };
        let minute = minute_of(*first);
        let start = minute.saturating_mul(MINUTE_MS);
        // One comparison a row, without a branch.
        let elsewhere = rest.iter().filter(|time| !is_within(start, **time)).count();
        if elsewhere == 0 {
            self.minutes.push((minute, times.len() as u64));
            return;
        }
        self.apart(times.values());
    }

    fn apart(&mut self, times: &[i64]) {
        let (lowest, highest) = times.iter().fold((i64::MAX, i64::MIN), |(low, high), time| {
            (low.min(*time), high.max(*time))
        });
        let (first, last) = (minute_of(lowest), minute_of(highest));
        let range = last.saturating_sub(first);
        if range >= RANGE_MAX {
            return self.one_by_one(times.iter().map(|time| minute_of(*time)));
        }
        let start = first.saturating_mul(MINUTE_MS);
        self.counts.clear();
        self.counts.resize(usize::try_from(range).unwrap_or(0) + 1, 0);
        for time in times {
            // No time is below the start; what is above fits.
            let index = time.wrapping_sub(start).unsigned_abs() / MINUTE_MS.unsigned_abs();
            self.counts[usize::try_from(index).unwrap_or(0)] += 1;
        }
        let dated = (first..).zip(self.counts.iter().copied());
        self.minutes.extend(dated.filter(|(_, rows)| *rows > 0));
    }

    fn one_by_one(&mut self, minutes: impl Iterator<Item = i64>) {
        let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
        minutes.for_each(|minute| *counts.entry(minute).or_default() += 1);
        self.minutes.extend(counts);
    }
}

fn is_within(start: i64, time: i64) -> bool {
    time.wrapping_sub(start).cast_unsigned() < MINUTE_MS.unsigned_abs()
}
