//! The columns a document cannot name: where a row comes from, and its bytes. And those that hold a value of any type.
//!
//! A name of a document never begins with `$`, so these cannot clash; the planner drops those that nobody downstream reads.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};

/// The record as it came, byte for byte (`BinaryView` over the reader's buffer). Only in streams without a schema.
pub const RAW: &str = "$raw";
/// The source split, by its id (`Dictionary(Int32, Utf8)`).
pub const SPLIT: &str = "$split";
/// The record's place in its split (`UInt64`): a byte offset, a row number or a sequence number; grows within a split.
pub const POSITION: &str = "$position";
/// A row as a sink writes it, line feed included (`LargeBinary`). The only column of rows that were encoded for a sink.
pub const LINE: &str = "$line";
/// What a row of a stream of changes is (`Int8`): [`INSERT`], [`BEFORE`] or [`AFTER`]. A stream without it has only inserts.
pub const KIND: &str = "$kind";
/// A new row.
pub const INSERT: i8 = 0;
/// What a row was, before a change or its end: it is taken back.
pub const BEFORE: i8 = 1;
/// What a row has become.
pub const AFTER: i8 = 2;
/// Event time, or else arrival time (`Timestamp(ms, UTC)`).
pub const TIME: &str = "$time";
/// The bytes of the record that a row was made of, where the row itself is columns or other bytes (`BinaryView`). Only as
/// far as somebody may have to write them into a dead letter; a sink never sees it.
pub const ORIGIN: &str = "$origin";
/// Which time rows count for, in milliseconds (`Int64`): of half-folded rows the start of their pane, or the latest of their
/// times where panes have none. Only between the two phases of an aggregate.
pub const PANE: &str = "$pane";
/// What rows were half-folded to, in the aggregate's own form (`Binary`); NULL of a row that was not folded. Only between
/// the two phases of an aggregate.
pub const STATE: &str = "$state";

/// The field of [`RAW`].
#[must_use]
pub fn raw() -> FieldRef {
    Arc::new(Field::new(RAW, DataType::BinaryView, false))
}

/// The field of [`SPLIT`].
#[must_use]
pub fn split() -> FieldRef {
    Arc::new(Field::new(
        SPLIT,
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        false,
    ))
}

/// The field of [`POSITION`].
#[must_use]
pub fn position() -> FieldRef {
    Arc::new(Field::new(POSITION, DataType::UInt64, false))
}

/// The field of [`LINE`].
#[must_use]
pub fn line() -> FieldRef {
    Arc::new(Field::new(LINE, DataType::LargeBinary, false))
}

/// Whether rows of this schema carry their time.
#[must_use]
pub fn is_timed(schema: &Schema) -> bool {
    schema.index_of(TIME).is_ok()
}

/// The field of [`TIME`].
#[must_use]
pub fn time() -> FieldRef {
    Arc::new(Field::new(TIME, timestamp(), true))
}

/// The field of [`KIND`].
#[must_use]
pub fn kind() -> FieldRef {
    Arc::new(Field::new(KIND, DataType::Int8, false))
}

/// The field of [`ORIGIN`].
#[must_use]
pub fn origin() -> FieldRef {
    Arc::new(Field::new(ORIGIN, DataType::BinaryView, false))
}

/// The column with the bytes that rows came as: [`ORIGIN`], or [`RAW`] where nobody has touched them yet.
#[must_use]
pub fn original(schema: &Schema) -> Option<usize> {
    let place = |name| schema.index_of(name).ok();
    place(ORIGIN).or_else(|| place(RAW))
}

/// The field of [`PANE`].
#[must_use]
pub fn pane() -> FieldRef {
    Arc::new(Field::new(PANE, DataType::Int64, false))
}

/// The field of [`STATE`].
#[must_use]
pub fn state() -> FieldRef {
    Arc::new(Field::new(STATE, DataType::Binary, true))
}

/// The field of one of the values that an aggregate folds, of a row that was not folded yet; NULL beside a [`STATE`]. Only
/// between the two phases of an aggregate.
#[must_use]
pub fn value(place: usize, data_type: DataType) -> FieldRef {
    Arc::new(Field::new(value_name(place), data_type, true))
}

/// What such a column is called.
#[must_use]
pub fn value_name(place: usize) -> String {
    format!("$value{place}")
}

/// How Weir writes an instant: milliseconds since 1970, UTC.
#[must_use]
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

const JSON: &str = "weir.json";
const ANY: &str = "any";

/// A field of an open stream of which nothing says what type it has: a `Utf8View` that holds the value's JSON text, byte
/// for byte. A string keeps its quotes and escapes; null and absent are NULL.
///
/// Only the field's metadata tells it from a field of text: who makes a field of another must carry it along.
#[must_use]
pub fn any(name: &str) -> Field {
    let metadata = HashMap::from([(JSON.to_owned(), ANY.to_owned())]);
    Field::new(name, DataType::Utf8View, true).with_metadata(metadata)
}

/// Whether a field holds the JSON text of a value of any type, as those of [`any`] do.
#[must_use]
pub fn is_any(field: &Field) -> bool {
    *field.data_type() == DataType::Utf8View && field.metadata().get(JSON).is_some_and(|held| held == ANY)
}

/// Whether a column is one that documents cannot name.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    name.starts_with('$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_any_type_is_told_from_text_also_behind_the_wire() {
        let sent = serde_json::to_string(&any("id")).unwrap();
        let field: Field = serde_json::from_str(&sent).unwrap();
        assert!(is_any(&field) && is_any(&field.clone().with_name("renamed")));
        assert!(!is_any(&Field::new("id", DataType::Utf8View, true)));
        assert!(!is_any(&field.with_data_type(DataType::Float64)));
    }
}
