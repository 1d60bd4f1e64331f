//! Who inherits what a subtask left, by the kind of its node. Pure.
//!
//! ```text
//!   2 subtasks, 8 key groups:   0 1 2 3 │ 4 5 6 7
//!   then 3:                     0 1 2 │ 3 4 5 │ 6 7        keyed state of the second goes to the second and the third
//! ```

use std::ops::Range;

use dataflow::key;
use dataflow::recipe::{Excess, Phase, Recipe};

/// How what a node left is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// To everybody who owns one of its key groups; each takes the keys that are its own.
    Keyed,
    /// To everybody: nobody knows yet who will read which split.
    Times,
    /// Whole, to one.
    Whole,
    /// Split by split, each to one.
    Splits,
    /// There is nothing.
    Nothing,
}

impl Hand {
    /// The manner of a recipe's state.
    #[must_use]
    pub fn of(recipe: &Recipe) -> Self {
        match recipe {
            Recipe::Source(_) => Self::Splits,
            Recipe::EventTime(_) => Self::Times,
            Recipe::Dedup(_) | Recipe::TopN(_) | Recipe::Delay(_) => Self::Keyed,
            Recipe::Aggregate(aggregate) => match aggregate.phase {
                Phase::Whole | Phase::Final => Self::Keyed,
                Phase::Partial => Self::Nothing,
            },
            Recipe::Sink(_) => Self::Whole,
            Recipe::Decode(_)
            | Recipe::Filter(_)
            | Recipe::Select(_)
            | Recipe::Drop(_)
            | Recipe::Unnest(_)
            | Recipe::Sample(_) => Self::Nothing,
            // Rows that wait for their turn, each under one of the key groups.
            Recipe::RateLimit(limit) => match limit.excess {
                Excess::Wait => Self::Keyed,
                Excess::Drop => Self::Nothing,
            },
        }
    }

    /// The new subtasks that inherit from old subtask `index` of `before`, where there are `after` now.
    #[must_use]
    pub fn heirs(self, index: u32, before: u32, after: u32, groups: u32) -> Range<u32> {
        let one = |heir: u32| heir..heir + 1;
        match self {
            Self::Nothing => 0..0,
            _ if before == after => one(index),
            Self::Times => 0..after,
            Self::Whole | Self::Splits => one(index % after),
            Self::Keyed => {
                let held = key::range(index, before, groups);
                if held.is_empty() {
                    return 0..0;
                }
                let (first, last) = (held.start, held.end - 1);
                key::owner(first, after, groups)..key::owner(last, after, groups) + 1
            }
        }
    }
}
