//! Keys on disk that something is due for: by a number, in its order.
//!
//! A hint says when to look at a key that is not in memory, and may be out of date: whoever follows it asks the table. So
//! nothing is ever taken back; what was followed is dropped from the front.

use std::sync::Arc;

use dataflow::Failure;

use super::Spill;
use super::disk::Disk;

/// Hints of one kind.
#[derive(Debug)]
pub(crate) struct Hints {
    spill: Spill,
    disk: Option<Arc<Disk>>,
    table: u32,
    /// No hint that stands before this one counts.
    from: Vec<u8>,
    /// No hint is of a lower number.
    least: Option<i64>,
}

impl Hints {
    /// None yet.
    pub(crate) fn new(spill: &Spill) -> Self {
        Self {
            spill: spill.clone(),
            disk: None,
            table: spill.number(),
            from: Vec::new(),
            least: None,
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.least.is_none()
    }

    /// None is of a lower number than this; there may be none of it either.
    pub(crate) fn least(&self) -> Option<i64> {
        self.least
    }

    /// Adds some, in any order.
    pub(crate) fn add(&mut self, mut hints: Vec<(i64, Box<[u8]>)>) -> Result<(), Failure> {
        hints.sort_unstable();
        hints.dedup();
        let Some((least, first)) = hints.first() else {
            return Ok(());
        };
        self.least = Some(self.least.map_or(*least, |other| other.min(*least)));
        let first = whole(*least, first);
        let disk = match &self.disk {
            Some(disk) => Arc::clone(disk),
            None => self.spill.disk()?,
        };
        if first < self.from {
            // Hints behind it that were followed are followed again, which costs a look-up each.
            self.from = first;
            disk.keep_from(self.table, &self.from);
        }
        let mut run = disk.run(self.table, self.spill.file(&disk, "sst"), Vec::new());
        for (number, key) in &hints {
            run.put(&whole(*number, key), &[])?;
        }
        run.finish()?;
        self.disk = Some(disk);
        Ok(())
    }

    /// Takes the next keys whose numbers are not above `until`, at most `most`; none where there are no more.
    pub(crate) fn take(&mut self, until: i64, most: usize) -> Result<Vec<Box<[u8]>>, Failure> {
        let mut taken: Vec<Box<[u8]>> = Vec::new();
        let Some(disk) = self
            .disk
            .clone()
            .filter(|_| self.least.is_some_and(|least| least <= until))
        else {
            return Ok(taken);
        };
        let mut last: Option<Vec<u8>> = None;
        let mut next = None;
        disk.each(self.table, &self.from, |hint, _| {
            let Some((number, key)) = parts(hint) else { return true };
            if number > until || taken.len() == most {
                next = Some(number);
                return false;
            }
            taken.push(key.into());
            last = Some(hint.to_vec());
            true
        })?;
        self.least = next;
        if let Some(mut last) = last {
            // The least that is greater.
            last.push(0);
            self.from = last;
        }
        Ok(taken)
    }

    /// What was taken will not be read again.
    pub(crate) fn tidy(&self) {
        if let Some(disk) = &self.disk
            && !self.from.is_empty()
        {
            disk.drop_before(self.table, &self.from);
        }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        if let Some(disk) = self.disk.take() {
            disk.drop_table(self.table);
            self.table = self.spill.number();
        }
        self.from.clear();
        self.least = None;
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The number so that bytes are ordered as numbers are, and the key.
fn whole(number: i64, key: &[u8]) -> Vec<u8> {
    let ordered = number.cast_unsigned() ^ (1 << 63);
    [&ordered.to_be_bytes(), key].concat()
}

fn parts(hint: &[u8]) -> Option<(i64, &[u8])> {
    let (number, key) = hint.split_first_chunk()?;
    let number = (u64::from_be_bytes(*number) ^ (1 << 63)).cast_signed();
    Some((number, key))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::super::KeyGroups;
    use super::super::super::testing::spill;
    use super::*;

    fn key(number: u16) -> Box<[u8]> {
        number.to_be_bytes().into()
    }

    fn numbers(keys: &[Box<[u8]>]) -> Vec<u16> {
        let numbers = keys.iter().map(|key| u16::from_be_bytes(key[..].try_into().unwrap()));
        numbers.collect()
    }

    #[test]
    fn they_come_in_the_order_of_their_numbers_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut hints = Hints::new(&spill(folder.path(), "hints", &KeyGroups::of(0, 1, 8), 0));
        assert!(hints.is_empty() && hints.take(i64::MAX, 10).unwrap().is_empty());
        hints.add(vec![(5, key(1)), (-3, key(2)), (i64::MAX, key(3))]).unwrap();
        hints.add(vec![(0, key(4)), (5, key(1)), (5, key(0))]).unwrap();
        assert_eq!(hints.least(), Some(-3));
        assert_eq!(numbers(&hints.take(0, 1).unwrap()), [2]);
        assert_eq!(numbers(&hints.take(4, 10).unwrap()), [4]);
        assert_eq!(hints.least(), Some(5));
        hints.tidy();
        // One that is due before those that were taken already.
        hints.add(vec![(-9, key(7))]).unwrap();
        assert_eq!(hints.least(), Some(-9));
        let taken = numbers(&hints.take(i64::MAX, 10).unwrap());
        assert!(taken.ends_with(&[0, 1, 3]) && taken.starts_with(&[7]), "{taken:?}");
        assert!(hints.is_empty());
        hints.add(vec![(1, key(9))]).unwrap();
        hints.clear();
        assert!(hints.is_empty() && hints.take(i64::MAX, 10).unwrap().is_empty());
    }

    #[test]
    fn one_that_comes_again_is_not_dropped_with_the_file_of_those_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut hints = Hints::new(&spill(folder.path(), "hints", &KeyGroups::of(0, 1, 8), 0));
        hints.add(vec![(12, key(3))]).unwrap();
        assert_eq!(numbers(&hints.take(12, 7).unwrap()), [3]);
        hints.tidy();
        // A file of its own, of which this is the first key and the last.
        hints.add(vec![(12, key(3))]).unwrap();
        hints.tidy();
        hints.add(vec![(12, key(0)), (28, key(30))]).unwrap();
        assert_eq!(numbers(&hints.take(52, 7).unwrap()), [0, 3, 30]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

        /// What was taken may come again; nothing is missing, and nothing comes before it is due.
        #[test]
        fn none_is_lost(turns in prop::collection::vec((prop::collection::vec((-50..50_i64, 0..40_u16), 0..20), -60..60_i64), 1..20)) {
            let folder = tempfile::tempdir().unwrap();
            let mut hints = Hints::new(&spill(folder.path(), "hints", &KeyGroups::of(0, 1, 8), 0));
            let mut due: BTreeSet<(i64, u16)> = BTreeSet::new();
            for (added, until) in turns {
                due.extend(&added);
                hints.add(added.iter().map(|(number, of)| (*number, key(*of))).collect()).unwrap();
                let mut taken = BTreeSet::new();
                loop {
                    let some = hints.take(until, 7).unwrap();
                    if some.is_empty() {
                        break;
                    }
                    taken.extend(numbers(&some));
                }
                let wanted: BTreeSet<u16> = due.iter().filter(|(number, _)| *number <= until).map(|(_, of)| *of).collect();
                prop_assert!(wanted.is_subset(&taken), "{wanted:?} of {taken:?}");
                due.retain(|(number, _)| *number > until);
                prop_assert!(hints.least().is_none_or(|least| least > until));
                hints.tidy();
            }
        }
    }
}
