//! How far the readers of a source may run ahead of the slowest of them: `maxDrift`. Pure.
//!
//! ```text
//!   reader ── how far its slowest split has come ──> the lowest of all, and `maxDrift` beyond it ──> every reader
//! ```
//!
//! Must stay true: the slowest reader is never before the bound; who reads nothing, or has not said how far it is, holds up
//! nobody. A reader says how far it has come whenever that is an eighth of the drift, and is told when the bound moves as
//! far: so what it has come further than is known here is less than what the bound leaves it.

use std::collections::BTreeMap;
use std::time::Duration;

use dataflow::id::SubtaskId;

/// A bound that has moved by less than this part of the drift is not worth a message.
const WORTH: i64 = 8;

/// The readers of one source, and how far they have come.
#[derive(Clone, Debug)]
pub struct Drift {
    most_ms: i64,
    reached: BTreeMap<SubtaskId, i64>,
    told: Option<Bound>,
}

/// Up to where readers may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// An event time, in milliseconds since 1970.
    pub until_ms: i64,
    /// Who is the slowest.
    pub slowest: SubtaskId,
}

impl Drift {
    /// Of readers that nothing is known of yet.
    #[must_use]
    pub fn new(most: Duration) -> Self {
        Self {
            most_ms: i64::try_from(most.as_millis()).unwrap_or(i64::MAX),
            reached: BTreeMap::new(),
            told: None,
        }
    }

    /// A reader has come to here, or reads nothing at present; what all are to be told, if anything.
    pub fn on(&mut self, reader: SubtaskId, reached_ms: Option<i64>) -> Option<Bound> {
        match reached_ms {
            Some(reached) => self.reached.insert(reader, reached),
            None => self.reached.remove(&reader),
        };
        let (slowest, lowest) = self.reached.iter().min_by_key(|(_, reached)| **reached)?;
        let bound = Bound {
            until_ms: lowest.saturating_add(self.most_ms),
            slowest: *slowest,
        };
        let is_worth_it = self.told.is_none_or(|told| {
            let moved = bound.until_ms.saturating_sub(told.until_ms);
            // Who was told to go further than it may is told at once.
            moved < 0 || moved >= (self.most_ms / WORTH).max(1)
        });
        if !is_worth_it {
            return None;
        }
        self.told = Some(bound);
        Some(bound)
    }
}

#[cfg(test)]
mod tests {
    use dataflow::id::VertexId;
    use proptest::prelude::*;

    use super::*;

    fn sub(index: u32) -> SubtaskId {
        SubtaskId {
            vertex: VertexId(0),
            index,
        }
    }

    fn until(bound: Option<Bound>) -> Option<(i64, u32)> {
        bound.map(|bound| (bound.until_ms, bound.slowest.index))
    }

    #[test]
    fn the_bound_follows_the_slowest_and_small_steps_are_not_worth_a_message() {
        let mut drift = Drift::new(Duration::from_millis(800));
        assert_eq!(until(drift.on(sub(0), Some(1_000))), Some((1_800, 0)));
        assert_eq!(until(drift.on(sub(1), Some(5_000))), None, "it is ahead");
        assert_eq!(until(drift.on(sub(0), Some(1_099))), None);
        assert_eq!(until(drift.on(sub(0), Some(1_100))), Some((1_900, 0)));
        assert_eq!(
            until(drift.on(sub(2), Some(1_050))),
            Some((1_850, 2)),
            "somebody came who is further back"
        );
    }

    #[test]
    fn who_reads_nothing_holds_up_nobody() {
        let mut drift = Drift::new(Duration::from_millis(800));
        drift.on(sub(0), Some(1_000));
        drift.on(sub(1), Some(1_800));
        assert_eq!(
            until(drift.on(sub(0), None)),
            Some((2_600, 1)),
            "it waits for a split, or is at its end"
        );
        assert_eq!(until(drift.on(sub(1), None)), None);
        assert_eq!(until(drift.on(sub(0), Some(9_000))), Some((9_800, 0)));
    }

    proptest! {
        /// Readers that report in eighths and stop at the bound: somebody can always go on, and nobody is ever further ahead
        /// than the drift and one step.
        #[test]
        fn the_slowest_can_always_go_on(steps in prop::collection::vec((0u32..4, 1i64..300), 1..300)) {
            let most = 800;
            let mut drift = Drift::new(Duration::from_millis(800));
            let mut at = [0i64; 4];
            let mut said = [0i64; 4];
            let mut bound = None;
            for index in 0..4 {
                bound = drift.on(sub(index), Some(0)).map(|bound| bound.until_ms).or(bound);
            }
            for (reader, step) in steps {
                let index = reader as usize;
                let until = bound.unwrap();
                let lowest = *at.iter().min().unwrap();
                prop_assert!(lowest <= until, "the slowest is before the bound");
                if at[index] > until {
                    continue;
                }
                at[index] += step;
                prop_assert!(at[index] - lowest <= most + step);
                if at[index] - said[index] >= most / WORTH {
                    said[index] = at[index];
                    bound = drift.on(sub(reader), Some(at[index])).map(|bound| bound.until_ms).or(bound);
                }
            }
        }
    }
}
