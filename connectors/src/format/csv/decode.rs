//! Rows of CSV into columns.

use arrow::array::{Array, BinaryViewArray};
use arrow_schema::SchemaRef;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dataflow::contract::InvalidOptions;
use dataflow::contract::format::{BadRecord, Decoded, Decoder};
use serde_json::{Map, Value};

use super::{Dialect, invalid};
use crate::format::column::{Column, Values, columns, offset};
use crate::format::lines::parts;
use crate::format::scalar;

/// Splits rows into fields and reads those that are wanted.
pub(super) struct CsvDecoder {
    dialect: Dialect,
    columns: Vec<Column>,
    /// Of each field of a row, the column that wants it.
    wanted: Vec<Option<usize>>,
}

/// One field of a row.
struct Field<'a> {
    /// Between its quotes, if it has any.
    text: &'a [u8],
    /// Where that begins in the row.
    from: usize,
    is_quoted: bool,
    has_doubled_quotes: bool,
}

impl CsvDecoder {
    pub(super) fn new(
        dialect: Dialect,
        schema: &Map<String, Value>,
        wanted: &SchemaRef,
    ) -> Result<Self, InvalidOptions> {
        let columns = columns(wanted.fields())?;
        // Without the document's schema the columns are all there are.
        if schema.is_empty() {
            let wanted = (0..columns.len()).map(Some).collect();
            return Ok(Self {
                dialect,
                columns,
                wanted,
            });
        }
        if let Some(column) = columns.iter().find(|column| !schema.contains_key(column.name())) {
            return Err(invalid("/schema", &format!("it has no field `{}`", column.name())));
        }
        let wanted = schema
            .keys()
            .map(|name| columns.iter().position(|column| column.name() == name))
            .collect();
        Ok(Self {
            dialect,
            columns,
            wanted,
        })
    }

    fn row(&mut self, record: &[u8], (buffer, start): (usize, usize), own: usize) -> Result<(), String> {
        if let Err(error) = std::str::from_utf8(record) {
            return Err(format!("not CSV in UTF-8 at byte {}", error.valid_up_to()));
        }
        let mut at = 0;
        for index in 0..self.wanted.len() {
            let (field, next) = field(record, at, &self.dialect)?;
            if let Some(column) = self.wanted[index] {
                let column = &mut self.columns[column];
                read(column, &field, &self.dialect, (buffer, start + field.from, own))
                    .map_err(|error| format!("{}: {error}", column.name()))?;
            }
            at = match next {
                Some(next) => next,
                None if index + 1 == self.wanted.len() => return Ok(()),
                None => return Err(format!("expected {} fields, found {}", self.wanted.len(), index + 1)),
            };
        }
        Err(format!(
            "expected {} fields, found more from byte {at} on",
            self.wanted.len()
        ))
    }
}

impl Decoder for CsvDecoder {
    fn decode(&mut self, records: &BinaryViewArray) -> Decoded {
        let shared = records.data_buffers();
        let mut bad = Vec::new();
        for row in 0..records.len() {
            let [_, _, buffer, start] = parts(records.views()[row]);
            if let Err(error) = self.row(records.value(row), (buffer, start), shared.len()) {
                bad.push(BadRecord { row, error });
            }
            for column in &mut self.columns {
                column.fill(row + 1);
            }
        }
        Decoded {
            columns: self.columns.iter_mut().map(|column| column.finish(shared)).collect(),
            bad,
        }
    }
}

/// The field that begins at `at`, and where the next one does.
fn field<'a>(record: &'a [u8], at: usize, dialect: &Dialect) -> Result<(Field<'a>, Option<usize>), String> {
    let rest = &record[at..];
    if rest.first() != Some(&dialect.quote) {
        let end = memchr::memchr(dialect.delimiter, rest).unwrap_or(rest.len());
        let field = Field {
            text: &rest[..end],
            from: at,
            is_quoted: false,
            has_doubled_quotes: false,
        };
        return Ok((field, (end < rest.len()).then_some(at + end + 1)));
    }
    let mut from = 1;
    let mut has_doubled_quotes = false;
    loop {
        let Some(found) = memchr::memchr(dialect.quote, &rest[from..]) else {
            return Err(format!(
                "the row is cut off inside the quoted field that begins at byte {at}"
            ));
        };
        let end = from + found;
        let next = match rest.get(end + 1) {
            Some(byte) if *byte == dialect.quote => {
                has_doubled_quotes = true;
                from = end + 2;
                continue;
            }
            None => None,
            Some(byte) if *byte == dialect.delimiter => Some(at + end + 2),
            Some(_) => return Err(format!("text behind the closing quote at byte {}", at + end)),
        };
        return Ok((
            Field {
                text: &rest[1..end],
                from: at + 1,
                is_quoted: true,
                has_doubled_quotes,
            },
            next,
        ));
    }
}

/// Reads one field as the next row of its column. `place` is the buffer and the place in it, and the columns' own buffer.
fn read(column: &mut Column, field: &Field<'_>, dialect: &Dialect, place: (usize, usize, usize)) -> Result<(), String> {
    if !field.is_quoted && field.text == dialect.null_text {
        if !column.field.is_nullable() {
            return Err("must not be empty".to_owned());
        }
        column.fill(column.len() + 1);
        return Ok(());
    }
    let undoubled;
    let text = if field.has_doubled_quotes {
        undoubled = undouble(field.text, dialect.quote);
        &undoubled
    } else {
        field.text
    };
    if let Values::Text(values) | Values::Any(values) = &mut column.values {
        if field.has_doubled_quotes {
            values.push_own(text, place.2);
        } else {
            values.push(text, place.0, place.1);
        }
    } else {
        scalar_value(&mut column.values, text)
            .ok_or_else(|| format!("expected {}, found `{}`", wanted(&column.values), scalar::shown(text)))?;
    }
    column.nulls.append_non_null();
    Ok(())
}

fn undouble(text: &[u8], quote: u8) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        plain.push(*byte);
        if *byte == quote {
            bytes.next();
        }
    }
    plain
}

fn scalar_value(values: &mut Values, text: &[u8]) -> Option<()> {
    match values {
        Values::Boolean(values) => values.append(boolean(text)?),
        Values::Int32(values) => values.push(i32::try_from(scalar::integer(text)?).ok()?),
        Values::Int64(values) => values.push(scalar::integer(text)?),
        Values::Float(values) => {
            let value: f32 = std::str::from_utf8(text).ok()?.parse().ok()?;
            values.push(Some(value).filter(|value| value.is_finite())?);
        }
        Values::Double(values) => values.push(scalar::double(text)?),
        Values::Decimal {
            values,
            precision,
            scale,
        } => values.push(scalar::decimal(text, *precision, *scale)?),
        Values::Date(values) => values.push(scalar::date(text)?),
        Values::Timestamp(values) => values.push(scalar::integer(text).or_else(|| scalar::instant(text))?),
        Values::Binary { bytes, offsets } => {
            let before = bytes.len();
            if STANDARD.decode_vec(text, bytes).is_err() {
                bytes.truncate(before);
                return None;
            }
            offsets.push(offset(bytes.len()));
        }
        // Text is read before; lists and records were refused with the schema.
        Values::Text(_) | Values::Any(_) | Values::Record(_) | Values::List { .. } => return None,
    }
    Some(())
}

fn boolean(text: &[u8]) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word.as_bytes());
    if is("true") {
        Some(true)
    } else {
        is("false").then_some(false)
    }
}

fn wanted(values: &Values) -> String {
    match values {
        Values::Boolean(_) => "`true` or `false`".to_owned(),
        Values::Int32(_) => "a whole number of 32 bits".to_owned(),
        Values::Int64(_) => "a whole number of 64 bits".to_owned(),
        Values::Float(_) | Values::Double(_) => "a number".to_owned(),
        Values::Decimal { precision, scale, .. } => format!("a decimal({precision},{scale})"),
        Values::Date(_) => "a date such as 2026-01-31".to_owned(),
        Values::Timestamp(_) => "milliseconds since 1970 or a time such as 2026-01-31T12:30:00Z".to_owned(),
        Values::Text(_) | Values::Any(_) => "text".to_owned(),
        Values::Binary { .. } => "base64".to_owned(),
        Values::Record(_) | Values::List { .. } => "a plain value".to_owned(),
    }
}
