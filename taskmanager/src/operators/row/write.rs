//! Rows of a batch become bytes, one row at a time and only those that are asked for.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use dataflow::Failure;

/// Writes the rows of one batch.
pub(in super::super) struct RowWriter(Vec<Field>);

struct Field {
    nulls: Option<NullBuffer>,
    value: Value,
}

type Value = Box<dyn Fn(usize, &mut Vec<u8>)>;

impl RowWriter {
    /// Of these rows, all of whose columns are written.
    pub(in super::super) fn new(records: &RecordBatch) -> Result<Self, Failure> {
        let fields = records.columns().iter().map(Field::new).collect::<Option<_>>();
        fields
            .map(Self)
            .ok_or_else(|| Failure::bug("rows to be kept have columns that the layout does not know"))
    }

    /// Appends the bytes of a row.
    pub(in super::super) fn write(&self, row: usize, out: &mut Vec<u8>) {
        record(&self.0, row, out);
    }
}

fn record(fields: &[Field], row: usize, out: &mut Vec<u8>) {
    let bits = out.len();
    out.resize(bits + fields.len().div_ceil(8), 0);
    for (index, field) in fields.iter().enumerate() {
        if field.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            out[bits + index / 8] |= 1 << (index % 8);
        } else {
            (field.value)(row, out);
        }
    }
}

impl Field {
    fn new(array: &ArrayRef) -> Option<Self> {
        Some(Self {
            nulls: array.logical_nulls().filter(|nulls| nulls.null_count() > 0),
            value: value(array)?,
        })
    }
}

macro_rules! fixed {
    ($type:ty, $array:expr) => {
        fixed::<$type, _>($array, |value, out| out.extend(value.to_le_bytes()))
    };
}

fn value(array: &ArrayRef) -> Option<Value> {
    Some(match array.data_type() {
        DataType::Boolean => {
            let array = array.as_boolean().clone();
            Box::new(move |row, out| out.push(u8::from(array.value(row))))
        }
        DataType::Int8 => fixed!(Int8Type, array),
        DataType::Int16 => fixed!(Int16Type, array),
        DataType::Int32 => fixed!(Int32Type, array),
        DataType::Int64 => fixed!(Int64Type, array),
        DataType::UInt8 => fixed!(UInt8Type, array),
        DataType::UInt16 => fixed!(UInt16Type, array),
        DataType::UInt32 => fixed!(UInt32Type, array),
        DataType::UInt64 => fixed!(UInt64Type, array),
        DataType::Float32 => fixed!(Float32Type, array),
        DataType::Float64 => fixed!(Float64Type, array),
        DataType::Decimal128(_, _) => fixed!(Decimal128Type, array),
        DataType::Date32 => fixed!(Date32Type, array),
        DataType::Timestamp(TimeUnit::Second, _) => fixed!(TimestampSecondType, array),
        DataType::Timestamp(TimeUnit::Millisecond, _) => fixed!(TimestampMillisecondType, array),
        DataType::Timestamp(TimeUnit::Microsecond, _) => fixed!(TimestampMicrosecondType, array),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => fixed!(TimestampNanosecondType, array),
        DataType::Utf8 => bytes(array.as_string::<i32>().clone(), |array, row| {
            array.value(row).as_bytes()
        }),
        DataType::LargeUtf8 => bytes(array.as_string::<i64>().clone(), |array, row| {
            array.value(row).as_bytes()
        }),
        DataType::Utf8View => bytes(array.as_string_view().clone(), |array, row| array.value(row).as_bytes()),
        DataType::Binary => bytes(array.as_binary::<i32>().clone(), |array, row| array.value(row)),
        DataType::LargeBinary => bytes(array.as_binary::<i64>().clone(), |array, row| array.value(row)),
        DataType::BinaryView => bytes(array.as_binary_view().clone(), |array, row| array.value(row)),
        DataType::Dictionary(_, _) => {
            let array = array.as_any_dictionary();
            let (keys, value) = (array.normalized_keys(), value(array.values())?);
            Box::new(move |row, out| value(keys[row], out))
        }
        DataType::Struct(_) => {
            let fields: Vec<Field> = array
                .as_struct()
                .columns()
                .iter()
                .map(Field::new)
                .collect::<Option<_>>()?;
            Box::new(move |row, out| record(&fields, row, out))
        }
        DataType::List(_) => list(array)?,
        _ => return None,
    })
}

fn fixed<T: ArrowPrimitiveType, F: Fn(T::Native, &mut Vec<u8>) + 'static>(array: &ArrayRef, write: F) -> Value {
    let array = array.as_primitive::<T>().clone();
    Box::new(move |row, out| write(array.value(row), out))
}

fn bytes<A: 'static>(array: A, value: fn(&A, usize) -> &[u8]) -> Value {
    Box::new(move |row, out| {
        let value = value(&array, row);
        out.extend(length(value.len()));
        out.extend_from_slice(value);
    })
}

fn list(array: &ArrayRef) -> Option<Value> {
    let array = array.as_list::<i32>().clone();
    let elements = Field::new(array.values())?;
    Some(Box::new(move |row, out| {
        let offset = |row: usize| usize::try_from(array.value_offsets()[row]).unwrap_or(0);
        let (begin, end) = (offset(row), offset(row + 1));
        out.extend(length(end - begin));
        let bits = out.len();
        out.resize(bits + (end - begin).div_ceil(8), 0);
        for (index, element) in (begin..end).enumerate() {
            if elements.nulls.as_ref().is_some_and(|nulls| nulls.is_null(element)) {
                out[bits + index / 8] |= 1 << (index % 8);
            } else {
                (elements.value)(element, out);
            }
        }
    }))
}

fn length(of: usize) -> [u8; 4] {
    u32::try_from(of)
        .expect("values come from batches, which are far smaller than 4 GiB")
        .to_le_bytes()
}
