//! What is of no use any more on disk: dropped tables, what was read of others, and keys whose time is over.
//!
//! A compaction leaves it out. It only cleans up: what is spent is asked for by nobody, or is to whoever asks as if it were
//! not there, so it makes no difference when a compaction comes, or whether one comes at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::RwLock;

/// How far time has come for values that begin with their own time: eight bytes, the smallest first. Cheap to clone.
///
/// Who keeps them says how far that is, and only ever what it goes by itself when it reads: then a key that a compaction has
/// left out is one that a read would have passed over.
///
/// A cut misses nothing by that. It reads the disk only for what it writes again of untouched keys, on the subtask's own
/// thread and through an iterator that holds the files it began with. What a compaction has left out before that was over
/// by a time that had been said, and the note of the cut says this time or a later one: whoever is restored from the cut
/// would have passed over the key too. Cuts that were written earlier are files of their own, early ones as well.
#[derive(Clone, Debug)]
pub(crate) struct Expiry(Arc<AtomicI64>);

impl Default for Expiry {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(i64::MIN)))
    }
}

impl Expiry {
    /// Values of this time, and of any before it, count no more. It never falls.
    pub(crate) fn reach(&self, time: i64) {
        // Nothing else is read by it: a compaction that sees it late leaves something to the next one.
        self.0.fetch_max(time, Ordering::Relaxed);
    }

    fn is_over(&self, value: &[u8]) -> bool {
        let time = value.first_chunk().map(|time| i64::from_le_bytes(*time));
        time.is_some_and(|time| time <= self.0.load(Ordering::Relaxed))
    }
}

/// What is spent, by the numbers of tables, which are never used again. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Spent(Arc<RwLock<HashMap<u32, Rule>>>);

/// What of a table is spent.
enum Rule {
    All,
    /// What stands before this key.
    Before(Box<[u8]>),
    /// What is over.
    Over(Expiry),
}

impl Spent {
    /// All of a table.
    pub(super) fn drop_table(&self, table: u32) {
        self.0.write().insert(table, Rule::All);
    }

    /// What of a table stands before this key, and nothing behind it.
    pub(super) fn keep_from(&self, table: u32, key: &[u8]) {
        self.0.write().insert(table, Rule::Before(key.into()));
    }

    /// What of a table is over.
    pub(super) fn expire(&self, table: u32, expiry: Expiry) {
        self.0.write().insert(table, Rule::Over(expiry));
    }

    /// Whether a compaction leaves an entry out, by its whole key.
    pub(super) fn covers(&self, key: &[u8], value: &[u8]) -> bool {
        let Some((table, key)) = key.split_first_chunk() else {
            return false;
        };
        match self.0.read().get(&u32::from_be_bytes(*table)) {
            Some(Rule::All) => true,
            Some(Rule::Before(first)) => *key < **first,
            Some(Rule::Over(expiry)) => expiry.is_over(value),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::KeyGroups;
    use super::super::super::testing::spill;
    use super::super::{Spill, Spilled};
    use super::*;

    /// Puts keys on disk, each with a time and something behind it.
    fn put(spilled: &mut Spilled, times: &[(&str, i64)]) {
        let written = spilled.write(|run| {
            times.iter().try_for_each(|(key, time)| {
                let value = [&time.to_le_bytes()[..], b"more"].concat();
                run.put(key.as_bytes(), &value)
            })
        });
        written.unwrap();
    }

    fn on_disk(spilled: &Spilled) -> Vec<String> {
        let mut keys = Vec::new();
        let shown = spilled.each(None, |key, _| {
            keys.push(String::from_utf8(key.to_vec()).unwrap());
            true
        });
        assert_eq!(shown.unwrap(), None);
        keys
    }

    fn beside(folder: &std::path::Path) -> (Spill, Expiry, Spilled) {
        let spill = spill(folder, "spent", &KeyGroups::of(0, 1, 8), 0);
        let expiry = Expiry::default();
        let spilled = Spilled::new(&spill).expiring(&expiry);
        (spill, expiry, spilled)
    }

    #[test]
    fn a_compaction_leaves_out_what_is_over_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (spill, expiry, mut expiring) = beside(folder.path());
        let mut lasting = Spilled::new(&spill);
        let times = [("a", 10), ("b", 11), ("c", -5), ("d", i64::MAX)];
        put(&mut expiring, &times);
        put(&mut lasting, &times);
        spill.compact();
        assert_eq!(on_disk(&expiring), ["a", "b", "c", "d"], "no time has come yet");
        expiry.reach(10);
        expiry.reach(3);
        assert_eq!(on_disk(&expiring).len(), 4, "only a compaction cleans up");
        spill.compact();
        assert_eq!(on_disk(&expiring), ["b", "d"]);
        assert_eq!(
            on_disk(&lasting),
            ["a", "b", "c", "d"],
            "a table that says nothing of time"
        );
    }

    #[test]
    fn what_was_there_before_does_not_come_back_from_behind_what_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let (spill, expiry, mut spilled) = beside(folder.path());
        put(&mut spilled, &[("a", 1), ("b", 2)]);
        spill.compact();
        put(&mut spilled, &[("a", 20), ("b", 21)]);
        expiry.reach(20);
        spill.compact();
        assert_eq!(on_disk(&spilled), ["b"]);
    }

    #[test]
    fn a_table_that_was_cleared_expires_under_its_next_number_too() {
        let folder = tempfile::tempdir().unwrap();
        let (spill, expiry, mut spilled) = beside(folder.path());
        put(&mut spilled, &[("a", 1)]);
        spilled.clear();
        put(&mut spilled, &[("b", 1), ("c", 9)]);
        expiry.reach(5);
        spill.compact();
        assert_eq!(on_disk(&spilled), ["c"]);
    }

    #[test]
    fn a_value_without_a_time_stays() {
        let expiry = Expiry::default();
        expiry.reach(i64::MAX);
        assert!(!expiry.is_over(b"short") && expiry.is_over(&[0; 8]));
    }
}
