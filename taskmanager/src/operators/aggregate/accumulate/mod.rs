//! How values are folded: one accumulator for each measure, its values by column at the slots of a table.
//!
//! Enters: a whole batch's slots and values. Leaves: results of many slots as an array; states as bytes, for cuts and
//! for the second phase. Who calls: the bodies of `aggregate`. Must stay true: folding in any batches, and merging what
//! was folded apart, give what folding at once gives (floats but for their rounding); what `encode` wrote `decode` reads
//! in every later build. Not here: which slot a row goes to (table), which rows (windows).
//!
//! Each accumulator's loop is over one typed array; the only dynamic call is one for each batch and measure.

pub(super) mod packed;
mod kind;
mod count;
mod total;
mod extreme;
mod at_time;
mod moments;
mod distinct;
mod hyperloglog;
mod digest;
mod percentile;
mod set;
#[cfg(test)]
mod tests;

use kind::canonical;
pub(super) use set::{Accumulators, Layout, Measured, Shape};

use std::any::Any;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::buffer::NullBuffer;
use arrow_schema::DataType;
use dataflow::Failure;
use dataflow::key::Keys;
use dataflow::recipe::Function;

/// Rows to be folded, and where each goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fold<'a> {
    /// The slots, one for each of `rows`.
    pub(super) slots: &'a [u32],
    /// Places in the batch.
    pub(super) rows: &'a [u32],
    /// The event time of each row of the batch; none where there is no such time.
    pub(super) times: Option<&'a [i64]>,
}

impl Fold<'_> {
    /// Hands over slot and row of those that count.
    #[inline]
    fn each(&self, counts: Option<&NullBuffer>, mut take: impl FnMut(usize, usize)) {
        let pairs = self.slots.iter().zip(self.rows);
        let pairs = pairs.map(|(slot, row)| (*slot as usize, *row as usize));
        match counts {
            None => pairs.for_each(|(slot, row)| take(slot, row)),
            Some(counts) => pairs
                .filter(|(_, row)| counts.is_valid(*row))
                .for_each(|(slot, row)| take(slot, row)),
        }
    }
}

/// What is folded of a batch.
#[derive(Clone, Debug, Default)]
pub(super) struct Argument {
    /// The values in the canonical type of their kind; none for `count(*)`.
    pub(super) values: Option<ArrayRef>,
    /// Which rows count: their value is not NULL, and the filter is true.
    pub(super) counts: Option<NullBuffer>,
    /// The values as canonical keys, where they are told apart.
    pub(super) keys: Option<Arc<Keys>>,
}

/// Slots of another accumulator to be merged into slots of this one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Merge<'a> {
    /// Here.
    pub(super) into: &'a [u32],
    /// There.
    pub(super) from: &'a [u32],
}

impl Merge<'_> {
    #[inline]
    fn each(&self, mut take: impl FnMut(usize, usize)) {
        let pairs = self.into.iter().zip(self.from);
        pairs.for_each(|(into, from)| take(*into as usize, *from as usize));
    }
}

/// One measure at all slots.
pub(super) trait Accumulator: Send + Any {
    /// Makes room.
    fn grow(&mut self, slots: usize);

    /// A slot begins anew.
    fn reset(&mut self, slot: usize);

    /// Folds rows.
    ///
    /// # Errors
    /// A value outgrew what can hold it.
    fn fold(&mut self, fold: Fold<'_>, argument: &Argument) -> Result<(), Failure>;

    /// Folds in what another of the same making has folded. Its rows count as later ones.
    ///
    /// # Errors
    /// As for `fold`; an accumulator of another making.
    fn merge(&mut self, merge: Merge<'_>, other: &dyn Accumulator) -> Result<(), Failure>;

    /// Appends a slot's state; the bytes say themselves where they end.
    fn encode(&self, slot: usize, out: &mut Vec<u8>);

    /// Sets a slot's state from the front of `bytes`; none where they are not what `encode` wrote.
    fn decode(&mut self, slot: usize, bytes: &mut &[u8]) -> Option<()>;

    /// The results of slots.
    ///
    /// # Errors
    /// A result that its type cannot hold.
    fn finish(&self, slots: &[u32]) -> Result<ArrayRef, Failure>;

    /// Memory held, roughly.
    fn bytes(&self) -> usize;
}

/// The other one, of the same making.
fn same<A: Accumulator>(other: &dyn Accumulator) -> Result<&A, Failure> {
    let other: &dyn Any = other;
    other
        .downcast_ref()
        .ok_or_else(|| Failure::bug("two states of one measure that are of different making"))
}

/// The accumulator of a function over values of a type.
///
/// # Errors
/// Values that the function does not take.
pub(super) fn accumulator(function: Function, argument: Option<&DataType>) -> Result<Box<dyn Accumulator>, Failure> {
    let refused = || {
        let found = argument.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        Failure::fail(format!("{function:?} does not take {found}"))
    };
    if function == Function::Count {
        return Ok(Box::new(count::Count::default()));
    }
    let argument = argument.ok_or_else(refused)?;
    let made = match function {
        Function::Count => Some(Box::new(count::Count::default()) as Box<dyn Accumulator>),
        Function::CountDistinct => Some(Box::new(distinct::Distinct::default()) as _),
        Function::Sum | Function::Avg => total::of(function == Function::Avg, argument),
        Function::Min => extreme::of(extreme::End::Least, argument),
        Function::Max => extreme::of(extreme::End::Greatest, argument),
        Function::First => at_time::of(at_time::Which::First, argument),
        Function::Last => at_time::of(at_time::Which::Last, argument),
        Function::Stddev | Function::StddevPop | Function::Variance | Function::VariancePop => {
            Some(Box::new(moments::Moments::new(function)) as _)
        }
        Function::ApproxDistinct => Some(Box::new(hyperloglog::HyperLogLog::default()) as _),
        Function::ApproxPercentile(share) => Some(Box::new(percentile::Percentile::new(share)) as _),
    };
    made.ok_or_else(refused)
}

/// The type that a function's argument is cast to before it is folded.
pub(super) fn folded(function: Function, argument: &DataType) -> Option<DataType> {
    match function {
        Function::Count | Function::CountDistinct | Function::ApproxDistinct => None,
        Function::Stddev
        | Function::StddevPop
        | Function::Variance
        | Function::VariancePop
        | Function::ApproxPercentile(_) => Some(DataType::Float64),
        Function::Sum | Function::Avg | Function::Min | Function::Max | Function::First | Function::Last => {
            Some(canonical(argument))
        }
    }
}
