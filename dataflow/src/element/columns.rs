//! The columns a document cannot name: where a row comes from, and its bytes.
//!
//! A name of a document never begins with `$`, so these cannot clash; the planner drops those that nobody downstream reads.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};

/// The record as it came, byte for byte (`BinaryView` over the reader's buffer). Only in streams without a schema.
pub const RAW: &str = "$raw";
/// The source split, by its id (`Dictionary(Int32, Utf8)`).
pub const SPLIT: &str = "$split";
/// The record's place in its split (`UInt64`): a byte offset, a row number or a sequence number; grows within a split.
pub const POSITION: &str = "$position";
/// Event time, or else arrival time (`Timestamp(ms, UTC)`).
pub const TIME: &str = "$time";

/// The field of [`RAW`].
#[must_use]
pub fn raw() -> FieldRef {
    Arc::new(Field::new(RAW, DataType::BinaryView, false))
}

/// The field of [`SPLIT`].
#[must_use]
pub fn split() -> FieldRef {
    Arc::new(Field::new(SPLIT, DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), false))
}

/// The field of [`POSITION`].
#[must_use]
pub fn position() -> FieldRef {
    Arc::new(Field::new(POSITION, DataType::UInt64, false))
}

/// The field of [`TIME`].
#[must_use]
pub fn time() -> FieldRef {
    Arc::new(Field::new(TIME, timestamp(), true))
}

/// How Weir writes an instant: milliseconds since 1970, UTC.
#[must_use]
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// Whether a column is one that documents cannot name.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    name.starts_with('$')
}
