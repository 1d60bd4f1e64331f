//! Values of typed columns as JSON text, straight from the arrays.

use std::borrow::Cow;

use arrow::array::{
    Array, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array,
    ListArray, StringViewArray, TimestampMillisecondArray, UInt64Array,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int64Type, TimestampMillisecondType,
    UInt64Type,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dataflow::element::columns::is_any;
use serde::Serialize;

use super::text;
use crate::format::scalar;

/// What goes wrong with one value, with its path.
pub(in crate::format) type Result = std::result::Result<(), String>;

/// One member of the objects that are written.
pub(in crate::format) struct Member<'a> {
    name: &'a str,
    /// Its name, in quotes, and the colon.
    prefix: Vec<u8>,
    array: &'a dyn Array,
    values: Values<'a>,
}

enum Values<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Int64(&'a Int64Array),
    UInt64(&'a UInt64Array),
    Float(&'a Float32Array),
    Double(&'a Float64Array),
    Decimal(&'a Decimal128Array),
    Text(&'a StringViewArray),
    /// JSON text already.
    Any(&'a StringViewArray),
    Binary(&'a BinaryArray),
    Date(&'a Date32Array),
    Timestamp(&'a TimestampMillisecondArray),
    List(&'a ListArray, Box<Member<'a>>),
    Record(Vec<Member<'a>>),
}

impl<'a> Member<'a> {
    /// A member of the field's name. The array is of one of the types that the encoder casts to.
    pub(in crate::format) fn new(field: &'a Field, array: &'a dyn Array) -> Self {
        let name = field.name().as_str();
        let values = match array.data_type() {
            DataType::Boolean => Values::Boolean(array.as_boolean()),
            DataType::Int64 => Values::Int64(array.as_primitive::<Int64Type>()),
            DataType::UInt64 => Values::UInt64(array.as_primitive::<UInt64Type>()),
            DataType::Float32 => Values::Float(array.as_primitive::<Float32Type>()),
            DataType::Float64 => Values::Double(array.as_primitive::<Float64Type>()),
            DataType::Decimal128(..) => Values::Decimal(array.as_primitive::<Decimal128Type>()),
            DataType::Utf8View if is_any(field) => Values::Any(array.as_string_view()),
            DataType::Utf8View => Values::Text(array.as_string_view()),
            DataType::Binary => Values::Binary(array.as_binary()),
            DataType::Date32 => Values::Date(array.as_primitive::<Date32Type>()),
            DataType::Timestamp(..) => Values::Timestamp(array.as_primitive::<TimestampMillisecondType>()),
            DataType::List(item) => {
                let lists = array.as_list();
                Values::List(lists, Box::new(Member::new(item, lists.values().as_ref())))
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns();
                Values::Record(
                    fields
                        .iter()
                        .zip(columns)
                        .map(|(field, column)| Member::new(field, column.as_ref()))
                        .collect(),
                )
            }
            // The encoder casts to no other type, and of a column of type Null no row has a value.
            _ => Values::Null,
        };
        let mut prefix = Vec::with_capacity(name.len() + 3);
        string(name, &mut prefix);
        prefix.push(b':');
        Self {
            name,
            prefix,
            array,
            values,
        }
    }

    /// Its name.
    pub(in crate::format) fn name(&self) -> &str {
        self.name
    }

    /// Whether the row has no value.
    pub(in crate::format) fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row) || matches!(self.values, Values::Null)
    }

    /// The row's value as formats write it that know only text: a string as it is meant, and the JSON text of other values
    /// of any type.
    pub(in crate::format) fn text(&self, row: usize) -> Option<Cow<'a, [u8]>> {
        match &self.values {
            Values::Text(array) => Some(Cow::Borrowed(array.value(row).as_bytes())),
            Values::Any(array) => Some(text::plain(array.value(row).as_bytes())),
            _ => None,
        }
    }

    /// Appends the row's value, which is not NULL, as JSON.
    pub(in crate::format) fn value(&self, row: usize, out: &mut Vec<u8>) -> Result {
        match &self.values {
            Values::Null => out.extend_from_slice(b"null"),
            Values::Boolean(array) => out.extend_from_slice(if array.value(row) { b"true" } else { b"false" }),
            Values::Int64(array) => number(array.value(row), out),
            Values::UInt64(array) => number(array.value(row), out),
            Values::Float(array) => {
                let value = array.value(row);
                finite(f64::from(value))?;
                number(value, out);
            }
            Values::Double(array) => {
                let value = array.value(row);
                finite(value)?;
                number(value, out);
            }
            Values::Decimal(array) => scalar::write_decimal(array.value(row), array.scale(), out),
            Values::Text(array) => string(array.value(row), out),
            Values::Any(array) => verbatim(array.value(row).as_bytes(), out),
            Values::Binary(array) => base64(array.value(row), out),
            Values::Date(array) => {
                out.push(b'"');
                if !scalar::write_date(array.value(row), out) {
                    return Err("a date outside the years 0000 to 9999".to_owned());
                }
                out.push(b'"');
            }
            Values::Timestamp(array) => number(array.value(row), out),
            Values::List(lists, items) => return list(lists, items, row, out),
            Values::Record(members) => return object(members, row, out),
        }
        Ok(())
    }
}

/// Writes a row of these members as an object; those that are NULL are left out.
pub(super) fn object(members: &[Member<'_>], row: usize, out: &mut Vec<u8>) -> Result {
    out.push(b'{');
    let mut is_first = true;
    for member in members.iter().filter(|member| !member.is_null(row)) {
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        out.extend_from_slice(&member.prefix);
        member.value(row, out).map_err(|error| inside(member.name, &error))?;
    }
    out.push(b'}');
    Ok(())
}

fn list(lists: &ListArray, items: &Member<'_>, row: usize, out: &mut Vec<u8>) -> Result {
    let place = |offset: i32| usize::try_from(offset).expect("offsets are places");
    let (from, to) = (place(lists.value_offsets()[row]), place(lists.value_offsets()[row + 1]));
    out.push(b'[');
    for item in from..to {
        if item > from {
            out.push(b',');
        }
        if items.is_null(item) {
            out.extend_from_slice(b"null");
        } else {
            items
                .value(item, out)
                .map_err(|error| inside(&format!("[{}]", item - from), &error))?;
        }
    }
    out.push(b']');
    Ok(())
}

#[cold]
fn inside(name: &str, error: &str) -> String {
    if error.starts_with('[') {
        format!("{name}{error}")
    } else if error.contains(": ") {
        format!("{name}.{error}")
    } else {
        format!("{name}: {error}")
    }
}

/// Writes a value that is JSON already. A line feed can only stand between its tokens, and would end the line.
fn verbatim(value: &[u8], out: &mut Vec<u8>) {
    let mut from = out.len();
    out.extend_from_slice(value);
    while let Some(at) = memchr::memchr2(b'\n', b'\r', &out[from..]) {
        out[from + at] = b' ';
        from += at + 1;
    }
}

fn finite(value: f64) -> Result {
    if value.is_finite() {
        Ok(())
    } else {
        Err(format!("JSON has no number {value}"))
    }
}

fn number<T: Serialize>(value: T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, &value).expect("a number is written into memory");
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD
        .encode_slice(bytes, &mut out[start..])
        .expect("four bytes for each three begun");
    out.truncate(start + written);
    out.push(b'"');
}

/// Writes a string in quotes.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest
        .iter()
        .position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))
    {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte @ 0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            byte => out.extend_from_slice(&[b'\\', byte]),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
