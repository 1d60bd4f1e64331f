//! What is wanted of a record, from its tokens into columns.
//!
//! Of members with the same name the first counts. Absent and null are both NULL.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::fault::{Fault, Result, kind};
use super::names::Names;
use super::text;
use super::walk::{Number, Walk};
use crate::format::column::{Column, Values, offset};
use crate::format::scalar;

/// Where a record lies, for views of its strings.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The buffer, among those of the batch.
    pub(super) buffer: usize,
    /// The record's first byte in it.
    pub(super) offset: usize,
    /// The number that the columns' own buffer gets.
    pub(super) own: usize,
}

/// Reads the object that begins here into the columns that want its members; each gets at most the row `row`.
pub(super) fn members(
    walk: &mut Walk<'_>,
    columns: &mut [Column],
    names: &Names,
    row: usize,
    place: Place,
) -> Result<()> {
    walk.enter()?;
    if walk.peek().1 == b'}' {
        walk.leave();
        return present(columns, names, row);
    }
    let mut wanted = columns.len();
    let mut guess = 0;
    while wanted > 0 {
        let name = walk.name()?;
        match names.find(walk, name, guess) {
            Some(index) if columns[index].len() == row => {
                let column = &mut columns[index];
                value(walk, column, names.inner(index), row, place).map_err(|fault| fault.inside(column.name()))?;
                wanted -= 1;
                guess = index + 1;
            }
            _ => walk.skip()?,
        }
        let (at, byte) = walk.peek();
        match byte {
            _ if wanted == 0 => {}
            b',' => walk.step(),
            b'}' => {
                walk.leave();
                return present(columns, names, row);
            }
            _ => return Err(walk.expected("`,` or `}`", at)),
        }
    }
    walk.skip_members()
}

/// That no member is absent that must not be.
#[inline]
fn present(columns: &[Column], names: &Names, row: usize) -> Result<()> {
    if !names.has_required {
        return Ok(());
    }
    match columns
        .iter()
        .find(|column| !column.field.is_nullable() && column.len() == row)
    {
        Some(column) => Err(Fault::value("is absent").inside(column.name())),
        None => Ok(()),
    }
}

/// Reads the value that begins here as the column's row `row`.
fn value(walk: &mut Walk<'_>, column: &mut Column, names: &Names, row: usize, place: Place) -> Result<()> {
    let (_, byte) = walk.peek();
    if byte == b'n' {
        walk.literal()?;
        if !column.field.is_nullable() {
            return Err(Fault::value("must not be null"));
        }
        column.fill(row + 1);
        return Ok(());
    }
    match (&mut column.values, byte) {
        (Values::Text(text), b'"') => {
            let (from, to) = walk.string();
            let contents = &walk.bytes()[from..to];
            if walk.escapes && memchr::memchr(b'\\', contents).is_some() {
                let mut plain = Vec::with_capacity(contents.len());
                text::unescape(contents, &mut plain);
                text.push_own(&plain, place.own);
            } else {
                let start = *walk.bytes()[from..].first_chunk().expect("the padding is longer");
                text.push_padded(start, contents.len(), place.buffer, place.offset + from);
            }
        }
        (Values::Any(text), _) => {
            let (from, to) = walk.value()?;
            let start = *walk.bytes()[from..].first_chunk().expect("the padding is longer");
            text.push_padded(start, to - from, place.buffer, place.offset + from);
        }
        (Values::Record(members_wanted), b'{') if members_wanted.is_empty() => walk.skip()?,
        (Values::Record(members_wanted), b'{') => {
            members(walk, members_wanted, names, row, place)?;
            members_wanted.iter_mut().for_each(|member| member.fill(row + 1));
        }
        (Values::List { item, offsets }, b'[') => {
            items(walk, item, names, place)?;
            offsets.push(offset(item.len()));
        }
        (Values::Boolean(values), b't' | b'f') => {
            walk.literal()?;
            values.append(byte == b't');
        }
        (values, _) => scalar_value(walk, values, byte)?,
    }
    column.nulls.append_non_null();
    Ok(())
}

/// Reads the list that begins here.
fn items(walk: &mut Walk<'_>, item: &mut Column, names: &Names, place: Place) -> Result<()> {
    walk.enter()?;
    if walk.peek().1 == b']' {
        walk.leave();
        return Ok(());
    }
    let first = item.len();
    loop {
        let row = item.len();
        if let Err(fault) = value(walk, item, names, row, place) {
            // A half made item would be taken for the beginning of the next.
            item.fill(row + 1);
            return Err(fault.inside(&format!("[{}]", row - first)));
        }
        let (at, byte) = walk.peek();
        match byte {
            b',' => walk.step(),
            b']' => {
                walk.leave();
                return Ok(());
            }
            _ => return Err(walk.expected("`,` or `]`", at)),
        }
    }
}

/// Numbers, and what is written as a string but is none.
fn scalar_value(walk: &mut Walk<'_>, values: &mut Values, byte: u8) -> Result<()> {
    match (values, byte) {
        (Values::Int32(values), b'-' | b'0'..=b'9') => {
            let number = walk.number()?;
            let value = scalar::integer(number.text).and_then(|value| i32::try_from(value).ok());
            values.push(value.ok_or_else(|| whole(number, "32"))?);
        }
        (Values::Int64(values), b'-' | b'0'..=b'9') => {
            let number = walk.number()?;
            values.push(scalar::integer(number.text).ok_or_else(|| whole(number, "64"))?);
        }
        (Values::Double(values), b'-' | b'0'..=b'9') => {
            let number = walk.number()?;
            values.push(scalar::double(number.text).ok_or_else(|| great(number))?);
        }
        (Values::Float(values), b'-' | b'0'..=b'9') => {
            let number = walk.number()?;
            // Straight from the text: a double between would be rounded twice.
            let value = std::str::from_utf8(number.text)
                .ok()
                .and_then(|text| text.parse().ok())
                .filter(|value: &f32| value.is_finite());
            values.push(value.ok_or_else(|| great(number))?);
        }
        (
            Values::Decimal {
                values,
                precision,
                scale,
            },
            b'-' | b'0'..=b'9',
        ) => {
            let number = walk.number()?;
            let value = scalar::decimal(number.text, *precision, *scale);
            values.push(value.ok_or_else(|| {
                Fault::value(format!(
                    "{} has more digits than decimal({precision},{scale}) holds",
                    scalar::shown(number.text)
                ))
            })?);
        }
        (Values::Timestamp(values), b'-' | b'0'..=b'9') => {
            let number = walk.number()?;
            values.push(scalar::integer(number.text).ok_or_else(|| {
                Fault::value(format!(
                    "expected a time as whole milliseconds since 1970, found {}",
                    scalar::shown(number.text)
                ))
            })?);
        }
        (values, b'"') => return written_as_string(walk, values),
        (values, _) => return Err(wrong(walk, values, byte)),
    }
    Ok(())
}

/// Times, days and bytes, which JSON can only write as strings.
fn written_as_string(walk: &mut Walk<'_>, values: &mut Values) -> Result<()> {
    match values {
        Values::Timestamp(values) => {
            let contents = string(walk);
            values.push(scalar::instant(&contents).ok_or_else(|| {
                Fault::value(format!(
                    "expected a time such as 2026-01-31T12:30:00Z, found \"{}\"",
                    scalar::shown(&contents)
                ))
            })?);
        }
        Values::Date(values) => {
            let contents = string(walk);
            values.push(scalar::date(&contents).ok_or_else(|| {
                Fault::value(format!(
                    "expected a date such as 2026-01-31, found \"{}\"",
                    scalar::shown(&contents)
                ))
            })?);
        }
        Values::Binary { bytes, offsets } => {
            let contents = string(walk);
            if let Err(error) = STANDARD.decode_vec(&contents, bytes) {
                bytes.truncate(usize::try_from(offsets[offsets.len() - 1]).expect("offsets are places"));
                return Err(Fault::value(format!("expected base64: {error}").to_lowercase()));
            }
            offsets.push(offset(bytes.len()));
        }
        values => return Err(wrong(walk, values, b'"')),
    }
    Ok(())
}

/// The string that begins here, as it is meant.
fn string(walk: &mut Walk<'_>) -> Vec<u8> {
    let (from, to) = walk.string();
    let mut plain = Vec::with_capacity(to - from);
    text::unescape(&walk.bytes()[from..to], &mut plain);
    plain
}

#[cold]
fn whole(number: Number<'_>, bits: &str) -> Box<Fault> {
    let text = scalar::shown(number.text);
    Fault::value(if number.is_integer {
        format!("{text} does not fit in {bits} bits")
    } else {
        format!("expected a whole number, found {text}")
    })
}

#[cold]
fn great(number: Number<'_>) -> Box<Fault> {
    Fault::value(format!(
        "{} is too great for a number of floating point",
        scalar::shown(number.text)
    ))
}

/// A value of another type than the wanted, or no value at all.
#[cold]
fn wrong(walk: &mut Walk<'_>, values: &Values, byte: u8) -> Box<Fault> {
    // What is no JSON says so, whatever was wanted here.
    if let Err(fault) = walk.skip() {
        return fault;
    }
    let wanted = match values {
        Values::Boolean(_) => "a boolean",
        Values::Int32(_) | Values::Int64(_) | Values::Float(_) | Values::Double(_) | Values::Decimal { .. } => {
            "a number"
        }
        Values::Date(_) => "a date as a string",
        Values::Timestamp(_) => "a time as a number or a string",
        Values::Text(_) => "a string",
        Values::Any(_) => "a value",
        Values::Binary { .. } => "base64 as a string",
        Values::Record(_) => "an object",
        Values::List { .. } => "a list",
    };
    Fault::value(format!("expected {wanted}, found {}", kind(byte)))
}
