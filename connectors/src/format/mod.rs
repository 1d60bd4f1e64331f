//! Formats: how records become columns and columns become records.
//!
//! In: batches of records, as views over read buffers, and the columns somebody reads. Out: those columns, or bytes again.
//! Called by the task manager's `decode` nodes and sinks through the traits of `dataflow::contract::format`.
//! What must stay true: a record is good or bad whatever is read of it; a bad one never stops the others; nothing panics
//! whatever the bytes are. Not here: cutting streams into records (the sources do, by [`Framing`]), compression.
//!
//! [`Framing`]: dataflow::contract::Framing

pub mod csv;
pub mod json;
pub mod raw;

mod column;
mod lines;
mod scalar;

use std::sync::Arc;

use dataflow::contract::{Format, InvalidOptions};
use serde_json::Value;

/// All formats, in the order in which they are listed.
#[must_use]
pub fn all() -> Vec<Arc<dyn Format>> {
    vec![Arc::new(json::Json), Arc::new(csv::Csv), Arc::new(raw::Raw)]
}

/// Reads a format's options; `format: json` alone has none.
fn options<T: serde::de::DeserializeOwned + Default>(value: &Value) -> Result<T, InvalidOptions> {
    if value.is_null() {
        Ok(T::default())
    } else {
        dataflow::contract::connector::options(value)
    }
}

#[cfg(test)]
mod tests;
