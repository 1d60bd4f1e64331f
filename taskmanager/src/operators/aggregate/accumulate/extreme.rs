//! `min(x)` and `max(x)`.

use std::cmp::Ordering;

use arrow::array::ArrayRef;
use arrow_schema::DataType;
use dataflow::Failure;

use super::kind::{Bytes, Decimal, Float, Kind, Unsigned, Whole};
use super::packed::{put_there, take_there};
use super::{Accumulator, Argument, Fold, Merge, canonical, same};
use crate::state::reserve;

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Least,
    Greatest,
}

/// The accumulator over values of a type.
pub(super) fn of(end: End, argument: &DataType) -> Option<Box<dyn Accumulator>> {
    let result = canonical(argument);
    Some(match &result {
        DataType::Int64 => Box::new(Extreme::<Whole>::new(end, &result)),
        DataType::UInt64 => Box::new(Extreme::<Unsigned>::new(end, &result)),
        DataType::Float64 => Box::new(Extreme::<Float>::new(end, &result)),
        DataType::Decimal128(_, _) => Box::new(Extreme::<Decimal>::new(end, &result)),
        DataType::BinaryView => Box::new(Extreme::<Bytes>::new(end, &result)),
        _ => return None,
    })
}

/// The best value so far.
struct Extreme<K: Kind> {
    best: Vec<Option<K::Own>>,
    better: Ordering,
    heap: usize,
    result: DataType,
}

impl<K: Kind> Extreme<K> {
    fn new(end: End, result: &DataType) -> Self {
        let better = match end {
            End::Least => Ordering::Less,
            End::Greatest => Ordering::Greater,
        };
        Self {
            best: Vec::new(),
            better,
            heap: 0,
            result: result.clone(),
        }
    }

    #[inline]
    fn offer(&mut self, slot: usize, value: K::Ref<'_>) {
        match &mut self.best[slot] {
            Some(best) => {
                if K::compare(value, K::look(best)) == self.better {
                    self.heap -= K::heap(best);
                    K::keep(value, best);
                    self.heap += K::heap(best);
                }
            }
            place => {
                let own = K::new(value);
                self.heap += K::heap(&own);
                *place = Some(own);
            }
        }
    }
}

impl<K: Kind> Accumulator for Extreme<K> {
    fn grow(&mut self, slots: usize) {
        reserve(&mut self.best, slots);
        self.best.resize_with(slots, || None);
    }

    fn reset(&mut self, slot: usize) {
        self.heap -= self.best[slot].take().as_ref().map_or(0, K::heap);
    }

    fn fold(&mut self, fold: Fold<'_>, argument: &Argument) -> Result<(), Failure> {
        let values = argument.values.as_ref().and_then(K::read);
        let values = values.ok_or_else(|| Failure::bug("values that are not of their measure's kind"))?;
        fold.each(argument.counts.as_ref(), |slot, row| {
            self.offer(slot, K::value(values, row))
        });
        Ok(())
    }

    fn merge(&mut self, merge: Merge<'_>, other: &dyn Accumulator) -> Result<(), Failure> {
        let other = same::<Self>(other)?;
        merge.each(|into, from| {
            if let Some(value) = &other.best[from] {
                self.offer(into, K::look(value));
            }
        });
        Ok(())
    }

    fn encode(&self, slot: usize, out: &mut Vec<u8>) {
        let best = &self.best[slot];
        put_there(best.is_some(), out);
        if let Some(best) = best {
            K::put(K::look(best), out);
        }
    }

    fn decode(&mut self, slot: usize, bytes: &mut &[u8]) -> Option<()> {
        self.reset(slot);
        if take_there(bytes)? {
            let own = K::take(bytes)?;
            self.heap += K::heap(&own);
            self.best[slot] = Some(own);
        }
        Some(())
    }

    fn finish(&self, slots: &[u32]) -> Result<ArrayRef, Failure> {
        let best = slots.iter().map(|slot| self.best[*slot as usize].as_ref().map(K::look));
        Ok(K::array(best, &self.result))
    }

    fn bytes(&self) -> usize {
        self.best.capacity() * size_of::<Option<K::Own>>() + self.heap
    }
}
