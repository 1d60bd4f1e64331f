//! The splits that a reader has read to their ends and that no record is known to say so of. Pure.
//!
//! Must stay true: what the head of the chain does not call finished is here; whoever leads next deals it to nobody.

/// Splits by the barrier that had passed last when each was read to its end.
#[derive(Clone, Debug, Default)]
pub struct Finished {
    splits: Vec<(u64, String)>,
}

impl Finished {
    /// A split was read to its end behind the barrier `passed`.
    pub fn add(&mut self, passed: u64, split: String) {
        self.splits.push((passed, split));
    }

    /// A record of the barrier `counter` exists: it says of all that were finished before it.
    pub fn recorded(&mut self, counter: u64) {
        self.splits.retain(|(passed, _)| *passed >= counter);
    }

    /// Those that the head may not know of.
    pub fn splits(&self) -> impl Iterator<Item = &str> {
        self.splits.iter().map(|(_, split)| split.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_takes_along_what_was_finished_before_its_barrier_and_nothing_after() {
        let mut finished = Finished::default();
        finished.add(0, "a".to_owned());
        finished.add(1, "b".to_owned());
        finished.recorded(1);
        assert_eq!(finished.splits().collect::<Vec<_>>(), ["b"]);
        finished.recorded(1);
        finished.add(2, "c".to_owned());
        finished.recorded(2);
        assert_eq!(finished.splits().collect::<Vec<_>>(), ["c"]);
    }
}
