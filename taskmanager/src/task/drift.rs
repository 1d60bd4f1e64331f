//! How far a source may run ahead: `maxDrift`, in one subtask. Pure.
//!
//! ```text
//!   splits that are read, and how far each has come ──> say (to the job manager, now and then) the slowest
//!   the bound (its word, or of one's own splits)    ──> hold splits that are beyond it; wait if all of them are
//! ```
//!
//! Must stay true: a subtask waits only while its own slowest split is beyond the bound, and then the job manager knows how
//! far that is. So the slowest of all never waits, and who reads nothing holds up nobody.

use std::collections::{BTreeMap, BTreeSet};

/// The job manager is told whenever the slowest split has come further by this part of the drift.
const WORTH: i64 = 8;

/// What is to be done before the next rows are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// The job manager is to know how far the slowest split has come; or that none is read.
    pub(crate) say: Option<Option<i64>>,
    /// Splits that are too far ahead.
    pub(crate) hold: BTreeSet<String>,
    /// Nothing is to be read: this one is slower.
    pub(crate) wait: Option<String>,
}

/// How far one subtask has come, and may go.
#[derive(Clone, Debug)]
pub(crate) struct Drift {
    most_ms: i64,
    /// Nobody else reads this source.
    alone: bool,
    said: Option<i64>,
    /// Up to where, and who is the slowest.
    bound: Option<(i64, String)>,
}

impl Drift {
    /// At most so far ahead of the slowest split, of all subtasks of the source or, where there is one, of its own.
    pub(crate) fn new(most_ms: u64, parallelism: u32) -> Self {
        Self {
            most_ms: i64::try_from(most_ms).unwrap_or(i64::MAX),
            alone: parallelism <= 1,
            said: None,
            bound: None,
        }
    }

    /// The job manager says how far all may go.
    pub(crate) fn bound(&mut self, until_ms: i64, slowest: String) {
        self.bound = Some((until_ms, slowest));
    }

    /// The splits that are read and not idle have come to here.
    pub(crate) fn on(&mut self, reached: &BTreeMap<String, i64>) -> Pace {
        let lowest = reached.values().min().copied();
        let say = Some(lowest).filter(|_| !self.alone && self.is_worth_saying(lowest));
        if say.is_some() {
            self.said = lowest;
        }
        let Some(lowest) = lowest else {
            return Pace { say, ..Pace::default() };
        };
        let own = lowest.saturating_add(self.most_ms);
        // Before the first word of the job manager nobody else is known.
        let (until, slowest) = match &self.bound {
            Some((until, slowest)) if !self.alone => (own.min(*until), Some(slowest)),
            _ => (own, None),
        };
        let ahead = reached.iter().filter(|(_, at)| **at > until);
        Pace {
            say,
            hold: ahead.map(|(split, _)| split.clone()).collect(),
            wait: slowest.filter(|_| lowest > until).cloned(),
        }
    }

    fn is_worth_saying(&self, lowest: Option<i64>) -> bool {
        match (self.said, lowest) {
            (None, None) => false,
            (Some(said), Some(lowest)) => {
                let moved = lowest.saturating_sub(said);
                moved < 0 || moved >= (self.most_ms / WORTH).max(1)
            }
            (None, Some(_)) | (Some(_), None) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(splits: &[(&str, i64)]) -> BTreeMap<String, i64> {
        splits.iter().map(|(id, at)| ((*id).to_owned(), *at)).collect()
    }

    fn held(pace: &Pace) -> Vec<&str> {
        pace.hold.iter().map(String::as_str).collect()
    }

    #[test]
    fn a_subtask_alone_holds_its_fast_splits_and_never_waits_or_speaks() {
        let mut drift = Drift::new(800, 1);
        let pace = drift.on(&at(&[("a", 1_000), ("b", 1_800), ("c", 1_801)]));
        assert_eq!((held(&pace), pace.say, pace.wait.clone()), (vec!["c"], None, None));
        assert!(
            drift.on(&at(&[("c", 1_801)])).hold.is_empty(),
            "the others are at their ends"
        );
        assert_eq!(drift.on(&at(&[])), Pace::default());
    }

    #[test]
    fn a_subtask_waits_while_its_slowest_split_is_beyond_the_bound() {
        let mut drift = Drift::new(800, 2);
        assert_eq!(drift.on(&at(&[("a", 1_000)])).say, Some(Some(1_000)));
        drift.bound(900, "sub-0.1".to_owned());
        let pace = drift.on(&at(&[("a", 1_000)]));
        assert_eq!(
            (held(&pace), pace.say, pace.wait.clone()),
            (vec!["a"], None, Some("sub-0.1".to_owned()))
        );
        // A split that was given to it and is older goes on.
        let pace = drift.on(&at(&[("a", 1_000), ("b", 100)]));
        assert_eq!(
            (held(&pace), pace.say, pace.wait.clone()),
            (vec!["a"], Some(Some(100)), None)
        );
        drift.bound(1_000, "sub-0.1".to_owned());
        assert_eq!(drift.on(&at(&[("a", 1_000)])).wait, None);
    }

    #[test]
    fn it_speaks_when_it_has_come_an_eighth_further_and_when_it_reads_nothing_any_more() {
        let mut drift = Drift::new(800, 2);
        assert_eq!(drift.on(&at(&[])).say, None);
        assert_eq!(drift.on(&at(&[("a", 0)])).say, Some(Some(0)));
        assert_eq!(drift.on(&at(&[("a", 99)])).say, None);
        assert_eq!(drift.on(&at(&[("a", 100)])).say, Some(Some(100)));
        assert_eq!(drift.on(&at(&[])).say, Some(None));
        assert_eq!(drift.on(&at(&[])).say, None);
    }
}
