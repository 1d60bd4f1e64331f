//! The best rows of each key as a stream of changes: what a batch came to for each key, all at once.

use std::collections::{HashSet, VecDeque};

use arrow::array::RecordBatch;
use dataflow::Failure;
use dataflow::element::columns::{AFTER, BEFORE, INSERT};

use super::lists::{Entry, Limit, List, Lists};
use super::output::{Bounds, Given, Output};
use super::{Input, LISTS, next_rows, spilling};
use crate::operators::Ground;
use crate::state::{Cut, KeyGroups, Table};

/// The lists of all keys.
pub(super) struct Changes {
    table: Table<Lists>,
    groups: KeyGroups,
    /// A row that comes to a place is what the row that left it has become.
    placed: Placed,
    /// Changes that were not given yet.
    given: VecDeque<Given>,
    slots: Vec<u32>,
}

/// Whether a row of the output is known by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// There is one, or its rank is told: what comes to a place is another value of the same row.
    Yes,
    /// Rows come and go.
    No,
}

impl Changes {
    pub(super) fn restore(
        (limit, output): (Limit, &Output),
        placed: Placed,
        ground: &Ground<'_>,
    ) -> Result<Self, Failure> {
        let cut = if ground.restored.cuts.is_empty() { 1 } else { 0 };
        let table = Table::new(LISTS, 0, Lists::new(output.rows(), limit), cut);
        let mut table = spilling(table, ground.spill);
        ground.restored.each(&ground.groups, |entry| match entry.place.state {
            LISTS => table.restore(entry.key, entry.value, &ground.groups),
            _ => Ok(()),
        })?;
        Ok(Self {
            table,
            groups: ground.groups.clone(),
            placed,
            given: VecDeque::new(),
            slots: Vec::new(),
        })
    }

    /// Takes a batch.
    pub(super) fn take(&mut self, input: &Input) -> Result<(), Failure> {
        self.table.values_mut().tidy();
        let mut slots = std::mem::take(&mut self.slots);
        let rows = (0..).take(input.payload.num_rows()).collect();
        let rows = input.contenders(&mut self.table, rows, &mut slots)?;
        // Each list as it was, in the order in which they change.
        let (mut before, mut seen) = (Vec::new(), HashSet::new());
        for slot in slots.iter().filter(|slot| seen.insert(**slot)) {
            before.push((*slot, self.table.values().list(*slot).clone()));
        }
        input.insert(&mut self.table, &rows, &slots)?;
        for (slot, before) in before {
            self.tell(slot, &before);
        }
        self.slots = slots;
        Ok(())
    }

    /// What has become of a list.
    fn tell(&mut self, slot: u32, before: &List) {
        let lists = self.table.values();
        let after = lists.list(slot).entries();
        if before.entries() == after {
            return;
        }
        let given = |list: &[Entry], kind| -> Vec<Given> {
            let ranks = lists.ranks(list).into_iter().zip(list);
            ranks
                .map(|(rank, entry)| Given {
                    entry: *entry,
                    rank,
                    kind,
                })
                .collect()
        };
        let (old, new) = (given(before.entries(), BEFORE), given(after, INSERT));
        match self.placed {
            Placed::Yes => {
                for place in 0..old.len().max(new.len()) {
                    match (old.get(place), new.get(place)) {
                        (Some(one), Some(other)) if one.entry == other.entry => {}
                        (Some(one), Some(other)) => self.given.extend([*one, Given { kind: AFTER, ..*other }]),
                        (one, other) => self.given.extend(one.or(other)),
                    }
                }
            }
            Placed::No => {
                let gone = old.iter().filter(|one| !after.contains(&one.entry));
                let come = new.iter().filter(|one| !before.entries().contains(&one.entry));
                self.given.extend(gone.chain(come));
            }
        }
    }

    /// The next changes.
    pub(super) fn pull(&mut self, output: &Output) -> Result<Option<RecordBatch>, Failure> {
        if self.given.is_empty() {
            return Ok(None);
        }
        let given = next_rows(&mut self.given);
        output.make(self.table.values(), &given, Bounds::default()).map(Some)
    }

    pub(super) fn freeze(&mut self, cut: &mut Cut) {
        self.table.freeze(cut, &self.groups);
    }
}
