//! Splits of one reader that are open, and those that wait: read one after another, or side by side where none may run far
//! ahead of the others in event time.
//!
//! ```text
//!   waiting ── open ──> lanes: [ begun | begun, ahead | not begun ] ── read ──> rows
//!      └──────── close ─────────────────┘ only where another one has to be read for time to move on
//! ```
//!
//! Side by side, a lane that has given nothing yet is read first, and nobody else before it has given something: how late
//! its rows are, nobody knows before. Behind that the lanes take turns, those that are ahead left out. At most
//! [`SIDE_BY_SIDE_MAX`] are open, and what is open holds its share of the reader's buffer.

use std::collections::{BTreeSet, VecDeque};

use arrow::record_batch::RecordBatch;
use dataflow::Failure;
use dataflow::contract::{Alignment, SIDE_BY_SIDE_MAX, Split};

/// A split that is open.
pub(crate) trait Lane {
    /// Its split, as far as it was read.
    fn snapshot(&self) -> Split;

    /// Reads on.
    fn advance(&mut self) -> Result<Advance, Failure>;
}

/// What reading on came to.
pub(crate) enum Advance {
    /// Rows.
    Batch(RecordBatch),
    /// It was read to its end.
    Finished,
    /// Nothing now: the waker will be called.
    Starved,
}

/// What the lanes came to.
pub(crate) enum Gave<L> {
    /// Rows of one of them.
    Batch(RecordBatch),
    /// This one was read to its end.
    Finished(String, L),
    /// Nothing now.
    Nothing,
    /// Every split is finished, and there will be no more.
    End,
}

/// The splits of one reader.
#[derive(Debug)]
pub(crate) struct Lanes<L> {
    open: VecDeque<Open<L>>,
    waiting: VecDeque<Split>,
    ahead: BTreeSet<String>,
    alignment: Alignment,
    /// So many are open at once where they are read one after another.
    in_turn: usize,
    complete: bool,
}

#[derive(Debug)]
struct Open<L> {
    id: String,
    lane: L,
    /// It has given rows, in this attempt or before.
    begun: bool,
}

impl<L: Lane> Lanes<L> {
    /// Of splits that are read one after another, `in_turn` of them open at once; or side by side.
    pub(crate) fn new(alignment: Alignment, in_turn: usize) -> Self {
        Self {
            open: VecDeque::new(),
            waiting: VecDeque::new(),
            ahead: BTreeSet::new(),
            alignment,
            in_turn,
            complete: false,
        }
    }

    /// More splits, behind those that wait.
    pub(crate) fn assign(&mut self, splits: Vec<Split>) {
        self.waiting.extend(splits);
    }

    /// There will be no more splits.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    /// These are too far ahead of the others.
    pub(crate) fn hold(&mut self, ahead: &BTreeSet<String>) {
        self.ahead.clone_from(ahead);
    }

    /// So many are open at once.
    pub(crate) fn most(&self) -> usize {
        match self.alignment {
            Alignment::Free => self.in_turn,
            Alignment::ByDrift => SIDE_BY_SIDE_MAX,
        }
    }

    /// So many more would be read side by side with those that are here.
    pub(crate) fn room(&self) -> usize {
        match self.alignment {
            Alignment::Free => 0,
            Alignment::ByDrift => SIDE_BY_SIDE_MAX.saturating_sub(self.open.len() + self.waiting.len()),
        }
    }

    /// The next thing that one of them gives; `open` opens a split.
    pub(crate) fn next(&mut self, mut open: impl FnMut(Split) -> Result<L, Failure>) -> Result<Gave<L>, Failure> {
        while self.open.len() < self.most() {
            let Some(split) = self.waiting.pop_front() else { break };
            self.open.push_back(Open::new(split, &mut open)?);
        }
        if self.open.is_empty() {
            return Ok(if self.complete { Gave::End } else { Gave::Nothing });
        }
        match self.alignment {
            Alignment::Free => self.front(),
            Alignment::ByDrift => {
                self.change_over(&mut open)?;
                self.side_by_side()
            }
        }
    }

    /// The one at the front; the others are only open already.
    fn front(&mut self) -> Result<Gave<L>, Failure> {
        let Some(front) = self.open.front_mut() else {
            return Ok(Gave::Nothing);
        };
        Ok(match front.lane.advance()? {
            Advance::Batch(batch) => Gave::Batch(batch),
            Advance::Starved => Gave::Nothing,
            Advance::Finished => self.finish(),
        })
    }

    /// The next one that is not ahead; those that have given nothing before all others.
    fn side_by_side(&mut self) -> Result<Gave<L>, Failure> {
        let any_new = self.open.iter().any(|open| !open.begun);
        for _ in 0..self.open.len() {
            let Some(front) = self.open.front_mut() else { break };
            let passed_over = front.begun && (any_new || self.ahead.contains(&front.id));
            if !passed_over {
                match front.lane.advance()? {
                    Advance::Batch(batch) => {
                        front.begun = true;
                        self.open.rotate_left(1);
                        return Ok(Gave::Batch(batch));
                    }
                    Advance::Finished => return Ok(self.finish()),
                    Advance::Starved => {}
                }
            }
            self.open.rotate_left(1);
        }
        Ok(Gave::Nothing)
    }

    fn finish(&mut self) -> Gave<L> {
        match self.open.pop_front() {
            Some(Open { id, lane, .. }) => Gave::Finished(id, lane),
            None => Gave::Nothing,
        }
    }

    /// Where all that are open are ahead, one of them makes room for one that waits and is not: it is what they wait for.
    fn change_over(&mut self, open: &mut impl FnMut(Split) -> Result<L, Failure>) -> Result<(), Failure> {
        let is_ahead = |one: &Open<L>| one.begun && self.ahead.contains(&one.id);
        if !self.open.iter().all(is_ahead) {
            return Ok(());
        }
        let found = self.waiting.iter().position(|split| !self.ahead.contains(&split.id));
        let Some(split) = found.and_then(|found| self.waiting.remove(found)) else {
            return Ok(());
        };
        if self.open.len() >= self.most()
            && let Some(closed) = self.open.pop_back()
        {
            self.waiting.push_back(closed.lane.snapshot());
        }
        self.open.push_front(Open::new(split, open)?);
        Ok(())
    }

    /// Those that are open.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = &L> {
        self.open.iter().map(|open| &open.lane)
    }

    /// All splits, each as far as it was read.
    pub(crate) fn snapshot(&self) -> Vec<Split> {
        let open = self.open.iter().map(|open| open.lane.snapshot());
        open.chain(self.waiting.iter().cloned()).collect()
    }
}

impl<L> Open<L> {
    fn new(split: Split, open: &mut impl FnMut(Split) -> Result<L, Failure>) -> Result<Self, Failure> {
        Ok(Self {
            id: split.id.clone(),
            begun: !split.position.is_null(),
            lane: open(split)?,
        })
    }
}

#[cfg(test)]
mod tests;
