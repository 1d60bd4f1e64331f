//! Columns of any Parquet file as Weir's own types, and only the parts of them that are read.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatchOptions, StructArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, Field, FieldRef, Schema};
use dataflow::Failure;
use dataflow::element::columns;

/// The schema as Weir has it; columns of types that it has no word for are left out.
pub(crate) fn weir_schema(schema: &Schema) -> Schema {
    Schema::new(weir_fields(schema.fields()))
}

fn weir_fields(fields: &[FieldRef]) -> Vec<Field> {
    // A later file may hold nulls where the first has none.
    fields
        .iter()
        .filter_map(|field| weir_type(field.data_type()).map(|kind| Field::new(field.name(), kind, true)))
        .collect()
}

fn weir_type(kind: &DataType) -> Option<DataType> {
    use DataType::*;
    Some(match kind {
        Boolean => Boolean,
        Int8 | Int16 | Int32 | UInt8 | UInt16 => Int32,
        Int64 | UInt32 | UInt64 => Int64,
        Float16 | Float32 => Float32,
        Float64 => Float64,
        Utf8 | LargeUtf8 | Utf8View => Utf8View,
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => Binary,
        Date32 | Date64 => Date32,
        Timestamp(_, _) => columns::timestamp(),
        Decimal32(precision, scale) | Decimal64(precision, scale) | Decimal128(precision, scale) => {
            Decimal128(*precision, *scale)
        }
        Dictionary(_, value) => return weir_type(value),
        List(item) | LargeList(item) | FixedSizeList(item, _) => {
            List(Arc::new(Field::new("item", weir_type(item.data_type())?, true)))
        }
        Struct(fields) => Struct(weir_fields(fields).into()),
        _ => return None,
    })
}

/// The columns `wanted` of a batch, each of the type that is wanted; one that the file does not have is null.
pub(crate) fn conform(batch: &RecordBatch, wanted: &[FieldRef]) -> Result<RecordBatch, Failure> {
    let columns = wanted.iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => conform_column(column, field),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(wanted.to_vec())), columns, &options)
        .map_err(|error| Failure::fail("the columns are not those of the plan").because(&error))
}

fn conform_column(column: &ArrayRef, wanted: &Field) -> Result<ArrayRef, Failure> {
    let unfit = |error: &(dyn std::error::Error + 'static)| {
        let (found, wanted_type) = (column.data_type(), wanted.data_type());
        Failure::fail(format!(
            "column `{}` is {found} and cannot be read as {wanted_type}",
            wanted.name()
        ))
        .because(error)
        .help("all files of a source need the same columns: read those of another kind with a source of their own")
    };
    match (column.data_type(), wanted.data_type()) {
        (found, wanted) if found == wanted => Ok(Arc::clone(column)),
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let record = column.as_struct();
            let children = fields.iter().map(|field| match record.column_by_name(field.name()) {
                Some(child) => conform_column(child, field),
                None => Ok(new_null_array(field.data_type(), record.len())),
            });
            let children = children.collect::<Result<Vec<_>, _>>()?;
            let built =
                StructArray::try_new_with_length(fields.clone(), children, record.nulls().cloned(), record.len());
            built
                .map(|array| Arc::new(array) as ArrayRef)
                .map_err(|error| unfit(&error))
        }
        (DataType::List(_), DataType::List(item)) => {
            let list = column.as_list::<i32>();
            let values = conform_column(list.values(), item)?;
            let built = ListArray::try_new(Arc::clone(item), list.offsets().clone(), values, list.nulls().cloned());
            built
                .map(|array| Arc::new(array) as ArrayRef)
                .map_err(|error| unfit(&error))
        }
        (_, wanted) => {
            let options = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            cast_with_options(column, wanted, &options).map_err(|error| unfit(&error))
        }
    }
}

/// The paths of the leaves that `fields` need, outermost name first; a list is needed whole.
pub(crate) fn leaves(fields: &[FieldRef]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for field in fields {
        match field.data_type() {
            DataType::Struct(children) if !children.is_empty() => {
                for mut path in leaves(children) {
                    path.insert(0, field.name().clone());
                    paths.push(path);
                }
            }
            _ => paths.push(vec![field.name().clone()]),
        }
    }
    paths
}
