//! A window of event time, read whole and sorted: the rows of all files that lie in it, within a bound of memory.
//!
//! Archives are written in the order of arrival, so files overlap and are not sorted. A window is chosen so that what lies
//! in it fits the budget, judged by the statistics of row groups; where that was misjudged, it is halved. Pages outside it
//! are skipped by the Parquet reader, so reading a row group in several windows costs little more than once.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, new_null_array};
use arrow::compute::{cast, interleave_record_batch};
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, Field, FieldRef, Schema};
use dataflow::Failure;
use dataflow::element::{BATCH_BYTES_TARGET, BATCH_ROWS_MAX, row_bytes};
use futures::TryStreamExt as _;
use parquet::arrow::arrow_reader::{ArrowPredicate, ArrowPredicateFn, RowFilter};
use std::sync::Arc;

use super::times::{Range, milliseconds, no_column};
use crate::columnar::{self, Parquet};

/// What a replay wants of a row.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The columns, by their names in the files.
    pub(super) columns: Vec<FieldRef>,
    pub(super) time_column: String,
    pub(super) type_column: String,
    pub(super) types: Option<Vec<String>>,
    /// The time that rows without one count as; none where they are left out.
    pub(super) timeless: Option<i64>,
}

/// A file that is open because its time has come.
pub(super) struct OpenFile {
    pub(super) parquet: Parquet,
    /// The event time in each row group.
    pub(super) groups: Vec<Range>,
    /// The partition folders of its path, as columns.
    pub(super) partitions: Vec<(String, Option<String>)>,
}

/// Rows in the order of event time.
#[derive(Debug)]
pub(super) struct Sorted {
    pub(super) rows: RecordBatch,
    pub(super) times: Int64Array,
}

impl OpenFile {
    /// An estimate of the bytes in memory of each row group, with its time.
    pub(super) fn weights(&self, wanted: &Wanted) -> Vec<(Range, u64)> {
        let mask = self.parquet.mask(&wanted.columns);
        let groups = self.parquet.footer().row_groups().iter().zip(&self.groups);
        let weight = |columns: &[parquet::file::metadata::ColumnChunkMetaData]| -> u64 {
            let read = columns.iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
            read.map(|(_, column)| u64::try_from(column.uncompressed_size()).unwrap_or(0))
                .sum()
        };
        groups
            .map(|(group, range)| {
                (
                    *range,
                    weight(group.columns()) + u64::try_from(group.num_rows()).unwrap_or(0) * 24,
                )
            })
            .collect()
    }

    /// Reads the rows in `from..to`; none where they are more than `budget` bytes.
    pub(super) async fn read(
        &self,
        wanted: &Wanted,
        from: i64,
        to: i64,
        budget: &mut usize,
    ) -> Result<Option<Vec<Sorted>>, Failure> {
        let groups = self
            .groups
            .iter()
            .enumerate()
            .filter(|(_, range)| range.overlaps(from, to))
            .map(|(index, _)| index);
        let groups: Vec<usize> = groups.collect();
        if groups.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let time = Arc::new(
            self.field(&wanted.time_column)
                .ok_or_else(|| no_column(&self.parquet, &wanted.time_column))?,
        );
        let mut columns = self.stored(&wanted.columns);
        if !columns.iter().any(|field| field.name() == time.name()) {
            columns.push(Arc::clone(&time));
        }
        let builder = self
            .parquet
            .columns(&columns)?
            .with_row_groups(groups)
            .with_batch_size(BATCH_ROWS_MAX);
        let filter = RowFilter::new(self.predicates(wanted, &time, from, to));
        let mut batches = builder
            .with_row_filter(filter)
            .build()
            .map_err(|error| self.parquet.failure(error))?;
        let mut read = Vec::new();
        while let Some(batch) = batches.try_next().await.map_err(|error| self.parquet.failure(error))? {
            if batch.num_rows() == 0 {
                continue;
            }
            let sorted = self
                .conform(&batch, wanted)
                .map_err(|failure| self.parquet.named(failure))?;
            let bytes = row_bytes(&sorted.rows);
            if bytes > *budget {
                return Ok(None);
            }
            *budget -= bytes;
            read.push(sorted);
        }
        Ok(Some(read))
    }

    fn field(&self, name: &str) -> Option<Field> {
        self.parquet.schema().field_with_name(name).ok().cloned()
    }

    /// Those of the columns that the file itself has.
    fn stored(&self, columns: &[FieldRef]) -> Vec<FieldRef> {
        columns
            .iter()
            .filter(|field| self.field(field.name()).is_some())
            .cloned()
            .collect()
    }

    fn predicates(&self, wanted: &Wanted, time: &FieldRef, from: i64, to: i64) -> Vec<Box<dyn ArrowPredicate>> {
        let timeless = wanted.timeless;
        let in_time = ArrowPredicateFn::new(self.parquet.mask(std::slice::from_ref(time)), move |batch| {
            let times = milliseconds(batch.column(0))
                .map_err(|failure| arrow::error::ArrowError::ExternalError(Box::new(failure)))?;
            let inside = |time: Option<i64>| time.or(timeless).is_some_and(|time| (from..to).contains(&time));
            Ok(times.iter().map(|time| Some(inside(time))).collect())
        });
        let mut predicates: Vec<Box<dyn ArrowPredicate>> = vec![Box::new(in_time)];
        if let (Some(types), Some(field)) = (wanted.types.clone(), self.field(&wanted.type_column)) {
            let mask = self.parquet.mask(&[Arc::new(field)]);
            predicates.push(Box::new(ArrowPredicateFn::new(mask, move |batch| {
                let found = cast(batch.column(0), &DataType::Utf8View)?;
                let found = found.as_string_view();
                let is_wanted = |kind: Option<&str>| kind.is_some_and(|kind| types.iter().any(|wanted| wanted == kind));
                Ok(found.iter().map(|kind| Some(is_wanted(kind))).collect::<BooleanArray>())
            })));
        }
        predicates
    }

    /// The wanted columns, those of the folders among them, and the time of each row.
    fn conform(&self, batch: &RecordBatch, wanted: &Wanted) -> Result<Sorted, Failure> {
        let time = batch
            .column_by_name(&wanted.time_column)
            .ok_or_else(|| Failure::bug("the time was not read"))?;
        let times = milliseconds(time)?;
        let times = match wanted.timeless {
            Some(instant) if times.null_count() > 0 => times.iter().map(|time| Some(time.unwrap_or(instant))).collect(),
            _ => times,
        };
        let conformed = columnar::conform(batch, &wanted.columns)?;
        let columns = wanted.columns.iter().zip(conformed.columns()).map(|(field, column)| {
            let folder = self
                .partitions
                .iter()
                .find(|(name, _)| name == field.name() && batch.column_by_name(name).is_none());
            folder.map_or_else(
                || Ok(Arc::clone(column)),
                |(_, value)| constant(value.as_deref(), field, batch.num_rows()),
            )
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>, Failure>>()?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = Arc::new(Schema::new(wanted.columns.clone()));
        let rows = RecordBatch::try_new_with_options(schema, columns, &options)
            .map_err(|error| Failure::fail("the columns are not those of the plan").because(&error))?;
        Ok(Sorted { rows, times })
    }
}

/// A column of one value, that of a partition folder.
fn constant(value: Option<&str>, field: &Field, count: usize) -> Result<ArrayRef, Failure> {
    let Some(value) = value else {
        return Ok(new_null_array(field.data_type(), count));
    };
    let text: ArrayRef = Arc::new(arrow::array::StringArray::from(vec![value; count]));
    cast(&text, field.data_type())
        .map_err(|error| Failure::fail(format!("folder `{}={value}`", field.name())).because(&error))
}

/// Sorts what was read, by time, rows of one moment in the order given, and cuts it into batches.
///
/// Each batch gets buffers of its own, so that it does not keep the pages of the files in memory.
pub(super) fn sort(read: &[Sorted]) -> Result<Vec<Sorted>, Failure> {
    let mut order = Vec::with_capacity(read.iter().map(|part| part.times.len()).sum());
    for (batch, part) in read.iter().enumerate() {
        order.extend(
            part.times
                .values()
                .iter()
                .enumerate()
                .map(|(row, time)| (*time, batch, row)),
        );
    }
    // The sort is stable, and rows stand in the order of files and rows already.
    order.sort_by_key(|(time, _, _)| *time);
    let bytes: usize = read.iter().map(|part| row_bytes(&part.rows)).sum();
    let row = (bytes / order.len().max(1)).max(1);
    let rows = (BATCH_BYTES_TARGET / row).clamp(1, BATCH_ROWS_MAX);
    let batches: Vec<&RecordBatch> = read.iter().map(|part| &part.rows).collect();
    order.chunks(rows).map(|chunk| gather(&batches, chunk)).collect()
}

fn gather(batches: &[&RecordBatch], chunk: &[(i64, usize, usize)]) -> Result<Sorted, Failure> {
    let times = Int64Array::from_iter_values(chunk.iter().map(|(time, _, _)| *time));
    let indices: Vec<(usize, usize)> = chunk.iter().map(|(_, batch, row)| (*batch, *row)).collect();
    let schema = batches[0].schema();
    if schema.fields().is_empty() {
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(chunk.len()));
        let rows = RecordBatch::try_new_with_options(schema, Vec::new(), &options);
        return rows
            .map(|rows| Sorted { rows, times })
            .map_err(|error| Failure::bug("rows without columns").because(&error));
    }
    let bug = |error| Failure::bug("rows of one plan do not fit together").because(&error);
    let rows = interleave_record_batch(batches, &indices).map_err(bug)?;
    let columns = rows.columns().iter().map(compact).collect();
    let rows = RecordBatch::try_new(rows.schema(), columns).map_err(bug)?;
    Ok(Sorted { rows, times })
}

/// Views over buffers of their own.
fn compact(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        _ => Arc::clone(column),
    }
}
