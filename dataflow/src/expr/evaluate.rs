//! An expression alive: evaluated over whole batches, and row by row only where a batch fails.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, new_null_array};
use arrow::compute::{concat, filter_record_batch, prep_null_mask_filter};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion_physical_expr::PhysicalExpr;

use super::bind::bind;
use super::error::{Error, Kind, sentence};
use super::{Expression, Parsed, physical};

/// Evaluates one expression over batches of one schema. Cheap to clone, has no state.
#[derive(Clone, Debug)]
pub struct Evaluator {
    physical: Arc<dyn PhysicalExpr>,
    data_type: DataType,
}

/// A row for which an expression failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRow {
    /// Its index in the batch.
    pub row: usize,
    /// Why; lower case, no full stop.
    pub error: String,
}

/// What came of a batch, row by row.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// One value for each row; NULL for those that failed.
    pub values: ArrayRef,
    /// The rows that failed, in order.
    pub failed: Vec<FailedRow>,
}

/// What a predicate left of a batch.
#[derive(Clone, Debug)]
pub struct Filtered {
    /// The rows for which it is true.
    pub kept: RecordBatch,
    /// The rows for which it failed, in order.
    pub failed: Vec<FailedRow>,
}

impl Evaluator {
    /// Compiles an expression that was checked at planning.
    ///
    /// # Errors
    /// Where the expression does not fit the schema.
    pub fn compile(expression: &Expression, schema: &SchemaRef) -> Result<Self, Error> {
        let parsed = Parsed::parse(&expression.sql)?;
        let bound = bind(&parsed, schema).map_err(|mut errors| errors.remove(0))?;
        let physical = physical::compile(&bound)
            .map_err(|error| Error::new(Kind::Type, 0..expression.sql.len(), sentence(&error)))?;
        Ok(Self {
            physical,
            data_type: bound.data_type,
        })
    }

    /// What it yields.
    #[must_use]
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// One value for each row.
    ///
    /// # Errors
    /// Where it fails for any row; [`Evaluator::evaluate_rows`] says for which.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef, String> {
        let rows = batch.num_rows();
        let value = self.physical.evaluate(batch).and_then(|value| value.into_array(rows));
        value.map_err(|error| sentence(&error))
    }

    /// One value for each row for which it does not fail.
    ///
    /// The batch is evaluated whole; only where that fails it is halved until the failing rows are alone.
    #[must_use]
    pub fn evaluate_rows(&self, batch: &RecordBatch) -> Evaluated {
        if let Ok(values) = self.evaluate(batch) {
            return Evaluated {
                values,
                failed: Vec::new(),
            };
        }
        let mut parts = Vec::new();
        let mut failed = Vec::new();
        self.halve(batch, 0, &mut parts, &mut failed);
        let slices: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        match concat(&slices) {
            Ok(values) => Evaluated { values, failed },
            Err(error) => self.all_failed(batch, &error.to_string()),
        }
    }

    fn halve(&self, batch: &RecordBatch, from: usize, parts: &mut Vec<ArrayRef>, failed: &mut Vec<FailedRow>) {
        match self.evaluate(batch) {
            Ok(values) => parts.push(values),
            Err(error) if batch.num_rows() <= 1 => {
                parts.push(new_null_array(&self.data_type, batch.num_rows()));
                failed.push(FailedRow { row: from, error });
            }
            Err(_) => {
                let half = batch.num_rows() / 2;
                self.halve(&batch.slice(0, half), from, parts, failed);
                self.halve(&batch.slice(half, batch.num_rows() - half), from + half, parts, failed);
            }
        }
    }

    fn all_failed(&self, batch: &RecordBatch, error: &str) -> Evaluated {
        let failed = (0..batch.num_rows())
            .map(|row| FailedRow {
                row,
                error: error.to_owned(),
            })
            .collect();
        Evaluated {
            values: new_null_array(&self.data_type, batch.num_rows()),
            failed,
        }
    }

    /// The rows for which it is true, of an expression that yields booleans. NULL is not true.
    #[must_use]
    pub fn filter(&self, batch: &RecordBatch) -> Filtered {
        let Evaluated { values, failed } = self.evaluate_rows(batch);
        let kept = match values.as_boolean_opt() {
            Some(mask) => keep(batch, mask),
            None => Err(format!(
                "the predicate yields {} and not a boolean",
                super::type_name(&self.data_type)
            )),
        };
        match kept {
            Ok(kept) => Filtered { kept, failed },
            Err(error) => Filtered {
                kept: batch.slice(0, 0),
                failed: self.all_failed(batch, &error).failed,
            },
        }
    }
}

fn keep(batch: &RecordBatch, mask: &BooleanArray) -> Result<RecordBatch, String> {
    let mask = if mask.null_count() > 0 {
        prep_null_mask_filter(mask)
    } else {
        mask.clone()
    };
    match mask.true_count() {
        0 => Ok(batch.slice(0, 0)),
        all if all == batch.num_rows() => Ok(batch.clone()),
        _ => filter_record_batch(batch, &mask).map_err(|error| error.to_string()),
    }
}
