//! Keys become columns again: what a key's canonical bytes say, as arrays of the types that the reader wants.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryViewBuilder, BooleanBufferBuilder, BooleanBuilder, Date32Builder, Decimal128Builder,
    Float64Builder, Int64Builder, ListArray, StringBuilder, StringViewBuilder, StructArray, UInt64Builder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Fields, TimeUnit};

use super::KeyError;
use super::encode::{
    BINARY, BOOLEAN, DATE, DECIMAL, FLOAT, INTEGER, INTEGER_LARGE, LIST, NULL, RECORD, STRING, TIMESTAMP, is_supported,
};

/// Reads keys of several values, each of its type.
///
/// A value comes back as it was, but for floats: every zero is `0`, every NaN the same one.
#[derive(Clone, Debug)]
pub struct KeyDecoder {
    types: Vec<DataType>,
}

impl KeyDecoder {
    /// A decoder of keys whose values are of `types`, in this order. Wider types than those that were encoded will do.
    ///
    /// # Errors
    /// A type whose values cannot be a key.
    pub fn new(types: Vec<DataType>) -> Result<Self, KeyError> {
        match types.iter().find(|found| !is_supported(found)) {
            Some(found) => Err(KeyError::NoKey { found: found.clone() }),
            None => Ok(Self { types }),
        }
    }

    /// One array for each value of the keys.
    ///
    /// # Errors
    /// Bytes that are no key of these types.
    pub fn decode<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>, KeyError> {
        let made = self.types.iter().map(Column::new).collect::<Option<Vec<_>>>();
        let mut columns = made.ok_or_else(|| self.malformed())?;
        for key in keys {
            let mut rest = key;
            for column in &mut columns {
                column.read(&mut rest).ok_or_else(|| self.malformed())?;
            }
            if !rest.is_empty() {
                return Err(self.malformed());
            }
        }
        let arrays = columns.into_iter().zip(&self.types);
        let arrays: Option<Vec<ArrayRef>> = arrays.map(|(column, wanted)| column.finish(wanted)).collect();
        arrays.ok_or_else(|| self.malformed())
    }

    fn malformed(&self) -> KeyError {
        KeyError::Bytes {
            types: self.types.clone(),
        }
    }
}

/// One value of the keys, as far as they were read.
enum Column {
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Unsigned(UInt64Builder),
    Float(Float64Builder),
    Decimal {
        values: Decimal128Builder,
        scale: u8,
    },
    Text(StringViewBuilder),
    /// Dictionaries are made of plain strings.
    Words(StringBuilder),
    Binary(BinaryViewBuilder),
    Date(Date32Builder),
    Timestamp {
        values: Int64Builder,
        tag: u8,
    },
    Record {
        shape: Fields,
        fields: Vec<Column>,
        valid: BooleanBufferBuilder,
    },
    List {
        shape: FieldRef,
        element: Box<Column>,
        offsets: Vec<i32>,
        valid: BooleanBufferBuilder,
    },
}

impl Column {
    fn new(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32 => Self::Integer(Int64Builder::new()),
            DataType::UInt64 => Self::Unsigned(UInt64Builder::new()),
            DataType::Float32 | DataType::Float64 => Self::Float(Float64Builder::new()),
            DataType::Decimal128(_, scale) => Self::Decimal {
                values: Decimal128Builder::new().with_data_type(data_type.clone()),
                scale: scale.cast_unsigned() ^ 0x80,
            },
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text(StringViewBuilder::new()),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Self::Binary(BinaryViewBuilder::new()),
            DataType::Date32 => Self::Date(Date32Builder::new()),
            DataType::Timestamp(unit, _) => Self::Timestamp {
                values: Int64Builder::new(),
                tag: tag(*unit),
            },
            DataType::Dictionary(_, values) => match values.as_ref() {
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Words(StringBuilder::new()),
                other => Self::new(other)?,
            },
            DataType::Struct(shape) => Self::Record {
                shape: shape.clone(),
                fields: shape
                    .iter()
                    .map(|field| Self::new(field.data_type()))
                    .collect::<Option<_>>()?,
                valid: BooleanBufferBuilder::new(0),
            },
            DataType::List(shape) => Self::List {
                shape: Arc::clone(shape),
                element: Box::new(Self::new(shape.data_type())?),
                offsets: vec![0],
                valid: BooleanBufferBuilder::new(0),
            },
            _ => return None,
        })
    }

    /// Takes one value from the front of `rest`.
    fn read(&mut self, rest: &mut &[u8]) -> Option<()> {
        let [tag] = take(rest)?;
        if tag == NULL {
            self.null();
            return Some(());
        }
        match (self, tag) {
            (Self::Boolean(values), BOOLEAN) => match take(rest)? {
                [bit @ (0 | 1)] => values.append_value(bit == 1),
                _ => return None,
            },
            (Self::Integer(values), INTEGER) => values.append_value(signed(rest)?),
            (Self::Unsigned(values), INTEGER) => values.append_value(u64::try_from(signed(rest)?).ok()?),
            (Self::Unsigned(values), INTEGER_LARGE) => values.append_value(u64::from_be_bytes(take(rest)?)),
            (Self::Float(values), FLOAT) => {
                let ordered = u64::from_be_bytes(take(rest)?);
                let bits = if ordered >> 63 == 1 {
                    ordered ^ (1 << 63)
                } else {
                    !ordered
                };
                values.append_value(f64::from_bits(bits));
            }
            (Self::Decimal { values, scale }, DECIMAL) => match take(rest)? {
                [found] if found == *scale => {
                    values.append_value((u128::from_be_bytes(take(rest)?) ^ (1 << 127)).cast_signed());
                }
                _ => return None,
            },
            (Self::Text(values), STRING) => with_text(rest, |bytes| {
                values.append_value(text(bytes)?);
                Some(())
            })?,
            (Self::Words(values), STRING) => with_text(rest, |bytes| {
                values.append_value(text(bytes)?);
                Some(())
            })?,
            (Self::Binary(values), BINARY) => with_text(rest, |bytes| {
                values.append_value(bytes);
                Some(())
            })?,
            (Self::Date(values), DATE) => {
                values.append_value((u32::from_be_bytes(take(rest)?) ^ (1 << 31)).cast_signed());
            }
            (Self::Timestamp { values, tag: wanted }, tag) if tag == *wanted => values.append_value(signed(rest)?),
            (Self::Record { fields, valid, .. }, RECORD) => {
                fields.iter_mut().try_for_each(|field| field.read(rest))?;
                valid.append(true);
            }
            (
                Self::List {
                    element,
                    offsets,
                    valid,
                    ..
                },
                LIST,
            ) => {
                let mut count = *offsets.last()?;
                while take(rest)? == [1] {
                    element.read(rest)?;
                    count = count.checked_add(1)?;
                }
                offsets.push(count);
                valid.append(true);
            }
            _ => return None,
        }
        Some(())
    }

    fn null(&mut self) {
        match self {
            Self::Boolean(values) => values.append_null(),
            Self::Integer(values) | Self::Timestamp { values, .. } => values.append_null(),
            Self::Unsigned(values) => values.append_null(),
            Self::Float(values) => values.append_null(),
            Self::Decimal { values, .. } => values.append_null(),
            Self::Text(values) => values.append_null(),
            Self::Words(values) => values.append_null(),
            Self::Binary(values) => values.append_null(),
            Self::Date(values) => values.append_null(),
            Self::Record { fields, valid, .. } => {
                fields.iter_mut().for_each(Self::null);
                valid.append(false);
            }
            Self::List { offsets, valid, .. } => {
                offsets.push(offsets.last().copied().unwrap_or(0));
                valid.append(false);
            }
        }
    }

    fn finish(self, wanted: &DataType) -> Option<ArrayRef> {
        let array: ArrayRef = match self {
            Self::Boolean(mut values) => Arc::new(values.finish()),
            Self::Integer(mut values) | Self::Timestamp { mut values, .. } => Arc::new(values.finish()),
            Self::Unsigned(mut values) => Arc::new(values.finish()),
            Self::Float(mut values) => Arc::new(values.finish()),
            Self::Decimal { mut values, .. } => Arc::new(values.finish()),
            Self::Text(mut values) => Arc::new(values.finish()),
            Self::Words(mut values) => Arc::new(values.finish()),
            Self::Binary(mut values) => Arc::new(values.finish()),
            Self::Date(mut values) => Arc::new(values.finish()),
            Self::Record {
                shape,
                fields,
                mut valid,
            } => {
                let columns = fields.into_iter().zip(&shape);
                let columns = columns.map(|(column, field)| column.finish(field.data_type()));
                let (columns, nulls) = (columns.collect::<Option<Vec<_>>>()?, NullBuffer::new(valid.finish()));
                let length = nulls.len();
                Arc::new(StructArray::try_new_with_length(shape, columns, Some(nulls), length).ok()?)
            }
            Self::List {
                shape,
                element,
                offsets,
                mut valid,
            } => {
                let values = element.finish(shape.data_type())?;
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                let nulls = NullBuffer::new(valid.finish());
                Arc::new(ListArray::try_new(shape, offsets, values, Some(nulls)).ok()?)
            }
        };
        if array.data_type() == wanted {
            return Some(array);
        }
        cast(&array, wanted)
            .ok()
            .filter(|cast| cast.null_count() == array.null_count())
    }
}

fn tag(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => TIMESTAMP,
        TimeUnit::Millisecond => TIMESTAMP + 1,
        TimeUnit::Microsecond => TIMESTAMP + 2,
        TimeUnit::Nanosecond => TIMESTAMP + 3,
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

fn signed(rest: &mut &[u8]) -> Option<i64> {
    Some((u64::from_be_bytes(take(rest)?) ^ (1 << 63)).cast_signed())
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Hands over the bytes up to the `00` that ends them; they are copied only where a `00` stands among them.
fn with_text(rest: &mut &[u8], take: impl FnOnce(&[u8]) -> Option<()>) -> Option<()> {
    let escaped = |at: usize| rest.get(at + 1) == Some(&0xff);
    let mut end = memchr::memchr(0, rest)?;
    if !escaped(end) {
        let bytes = &rest[..end];
        *rest = &rest[end + 1..];
        return take(bytes);
    }
    let mut bytes = Vec::new();
    let mut begin = 0;
    while escaped(end) {
        bytes.extend_from_slice(&rest[begin..=end]);
        begin = end + 2;
        end = begin + memchr::memchr(0, &rest[begin..])?;
    }
    bytes.extend_from_slice(&rest[begin..end]);
    *rest = &rest[end + 1..];
    take(&bytes)
}
