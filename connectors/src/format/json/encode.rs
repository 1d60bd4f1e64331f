//! The encoder: rows into lines. Records that still have their bytes leave as they came; others are written column by column.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, FieldRef, SchemaRef, TimeUnit};
use dataflow::contract::InvalidOptions;
use dataflow::contract::format::{BadRecord, Encoder};
use dataflow::element::columns;

use super::write::{self, Member};
use crate::format::lines;

/// Writes rows of typed columns as one object a line. Members that are NULL are left out.
struct RowEncoder {
    written: Written,
}

/// Which columns are written, and as what.
pub(in crate::format) struct Written {
    columns: Vec<Column>,
}

/// One column that is written.
struct Column {
    index: usize,
    field: FieldRef,
    /// The type it is brought to first, so that few types need code.
    written: DataType,
}

/// An encoder for rows of this schema: of their bytes, if they have them.
pub(super) fn encoder(schema: &SchemaRef) -> Result<Box<dyn Encoder>, InvalidOptions> {
    if let Some(raw) = lines::RawEncoder::new(schema) {
        return Ok(Box::new(raw));
    }
    Ok(Box::new(RowEncoder {
        written: Written::new(schema)?,
    }))
}

impl Written {
    /// All columns of this schema but the reserved ones.
    pub(in crate::format) fn new(schema: &SchemaRef) -> Result<Self, InvalidOptions> {
        let user = schema
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, field)| !columns::is_reserved(field.name()));
        let columns = user.map(|(index, field)| {
            Ok(Column {
                index,
                field: Arc::clone(field),
                written: written(field, field.data_type())?,
            })
        });
        Ok(Self {
            columns: columns.collect::<Result<_, _>>()?,
        })
    }

    /// The columns of these rows, with their fields, in the few types that are written.
    pub(in crate::format) fn arrays(&self, rows: &RecordBatch) -> Result<Vec<(FieldRef, ArrayRef)>, BadRecord> {
        let array = |column: &Column| {
            let array = rows.column(column.index);
            let field = Arc::clone(&column.field);
            if *array.data_type() == column.written {
                return Ok((field, Arc::clone(array)));
            }
            let written = cast(array, &column.written).map_err(|error| BadRecord {
                row: 0,
                error: format!("{}: {error}", field.name()),
            })?;
            Ok((field, written))
        };
        self.columns.iter().map(array).collect()
    }
}

/// The type as which a column is written.
fn written(field: &FieldRef, from: &DataType) -> Result<DataType, InvalidOptions> {
    let inner = |item: &FieldRef| {
        let data_type = written(field, item.data_type())?;
        Ok(item.as_ref().clone().with_data_type(data_type).into())
    };
    Ok(match from {
        DataType::Null
        | DataType::Boolean
        | DataType::Int64
        | DataType::UInt64
        | DataType::Float32
        | DataType::Float64 => from.clone(),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
            DataType::Int64
        }
        DataType::Float16 => DataType::Float32,
        DataType::Decimal128(_, 0..) => from.clone(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            DataType::Binary
        }
        DataType::Date32 | DataType::Date64 => DataType::Date32,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
        DataType::Dictionary(_, value) => written(field, value)?,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            DataType::List(inner(item)?)
        }
        DataType::Struct(members) => DataType::Struct(members.iter().map(inner).collect::<Result<_, _>>()?),
        other => {
            return Err(InvalidOptions {
                pointer: String::new(),
                message: format!(
                    "the column `{}` has a type that JSON cannot be written of: {other}",
                    field.name()
                ),
                help: Some("leave it out or make a string of it with `select`".to_owned()),
            });
        }
    })
}

impl Encoder for RowEncoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), BadRecord> {
        let arrays = self.written.arrays(rows)?;
        let members: Vec<Member<'_>> = arrays
            .iter()
            .map(|(field, array)| Member::new(field, array.as_ref()))
            .collect();
        for row in 0..rows.num_rows() {
            let start = out.len();
            if let Err(error) = write::object(&members, row, out) {
                out.truncate(start);
                return Err(BadRecord { row, error });
            }
            out.push(b'\n');
        }
        Ok(())
    }
}
