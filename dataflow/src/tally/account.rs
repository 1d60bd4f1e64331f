//! What came into a step and what became of it.

use serde::{Deserialize, Serialize};

/// What is counted of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They came in.
    In,
    /// They went on.
    Out,
    /// They were left out on purpose.
    Filtered,
    /// They came after their time.
    Late,
    /// The step could not take them.
    Dead,
}

/// Rows of one step and one minute, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Rows that came in.
    pub rows_in: u64,
    /// Rows that went on.
    pub rows_out: u64,
    /// Rows that were left out on purpose.
    pub filtered: u64,
    /// Rows that came after their time.
    pub late: u64,
    /// Rows that the step could not take.
    pub dead: u64,
}

impl Account {
    /// Counts rows.
    pub fn add(&mut self, fate: Fate, rows: u64) {
        let count = match fate {
            Fate::In => &mut self.rows_in,
            Fate::Out => &mut self.rows_out,
            Fate::Filtered => &mut self.filtered,
            Fate::Late => &mut self.late,
            Fate::Dead => &mut self.dead,
        };
        *count = count.saturating_add(rows);
    }

    /// The sum of two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.each(other, u64::saturating_add)
    }

    /// The difference of two; nothing falls below zero.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        self.each(other, u64::saturating_sub)
    }

    fn each(self, other: Self, op: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            rows_in: op(self.rows_in, other.rows_in),
            rows_out: op(self.rows_out, other.rows_out),
            filtered: op(self.filtered, other.filtered),
            late: op(self.late, other.late),
            dead: op(self.dead, other.dead),
        }
    }

    /// Rows whose fate is known, whatever it is.
    #[must_use]
    pub fn accounted(&self) -> u64 {
        let Self {
            rows_in: _,
            rows_out,
            filtered,
            late,
            dead,
        } = self;
        [filtered, late, dead]
            .into_iter()
            .fold(*rows_out, |sum, rows| sum.saturating_add(*rows))
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
