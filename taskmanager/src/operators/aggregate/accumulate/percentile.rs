//! `approx_percentile(x, p)` and `approx_median(x)`: a t-digest at each slot.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::Float64Type;
use dataflow::Failure;

use super::digest::Digest;
use super::packed::{put_count, put_float, take_count, take_float};
use super::{Accumulator, Argument, Fold, Merge, same};

/// The value below which a share of the values is, about. NaN is no value.
pub(super) struct Percentile {
    digests: Vec<Digest>,
    share: f64,
    heap: usize,
}

impl Percentile {
    pub(super) fn new(share: f64) -> Self {
        Self {
            digests: Vec::new(),
            share,
            heap: 0,
        }
    }

    fn change(&mut self, slot: usize, change: impl FnOnce(&mut Digest)) {
        let digest = &mut self.digests[slot];
        self.heap -= digest.heap();
        change(digest);
        self.heap += digest.heap();
    }
}

impl Accumulator for Percentile {
    fn grow(&mut self, slots: usize) {
        self.digests.resize(slots, Digest::default());
    }

    fn reset(&mut self, slot: usize) {
        self.change(slot, |digest| *digest = Digest::default());
    }

    fn fold(&mut self, fold: Fold<'_>, argument: &Argument) -> Result<(), Failure> {
        let values = argument
            .values
            .as_ref()
            .and_then(|values| values.as_primitive_opt::<Float64Type>());
        let values = values
            .ok_or_else(|| Failure::bug("percentiles of values that are no floats"))?
            .values();
        fold.each(argument.counts.as_ref(), |slot, row| {
            if !values[row].is_nan() {
                self.change(slot, |digest| digest.add(values[row]));
            }
        });
        Ok(())
    }

    fn merge(&mut self, merge: Merge<'_>, other: &dyn Accumulator) -> Result<(), Failure> {
        let other = same::<Self>(other)?;
        merge.each(|into, from| self.change(into, |digest| digest.merge(&other.digests[from])));
        Ok(())
    }

    fn encode(&self, slot: usize, out: &mut Vec<u8>) {
        let ((least, greatest), centroids) = self.digests[slot].parts();
        put_count(centroids.len() as u64, out);
        for (mean, weight) in &centroids {
            put_float(*mean, out);
            put_count(*weight, out);
        }
        put_float(least, out);
        put_float(greatest, out);
    }

    fn decode(&mut self, slot: usize, bytes: &mut &[u8]) -> Option<()> {
        let count = take_count(bytes)?;
        let mut centroids = Vec::new();
        for _ in 0..count {
            centroids.push((take_float(bytes)?, take_count(bytes)?));
        }
        let ends = (take_float(bytes)?, take_float(bytes)?);
        self.change(slot, |digest| *digest = Digest::of(ends, centroids));
        Some(())
    }

    fn finish(&self, slots: &[u32]) -> Result<ArrayRef, Failure> {
        let results = slots
            .iter()
            .map(|slot| self.digests[*slot as usize].quantile(self.share));
        Ok(Arc::new(Float64Array::from_iter(results)))
    }

    fn bytes(&self) -> usize {
        self.digests.capacity() * size_of::<Digest>() + self.heap
    }
}
