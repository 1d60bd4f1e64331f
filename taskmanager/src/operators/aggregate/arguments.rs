//! What the measures fold of a batch: their expressions, each evaluated once, and which rows count.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, prep_null_mask_filter};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use dataflow::Failure;
use dataflow::contract::BadRecord;
use dataflow::element::columns;
use dataflow::expr::{Evaluated, Evaluator, Expression, Path};
use dataflow::key::{KeyReader, Keys};
use dataflow::recipe::{self, Function, Measure, Phase};

use super::accumulate::{Argument, Layout, Measured, folded};
use crate::chain::columns::batch;
use crate::chain::dead::without;

/// The expressions of all measures.
pub(super) struct Arguments {
    /// Each text once, whoever uses it.
    expressions: Vec<(Expression, Value)>,
    measures: Vec<Reading>,
}

/// Where the values of an expression come from.
enum Value {
    /// Of the row.
    Computed(Evaluator),
    /// The first half has computed them.
    Given { column: usize, data_type: DataType },
}

impl Value {
    fn data_type(&self) -> &DataType {
        match self {
            Self::Computed(evaluator) => evaluator.data_type(),
            Self::Given { data_type, .. } => data_type,
        }
    }

    fn evaluate(&self, input: &RecordBatch) -> Evaluated {
        match self {
            Self::Computed(evaluator) => evaluator.evaluate_rows(input),
            Self::Given { column, .. } => Evaluated {
                values: Arc::clone(input.column(*column)),
                failed: Vec::new(),
            },
        }
    }
}

/// Where a measure's values come from, by places among the expressions.
struct Reading {
    measured: Measured,
    value: Option<usize>,
    filter: Option<usize>,
    keys: Option<KeyReader>,
}

/// A batch, evaluated.
pub(super) struct Evaluation {
    /// The values of each expression, in the order of [`recipe::Aggregate::values`].
    pub(super) values: Vec<ArrayRef>,
    /// The rows for which every expression could be evaluated: those that are folded.
    pub(super) kept: RecordBatch,
    /// The others, by their place in the batch.
    pub(super) failed: Vec<BadRecord>,
}

impl Arguments {
    pub(super) fn new(recipe: &recipe::Aggregate, input: &SchemaRef) -> Result<Self, Failure> {
        let given = recipe.phase == Phase::Final;
        let mut arguments = Self {
            expressions: Vec::new(),
            measures: Vec::new(),
        };
        for measure in &recipe.measures {
            let mut place = |text: &Expression| {
                if given {
                    arguments.given(measure, text, input)
                } else {
                    arguments.computed(measure, text, input)
                }
            };
            let value = measure.argument.as_ref().map(&mut place);
            let filter = measure.filter.as_ref().map(&mut place);
            let (value, filter) = (value.transpose()?, filter.transpose()?);
            let argument = value.map(|value| arguments.expressions[value].1.data_type().clone());
            let keys = match (&argument, measure.function) {
                (Some(found), Function::CountDistinct | Function::ApproxDistinct) => {
                    Some(telling_apart(measure, found)?)
                }
                _ => None,
            };
            arguments.measures.push(Reading {
                measured: Measured {
                    name: measure.name.clone(),
                    function: measure.function,
                    argument,
                    apart: false,
                },
                value,
                filter,
                keys,
            });
        }
        Ok(arguments)
    }

    fn known(&self, text: &Expression) -> Option<usize> {
        self.expressions.iter().position(|(known, _)| known == text)
    }

    fn computed(&mut self, measure: &Measure, text: &Expression, input: &SchemaRef) -> Result<usize, Failure> {
        if let Some(place) = self.known(text) {
            return Ok(place);
        }
        let evaluator = Evaluator::compile(text, input)
            .map_err(|error| Failure::fail(format!("`{}` cannot run", measure.name)).because(&error))?;
        self.expressions.push((text.clone(), Value::Computed(evaluator)));
        Ok(self.expressions.len() - 1)
    }

    fn given(&mut self, measure: &Measure, text: &Expression, input: &SchemaRef) -> Result<usize, Failure> {
        if let Some(place) = self.known(text) {
            return Ok(place);
        }
        let place = self.expressions.len();
        let column = input
            .index_of(&columns::value_name(place))
            .map_err(|error| Failure::bug(format!("`{}` is not given its values", measure.name)).because(&error))?;
        let data_type = input.field(column).data_type().clone();
        self.expressions
            .push((text.clone(), Value::Given { column, data_type }));
        Ok(place)
    }

    /// What the states of these measures are of.
    pub(super) fn layout(&self) -> Layout {
        self.measures.iter().map(|reading| reading.measured.clone()).collect()
    }

    /// Evaluates everything over a batch.
    ///
    /// # Errors
    /// Only of Weir's own making: rows whose expressions fail are among the `failed`.
    pub(super) fn evaluate(&self, input: &RecordBatch) -> Result<Evaluation, Failure> {
        let evaluated = self.expressions.iter().map(|(_, value)| value.evaluate(input));
        let evaluated: Vec<Evaluated> = evaluated.collect();
        let failed = self.failed(&evaluated);
        let mut values: Vec<ArrayRef> = evaluated.into_iter().map(|evaluated| evaluated.values).collect();
        let mut kept = input.clone();
        if !failed.is_empty() {
            values = without(&values, input.num_rows(), &failed)?;
            let columns = without(input.columns(), input.num_rows(), &failed)?;
            kept = batch(&input.schema(), columns, input.num_rows() - failed.len())?;
        }
        Ok(Evaluation { values, kept, failed })
    }

    /// What each measure folds of so many rows with these values.
    pub(super) fn of(&self, values: &[ArrayRef], rows: usize) -> Result<Vec<Argument>, Failure> {
        let keys = self.keys(values, rows)?;
        let arguments = self.measures.iter().map(|reading| reading.argument(values, &keys));
        arguments.collect()
    }

    /// The values that are told apart, each expression's once.
    fn keys(&self, values: &[ArrayRef], rows: usize) -> Result<BTreeMap<usize, Arc<Keys>>, Failure> {
        let mut keys = BTreeMap::new();
        for reading in &self.measures {
            if let (Some(reader), Some(place)) = (&reading.keys, reading.value)
                && !keys.contains_key(&place)
            {
                keys.insert(place, Arc::new(told_apart(reader, &values[place], rows)?));
            }
        }
        Ok(keys)
    }

    /// The rows that a measure needs and cannot have. What a filter leaves out may fail.
    fn failed(&self, evaluated: &[Evaluated]) -> Vec<BadRecord> {
        let mut failed = BTreeMap::new();
        if evaluated.iter().all(|evaluated| evaluated.failed.is_empty()) {
            return Vec::new();
        }
        for Reading {
            measured,
            value,
            filter,
            ..
        } in &self.measures
        {
            let mut note = |row: usize, error: &str| {
                failed
                    .entry(row)
                    .or_insert_with(|| format!("{}: {error}", measured.name));
            };
            let filter = filter.map(|place| &evaluated[place]);
            let passes = |row: usize| {
                let mask = filter.and_then(|filter| filter.values.as_boolean_opt());
                mask.is_none_or(|mask| mask.is_valid(row) && mask.value(row))
            };
            for bad in filter.into_iter().flat_map(|filter| &filter.failed) {
                note(bad.row, &bad.error);
            }
            for bad in value.iter().flat_map(|place| &evaluated[*place].failed) {
                if passes(bad.row) {
                    note(bad.row, &bad.error);
                }
            }
        }
        failed
            .into_iter()
            .map(|(row, error)| BadRecord { row, error })
            .collect()
    }
}

/// Reads values as keys.
fn telling_apart(measure: &Measure, found: &DataType) -> Result<KeyReader, Failure> {
    KeyReader::new(&alone(found), &[value_path()?])
        .map_err(|error| Failure::fail(format!("`{}` cannot tell its values apart", measure.name)).because(&error))
}

const VALUE: &str = "value";

fn value_path() -> Result<Path, Failure> {
    VALUE
        .parse()
        .map_err(|error| Failure::bug("a word that is no path").because(&error))
}

/// The schema of values alone.
fn alone(data_type: &DataType) -> Schema {
    Schema::new(vec![Field::new(VALUE, data_type.clone(), true)])
}

impl Reading {
    fn argument(&self, values: &[ArrayRef], keys: &BTreeMap<usize, Arc<Keys>>) -> Result<Argument, Failure> {
        let wrong = |error: arrow::error::ArrowError| Failure::bug("values that are not as planned").because(&error);
        let passes = match self.filter.map(|place| values[place].as_boolean_opt()) {
            None => None,
            Some(Some(mask)) if mask.null_count() > 0 => {
                Some(NullBuffer::new(prep_null_mask_filter(mask).values().clone()))
            }
            Some(Some(mask)) => Some(NullBuffer::new(mask.values().clone())),
            Some(None) => {
                return Err(Failure::bug(format!(
                    "the filter of `{}` is no boolean",
                    self.measured.name
                )));
            }
        };
        let Some(place) = self.value else {
            return Ok(Argument {
                counts: passes.filter(|passes| passes.null_count() > 0),
                ..Argument::default()
            });
        };
        let values = &values[place];
        let counts = NullBuffer::union(passes.as_ref(), values.logical_nulls().as_ref());
        let folded = folded(self.measured.function, values.data_type());
        Ok(Argument {
            values: folded.map(|folded| cast(values, &folded)).transpose().map_err(wrong)?,
            counts: counts.filter(|counts| counts.null_count() > 0),
            keys: self.keys.as_ref().and_then(|_| keys.get(&place).cloned()),
        })
    }
}

fn told_apart(reader: &KeyReader, values: &ArrayRef, rows: usize) -> Result<Keys, Failure> {
    let schema = Arc::new(alone(values.data_type()));
    let records = batch(&schema, vec![Arc::clone(values)], rows)?;
    reader
        .encode(&records)
        .map_err(|error| Failure::bug("values without a key").because(&error))
}
