//! Without windows: for every batch, what each of its keys was and what it has become.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int8Array, RecordBatch};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{and, interleave};
use dataflow::Failure;
use dataflow::element::{BATCH_ROWS_MAX, columns};

use super::accumulate::{Accumulators, Fold, Shape};
use super::apart::{Apart, Shared};
use super::input::{Content, Input, Slots};
use super::results::{Around, Results};
use crate::operators::Ground;
use crate::state::{Cut, KeyGroups, Table, Values, reserve};

/// The state of keys, among an aggregate's.
const KEYS: u8 = 2;

/// All keys, for ever.
pub(super) struct Updating {
    table: Table<Known>,
    groups: KeyGroups,
    apart: Apart,
    measures: usize,
    slots: Vec<u32>,
}

/// Accumulators, and whether a result of theirs was given: what was restored had been.
struct Known {
    accumulators: Accumulators,
    given: Vec<bool>,
}

impl Values for Known {
    fn grow(&mut self, slots: usize) {
        self.accumulators.grow(slots);
        reserve(&mut self.given, slots);
        self.given.resize(slots.max(self.given.len()), false);
    }

    fn reset(&mut self, slot: u32) {
        self.accumulators.reset(slot);
        self.given[slot as usize] = false;
    }

    fn encode(&self, slot: u32, out: &mut Vec<u8>) {
        self.accumulators.encode(slot, out);
    }

    fn decode(&mut self, slot: u32, bytes: &[u8]) -> Result<(), Failure> {
        self.given[slot as usize] = true;
        self.accumulators.decode(slot, bytes)
    }

    fn clear(&mut self) {
        self.accumulators.clear();
        self.given = Vec::new();
    }

    fn bytes(&self) -> usize {
        self.accumulators.bytes() + self.given.capacity()
    }
}

impl Updating {
    pub(super) fn new(shape: &Arc<Shape>, mut apart: Apart, ground: &Ground<'_>) -> Result<Self, Failure> {
        let (groups, restored) = (&ground.groups, ground.restored);
        let known = Known {
            accumulators: Accumulators::new(shape)?,
            given: Vec::new(),
        };
        let cut = u64::from(restored.cuts.is_empty());
        let mut table = Table::new(KEYS, 0, known, cut);
        if let Some(spill) = ground.spill {
            table = table.spilling(spill);
        }
        restored.each(groups, |entry| {
            if entry.place.state == KEYS {
                table.restore(entry.key, entry.value, groups)
            } else if Apart::owns(entry.place.state) {
                apart.restore(entry.place.state, entry.key, entry.value, groups)
            } else {
                Ok(())
            }
        })?;
        Ok(Self {
            table,
            groups: groups.clone(),
            apart,
            measures: shape.count(),
            slots: Vec::new(),
        })
    }

    /// Folds a batch; gives what has changed.
    pub(super) fn fold(&mut self, input: &Input, results: &Results) -> Result<Vec<RecordBatch>, Failure> {
        let rows: Vec<u32> = (0..).take(input.keys.len()).collect();
        let mut slots = std::mem::take(&mut self.slots);
        self.table.slots(&input.keys, &rows, &mut slots)?;
        let mut touched = Slots::default();
        touched.extend(slots.iter().copied());
        let touched = touched.into_list();
        let known = self.table.values();
        let old: Vec<u32> = touched
            .iter()
            .copied()
            .filter(|slot| known.given[*slot as usize])
            .collect();
        let before = self.results(&old)?;
        self.add(input, &slots, &rows)?;
        self.slots = slots;
        let (after, same) = (self.results(&touched)?, self.same(&old, &before)?);
        let given = self.changes(&touched, &same);
        for slot in &touched {
            self.table.values_mut().given[*slot as usize] = true;
        }
        let around = |kinds| Around {
            time: input.at.iter().copied().max(),
            kinds: Some(kinds),
            ..Around::default()
        };
        let wrong = |error: arrow::error::ArrowError| Failure::bug("changes that cannot be told").because(&error);
        given
            .chunks(BATCH_ROWS_MAX)
            .map(|given| {
                let kinds = Int8Array::from_iter_values(given.iter().map(|change| change.kind));
                let places: Vec<(usize, usize)> = given.iter().map(|change| (change.side, change.place)).collect();
                let measure = |measure: usize| {
                    let sides: [&dyn Array; 2] = [before[measure].as_ref(), after[measure].as_ref()];
                    interleave(&sides, &places).map_err(wrong)
                };
                let keys = given.iter().map(|change| self.table.key(change.slot));
                results.rows(keys, measure, &around(Arc::new(kinds)))
            })
            .collect()
    }

    fn add(&mut self, input: &Input, slots: &[u32], rows: &[u32]) -> Result<(), Failure> {
        let into = &mut self.table.values_mut().accumulators;
        match &input.content {
            Content::Rows { arguments, times } => {
                let mut arguments = arguments.clone();
                self.apart.count(&input.keys, &mut arguments, &self.groups)?;
                let times = times.as_deref();
                into.fold(Fold { slots, rows, times }, &arguments)
            }
            Content::States { .. } => input.content.fold(into, slots, rows),
        }
    }

    /// Which measures share tables of distinct values.
    pub(super) fn apart(&self) -> Shared {
        self.apart.shared()
    }

    fn results(&self, slots: &[u32]) -> Result<Vec<ArrayRef>, Failure> {
        let accumulators = &self.table.values().accumulators;
        (0..self.measures)
            .map(|measure| accumulators.finish(measure, slots))
            .collect()
    }

    /// Which results are what they were.
    fn same(&self, old: &[u32], before: &[ArrayRef]) -> Result<BooleanArray, Failure> {
        let wrong = |error: arrow::error::ArrowError| Failure::bug("results that cannot be compared").because(&error);
        let mut same = BooleanArray::from(vec![true; old.len()]);
        for (before, now) in before.iter().zip(self.results(old)?) {
            same = and(&same, &not_distinct(before, &now).map_err(wrong)?).map_err(wrong)?;
        }
        Ok(same)
    }

    /// The rows that tell of the changes, key by key.
    fn changes(&self, touched: &[u32], same: &BooleanArray) -> Vec<Change> {
        let given = &self.table.values().given;
        let mut changes = Vec::with_capacity(2 * touched.len());
        let mut old = 0;
        for (place, slot) in touched.iter().enumerate() {
            let change = |kind, side, place| Change {
                kind,
                side,
                place,
                slot: *slot,
            };
            if !given[*slot as usize] {
                changes.push(change(columns::INSERT, 1, place));
                continue;
            }
            if !same.value(old) {
                changes.push(change(columns::BEFORE, 0, old));
                changes.push(change(columns::AFTER, 1, place));
            }
            old += 1;
        }
        changes
    }

    pub(super) fn freeze(&mut self, cut: &mut Cut) {
        self.table.freeze(cut, &self.groups);
        self.apart.freeze(cut, &self.groups);
    }
}

/// A row that tells of a change: of the results before (0) or after (1), by its place among them.
struct Change {
    kind: i8,
    side: usize,
    place: usize,
    slot: u32,
}
