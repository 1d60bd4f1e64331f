//! Raw: records are opaque lines. Nothing is checked and nothing can be read of them.

use arrow::array::BinaryViewArray;
use arrow_schema::SchemaRef;
use dataflow::contract::InvalidOptions;
use dataflow::contract::format::{Decoded, Decoder, Encoder, Format, Framing};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::lines::RawEncoder;
use super::options;

/// The format `raw`.
pub struct Raw;

/// Lines of any bytes. They are carried as they are, unchecked, and no field of them can be read.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct RawOptions {}

impl Format for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn schema(&self) -> Value {
        schemars::schema_for!(RawOptions).to_value()
    }

    fn needs_schema(&self) -> bool {
        false
    }

    fn framing(&self, value: &Value) -> Result<Framing, InvalidOptions> {
        options::<RawOptions>(value)?;
        Ok(Framing::Lines)
    }

    fn decoder(&self, value: &Value, columns: SchemaRef) -> Result<Box<dyn Decoder>, InvalidOptions> {
        options::<RawOptions>(value)?;
        match columns.fields().first() {
            None => Ok(Box::new(Opaque)),
            Some(field) => Err(InvalidOptions {
                pointer: String::new(),
                message: format!("the field `{}` cannot be read with `format: raw`", field.name()),
                help: Some("write `format: json` at the source, or leave out what reads fields".to_owned()),
            }),
        }
    }

    fn encoder(&self, value: &Value, columns: SchemaRef) -> Result<Box<dyn Encoder>, InvalidOptions> {
        options::<RawOptions>(value)?;
        match RawEncoder::new(&columns) {
            Some(encoder) => Ok(Box::new(encoder)),
            None => Err(InvalidOptions {
                pointer: String::new(),
                message: "`format: raw` writes records as they came, but these rows have columns in place of bytes"
                    .to_owned(),
                help: Some("write `format: json` at the sink".to_owned()),
            }),
        }
    }
}

/// Makes nothing of records.
struct Opaque;

impl Decoder for Opaque {
    fn decode(&mut self, _: &BinaryViewArray) -> Decoded {
        Decoded {
            columns: Vec::new(),
            bad: Vec::new(),
        }
    }
}
