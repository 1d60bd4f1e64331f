//! The encoder: rows into lines. Records that still have their bytes leave as they came; others are written column by column.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, FieldRef, SchemaRef, TimeUnit};
use dataflow::contract::InvalidOptions;
use dataflow::contract::format::{BadRecord, Encoder, Lines};
use dataflow::element::columns;

use super::changes::ChangeEncoder;
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
    if let Some(changes) = ChangeEncoder::new(schema)? {
        return Ok(Box::new(changes));
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

    /// Has `write` append each row; what it cannot write, and what cannot be brought to a written type, are bad rows.
    pub(in crate::format) fn each_row(
        &self,
        rows: &RecordBatch,
        out: &mut Lines,
        write: impl FnMut(&[Member<'_>], usize, &mut Vec<u8>) -> Result<(), String>,
    ) -> Vec<BadRecord> {
        let count = rows.num_rows();
        match self.arrays(rows) {
            Ok(arrays) => write_rows(&arrays, count, out, write),
            // One value stands in the way of its whole column: each row is tried alone.
            Err(error) if count == 1 => vec![BadRecord { row: 0, error }],
            Err(_) => self.row_by_row(rows, out, write),
        }
    }

    fn row_by_row(
        &self,
        rows: &RecordBatch,
        out: &mut Lines,
        mut write: impl FnMut(&[Member<'_>], usize, &mut Vec<u8>) -> Result<(), String>,
    ) -> Vec<BadRecord> {
        let one = |row| {
            let alone = match self.arrays(&rows.slice(row, 1)) {
                Ok(arrays) => write_rows(&arrays, 1, out, &mut write),
                Err(error) => vec![BadRecord { row: 0, error }],
            };
            alone.into_iter().map(move |bad| BadRecord { row, ..bad })
        };
        (0..rows.num_rows()).flat_map(one).collect()
    }

    /// The columns of these rows, with their fields, in the few types that are written.
    ///
    /// # Errors
    /// A value that its column cannot be brought to, which only the type says in advance.
    fn arrays(&self, rows: &RecordBatch) -> Result<Vec<(FieldRef, ArrayRef)>, String> {
        let array = |column: &Column| {
            let array = rows.column(column.index);
            let field = Arc::clone(&column.field);
            if *array.data_type() == column.written {
                return Ok((field, Arc::clone(array)));
            }
            let written = cast(array, &column.written).map_err(|error| format!("{}: {error}", field.name()))?;
            Ok((field, written))
        };
        self.columns.iter().map(array).collect()
    }
}

fn write_rows(
    arrays: &[(FieldRef, ArrayRef)],
    count: usize,
    out: &mut Lines,
    mut write: impl FnMut(&[Member<'_>], usize, &mut Vec<u8>) -> Result<(), String>,
) -> Vec<BadRecord> {
    let members: Vec<Member<'_>> = arrays
        .iter()
        .map(|(field, array)| Member::new(field, array.as_ref()))
        .collect();
    let tried = (0..count).map(|row| (row, out.line(|bytes| write(&members, row, bytes))));
    tried
        .filter_map(|(row, written)| written.err().map(|error| BadRecord { row, error }))
        .collect()
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
    fn encode(&mut self, rows: &RecordBatch, out: &mut Lines) -> Vec<BadRecord> {
        self.written.each_row(rows, out, write::object)
    }
}
