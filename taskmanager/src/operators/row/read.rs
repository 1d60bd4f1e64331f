//! Bytes of rows become columns again.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryViewBuilder, BooleanBufferBuilder, BooleanBuilder, ListArray, PrimitiveBuilder,
    StringViewBuilder, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_schema::Field;

use super::Kind;

/// The values of one column, as far as they were read.
pub(super) enum Cells {
    Boolean(BooleanBuilder),
    Fixed(Box<dyn Fixed>),
    Text(StringViewBuilder),
    Binary(BinaryViewBuilder),
    Record {
        names: Vec<String>,
        fields: Vec<Cells>,
        valid: BooleanBufferBuilder,
    },
    List {
        element: Box<Cells>,
        offsets: Vec<i32>,
        valid: BooleanBufferBuilder,
    },
}

/// Values of one width.
pub(super) trait Fixed {
    fn read(&mut self, rest: &mut &[u8]) -> Option<()>;
    fn null(&mut self);
    fn finish(&mut self) -> ArrayRef;
}

struct Numbers<T: ArrowPrimitiveType> {
    values: PrimitiveBuilder<T>,
    read: fn(&mut &[u8]) -> Option<T::Native>,
}

impl<T: ArrowPrimitiveType> Fixed for Numbers<T> {
    fn read(&mut self, rest: &mut &[u8]) -> Option<()> {
        self.values.append_value((self.read)(rest)?);
        Some(())
    }

    fn null(&mut self) {
        self.values.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.values.finish())
    }
}

macro_rules! numbers {
    ($type:ty) => {
        numbers!($type, PrimitiveBuilder::<$type>::new())
    };
    ($type:ty, $builder:expr) => {
        Cells::Fixed(Box::new(Numbers::<$type> {
            values: $builder,
            read: |rest| Some(<$type as ArrowPrimitiveType>::Native::from_le_bytes(take(rest)?)),
        }))
    };
}

impl Cells {
    pub(super) fn new(kind: &Kind) -> Self {
        match kind {
            Kind::Boolean => Self::Boolean(BooleanBuilder::new()),
            Kind::Int8 => numbers!(Int8Type),
            Kind::Int16 => numbers!(Int16Type),
            Kind::Int32 => numbers!(Int32Type),
            Kind::Int64 => numbers!(Int64Type),
            Kind::Uint8 => numbers!(UInt8Type),
            Kind::Uint16 => numbers!(UInt16Type),
            Kind::Uint32 => numbers!(UInt32Type),
            Kind::Uint64 => numbers!(UInt64Type),
            Kind::Float => numbers!(Float32Type),
            Kind::Double => numbers!(Float64Type),
            Kind::Decimal(precision, scale) => {
                let wanted = arrow_schema::DataType::Decimal128(*precision, *scale);
                numbers!(
                    Decimal128Type,
                    PrimitiveBuilder::<Decimal128Type>::new().with_data_type(wanted)
                )
            }
            Kind::Date => numbers!(Date32Type),
            Kind::Timestamp(1) => numbers!(TimestampSecondType),
            Kind::Timestamp(1_000) => numbers!(TimestampMillisecondType),
            Kind::Timestamp(1_000_000) => numbers!(TimestampMicrosecondType),
            Kind::Timestamp(_) => numbers!(TimestampNanosecondType),
            Kind::Text => Self::Text(StringViewBuilder::new()),
            Kind::Binary => Self::Binary(BinaryViewBuilder::new()),
            Kind::Record(layout) => Self::Record {
                names: layout.0.iter().map(|column| column.name.clone()).collect(),
                fields: layout.0.iter().map(|column| Self::new(&column.kind)).collect(),
                valid: BooleanBufferBuilder::new(0),
            },
            Kind::List(element) => Self::List {
                element: Box::new(Self::new(element)),
                offsets: vec![0],
                valid: BooleanBufferBuilder::new(0),
            },
        }
    }

    /// Takes one value from the front of `rest`.
    fn read(&mut self, rest: &mut &[u8]) -> Option<()> {
        match self {
            Self::Boolean(values) => match take(rest)? {
                [bit @ (0 | 1)] => values.append_value(bit == 1),
                _ => return None,
            },
            Self::Fixed(values) => values.read(rest)?,
            Self::Text(values) => values.append_value(std::str::from_utf8(sized(rest)?).ok()?),
            Self::Binary(values) => values.append_value(sized(rest)?),
            Self::Record { fields, valid, .. } => {
                record(fields, rest)?;
                valid.append(true);
            }
            Self::List {
                element,
                offsets,
                valid,
            } => {
                let count = usize::try_from(u32::from_le_bytes(take(rest)?)).ok()?;
                let bits = part(rest, count.div_ceil(8))?;
                for index in 0..count {
                    element.read_unless(is_set(bits, index), rest)?;
                }
                let end = i32::try_from(count).ok()?.checked_add(*offsets.last()?)?;
                offsets.push(end);
                valid.append(true);
            }
        }
        Some(())
    }

    fn read_unless(&mut self, null: Null, rest: &mut &[u8]) -> Option<()> {
        match null {
            Null::Yes => {
                self.null();
                Some(())
            }
            Null::No => self.read(rest),
        }
    }

    fn null(&mut self) {
        match self {
            Self::Boolean(values) => values.append_null(),
            Self::Fixed(values) => values.null(),
            Self::Text(values) => values.append_null(),
            Self::Binary(values) => values.append_null(),
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

    pub(super) fn finish(self) -> Option<ArrayRef> {
        Some(match self {
            Self::Boolean(mut values) => Arc::new(values.finish()),
            Self::Fixed(mut values) => values.finish(),
            Self::Text(mut values) => Arc::new(values.finish()),
            Self::Binary(mut values) => Arc::new(values.finish()),
            Self::Record {
                names,
                fields,
                mut valid,
            } => {
                let columns: Vec<ArrayRef> = fields.into_iter().map(Self::finish).collect::<Option<_>>()?;
                let named = names.into_iter().zip(&columns);
                let fields: Vec<Field> = named
                    .map(|(name, column)| Field::new(name, column.data_type().clone(), true))
                    .collect();
                let nulls = NullBuffer::new(valid.finish());
                let length = nulls.len();
                Arc::new(StructArray::try_new_with_length(fields.into(), columns, Some(nulls), length).ok()?)
            }
            Self::List {
                element,
                offsets,
                mut valid,
            } => {
                let values = element.finish()?;
                let field = Field::new_list_field(values.data_type().clone(), true);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                let nulls = NullBuffer::new(valid.finish());
                Arc::new(ListArray::try_new(Arc::new(field), offsets, values, Some(nulls)).ok()?)
            }
        })
    }
}

/// Takes a value of each column from the front of `rest`.
pub(super) fn record(columns: &mut [Cells], rest: &mut &[u8]) -> Option<()> {
    let bits = part(rest, columns.len().div_ceil(8))?;
    let mut columns = columns.iter_mut().enumerate();
    columns.try_for_each(|(index, column)| column.read_unless(is_set(bits, index), rest))
}

#[derive(Clone, Copy)]
enum Null {
    Yes,
    No,
}

fn is_set(bits: &[u8], index: usize) -> Null {
    if bits[index / 8] >> (index % 8) & 1 == 1 {
        Null::Yes
    } else {
        Null::No
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

fn part<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::from_le_bytes(take(rest)?)).ok()?;
    part(rest, length)
}
