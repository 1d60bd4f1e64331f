//! Splits that are read one after another: the one whose turn it is, and those that wait.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use dataflow::Failure;
use dataflow::contract::{Polled, Split};

/// The splits of a reader; `C` is one that is being read.
#[derive(Debug)]
pub(crate) struct Turns<C> {
    current: Option<C>,
    waiting: VecDeque<Split>,
    complete: bool,
}

impl<C> Default for Turns<C> {
    fn default() -> Self {
        Self {
            current: None,
            waiting: VecDeque::new(),
            complete: false,
        }
    }
}

impl<C> Turns<C> {
    /// More splits, behind those that wait.
    pub(crate) fn assign(&mut self, splits: Vec<Split>) {
        self.waiting.extend(splits);
    }

    /// There will be no more splits.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    /// The split whose turn it is, opened if it was not; where there is none, what the reader answers.
    pub(crate) fn next(
        &mut self,
        open: impl FnOnce(Split) -> Result<C, Failure>,
    ) -> Result<ControlFlow<Polled, &mut C>, Failure> {
        let current = match self.current.take() {
            Some(current) => current,
            None => match self.waiting.pop_front() {
                Some(split) => open(split)?,
                None if self.complete => return Ok(ControlFlow::Break(Polled::End)),
                None => return Ok(ControlFlow::Break(Polled::Wait)),
            },
        };
        Ok(ControlFlow::Continue(self.current.insert(current)))
    }

    /// The split that is being read.
    pub(crate) fn current(&self) -> Option<&C> {
        self.current.as_ref()
    }

    /// The split that is being read, to be read on.
    pub(crate) fn current_mut(&mut self) -> Option<&mut C> {
        self.current.as_mut()
    }

    /// The split that was being read is at its end.
    pub(crate) fn finish(&mut self) {
        self.current = None;
    }

    /// All splits, the one that is being read as `snapshot` says.
    pub(crate) fn snapshot(&self, snapshot: impl FnOnce(&C) -> Split) -> Vec<Split> {
        let current = self.current.as_ref().map(snapshot);
        current.into_iter().chain(self.waiting.iter().cloned()).collect()
    }
}
