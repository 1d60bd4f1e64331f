//! JSON, one value a line: the format of most streams, and the hot path of most jobs.
//!
//! A record is read twice, fast each time: [`tokens`] finds with vector instructions where its tokens begin, and checks what
//! strings may hold; [`walk`] goes from token to token and checks that they make one value. What is wanted is taken on that
//! walk by [`read`]; strings without escapes become views of the record's buffer.
//!
//! ```text
//!   bytes ── tokens ──> places of tokens ── walk ──> good or bad
//!                                            └ read ──> columns
//! ```
//!
//! A record is good if it is one whole value of RFC 8259 in UTF-8, at most 127 deep, whose `\u` escapes are characters. A
//! number that nobody reads may be of any size. Of members with one name the first counts; absent and null are NULL.

mod changes;
mod decode;
mod encode;
mod fault;
mod names;
mod read;
mod record;
pub(super) mod simd;
mod splice;
mod text;
mod tokens;
mod walk;
mod write;

pub(super) use encode::Written;

use arrow_schema::SchemaRef;
use dataflow::contract::InvalidOptions;
use dataflow::contract::format::{Decoder, Encoder, Format, Framing, Splicer};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::options;

/// The format `json`.
pub struct Json;

/// JSON, one object a line. Without a schema the records are carried as bytes and their fields are read by path.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct JsonOptions {
    /// The fields of a record and their types. Fields that are not listed are left out.
    pub schema: Option<Map<String, Value>>,
}

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn schema(&self) -> Value {
        schemars::schema_for!(JsonOptions).to_value()
    }

    fn needs_schema(&self) -> bool {
        false
    }

    fn framing(&self, value: &Value) -> Result<Framing, InvalidOptions> {
        options::<JsonOptions>(value)?;
        Ok(Framing::Lines)
    }

    fn decoder(&self, value: &Value, columns: SchemaRef) -> Result<Box<dyn Decoder>, InvalidOptions> {
        options::<JsonOptions>(value)?;
        Ok(Box::new(decode::JsonDecoder::new(&columns)?))
    }

    fn encoder(&self, value: &Value, columns: SchemaRef) -> Result<Box<dyn Encoder>, InvalidOptions> {
        options::<JsonOptions>(value)?;
        encode::encoder(&columns)
    }

    fn splicer(&self) -> Option<&dyn Splicer> {
        Some(&splice::JsonSplicer)
    }
}

#[cfg(test)]
mod tests;
