//! `sum(x)` and `avg(x)`: sums of whole numbers and decimals in 128 bits, of floats in 64, each with its count.
//!
//! A sum that its result's type cannot hold stops the job: a number that is silently wrong or missing is worse.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array, Float64Array, Int64Array};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, Decimal128Type, Float64Type, Int64Type, UInt64Type};
use arrow_schema::DataType;
use dataflow::Failure;

use super::packed::{put_count, put_float, put_int, take_count, take_float, take_int};
use super::{Accumulator, Argument, Fold, Merge, canonical, same};
use crate::state::reserve;

/// The largest decimal of 38 digits.
const DECIMAL_MAX: i128 = 10_i128.pow(38) - 1;
/// An average has so many digits behind the point at least.
const SCALE_MIN: i8 = 6;

/// The accumulator over values of a type.
#[expect(clippy::fn_params_excessive_bools, reason = "a mean, or the sum")]
pub(super) fn of(mean: bool, argument: &DataType) -> Option<Box<dyn Accumulator>> {
    let whole = if mean { Yield::Mean } else { Yield::Sum };
    Some(match (canonical(argument), argument) {
        (_, DataType::Boolean | DataType::Date32 | DataType::Timestamp(_, _)) => return None,
        (DataType::Int64, _) => Box::new(Exact::<Int64Type>::new(whole)),
        (DataType::UInt64, _) => Box::new(Exact::<UInt64Type>::new(whole)),
        (DataType::Decimal128(_, scale), _) => {
            let result = if mean {
                Yield::DecimalMean { scale }
            } else {
                Yield::Decimal { scale }
            };
            Box::new(Exact::<Decimal128Type>::new(result))
        }
        (DataType::Float64, _) => Box::new(Rounded {
            totals: Vec::new(),
            mean,
        }),
        _ => return None,
    })
}

/// What a sum becomes.
#[derive(Clone, Copy, Debug)]
enum Yield {
    Sum,
    Mean,
    Decimal { scale: i8 },
    DecimalMean { scale: i8 },
}

/// A sum beside its count, so that a row touches one place in memory; packed, because 128 bits would be given 16 bytes more to
/// stand at a round place.
#[derive(Clone, Copy, Debug, Default)]
#[repr(Rust, packed(8))]
struct Total<S> {
    sum: S,
    count: u64,
}

/// Sums that are exact.
struct Exact<T> {
    totals: Vec<Total<i128>>,
    result: Yield,
    of: PhantomData<T>,
}

impl<T> Exact<T> {
    fn new(result: Yield) -> Self {
        Self {
            totals: Vec::new(),
            result,
            of: PhantomData,
        }
    }
}

fn overflow() -> Failure {
    Failure::fail("a sum has outgrown the digits of its type")
        .help("sum a smaller unit or a narrower window, or cast the argument to double")
}

impl<T: ArrowPrimitiveType + Send> Accumulator for Exact<T>
where
    T::Native: Into<i128>,
{
    fn grow(&mut self, slots: usize) {
        reserve(&mut self.totals, slots);
        self.totals.resize(slots, Total::default());
    }

    fn reset(&mut self, slot: usize) {
        self.totals[slot] = Total::default();
    }

    fn fold(&mut self, fold: Fold<'_>, argument: &Argument) -> Result<(), Failure> {
        let values = argument
            .values
            .as_ref()
            .and_then(|values| values.as_primitive_opt::<T>());
        let values = values
            .ok_or_else(|| Failure::bug("a sum of values that are not of its kind"))?
            .values();
        let mut over = false;
        fold.each(argument.counts.as_ref(), |slot, row| {
            let total = &mut self.totals[slot];
            let (sum, overflown) = total.sum.overflowing_add(values[row].into());
            total.sum = sum;
            total.count += 1;
            over |= overflown;
        });
        if over { Err(overflow()) } else { Ok(()) }
    }

    fn merge(&mut self, merge: Merge<'_>, other: &dyn Accumulator) -> Result<(), Failure> {
        let other = same::<Self>(other)?;
        let mut over = false;
        merge.each(|into, from| {
            let (into, from) = (&mut self.totals[into], other.totals[from]);
            let (sum, overflown) = into.sum.overflowing_add(from.sum);
            into.sum = sum;
            into.count += from.count;
            over |= overflown;
        });
        if over { Err(overflow()) } else { Ok(()) }
    }

    fn encode(&self, slot: usize, out: &mut Vec<u8>) {
        let total = self.totals[slot];
        put_int(total.sum, out);
        put_count(total.count, out);
    }

    fn decode(&mut self, slot: usize, bytes: &mut &[u8]) -> Option<()> {
        self.totals[slot] = Total {
            sum: take_int(bytes)?,
            count: take_count(bytes)?,
        };
        Some(())
    }

    fn finish(&self, slots: &[u32]) -> Result<ArrayRef, Failure> {
        let totals = slots.iter().map(|slot| self.totals[*slot as usize]);
        let there = totals.map(|total| (total.count > 0).then_some(total));
        match self.result {
            Yield::Sum => {
                let sums = there.map(|total| total.map(|total| i64::try_from(total.sum)).transpose());
                let sums: Result<Int64Array, _> = sums.collect();
                Ok(Arc::new(sums.map_err(|error| overflow().because(&error))?))
            }
            Yield::Mean => {
                let means = there.map(|total| total.map(|total| mean(total.sum, total.count)));
                Ok(Arc::new(Float64Array::from_iter(means)))
            }
            Yield::Decimal { scale } => decimals(there.map(|total| total.map(|total| total.sum)), scale),
            Yield::DecimalMean { scale } => {
                let more = SCALE_MIN.saturating_sub(scale).max(0);
                let means = there.map(|total| total.map(|total| decimal_mean(total, more.unsigned_abs())));
                decimals(
                    means.map(|mean| mean.map(|mean| mean.unwrap_or(i128::MAX))),
                    scale + more,
                )
            }
        }
    }

    fn bytes(&self) -> usize {
        self.totals.capacity() * size_of::<Total<i128>>()
    }
}

fn mean(sum: i128, count: u64) -> f64 {
    sum as f64 / count as f64
}

/// The average with `more` digits, rounded half away from zero; none where it outgrows 128 bits.
fn decimal_mean(total: Total<i128>, more: u8) -> Option<i128> {
    let count = i128::from(total.count);
    let factor = 10_i128.pow(u32::from(more));
    let (whole, left) = (total.sum / count, total.sum % count * factor);
    let (part, left) = (left / count, left % count);
    let up = if 2 * left.abs() >= count { left.signum() } else { 0 };
    whole.checked_mul(factor)?.checked_add(part + up)
}

fn decimals(values: impl Iterator<Item = Option<i128>>, scale: i8) -> Result<ArrayRef, Failure> {
    let mut over = false;
    let values =
        values.inspect(|value| over |= value.is_some_and(|value| value.unsigned_abs() > DECIMAL_MAX.unsigned_abs()));
    let array = Decimal128Array::from_iter(values);
    if over {
        return Err(overflow());
    }
    let array = array.with_precision_and_scale(DECIMAL128_MAX_PRECISION, scale);
    Ok(Arc::new(array.map_err(|error| {
        Failure::bug("a decimal of a scale that there is not").because(&error)
    })?))
}

/// Sums of floats.
struct Rounded {
    totals: Vec<Total<f64>>,
    mean: bool,
}

impl Accumulator for Rounded {
    fn grow(&mut self, slots: usize) {
        reserve(&mut self.totals, slots);
        self.totals.resize(slots, Total::default());
    }

    fn reset(&mut self, slot: usize) {
        self.totals[slot] = Total::default();
    }

    fn fold(&mut self, fold: Fold<'_>, argument: &Argument) -> Result<(), Failure> {
        let values = argument
            .values
            .as_ref()
            .and_then(|values| values.as_primitive_opt::<Float64Type>());
        let values = values
            .ok_or_else(|| Failure::bug("a sum of values that are not of its kind"))?
            .values();
        fold.each(argument.counts.as_ref(), |slot, row| {
            let total = &mut self.totals[slot];
            total.sum += values[row];
            total.count += 1;
        });
        Ok(())
    }

    fn merge(&mut self, merge: Merge<'_>, other: &dyn Accumulator) -> Result<(), Failure> {
        let other = same::<Self>(other)?;
        merge.each(|into, from| {
            let (into, from) = (&mut self.totals[into], other.totals[from]);
            into.sum += from.sum;
            into.count += from.count;
        });
        Ok(())
    }

    fn encode(&self, slot: usize, out: &mut Vec<u8>) {
        let total = self.totals[slot];
        put_float(total.sum, out);
        put_count(total.count, out);
    }

    fn decode(&mut self, slot: usize, bytes: &mut &[u8]) -> Option<()> {
        self.totals[slot] = Total {
            sum: take_float(bytes)?,
            count: take_count(bytes)?,
        };
        Some(())
    }

    fn finish(&self, slots: &[u32]) -> Result<ArrayRef, Failure> {
        let results = slots.iter().map(|slot| {
            let total = self.totals[*slot as usize];
            let divisor = if self.mean { total.count as f64 } else { 1.0 };
            (total.count > 0).then(|| total.sum / divisor)
        });
        Ok(Arc::new(Float64Array::from_iter(results)))
    }

    fn bytes(&self) -> usize {
        self.totals.capacity() * size_of::<Total<f64>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_of_decimals_is_rounded_half_away_from_zero() {
        let mean = |sum, count, more| decimal_mean(Total { sum, count }, more);
        assert_eq!(mean(10, 4, 0), Some(3));
        assert_eq!(mean(-10, 4, 0), Some(-3));
        assert_eq!(mean(10, 3, 4), Some(33_333));
        assert_eq!(mean(-20, 3, 4), Some(-66_667));
        assert_eq!(mean(i128::MAX, 1, 6), None);
    }
}
