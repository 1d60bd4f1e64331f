//! `count(*)` and `count(x)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use dataflow::Failure;

use super::packed::{put_count, take_count};
use super::{Accumulator, Argument, Fold, Merge, same};
use crate::state::reserve;

/// How many rows.
#[derive(Debug, Default)]
pub(super) struct Count(Vec<u64>);

impl Accumulator for Count {
    fn grow(&mut self, slots: usize) {
        reserve(&mut self.0, slots);
        self.0.resize(slots, 0);
    }

    fn reset(&mut self, slot: usize) {
        self.0[slot] = 0;
    }

    fn fold(&mut self, fold: Fold<'_>, argument: &Argument) -> Result<(), Failure> {
        fold.each(argument.counts.as_ref(), |slot, _| self.0[slot] += 1);
        Ok(())
    }

    fn merge(&mut self, merge: Merge<'_>, other: &dyn Accumulator) -> Result<(), Failure> {
        let other = same::<Self>(other)?;
        merge.each(|into, from| self.0[into] += other.0[from]);
        Ok(())
    }

    fn encode(&self, slot: usize, out: &mut Vec<u8>) {
        put_count(self.0[slot], out);
    }

    fn decode(&mut self, slot: usize, bytes: &mut &[u8]) -> Option<()> {
        self.0[slot] = take_count(bytes)?;
        Some(())
    }

    fn finish(&self, slots: &[u32]) -> Result<ArrayRef, Failure> {
        let counts = slots.iter().map(|slot| self.0[*slot as usize].cast_signed());
        Ok(Arc::new(Int64Array::from_iter_values(counts)))
    }

    fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }
}
