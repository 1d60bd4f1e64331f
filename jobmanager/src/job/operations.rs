//! Long work that people asked for, and what came of it; bounded.

use std::collections::VecDeque;

use dataflow::Failure;
use dataflow::time::WallTime;

use crate::jobs::Rejected;
use crate::rest::types::{Operation, Outlook};

/// So many are remembered; those under way are never forgotten for the sake of others.
const KEPT: usize = 32;

/// So many may be under way at once.
const UNDER_WAY_MAX: usize = 8;

/// The number of one operation within a job.
pub(super) type Number = u64;

/// The operations of one job, the newest first.
#[derive(Debug)]
pub(super) struct Operations {
    list: VecDeque<(Number, Operation)>,
    next: Number,
}

impl Operations {
    /// None yet. Numbers go on from the time of day, so that those of another job manager are not taken for these.
    pub(super) fn begin(at: WallTime) -> Self {
        Self {
            list: VecDeque::new(),
            next: at.0.unsigned_abs(),
        }
    }

    /// Something is begun.
    ///
    /// # Errors
    /// Where too much is under way.
    pub(super) fn add(&mut self, what: String, at: WallTime) -> Result<Number, Failure> {
        let under_way = self
            .list
            .iter()
            .filter(|(_, one)| one.state == Outlook::UnderWay)
            .count();
        if under_way >= UNDER_WAY_MAX {
            return Err(Failure::retry(format!(
                "{under_way} operations of this datastream are under way already"
            ))
            .help("wait for one of them; `weir describe` shows them"));
        }
        self.next += 1;
        let operation = Operation {
            id: format!("op-{}", self.next),
            what,
            state: Outlook::UnderWay,
            since_ms: at.0,
            took_ms: None,
            epoch: None,
            result: None,
            reason: None,
            help: None,
            diagnostics: None,
            rendered: None,
        };
        self.list.push_front((self.next, operation));
        while self.list.len() > KEPT {
            let Some(oldest) = self.list.iter().rposition(|(_, one)| one.state != Outlook::UnderWay) else {
                break;
            };
            self.list.remove(oldest);
        }
        Ok(self.next)
    }

    fn end(&mut self, number: Number, at: WallTime, end: impl FnOnce(&mut Operation)) {
        let found = self.list.iter_mut().find(|(known, _)| *known == number);
        if let Some((_, operation)) = found.filter(|(_, one)| one.state == Outlook::UnderWay) {
            operation.took_ms = Some(u64::try_from(at.0 - operation.since_ms).unwrap_or(0));
            end(operation);
        }
    }

    /// It is done, at this epoch, with this result.
    pub(super) fn done(&mut self, number: Number, at: WallTime, epoch: u64, result: Option<String>) {
        self.end(number, at, |operation| {
            operation.state = Outlook::Done;
            operation.epoch = Some(epoch);
            operation.result = result;
        });
    }

    /// What is wrong in the document, before it is said that it cannot be done.
    pub(super) fn show(&mut self, number: Number, shown: Rejected) {
        if let Some((_, operation)) = self.list.iter_mut().find(|(known, _)| *known == number) {
            operation.diagnostics = Some(shown.diagnostics);
            operation.rendered = Some(shown.rendered);
        }
    }

    /// It cannot be done.
    pub(super) fn failed(&mut self, number: Number, at: WallTime, failure: &Failure) {
        self.end(number, at, |operation| {
            operation.state = Outlook::Failed;
            operation.reason = Some(failure.message.clone());
            operation.help.clone_from(&failure.help);
        });
    }

    /// One of them.
    pub(super) fn get(&self, number: Number) -> Option<&Operation> {
        self.list
            .iter()
            .find(|(known, _)| *known == number)
            .map(|(_, operation)| operation)
    }

    /// All of them, the newest first.
    pub(super) fn all(&self) -> Vec<Operation> {
        self.list.iter().map(|(_, operation)| operation.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_never_forgotten_and_what_is_over_is() {
        let mut operations = Operations::begin(WallTime(1_000));
        let first = operations.add("savepoint a".to_owned(), WallTime(1_000)).unwrap();
        for _ in 0..100 {
            let other = operations.add("rescale to 2".to_owned(), WallTime(2_000)).unwrap();
            operations.done(other, WallTime(2_500), 7, None);
        }
        assert_eq!(operations.all().len(), KEPT);
        operations.failed(first, WallTime(3_000), &Failure::retry("no room"));
        operations.done(first, WallTime(4_000), 9, None);
        let first = operations.get(first).unwrap();
        assert_eq!(
            (first.state, first.took_ms, first.epoch),
            (Outlook::Failed, Some(2_000), None)
        );
    }

    #[test]
    fn too_many_at_once_are_refused() {
        let mut operations = Operations::begin(WallTime(0));
        for _ in 0..UNDER_WAY_MAX {
            operations.add("savepoint".to_owned(), WallTime(0)).unwrap();
        }
        assert!(operations.add("savepoint".to_owned(), WallTime(0)).is_err());
    }
}
