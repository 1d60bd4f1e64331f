//! `first(x)` and `last(x)`: by event time, and in the order of arrival where there is none or it is the same.

use arrow::array::ArrayRef;
use arrow_schema::DataType;
use dataflow::Failure;

use super::kind::{Bytes, Decimal, Float, Kind, Unsigned, Whole};
use super::packed::{put_int, put_there, take_int, take_there};
use super::{Accumulator, Argument, Fold, Merge, canonical, same};
use crate::state::reserve;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    First,
    Last,
}

/// The accumulator over values of a type.
pub(super) fn of(which: Which, argument: &DataType) -> Option<Box<dyn Accumulator>> {
    let result = canonical(argument);
    Some(match &result {
        DataType::Int64 => Box::new(AtTime::<Whole>::new(which, &result)),
        DataType::UInt64 => Box::new(AtTime::<Unsigned>::new(which, &result)),
        DataType::Float64 => Box::new(AtTime::<Float>::new(which, &result)),
        DataType::Decimal128(_, _) => Box::new(AtTime::<Decimal>::new(which, &result)),
        DataType::BinaryView => Box::new(AtTime::<Bytes>::new(which, &result)),
        _ => return None,
    })
}

/// The value so far, and when it was.
struct AtTime<K: Kind> {
    kept: Vec<Option<(i64, K::Own)>>,
    which: Which,
    heap: usize,
    result: DataType,
}

impl<K: Kind> AtTime<K> {
    fn new(which: Which, result: &DataType) -> Self {
        Self {
            kept: Vec::new(),
            which,
            heap: 0,
            result: result.clone(),
        }
    }

    #[inline]
    fn offer(&mut self, slot: usize, time: i64, value: K::Ref<'_>) {
        match &mut self.kept[slot] {
            Some((at, kept)) => {
                let goes = match self.which {
                    Which::First => time < *at,
                    Which::Last => time >= *at,
                };
                if goes {
                    self.heap -= K::heap(kept);
                    K::keep(value, kept);
                    *at = time;
                    self.heap += K::heap(kept);
                }
            }
            place => {
                let own = K::new(value);
                self.heap += K::heap(&own);
                *place = Some((time, own));
            }
        }
    }
}

impl<K: Kind> Accumulator for AtTime<K> {
    fn grow(&mut self, slots: usize) {
        reserve(&mut self.kept, slots);
        self.kept.resize_with(slots, || None);
    }

    fn reset(&mut self, slot: usize) {
        self.heap -= self.kept[slot].take().map_or(0, |(_, own)| K::heap(&own));
    }

    fn fold(&mut self, fold: Fold<'_>, argument: &Argument) -> Result<(), Failure> {
        let values = argument.values.as_ref().and_then(K::read);
        let values = values.ok_or_else(|| Failure::bug("values that are not of their measure's kind"))?;
        fold.each(argument.counts.as_ref(), |slot, row| {
            let time = fold.times.map_or(0, |times| times[row]);
            self.offer(slot, time, K::value(values, row));
        });
        Ok(())
    }

    fn merge(&mut self, merge: Merge<'_>, other: &dyn Accumulator) -> Result<(), Failure> {
        let other = same::<Self>(other)?;
        merge.each(|into, from| {
            if let Some((time, value)) = &other.kept[from] {
                self.offer(into, *time, K::look(value));
            }
        });
        Ok(())
    }

    fn encode(&self, slot: usize, out: &mut Vec<u8>) {
        let kept = &self.kept[slot];
        put_there(kept.is_some(), out);
        if let Some((time, value)) = kept {
            put_int(i128::from(*time), out);
            K::put(K::look(value), out);
        }
    }

    fn decode(&mut self, slot: usize, bytes: &mut &[u8]) -> Option<()> {
        self.reset(slot);
        if take_there(bytes)? {
            let time = i64::try_from(take_int(bytes)?).ok()?;
            let own = K::take(bytes)?;
            self.heap += K::heap(&own);
            self.kept[slot] = Some((time, own));
        }
        Some(())
    }

    fn finish(&self, slots: &[u32]) -> Result<ArrayRef, Failure> {
        let kept = slots.iter().map(|slot| self.kept[*slot as usize].as_ref());
        let values = kept.map(|kept| kept.map(|(_, value)| K::look(value)));
        Ok(K::array(values, &self.result))
    }

    fn bytes(&self) -> usize {
        self.kept.capacity() * size_of::<Option<(i64, K::Own)>>() + self.heap
    }
}
