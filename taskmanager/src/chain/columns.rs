//! Columns by path, and rows brought into the schema that the plan says.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StructArray, make_array};
use arrow::buffer::NullBuffer;
use arrow_schema::{DataType, SchemaRef};
use dataflow::Failure;
use dataflow::element::columns as reserved;
use dataflow::expr::Path;

/// A batch of `columns`; `rows` counts where there is no column to count.
pub(crate) fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, Failure> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|error| Failure::bug("rows that are not as planned").because(&error))
}

/// The values at `path`: NULL where any record on the way is NULL. None where there is no such field.
pub(crate) fn at(records: &RecordBatch, path: &Path) -> Option<ArrayRef> {
    let mut column = Arc::clone(records.column_by_name(path.column())?);
    for part in &path.parts()[1..] {
        let record = column.as_struct_opt()?;
        column = under(record.nulls(), record.column_by_name(part)?);
    }
    Some(column)
}

/// A field's values, NULL where its record is.
fn under(record: Option<&NullBuffer>, field: &ArrayRef) -> ArrayRef {
    let Some(record) = record.filter(|nulls| nulls.null_count() > 0) else {
        return Arc::clone(field);
    };
    let nulls = NullBuffer::union(Some(record), field.nulls());
    match field.to_data().into_builder().nulls(nulls).build() {
        Ok(data) => make_array(data),
        // Types without a bitmap of their own (dictionaries have one, unions do not) show their values as they are.
        Err(_) => Arc::clone(field),
    }
}

/// The columns of `schema`, by name; records lose the fields that the schema does not have.
///
/// `replaced` stands in for the value at its path.
pub(crate) fn conform(
    records: &RecordBatch,
    schema: &SchemaRef,
    replaced: Option<(&Path, &ArrayRef)>,
) -> Result<RecordBatch, Failure> {
    let missing = |name: &str| {
        Failure::bug(format!(
            "the plan wants the column `{name}`, which the rows do not have"
        ))
    };
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let column = named(records, field.name()).ok_or_else(|| missing(field.name()))?;
        let column = match replaced {
            Some((path, value)) if path.column() == field.name() => replace(column, &path.parts()[1..], value)?,
            _ => Arc::clone(column),
        };
        columns.push(shape(&column, field.data_type())?);
    }
    batch(schema, columns, records.num_rows())
}

/// A column by its name. The first to give the bytes that rows came as takes them from the rows.
fn named<'a>(records: &'a RecordBatch, name: &str) -> Option<&'a ArrayRef> {
    match name {
        reserved::ORIGIN => reserved::original(records.schema_ref()).map(|index| records.column(index)),
        _ => records.column_by_name(name),
    }
}

fn replace(column: &ArrayRef, path: &[String], value: &ArrayRef) -> Result<ArrayRef, Failure> {
    let Some((part, rest)) = path.split_first() else {
        return Ok(Arc::clone(value));
    };
    let gone = || Failure::bug(format!("the plan wants the field `{part}`, which the rows do not have"));
    let record = column.as_struct_opt().ok_or_else(gone)?;
    let (index, _) = record.fields().find(part).ok_or_else(gone)?;
    let mut columns = record.columns().to_vec();
    columns[index] = replace(&columns[index], rest, value)?;
    let fields = record.fields().iter().zip(&columns);
    let fields = fields.map(|(field, column)| {
        field
            .as_ref()
            .clone()
            .with_data_type(column.data_type().clone())
            .with_nullable(true)
    });
    let record = StructArray::try_new(fields.collect::<Vec<_>>().into(), columns, record.nulls().cloned());
    Ok(Arc::new(record.map_err(|error| {
        Failure::bug("a record that cannot be put together again").because(&error)
    })?))
}

fn shape(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Failure> {
    let (DataType::Struct(fields), Some(record)) = (wanted, column.as_struct_opt()) else {
        return Ok(Arc::clone(column));
    };
    if column.data_type() == wanted {
        return Ok(Arc::clone(column));
    }
    let missing = |name: &str| Failure::bug(format!("the plan wants the field `{name}`, which the rows do not have"));
    let columns = fields.iter().map(|field| {
        let inner = record
            .column_by_name(field.name())
            .ok_or_else(|| missing(field.name()))?;
        shape(inner, field.data_type())
    });
    let columns = columns.collect::<Result<Vec<_>, Failure>>()?;
    let nulls = record.nulls().cloned();
    let record = if fields.is_empty() {
        StructArray::new_empty_fields(record.len(), nulls)
    } else {
        StructArray::try_new(fields.clone(), columns, nulls)
            .map_err(|error| Failure::bug("records that are not as planned").because(&error))?
    };
    Ok(Arc::new(record))
}
