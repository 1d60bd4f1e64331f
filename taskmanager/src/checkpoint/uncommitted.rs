//! What one sink has prepared and no record has covered yet.

use std::collections::BTreeMap;

use dataflow::contract::Committable;

/// Committables by the counter of the barrier that made them.
///
/// A barrier that was aborted leaves its committables here; they are in every later snapshot, and leave with the
/// first record whose barrier is not older.
#[derive(Debug, Default)]
pub(crate) struct Uncommitted {
    by_counter: BTreeMap<u64, Vec<Committable>>,
}

impl Uncommitted {
    /// The sink has prepared these at a barrier.
    pub(crate) fn prepared(&mut self, counter: u64, committables: Vec<Committable>) {
        self.by_counter.entry(counter).or_default().extend(committables);
    }

    /// What the snapshot of the barrier `counter` holds.
    pub(crate) fn snapshot(&self, counter: u64) -> Vec<Committable> {
        self.by_counter
            .range(..=counter)
            .flat_map(|(_, committables)| committables)
            .cloned()
            .collect()
    }

    /// What a record of the barrier `counter` covers. It stays here until [`Self::committed`].
    pub(crate) fn covered(&self, counter: u64) -> Vec<Committable> {
        self.snapshot(counter)
    }

    /// The sink has committed what the barrier `counter` covers.
    pub(crate) fn committed(&mut self, counter: u64) {
        self.by_counter = match counter.checked_add(1) {
            Some(next) => self.by_counter.split_off(&next),
            None => BTreeMap::new(),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn committable(number: u64) -> Committable {
        Committable(number.into())
    }

    #[test]
    fn an_aborted_barrier_leaves_its_committables_to_the_next_snapshot() {
        let mut sink = Uncommitted::default();
        sink.prepared(1, vec![committable(10)]);
        sink.prepared(2, vec![committable(20), committable(21)]);
        assert_eq!(sink.snapshot(2), [10, 20, 21].map(committable));
        sink.committed(2);
        sink.prepared(3, vec![]);
        assert_eq!(sink.snapshot(3), []);
    }

    #[test]
    fn a_record_covers_nothing_that_came_after_its_barrier() {
        let mut sink = Uncommitted::default();
        sink.prepared(1, vec![committable(10)]);
        sink.prepared(2, vec![committable(20)]);
        assert_eq!(sink.covered(1), [committable(10)]);
        sink.committed(1);
        assert_eq!(sink.covered(9), [committable(20)]);
    }

    proptest! {
        // Each barrier either gets a record (`true`) or is aborted; in the end every committable was committed once.
        #[test]
        fn every_committable_is_committed_once_whatever_is_aborted(mut recorded in prop::collection::vec(any::<bool>(), 1..20)) {
            recorded.push(true);
            let mut sink = Uncommitted::default();
            let mut committed = Vec::new();
            for (counter, recorded) in (1_u64..).zip(&recorded) {
                sink.prepared(counter, vec![committable(counter)]);
                prop_assert!(sink.snapshot(counter).contains(&committable(counter)));
                if *recorded {
                    committed.extend(sink.covered(counter));
                    sink.committed(counter);
                }
            }
            let all: Vec<_> = (1..=recorded.len() as u64).map(committable).collect();
            prop_assert_eq!(committed, all);
        }
    }
}
