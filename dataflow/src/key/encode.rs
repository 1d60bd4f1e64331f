//! The canonical bytes of single values, and of columns row by row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

pub(super) const NULL: u8 = 0x00;
pub(super) const BOOLEAN: u8 = 0x08;
pub(super) const INTEGER: u8 = 0x10;
pub(super) const INTEGER_LARGE: u8 = 0x11;
pub(super) const FLOAT: u8 = 0x20;
pub(super) const DECIMAL: u8 = 0x28;
pub(super) const STRING: u8 = 0x30;
pub(super) const BINARY: u8 = 0x38;
pub(super) const DATE: u8 = 0x40;
pub(super) const TIMESTAMP: u8 = 0x48;
pub(super) const RECORD: u8 = 0x50;
pub(super) const LIST: u8 = 0x58;

/// Whether values of a type can be a key.
pub(super) fn is_supported(data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(_, _)
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::Date32
        | DataType::Timestamp(_, _) => true,
        DataType::Dictionary(_, values) => is_supported(values),
        DataType::Struct(fields) => fields.iter().all(|field| is_supported(field.data_type())),
        DataType::List(element) => is_supported(element.data_type()),
        _ => false,
    }
}

/// One column of a key: appends the bytes of a row's value.
pub(super) type Column = Box<dyn Fn(usize, &mut Vec<u8>) + Send + Sync>;

/// Reads `array`, whose type must be a supported one; rows that `nulls` names are null, whatever the array says.
pub(super) fn column(array: &ArrayRef, nulls: Option<&NullBuffer>) -> Option<Column> {
    let nulls = NullBuffer::union(nulls, array.logical_nulls().as_ref());
    let value = value(array)?;
    Some(match nulls {
        None => value,
        Some(nulls) => Box::new(move |row, out| {
            if nulls.is_null(row) {
                out.push(NULL)
            } else {
                value(row, out)
            }
        }),
    })
}

/// Reads values that are not null.
fn value(array: &ArrayRef) -> Option<Column> {
    Some(match array.data_type() {
        DataType::Boolean => boolean(array.as_boolean().clone()),
        DataType::Int8 => signed::<Int8Type>(array),
        DataType::Int16 => signed::<Int16Type>(array),
        DataType::Int32 => signed::<Int32Type>(array),
        DataType::Int64 => signed::<Int64Type>(array),
        DataType::UInt8 => signed::<UInt8Type>(array),
        DataType::UInt16 => signed::<UInt16Type>(array),
        DataType::UInt32 => signed::<UInt32Type>(array),
        DataType::UInt64 => primitive::<UInt64Type>(array, unsigned),
        DataType::Float32 => primitive::<Float32Type>(array, |value, out| float(f64::from(value), out)),
        DataType::Float64 => primitive::<Float64Type>(array, float),
        DataType::Decimal128(_, scale) => {
            let scale = scale.cast_unsigned() ^ 0x80;
            primitive::<Decimal128Type>(array, move |value, out| {
                out.extend([DECIMAL, scale]);
                out.extend((value.cast_unsigned() ^ (1 << 127)).to_be_bytes());
            })
        }
        DataType::Date32 => primitive::<Date32Type>(array, |value, out| {
            out.push(DATE);
            out.extend((value.cast_unsigned() ^ (1 << 31)).to_be_bytes());
        }),
        DataType::Timestamp(unit, _) => timestamp(array, *unit),
        DataType::Utf8 => bytes(STRING, array.as_string::<i32>().clone(), |array, row| {
            array.value(row).as_bytes()
        }),
        DataType::LargeUtf8 => bytes(STRING, array.as_string::<i64>().clone(), |array, row| {
            array.value(row).as_bytes()
        }),
        DataType::Utf8View => bytes(STRING, array.as_string_view().clone(), |array, row| {
            array.value(row).as_bytes()
        }),
        DataType::Binary => bytes(BINARY, array.as_binary::<i32>().clone(), |array, row| array.value(row)),
        DataType::LargeBinary => bytes(BINARY, array.as_binary::<i64>().clone(), |array, row| array.value(row)),
        DataType::BinaryView => bytes(BINARY, array.as_binary_view().clone(), |array, row| array.value(row)),
        DataType::Dictionary(_, _) => dictionary(array)?,
        DataType::Struct(_) => record(array)?,
        DataType::List(_) => list(array)?,
        _ => return None,
    })
}

fn boolean(array: BooleanArray) -> Column {
    Box::new(move |row, out| out.extend([BOOLEAN, u8::from(array.value(row))]))
}

fn primitive<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    encode: impl Fn(T::Native, &mut Vec<u8>) + Send + Sync + 'static,
) -> Column {
    let array: PrimitiveArray<T> = array.as_primitive::<T>().clone();
    Box::new(move |row, out| encode(array.value(row), out))
}

fn signed<T: ArrowPrimitiveType>(array: &ArrayRef) -> Column
where
    T::Native: Into<i64>,
{
    primitive::<T>(array, |value, out| out.extend(integer(value.into())))
}

/// The bytes of a whole number: also the fast way of a key that is a single one.
#[inline]
pub(super) fn integer(value: i64) -> [u8; 9] {
    let mut bytes = [INTEGER; 9];
    bytes[1..].copy_from_slice(&(value.cast_unsigned() ^ (1 << 63)).to_be_bytes());
    bytes
}

fn unsigned(value: u64, out: &mut Vec<u8>) {
    match i64::try_from(value) {
        Ok(value) => out.extend(integer(value)),
        Err(_) => {
            out.push(INTEGER_LARGE);
            out.extend(value.to_be_bytes());
        }
    }
}

fn float(value: f64, out: &mut Vec<u8>) {
    // One zero and one NaN: equal keys are equal bytes.
    let value = if value == 0.0 { 0.0 } else { value };
    let bits = if value.is_nan() {
        f64::NAN.to_bits() & !(1 << 63)
    } else {
        value.to_bits()
    };
    let ordered = if bits >> 63 == 1 { !bits } else { bits ^ (1 << 63) };
    out.push(FLOAT);
    out.extend(ordered.to_be_bytes());
}

fn timestamp(array: &ArrayRef, unit: TimeUnit) -> Column {
    fn of<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef, tag: u8) -> Column {
        primitive::<T>(array, move |value, out| {
            out.push(tag);
            out.extend((value.cast_unsigned() ^ (1 << 63)).to_be_bytes());
        })
    }
    match unit {
        TimeUnit::Second => of::<TimestampSecondType>(array, TIMESTAMP),
        TimeUnit::Millisecond => of::<TimestampMillisecondType>(array, TIMESTAMP + 1),
        TimeUnit::Microsecond => of::<TimestampMicrosecondType>(array, TIMESTAMP + 2),
        TimeUnit::Nanosecond => of::<TimestampNanosecondType>(array, TIMESTAMP + 3),
    }
}

fn bytes<A: Send + Sync + 'static>(tag: u8, array: A, value: fn(&A, usize) -> &[u8]) -> Column {
    Box::new(move |row, out| terminated(tag, value(&array, row), out))
}

/// Bytes of any length, such that no key is the beginning of another: `00` inside is written `00 ff`, `00` ends them.
#[inline]
pub(super) fn terminated(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    let mut rest = bytes;
    while let Some(zero) = memchr::memchr(0, rest) {
        out.extend_from_slice(&rest[..=zero]);
        out.push(0xff);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
    out.push(0);
}

fn dictionary(array: &ArrayRef) -> Option<Column> {
    let array = array.as_any_dictionary();
    let values = column(array.values(), None)?;
    let keys = array.normalized_keys();
    Some(Box::new(move |row, out| values(keys[row], out)))
}

fn record(array: &ArrayRef) -> Option<Column> {
    let fields: Option<Vec<Column>> = array
        .as_struct()
        .columns()
        .iter()
        .map(|field| column(field, None))
        .collect();
    let fields = fields?;
    Some(Box::new(move |row, out| {
        out.push(RECORD);
        fields.iter().for_each(|field| field(row, out));
    }))
}

fn list(array: &ArrayRef) -> Option<Column> {
    let array = array.as_list::<i32>().clone();
    let elements = column(&Arc::clone(array.values()), None)?;
    Some(Box::new(move |row, out| {
        out.push(LIST);
        let offsets = array.value_offsets();
        for element in offsets[row]..offsets[row + 1] {
            out.push(1);
            elements(
                usize::try_from(element).expect("offsets of a list are not negative"),
                out,
            );
        }
        out.push(0);
    }))
}
