//! The kinds of values that are kept as they are: whole numbers, floats, decimals, bytes. Others travel as one of these.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, Decimal128Array, Float64Array, Int64Array, UInt64Array, make_array,
};
use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type, UInt64Type};
use arrow_schema::{DataType, TimeUnit};

use super::packed::{put_bytes, put_float, put_int, take_bytes, take_float, take_int};

/// The type that values of a type are cast to, so that a few loops serve all. A type without one stays as it is.
pub(in super::super) fn canonical(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::Date32
        | DataType::Timestamp(
            TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond | TimeUnit::Nanosecond,
            _,
        ) => DataType::Int64,
        DataType::UInt64 => DataType::UInt64,
        DataType::Float32 | DataType::Float64 => DataType::Float64,
        DataType::Decimal128(precision, scale) => DataType::Decimal128(*precision, *scale),
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView => DataType::BinaryView,
        DataType::Dictionary(_, values) => canonical(values),
        other => other.clone(),
    }
}

/// One of those kinds.
pub(in super::super) trait Kind: Send + 'static {
    /// A value, kept.
    type Own: Send + 'static;
    /// A value, looked at.
    type Ref<'a>: Copy;
    /// Values of a batch.
    type Array: Array + 'static;

    /// The array as what it must be.
    fn read(array: &ArrayRef) -> Option<&Self::Array>;
    /// A row's value, which is not NULL.
    fn value(array: &Self::Array, row: usize) -> Self::Ref<'_>;
    /// A kept value.
    fn look(own: &Self::Own) -> Self::Ref<'_>;
    /// Keeps a value in the place of another.
    fn keep(value: Self::Ref<'_>, place: &mut Self::Own);
    /// Keeps a value.
    fn new(value: Self::Ref<'_>) -> Self::Own;
    /// The order of values.
    fn compare(one: Self::Ref<'_>, other: Self::Ref<'_>) -> Ordering;
    /// Appends the value's bytes.
    fn put(value: Self::Ref<'_>, out: &mut Vec<u8>);
    /// Takes a value.
    fn take(bytes: &mut &[u8]) -> Option<Self::Own>;
    /// Values as an array of this canonical type.
    fn array<'a, I: Iterator<Item = Option<Self::Ref<'a>>>>(values: I, data_type: &DataType) -> ArrayRef;
    /// Memory beside the value itself.
    fn heap(own: &Self::Own) -> usize;
}

macro_rules! number {
    ($name:ident, $native:ty, $array:ty, $arrow:ty, $compare:expr, $put:expr, $take:expr, $doc:literal) => {
        #[doc = $doc]
        pub(super) struct $name;

        impl Kind for $name {
            type Own = $native;
            type Ref<'a> = $native;
            type Array = $array;

            fn read(array: &ArrayRef) -> Option<&$array> {
                array.as_primitive_opt::<$arrow>()
            }

            #[inline]
            fn value(array: &$array, row: usize) -> $native {
                array.values()[row]
            }

            #[inline]
            fn look(own: &$native) -> $native {
                *own
            }

            #[inline]
            fn keep(value: $native, place: &mut $native) {
                *place = value;
            }

            #[inline]
            fn new(value: $native) -> $native {
                value
            }

            #[inline]
            fn compare(one: $native, other: $native) -> Ordering {
                $compare(&one, &other)
            }

            fn put(value: $native, out: &mut Vec<u8>) {
                $put(value.into(), out);
            }

            fn take(bytes: &mut &[u8]) -> Option<$native> {
                $take(bytes)?.try_into().ok()
            }

            fn array<'a, I: Iterator<Item = Option<Self::Ref<'a>>>>(values: I, data_type: &DataType) -> ArrayRef {
                let values = <$array>::from_iter(values).into_data().into_builder();
                // Of one layout: only a decimal's scale is another than arrow's own.
                make_array(
                    values
                        .data_type(data_type.clone())
                        .build()
                        .expect("a canonical type is of its kind's layout"),
                )
            }

            fn heap(_: &$native) -> usize {
                0
            }
        }
    };
}

number!(
    Whole,
    i64,
    Int64Array,
    Int64Type,
    i64::cmp,
    put_int,
    take_int,
    "Whole numbers, times, booleans."
);
number!(
    Unsigned,
    u64,
    UInt64Array,
    UInt64Type,
    u64::cmp,
    put_int,
    take_int,
    "Whole numbers beyond the signed range."
);
number!(
    Float,
    f64,
    Float64Array,
    Float64Type,
    f64::total_cmp,
    put_float,
    take_float,
    "Floats; NaN is the largest."
);
number!(
    Decimal,
    i128,
    Decimal128Array,
    Decimal128Type,
    i128::cmp,
    put_int,
    take_int,
    "Decimals of one scale."
);

/// Strings and bytes.
pub(super) struct Bytes;

impl Kind for Bytes {
    type Own = Vec<u8>;
    type Ref<'a> = &'a [u8];
    type Array = BinaryViewArray;

    fn read(array: &ArrayRef) -> Option<&BinaryViewArray> {
        array.as_binary_view_opt()
    }

    #[inline]
    fn value(array: &BinaryViewArray, row: usize) -> &[u8] {
        array.value(row)
    }

    #[inline]
    fn look(own: &Vec<u8>) -> &[u8] {
        own
    }

    fn keep(value: &[u8], place: &mut Vec<u8>) {
        place.clear();
        place.extend_from_slice(value);
    }

    fn new(value: &[u8]) -> Vec<u8> {
        value.to_vec()
    }

    #[inline]
    fn compare(one: &[u8], other: &[u8]) -> Ordering {
        one.cmp(other)
    }

    fn put(value: &[u8], out: &mut Vec<u8>) {
        put_bytes(value, out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Vec<u8>> {
        take_bytes(bytes).map(<[u8]>::to_vec)
    }

    fn array<'a, I: Iterator<Item = Option<&'a [u8]>>>(values: I, _: &DataType) -> ArrayRef {
        Arc::new(BinaryViewArray::from_iter(values))
    }

    fn heap(own: &Vec<u8>) -> usize {
        own.capacity()
    }
}
