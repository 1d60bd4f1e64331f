//! Columns under construction, whatever the format: one growing array for each column, list item and struct member.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, BooleanBufferBuilder, Date32Array, Decimal128Array, Float32Array,
    Float64Array, Int32Array, Int64Array, ListArray, NullBufferBuilder, StructArray, TimestampMillisecondArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};
use dataflow::contract::InvalidOptions;
use dataflow::element::columns::is_any;

/// A column under construction.
pub(super) struct Column {
    pub(super) field: FieldRef,
    pub(super) nulls: NullBufferBuilder,
    pub(super) values: Values,
}

/// The values of a column; one without a value has any.
pub(super) enum Values {
    Boolean(BooleanBufferBuilder),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Decimal {
        values: Vec<i128>,
        precision: u8,
        scale: i8,
    },
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Text(Text),
    /// The JSON text of values of any type.
    Any(Text),
    Binary {
        bytes: Vec<u8>,
        offsets: Vec<i32>,
    },
    Record(Vec<Column>),
    List {
        item: Box<Column>,
        offsets: Vec<i32>,
    },
}

/// Strings as views over the buffers of the records, and over one buffer of their own for what had to be rewritten.
#[derive(Default)]
pub(super) struct Text {
    pub(super) views: Vec<u128>,
    pub(super) own: Vec<u8>,
    /// Whether a view points anywhere at all.
    pub(super) points: bool,
}

/// The longest string that a view holds itself.
const INLINE: usize = 12;

impl Text {
    /// Appends a string that stands at `offset` of the buffer `buffer`.
    pub(super) fn push(&mut self, text: &[u8], buffer: usize, offset: usize) {
        let mut start = [0; 16];
        let held = text.len().min(start.len());
        start[..held].copy_from_slice(&text[..held]);
        self.push_padded(start, text.len(), buffer, offset);
    }

    /// The same for a string of `length` bytes that has `start` as its first bytes; what `start` has beyond them is not looked at.
    #[inline]
    pub(super) fn push_padded(&mut self, start: [u8; 16], length: usize, buffer: usize, offset: usize) {
        let start = u128::from_le_bytes(start);
        let view = if length <= INLINE {
            ((start & ((1 << (8 * length)) - 1)) << 32) | length as u128
        } else {
            self.points = true;
            let prefix = (start & u128::from(u32::MAX)) << 32;
            debug_assert!(u32::try_from(offset).is_ok() && u32::try_from(buffer).is_ok());
            ((offset as u128) << 96) | ((buffer as u128) << 64) | prefix | length as u128
        };
        self.views.push(view);
    }

    /// Appends a string that stands nowhere yet; `buffer` is the number of its own buffer.
    pub(super) fn push_own(&mut self, text: &[u8], buffer: usize) {
        let offset = self.own.len();
        if text.len() > INLINE {
            self.own.extend_from_slice(text);
        }
        self.push(text, buffer, offset);
    }
}

impl Column {
    /// An empty column of this field; only the types of a document's schema.
    pub(super) fn new(field: &FieldRef) -> Result<Self, InvalidOptions> {
        let values = match field.data_type() {
            DataType::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            DataType::Int32 => Values::Int32(Vec::new()),
            DataType::Int64 => Values::Int64(Vec::new()),
            DataType::Float32 => Values::Float(Vec::new()),
            DataType::Float64 => Values::Double(Vec::new()),
            DataType::Decimal128(precision, scale @ 0..) => Values::Decimal {
                values: Vec::new(),
                precision: *precision,
                scale: *scale,
            },
            DataType::Date32 => Values::Date(Vec::new()),
            DataType::Timestamp(TimeUnit::Millisecond, Some(_)) => Values::Timestamp(Vec::new()),
            DataType::Utf8View if is_any(field) => Values::Any(Text::default()),
            DataType::Utf8View => Values::Text(Text::default()),
            DataType::Binary => Values::Binary {
                bytes: Vec::new(),
                offsets: vec![0],
            },
            DataType::Struct(members) => Values::Record(columns(members)?),
            DataType::List(item) => Values::List {
                item: Box::new(Self::new(item)?),
                offsets: vec![0],
            },
            other => {
                return Err(InvalidOptions {
                    pointer: String::new(),
                    message: format!(
                        "the column `{}` has a type that records cannot give: {other}",
                        field.name()
                    ),
                    help: None,
                });
            }
        };
        Ok(Self {
            field: Arc::clone(field),
            nulls: NullBufferBuilder::new(0),
            values,
        })
    }

    /// How many rows it has.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.nulls.len()
    }

    /// What to call it in a message.
    pub(super) fn name(&self) -> &str {
        self.field.name()
    }

    /// Appends NULL (or anything, where the schema allows none) until there are `rows`. What is half made of a row is closed.
    pub(super) fn fill(&mut self, rows: usize) {
        while self.len() < rows {
            match &mut self.values {
                Values::Boolean(values) => values.append(false),
                Values::Int32(values) | Values::Date(values) => values.push(0),
                Values::Int64(values) | Values::Timestamp(values) => values.push(0),
                Values::Float(values) => values.push(0.0),
                Values::Double(values) => values.push(0.0),
                Values::Decimal { values, .. } => values.push(0),
                Values::Text(text) | Values::Any(text) => text.views.push(0),
                Values::Binary { offsets, .. } => offsets.push(offsets[offsets.len() - 1]),
                Values::Record(members) => {
                    let row = self.nulls.len() + 1;
                    members.iter_mut().for_each(|member| member.fill(row));
                }
                Values::List { item, offsets } => offsets.push(offset(item.len())),
            }
            self.nulls.append(!self.field.is_nullable());
        }
    }

    /// The rows so far as an array, and an empty column again. Views point into `shared` or, after those, their own buffer.
    pub(super) fn finish(&mut self, shared: &[Buffer]) -> ArrayRef {
        let rows = self.len();
        let nulls = self.nulls.finish();
        match &mut self.values {
            Values::Boolean(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Values::Int32(values) => Arc::new(Int32Array::new(taken(values), nulls)),
            Values::Int64(values) => Arc::new(Int64Array::new(taken(values), nulls)),
            Values::Float(values) => Arc::new(Float32Array::new(taken(values), nulls)),
            Values::Double(values) => Arc::new(Float64Array::new(taken(values), nulls)),
            Values::Decimal { values, .. } => {
                Arc::new(Decimal128Array::new(taken(values), nulls).with_data_type(self.field.data_type().clone()))
            }
            Values::Date(values) => Arc::new(Date32Array::new(taken(values), nulls)),
            Values::Timestamp(values) => Arc::new(
                TimestampMillisecondArray::new(taken(values), nulls).with_data_type(self.field.data_type().clone()),
            ),
            Values::Text(text) | Values::Any(text) => finish_text(text, shared, nulls),
            Values::Binary { bytes, offsets } => Arc::new(BinaryArray::new(
                finish_offsets(offsets),
                Buffer::from_vec(std::mem::take(bytes)),
                nulls,
            )),
            Values::Record(members) => {
                let arrays = members.iter_mut().map(|member| member.finish(shared)).collect();
                let fields: Fields = members.iter().map(|member| Arc::clone(&member.field)).collect();
                Arc::new(
                    StructArray::try_new_with_length(fields, arrays, nulls, rows)
                        .expect("each member was filled to the row"),
                )
            }
            Values::List { item, offsets } => {
                let items = item.finish(shared);
                Arc::new(ListArray::new(
                    Arc::clone(&item.field),
                    finish_offsets(offsets),
                    items,
                    nulls,
                ))
            }
        }
    }
}

/// An empty column for each field.
pub(super) fn columns<'a>(fields: impl IntoIterator<Item = &'a Arc<Field>>) -> Result<Vec<Column>, InvalidOptions> {
    fields.into_iter().map(Column::new).collect()
}

/// A place among the items of a list column.
pub(super) fn offset(place: usize) -> i32 {
    i32::try_from(place).expect("a batch of records is shorter than 2 GiB, and an item takes at least a byte")
}

fn taken<T: arrow::datatypes::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    // The next batch is likely as long as this one.
    let capacity = values.len();
    ScalarBuffer::from(std::mem::replace(values, Vec::with_capacity(capacity)))
}

fn finish_offsets(offsets: &mut Vec<i32>) -> OffsetBuffer<i32> {
    OffsetBuffer::new(std::mem::replace(offsets, vec![0]).into())
}

fn finish_text(text: &mut Text, shared: &[Buffer], nulls: Option<NullBuffer>) -> ArrayRef {
    let views = taken_views(text);
    let mut buffers = Vec::new();
    if std::mem::take(&mut text.points) {
        buffers.extend_from_slice(shared);
        if !text.own.is_empty() {
            buffers.push(Buffer::from_vec(std::mem::take(&mut text.own)));
        }
    }
    Arc::new(super::json::simd::views(views, buffers, nulls))
}

fn taken_views(text: &mut Text) -> Vec<u128> {
    let capacity = text.views.len();
    std::mem::replace(&mut text.views, Vec::with_capacity(capacity))
}
