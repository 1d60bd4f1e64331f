//! Which split goes to which reader. Pure.
//!
//! ```text
//!   discovered ──> unassigned ──a reader wants, no barrier in flight──> held ──SplitFinished──> finished
//!                       └── none left and none to come ──> "no more" to every reader, once
//! ```
//!
//! A reader that wants more while it holds some reads them side by side, to keep them together in event time: it has its
//! share of all there are, at once, and an answer even if that is nothing; it reads nothing until then.
//!
//! Must stay true: no split is given twice; none moves while a barrier is in flight; order of discovery is kept.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dataflow::contract::{SIDE_BY_SIDE_MAX, Split};
use dataflow::id::SubtaskId;

#[cfg(feature = "testing")]
use crate::testing::{Mutant, is_planted};

/// At most this many splits go to one reader at once: many small files shall not cost a round trip each. Who reads them side
/// by side holds no more.
const SPLITS_AT_ONCE_MAX: usize = SIDE_BY_SIDE_MAX;

/// What the head of the chain says about a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Discovered, and neither held nor finished.
    pub unassigned: Vec<Split>,
    /// The ids of the splits in the readers' own snapshots.
    pub held: BTreeMap<SubtaskId, BTreeSet<String>>,
    /// Whether the enumerator had said that there will be no more.
    pub complete: bool,
    /// How many splits were read to their ends.
    pub finished: u64,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The enumerator found splits; `complete` when there will be no more.
    Discovered {
        /// New ones, in the order in which they should be read.
        splits: Vec<Split>,
        /// Whether these were the last.
        complete: bool,
    },
    /// A reader has nothing to read, or room beside what it reads.
    Wanted(SubtaskId),
    /// A reader has read a split to its end.
    Finished(SubtaskId, String),
    /// A barrier goes out: nothing moves now.
    BarrierOut,
    /// No barrier is in flight any more.
    BarrierOver,
}

/// What the shell is to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// These splits to this reader; with `no_more`, there will be none after them.
    Assign {
        /// The reader.
        subtask: SubtaskId,
        /// Splits for it; may be empty.
        splits: Vec<Split>,
        /// Whether these are the last.
        no_more: bool,
    },
}

/// Deals out the splits of one source.
#[derive(Clone, Debug)]
pub struct Assign {
    readers: BTreeSet<SubtaskId>,
    unassigned: VecDeque<Split>,
    held: BTreeMap<SubtaskId, BTreeSet<String>>,
    finished: u64,
    wanting: BTreeSet<SubtaskId>,
    dismissed: BTreeSet<SubtaskId>,
    /// Splits that adopted readers have taken since the head: whoever discovers them again discovers nothing.
    taken: BTreeSet<String>,
    complete: bool,
    frozen: bool,
}

impl Assign {
    /// Deals to these readers, going on from what was restored.
    #[must_use]
    pub fn new(readers: BTreeSet<SubtaskId>, restored: Restored) -> Self {
        Self {
            readers,
            unassigned: restored.unassigned.into(),
            held: restored.held,
            finished: restored.finished,
            wanting: BTreeSet::new(),
            dismissed: BTreeSet::new(),
            taken: BTreeSet::new(),
            complete: restored.complete,
            frozen: false,
        }
    }

    /// What nobody holds, for the record: valid for a barrier's snapshot while that barrier is in flight.
    pub fn unassigned(&self) -> impl Iterator<Item = &Split> {
        self.unassigned.iter()
    }

    /// Whether there will be no more splits.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// How many splits were read to their ends.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.finished
    }

    /// A reader goes on that was not restored: what it holds, and what it has read to the end since the head.
    pub fn adopt(&mut self, subtask: SubtaskId, held: Vec<String>, finished: Vec<String>) {
        #[cfg(feature = "testing")]
        if is_planted(Mutant::DealtAgain) {
            return;
        }
        let known = self
            .held
            .insert(subtask, held.iter().cloned().collect())
            .unwrap_or_default();
        let unassigned: BTreeSet<String> = self.unassigned.iter().map(|split| split.id.clone()).collect();
        let is_new = |split: &&String| known.contains(*split) || unassigned.contains(*split);
        self.finished += finished.iter().filter(is_new).count() as u64;
        self.taken.extend(held.into_iter().chain(finished));
        self.unassigned.retain(|split| !self.taken.contains(&split.id));
    }

    /// Takes an event; says what is to be sent.
    pub fn on(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::Discovered { splits, complete } => {
                for split in splits {
                    if !self.taken.remove(&split.id) {
                        self.unassigned.push_back(split);
                    } else if !self.held.values().any(|held| held.contains(&split.id)) {
                        self.finished += 1;
                    }
                }
                self.complete |= complete;
            }
            Event::Wanted(subtask) => {
                if self.readers.contains(&subtask) {
                    self.wanting.insert(subtask);
                }
            }
            Event::Finished(subtask, split) => {
                let known = self.held.get_mut(&subtask).is_some_and(|held| held.remove(&split));
                self.finished += u64::from(known);
            }
            Event::BarrierOut => self.frozen = true,
            Event::BarrierOver => self.frozen = false,
        }
        if self.frozen { Vec::new() } else { self.deal() }
    }

    /// So many each reader has if none has more than one more than another.
    fn fair_share(&self) -> usize {
        let held: usize = self.held.values().map(BTreeSet::len).sum();
        (self.unassigned.len() + held).div_ceil(self.readers.len().max(1))
    }

    fn deal(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        for subtask in std::mem::take(&mut self.wanting) {
            let holds = self.held.get(&subtask).map_or(0, BTreeSet::len);
            if self.unassigned.is_empty() && holds == 0 {
                self.wanting.insert(subtask);
                continue;
            }
            let count = match holds {
                0 => (self.unassigned.len() / (4 * self.readers.len())).clamp(1, SPLITS_AT_ONCE_MAX),
                holds => self.fair_share().min(SPLITS_AT_ONCE_MAX).saturating_sub(holds),
            };
            let splits: Vec<_> = self.unassigned.drain(..count.min(self.unassigned.len())).collect();
            self.held
                .entry(subtask)
                .or_default()
                .extend(splits.iter().map(|split| split.id.clone()));
            actions.push(Action::Assign {
                subtask,
                splits,
                no_more: false,
            });
        }
        if self.complete && self.unassigned.is_empty() {
            let left: Vec<_> = self.readers.difference(&self.dismissed).copied().collect();
            self.dismissed.extend(&left);
            self.wanting.clear();
            actions.extend(left.into_iter().map(|subtask| Action::Assign {
                subtask,
                splits: Vec::new(),
                no_more: true,
            }));
        }
        actions
    }
}
