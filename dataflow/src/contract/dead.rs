//! Dead letters: what every record that a step could not take becomes.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::element::columns;

/// The columns of a dead letter.
///
/// `record` holds the original bytes, behind `unnest` and `select` those of the record that the row was made of; or, of a row that never was bytes, its columns as JSON. Bytes that are not UTF-8 are in
/// `recordBytes` instead: what a person will look for in a file of JSON is text, and nothing of the others may be lost.
#[must_use]
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("datastream", DataType::Utf8, false),
        Field::new("step", DataType::Utf8, false),
        Field::new("error", DataType::Utf8, false),
        Field::new("split", DataType::Utf8, true),
        Field::new("position", DataType::UInt64, true),
        Field::new("attempt", DataType::Utf8, false),
        Field::new("failedAt", columns::timestamp(), false),
        Field::new("record", DataType::Utf8, true),
        Field::new("recordBytes", DataType::Binary, true),
    ]))
}
