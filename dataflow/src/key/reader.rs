//! Reads the keys of whole batches: their bytes, or only their hashes.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Int64Type, Schema};
use arrow::record_batch::RecordBatch;

use super::encode::{self, Column};
use super::{KeyError, hash};
use crate::expr::Path;

/// Reads the keys of batches of one schema.
#[derive(Clone, Debug)]
pub struct KeyReader {
    paths: Vec<Path>,
}

/// The canonical bytes of the keys of a batch, row by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    /// The keys of `rows` rows that all have the one key of no values.
    #[must_use]
    pub fn one_for_all(rows: usize) -> Self {
        Self {
            bytes: Vec::new(),
            ends: vec![0; rows],
        }
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of the key of a row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[u8] {
        &self.bytes[self.place(row)]
    }

    fn place(&self, row: usize) -> Range<usize> {
        let begin = if row == 0 { 0 } else { self.ends[row - 1] };
        begin..self.ends[row]
    }

    /// The keys, row by row.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|row| self.row(row))
    }
}

impl KeyReader {
    /// A reader of the values at `paths`, in this order.
    ///
    /// # Errors
    /// No paths, one that is not in `schema`, or one whose values cannot be a key.
    pub fn new(schema: &Schema, paths: &[Path]) -> Result<Self, KeyError> {
        if paths.is_empty() {
            return Err(KeyError::Empty);
        }
        for path in paths {
            let missing = || KeyError::Missing { path: path.clone() };
            let mut found = schema
                .column_with_name(path.column())
                .ok_or_else(missing)?
                .1
                .data_type();
            for part in &path.parts()[1..] {
                let DataType::Struct(fields) = found else {
                    return Err(missing());
                };
                found = fields.find(part).ok_or_else(missing)?.1.data_type();
            }
            if !encode::is_supported(found) {
                return Err(KeyError::Type {
                    path: path.clone(),
                    found: found.clone(),
                });
            }
        }
        Ok(Self { paths: paths.to_vec() })
    }

    /// The canonical bytes of the keys of `records`.
    ///
    /// # Errors
    /// The batch is not of the schema that the reader was made for.
    pub fn encode(&self, records: &RecordBatch) -> Result<Keys, KeyError> {
        let columns = self.columns(records)?;
        let mut keys = Keys {
            bytes: Vec::new(),
            ends: Vec::with_capacity(records.num_rows()),
        };
        for row in 0..records.num_rows() {
            columns.iter().for_each(|column| column(row, &mut keys.bytes));
            keys.ends.push(keys.bytes.len());
        }
        Ok(keys)
    }

    /// The hashes of the keys of `records`, into `hashes`, whose content is replaced.
    ///
    /// The same as [`hash`](super::hash()) of the bytes of [`KeyReader::encode`], without keeping those; faster for a single string or number.
    ///
    /// # Errors
    /// The batch is not of the schema that the reader was made for.
    pub fn hashes(&self, records: &RecordBatch, hashes: &mut Vec<u64>) -> Result<(), KeyError> {
        hashes.clear();
        hashes.reserve(records.num_rows());
        if let [path] = self.paths.as_slice() {
            let (array, nulls) = resolve(records, path)?;
            if nulls.is_none() && array.null_count() == 0 {
                match array.data_type() {
                    DataType::Utf8View => {
                        strings(array.as_string_view(), hashes);
                        return Ok(());
                    }
                    DataType::Int64 => {
                        let values = array.as_primitive::<Int64Type>().values();
                        hashes.extend(values.iter().map(|value| hash(&encode::integer(*value))));
                        return Ok(());
                    }
                    _ => {}
                }
            }
        }
        let columns = self.columns(records)?;
        let mut bytes = Vec::new();
        for row in 0..records.num_rows() {
            bytes.clear();
            columns.iter().for_each(|column| column(row, &mut bytes));
            hashes.push(hash(&bytes));
        }
        Ok(())
    }

    fn columns(&self, records: &RecordBatch) -> Result<Vec<Column>, KeyError> {
        let column = |path: &Path| {
            let (array, nulls) = resolve(records, path)?;
            let unfit = || KeyError::Type {
                path: path.clone(),
                found: array.data_type().clone(),
            };
            encode::column(&array, nulls.as_ref()).ok_or_else(unfit)
        };
        self.paths.iter().map(column).collect()
    }
}

/// Strings one after the other, in a scratch that is written in place.
fn strings(array: &StringViewArray, hashes: &mut Vec<u64>) {
    let mut bytes = Vec::with_capacity(64);
    for row in 0..array.len() {
        bytes.clear();
        encode::terminated(encode::STRING, array.value(row).as_bytes(), &mut bytes);
        hashes.push(hash(&bytes));
    }
}

/// The values at `path`, and which of them are null because a record around them is.
fn resolve(records: &RecordBatch, path: &Path) -> Result<(ArrayRef, Option<NullBuffer>), KeyError> {
    let missing = || KeyError::Missing { path: path.clone() };
    let mut array = Arc::clone(records.column_by_name(path.column()).ok_or_else(missing)?);
    let mut nulls = None;
    for part in &path.parts()[1..] {
        let record = array.as_struct_opt().ok_or_else(missing)?;
        nulls = NullBuffer::union(nulls.as_ref(), record.nulls());
        let inner = Arc::clone(record.column_by_name(part).ok_or_else(missing)?);
        array = inner;
    }
    Ok((array, nulls))
}
