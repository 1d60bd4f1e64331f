//! The times of some rows of the batch under way: they say how old its rows are, also where it goes on without its times.

use arrow::array::{Array, ArrayRef};
use dataflow::tally::Histogram;

use super::spread::values;

/// So many rows of a batch are looked at, evenly spread over it.
const ROWS: usize = 8;

/// Times, each of which stands for so many rows.
#[derive(Debug, Default)]
pub(super) struct Sample {
    times: Vec<i64>,
    weight: u64,
}

impl Sample {
    /// Of the rows with these times.
    pub(super) fn take(&mut self, times: &ArrayRef) {
        self.times.clear();
        let Some(times) = values(times).filter(|times| !times.is_empty()) else {
            return;
        };
        let count = times.len().min(ROWS);
        let last = times.len() - 1;
        let rows = (0..count).map(|index| index * last / (count - 1).max(1));
        let there = rows.filter(|row| times.is_valid(*row)).map(|row| times.value(row));
        self.times.extend(there);
        self.weight = (times.len() / count) as u64;
    }

    /// Of rows that no time is known of.
    pub(super) fn forget(&mut self) {
        self.times.clear();
    }

    /// Adds how old they are at this time of the clock.
    pub(super) fn add_to(&self, ages: &mut Histogram, wall: i64) {
        for time in &self.times {
            ages.add(wall.saturating_sub(*time), self.weight);
        }
    }
}
