//! All measures of an aggregate at the slots of one table, and how their values are written.
//!
//! A value is the number of its layout (1 byte) and the state of each measure, one behind another. The layouts that a
//! job ever had stand in its snapshots: so a measure may be added, dropped or moved, and the others keep what they have.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow_schema::DataType;
use dataflow::Failure;
use dataflow::recipe::Function;
use serde::{Deserialize, Serialize};

use super::{Accumulator, Argument, Fold, Merge, accumulator, folded};
use crate::state::Values;

/// What one measure's state is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Measured {
    /// Its column: its identity.
    pub(in super::super) name: String,
    /// How it is folded.
    pub(in super::super) function: Function,
    /// The type of what is folded.
    pub(in super::super) argument: Option<DataType>,
    /// Its values are counted elsewhere: it counts rows that bring a new one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in super::super) apart: bool,
}

/// The measures of one version of a step.
pub(in super::super) type Layout = Vec<Measured>;

/// The measures of this build, and those that were before.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Shape {
    layouts: Vec<Layout>,
    current: u8,
}

impl Shape {
    /// Measures, behind the layouts that snapshots name.
    ///
    /// # Errors
    /// A measure whose state is of another kind than it was; more versions than a byte can count.
    pub(in super::super) fn new(measures: Layout, mut known: Vec<Layout>) -> Result<Self, Failure> {
        for before in known.iter().flatten() {
            let now = measures.iter().find(|measure| measure.name == before.name);
            if now.is_some_and(|now| !now.is_alike(before)) {
                let name = &before.name;
                return Err(Failure::fail(format!(
                    "`{name}` was another aggregate, and its state is of no use to this one"
                ))
                .help("give the measure another name, and it starts empty"));
            }
        }
        let place = known.iter().position(|layout| *layout == measures);
        let place = place.unwrap_or_else(|| {
            known.push(measures);
            known.len() - 1
        });
        let current = u8::try_from(place).map_err(|error| {
            Failure::fail("the measures of this step were changed more than 255 times")
                .help("rename the step, and it starts empty")
                .because(&error)
        })?;
        Ok(Self {
            layouts: known,
            current,
        })
    }

    /// What snapshots name.
    pub(in super::super) fn layouts(&self) -> &[Layout] {
        &self.layouts
    }

    /// How many measures there are.
    pub(in super::super) fn count(&self) -> usize {
        self.measures().len()
    }

    fn measures(&self) -> &Layout {
        &self.layouts[usize::from(self.current)]
    }
}

impl Measured {
    fn accumulator(&self) -> Result<Box<dyn Accumulator>, Failure> {
        let function = if self.apart { Function::Count } else { self.function };
        accumulator(function, self.argument.as_ref())
    }

    /// Whether a state of the other can go on as one of this.
    fn is_alike(&self, other: &Self) -> bool {
        let scale = |measure: &Self| {
            let folded = measure
                .argument
                .as_ref()
                .and_then(|argument| folded(measure.function, argument));
            match folded {
                Some(DataType::Decimal128(_, scale)) => Some(DataType::Decimal128(38, scale)),
                other => other,
            }
        };
        self.apart == other.apart
            && std::mem::discriminant(&self.function) == std::mem::discriminant(&other.function)
            && scale(self) == scale(other)
    }
}

/// The measures at the slots of one table.
pub(in super::super) struct Accumulators {
    shape: Arc<Shape>,
    measures: Vec<Box<dyn Accumulator>>,
    slots: usize,
}

impl Accumulators {
    /// Without any slots.
    ///
    /// # Errors
    /// A measure over values that it does not take.
    pub(in super::super) fn new(shape: &Arc<Shape>) -> Result<Self, Failure> {
        Ok(Self {
            shape: Arc::clone(shape),
            measures: make(shape.measures())?,
            slots: 0,
        })
    }

    /// Folds rows, each measure its argument.
    ///
    /// # Errors
    /// A value outgrew what can hold it.
    pub(in super::super) fn fold(&mut self, fold: Fold<'_>, arguments: &[Argument]) -> Result<(), Failure> {
        let mut measures = self.measures.iter_mut().zip(arguments).zip(self.shape.measures());
        measures.try_for_each(|((measure, argument), measured)| named(measured, measure.fold(fold, argument)))
    }

    /// Folds in slots of others.
    ///
    /// # Errors
    /// A value outgrew what can hold it.
    pub(in super::super) fn merge(&mut self, merge: Merge<'_>, other: &Self) -> Result<(), Failure> {
        let mut measures = self.measures.iter_mut().zip(&other.measures).zip(self.shape.measures());
        measures.try_for_each(|((measure, other), measured)| named(measured, measure.merge(merge, other.as_ref())))
    }

    /// The results of a measure at some slots.
    ///
    /// # Errors
    /// A result that its type cannot hold.
    pub(in super::super) fn finish(&self, measure: usize, slots: &[u32]) -> Result<ArrayRef, Failure> {
        named(&self.shape.measures()[measure], self.measures[measure].finish(slots))
    }

    /// Appends the states of a slot without their layout: for those who are of the same build.
    pub(in super::super) fn put(&self, slot: u32, out: &mut Vec<u8>) {
        self.measures
            .iter()
            .for_each(|measure| measure.encode(slot as usize, out));
    }

    /// Sets a slot from what `put` wrote.
    ///
    /// # Errors
    /// Bytes that it did not write.
    pub(in super::super) fn take(&mut self, slot: u32, mut bytes: &[u8]) -> Result<(), Failure> {
        let read = self
            .measures
            .iter_mut()
            .try_for_each(|measure| measure.decode(slot as usize, &mut bytes));
        read.filter(|()| bytes.is_empty()).ok_or_else(malformed)
    }

    /// Sets a slot from a value of another layout.
    fn migrate(&mut self, slot: usize, layout: u8, mut bytes: &[u8]) -> Result<(), Failure> {
        let layout = self.shape.layouts.get(usize::from(layout)).ok_or_else(malformed)?;
        for before in layout {
            let place = self.shape.measures().iter().position(|now| now.name == before.name);
            let read = match place {
                Some(place) => self.measures[place].decode(slot, &mut bytes),
                None => {
                    let mut gone = before.accumulator()?;
                    gone.grow(1);
                    gone.decode(0, &mut bytes)
                }
            };
            read.ok_or_else(malformed)?;
        }
        if bytes.is_empty() { Ok(()) } else { Err(malformed()) }
    }
}

fn make(measures: &Layout) -> Result<Vec<Box<dyn Accumulator>>, Failure> {
    let measures = measures.iter();
    measures.map(|measure| named(measure, measure.accumulator())).collect()
}

fn named<T>(measured: &Measured, result: Result<T, Failure>) -> Result<T, Failure> {
    result.map_err(|mut failure| {
        failure.message = format!("`{}`: {}", measured.name, failure.message);
        failure
    })
}

fn malformed() -> Failure {
    Failure::fail("a part of the state cannot be read: its bytes are no measures")
}

impl Values for Accumulators {
    fn grow(&mut self, slots: usize) {
        if slots > self.slots {
            self.slots = slots;
            self.measures.iter_mut().for_each(|measure| measure.grow(slots));
        }
    }

    fn reset(&mut self, slot: u32) {
        self.measures
            .iter_mut()
            .for_each(|measure| measure.reset(slot as usize));
    }

    fn encode(&self, slot: u32, out: &mut Vec<u8>) {
        out.push(self.shape.current);
        self.put(slot, out);
    }

    fn decode(&mut self, slot: u32, bytes: &[u8]) -> Result<(), Failure> {
        let (layout, bytes) = bytes.split_first().ok_or_else(malformed)?;
        if *layout == self.shape.current {
            self.take(slot, bytes)
        } else {
            self.reset(slot);
            self.migrate(slot as usize, *layout, bytes)
        }
    }

    fn clear(&mut self) {
        // It could be made before.
        if let Ok(empty) = Self::new(&self.shape) {
            *self = empty;
        }
    }

    fn bytes(&self) -> usize {
        self.measures.iter().map(|measure| measure.bytes()).sum()
    }
}
