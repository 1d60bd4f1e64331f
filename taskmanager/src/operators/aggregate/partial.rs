//! The half of the work in front of a shuffle: each batch is folded alone, and its states go on as rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{BinaryBuilder, RecordBatch};
use dataflow::Failure;

use super::accumulate::{Accumulators, Shape};
use super::frames::Frames;
use super::input::Input;
use super::results::{Around, Results};
use crate::state::Table;

/// Folds batches; keeps nothing.
pub(super) struct Partial {
    frames: Option<Frames>,
    shape: Arc<Shape>,
}

impl Partial {
    pub(super) fn new(frames: Option<Frames>, shape: &Arc<Shape>) -> Self {
        Self {
            frames,
            shape: Arc::clone(shape),
        }
    }

    /// One row for each key and pane of a batch.
    pub(super) fn fold(&self, input: &Input, results: &Results) -> Result<Vec<RecordBatch>, Failure> {
        let mut panes: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        match &self.frames {
            Some(frames) => {
                for (row, time) in (0..).zip(input.at.iter()) {
                    panes.entry(frames.start(frames.pane(*time))).or_default().push(row);
                }
            }
            None => {
                panes.insert(0, (0..).take(input.keys.len()).collect());
            }
        }
        panes
            .into_iter()
            .map(|(pane, rows)| self.states(pane, &rows, input, results))
            .collect()
    }

    fn states(&self, pane: i64, rows: &[u32], input: &Input, results: &Results) -> Result<RecordBatch, Failure> {
        let mut table = Table::new(0, 0, Accumulators::new(&self.shape)?, 0);
        let mut slots = Vec::new();
        table.slots(&input.keys, rows, &mut slots)?;
        input.content.fold(table.values_mut(), &slots, rows)?;
        slots.clear();
        slots.extend(table.live());
        let mut states = BinaryBuilder::new();
        let mut state = Vec::new();
        for slot in &slots {
            state.clear();
            table.values().put(*slot, &mut state);
            states.append_value(&state);
        }
        let around = Around {
            pane,
            time: rows.iter().filter_map(|row| input.at.get(*row as usize).copied()).max(),
            states: Some(Arc::new(states.finish())),
            ..Around::default()
        };
        let none = |_| Err(Failure::bug("half-folded rows have no results"));
        results.rows(slots.iter().map(|slot| table.key(*slot)), none, &around)
    }
}
