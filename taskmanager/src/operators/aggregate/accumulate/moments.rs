//! `stddev(x)`, `var(x)` and those of a whole population: Welford's sums, which lose no digits and can be merged.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::Float64Type;
use dataflow::Failure;
use dataflow::recipe::Function;

use super::packed::{put_count, put_float, take_count, take_float};
use super::{Accumulator, Argument, Fold, Merge, same};
use crate::state::reserve;

/// Count, mean, and the sum of squared distances from it.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    count: u64,
    mean: f64,
    squares: f64,
}

/// The spread of values.
pub(super) struct Moments {
    sums: Vec<Sums>,
    of_sample: bool,
    root: bool,
}

impl Moments {
    pub(super) fn new(function: Function) -> Self {
        Self {
            sums: Vec::new(),
            of_sample: matches!(function, Function::Stddev | Function::Variance),
            root: matches!(function, Function::Stddev | Function::StddevPop),
        }
    }

    fn result(&self, sums: Sums) -> Option<f64> {
        let least = if self.of_sample { 2 } else { 1 };
        if sums.count < least {
            return None;
        }
        let divisor = if self.of_sample { sums.count - 1 } else { sums.count };
        let variance = sums.squares / divisor as f64;
        Some(if self.root { variance.sqrt() } else { variance })
    }
}

impl Accumulator for Moments {
    fn grow(&mut self, slots: usize) {
        reserve(&mut self.sums, slots);
        self.sums.resize(slots, Sums::default());
    }

    fn reset(&mut self, slot: usize) {
        self.sums[slot] = Sums::default();
    }

    fn fold(&mut self, fold: Fold<'_>, argument: &Argument) -> Result<(), Failure> {
        let values = argument
            .values
            .as_ref()
            .and_then(|values| values.as_primitive_opt::<Float64Type>());
        let values = values
            .ok_or_else(|| Failure::bug("a spread of values that are no floats"))?
            .values();
        fold.each(argument.counts.as_ref(), |slot, row| {
            let sums = &mut self.sums[slot];
            sums.count += 1;
            let before = values[row] - sums.mean;
            sums.mean += before / sums.count as f64;
            sums.squares += before * (values[row] - sums.mean);
        });
        Ok(())
    }

    fn merge(&mut self, merge: Merge<'_>, other: &dyn Accumulator) -> Result<(), Failure> {
        let other = same::<Self>(other)?;
        merge.each(|into, from| {
            let (into, from) = (&mut self.sums[into], other.sums[from]);
            if from.count == 0 {
                return;
            }
            if into.count == 0 {
                *into = from;
                return;
            }
            let (mine, theirs) = (into.count as f64, from.count as f64);
            let (apart, all) = (from.mean - into.mean, mine + theirs);
            into.mean += apart * theirs / all;
            into.squares += from.squares + apart * apart * mine * theirs / all;
            into.count += from.count;
        });
        Ok(())
    }

    fn encode(&self, slot: usize, out: &mut Vec<u8>) {
        let sums = self.sums[slot];
        put_count(sums.count, out);
        put_float(sums.mean, out);
        put_float(sums.squares, out);
    }

    fn decode(&mut self, slot: usize, bytes: &mut &[u8]) -> Option<()> {
        self.sums[slot] = Sums {
            count: take_count(bytes)?,
            mean: take_float(bytes)?,
            squares: take_float(bytes)?,
        };
        Some(())
    }

    fn finish(&self, slots: &[u32]) -> Result<ArrayRef, Failure> {
        let results = slots.iter().map(|slot| self.result(self.sums[*slot as usize]));
        Ok(Arc::new(Float64Array::from_iter(results)))
    }

    fn bytes(&self) -> usize {
        self.sums.capacity() * size_of::<Sums>()
    }
}
