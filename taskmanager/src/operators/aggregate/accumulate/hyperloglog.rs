//! `approx_distinct(x)`: HyperLogLog with 2^12 registers, a short list of registers while there are few values.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use dataflow::Failure;
use dataflow::key;

use super::packed::{put_count, take_count};
use super::{Accumulator, Argument, Fold, Merge, same};

/// How many bits of a hash choose its register.
const BITS: u32 = 12;
const REGISTERS: usize = 1 << BITS;
/// So many registers are a list; a list of more would be as large as all of them.
const SPARSE_MAX: usize = 512;

/// What was seen at one slot.
#[derive(Clone, Debug)]
enum Sketch {
    /// Registers that are not 0, in order.
    Sparse(Vec<(u16, u8)>),
    /// All of them.
    Dense(Box<[u8]>),
}

/// How many different values, about.
#[derive(Debug, Default)]
pub(super) struct HyperLogLog {
    sketches: Vec<Sketch>,
    heap: usize,
}

impl Sketch {
    const EMPTY: Self = Self::Sparse(Vec::new());

    fn see(&mut self, hash: u64) {
        let register = u16::try_from(hash >> (64 - BITS)).unwrap_or(0);
        // A one behind the last bit bounds the count of zeros.
        let rank = ((hash << BITS) | (1 << (BITS - 1))).leading_zeros() + 1;
        self.raise(register, u8::try_from(rank).unwrap_or(u8::MAX));
    }

    fn raise(&mut self, register: u16, rank: u8) {
        match self {
            Self::Dense(registers) => {
                let held = &mut registers[usize::from(register)];
                *held = rank.max(*held);
            }
            Self::Sparse(list) => match list.binary_search_by_key(&register, |(register, _)| *register) {
                Ok(found) => list[found].1 = list[found].1.max(rank),
                Err(_) if list.len() == SPARSE_MAX => {
                    let mut registers = vec![0; REGISTERS];
                    list.iter()
                        .for_each(|(register, rank)| registers[usize::from(*register)] = *rank);
                    registers[usize::from(register)] = rank;
                    *self = Self::Dense(registers.into());
                }
                Err(place) => list.insert(place, (register, rank)),
            },
        }
    }

    fn each(&self, mut take: impl FnMut(u16, u8)) {
        match self {
            Self::Sparse(list) => list.iter().for_each(|(register, rank)| take(*register, *rank)),
            Self::Dense(registers) => {
                let held = (0_u16..).zip(registers.iter()).filter(|(_, rank)| **rank > 0);
                held.for_each(|(register, rank)| take(register, *rank));
            }
        }
    }

    fn heap(&self) -> usize {
        match self {
            Self::Sparse(list) => list.capacity() * size_of::<(u16, u8)>(),
            Self::Dense(registers) => registers.len(),
        }
    }

    /// Flajolet's estimate; while registers are empty, the one by their number.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an estimate of a number of values is not negative and fits"
    )]
    fn estimate(&self) -> i64 {
        let (mut filled, mut sum) = (0_usize, 0.0);
        self.each(|_, rank| {
            filled += 1;
            sum += 2_f64.powi(-i32::from(rank));
        });
        let (all, empty) = (REGISTERS as f64, (REGISTERS - filled) as f64);
        let alpha = 0.7213 / (1.0 + 1.079 / all);
        let raw = alpha * all * all / (sum + empty);
        let estimate = if raw <= 2.5 * all && filled < REGISTERS {
            all * (all / empty).ln()
        } else {
            raw
        };
        estimate.round() as i64
    }
}

impl HyperLogLog {
    fn change(&mut self, slot: usize, change: impl FnOnce(&mut Sketch)) {
        let sketch = &mut self.sketches[slot];
        self.heap -= sketch.heap();
        change(sketch);
        self.heap += sketch.heap();
    }
}

impl Accumulator for HyperLogLog {
    fn grow(&mut self, slots: usize) {
        self.sketches.resize(slots, Sketch::EMPTY);
    }

    fn reset(&mut self, slot: usize) {
        self.change(slot, |sketch| *sketch = Sketch::EMPTY);
    }

    fn fold(&mut self, fold: Fold<'_>, argument: &Argument) -> Result<(), Failure> {
        let keys = argument
            .keys
            .as_ref()
            .ok_or_else(|| Failure::bug("distinct values that were not told apart"))?;
        fold.each(argument.counts.as_ref(), |slot, row| {
            let hash = key::hash(keys.row(row));
            self.change(slot, |sketch| sketch.see(hash));
        });
        Ok(())
    }

    fn merge(&mut self, merge: Merge<'_>, other: &dyn Accumulator) -> Result<(), Failure> {
        let other = same::<Self>(other)?;
        merge.each(|into, from| {
            let from = &other.sketches[from];
            self.change(into, |sketch| from.each(|register, rank| sketch.raise(register, rank)));
        });
        Ok(())
    }

    fn encode(&self, slot: usize, out: &mut Vec<u8>) {
        let sketch = &self.sketches[slot];
        let mut count = 0;
        sketch.each(|_, _| count += 1);
        put_count(count, out);
        sketch.each(|register, rank| {
            out.extend(register.to_le_bytes());
            out.push(rank);
        });
    }

    fn decode(&mut self, slot: usize, bytes: &mut &[u8]) -> Option<()> {
        self.reset(slot);
        for _ in 0..take_count(bytes)? {
            let ([low, high, rank], rest) = bytes.split_first_chunk::<3>()?;
            *bytes = rest;
            let register = u16::from_le_bytes([*low, *high]);
            if usize::from(register) >= REGISTERS {
                return None;
            }
            self.change(slot, |sketch| sketch.raise(register, *rank));
        }
        Some(())
    }

    fn finish(&self, slots: &[u32]) -> Result<ArrayRef, Failure> {
        let estimates = slots.iter().map(|slot| self.sketches[*slot as usize].estimate());
        Ok(Arc::new(Int64Array::from_iter_values(estimates)))
    }

    fn bytes(&self) -> usize {
        self.sketches.capacity() * size_of::<Sketch>() + self.heap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_within_five_standard_errors() {
        for count in [0_u64, 1, 10, 500, 600, 5_000, 20_000, 300_000] {
            let mut sketch = Sketch::EMPTY;
            for value in 0..count {
                let hash = key::hash(&value.to_be_bytes());
                sketch.see(hash);
                sketch.see(hash);
            }
            let (found, exact) = (sketch.estimate() as f64, count as f64);
            assert!((found - exact).abs() <= exact * 5.0 * 0.016 + 0.5, "{count}: {found}");
        }
    }
}
