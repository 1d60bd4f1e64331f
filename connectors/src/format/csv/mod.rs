//! CSV: one row a line (RFC 4180), its fields in the order of the schema.

mod decode;
mod encode;

use arrow_schema::SchemaRef;
use dataflow::contract::InvalidOptions;
use dataflow::contract::format::{Decoder, Encoder, Format, Framing};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::options;

/// The format `csv`.
pub struct Csv;

/// Comma-separated values. Fields stand in the order of the schema; one with the delimiter, the quote or a line feed in it
/// stands in quotes, and a quote in it is doubled.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct CsvOptions {
    /// The fields of a row and their types, in the order in which they stand.
    pub schema: Map<String, Value>,
    /// What stands between two fields: one ASCII character.
    pub delimiter: String,
    /// What stands around a field that holds the delimiter: one ASCII character.
    pub quote: String,
    /// Whether the first line of each file has the names of the fields, in the order of the schema. A sink writes it.
    pub header: bool,
    /// What stands in place of NULL, without quotes.
    pub null_text: String,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            schema: Map::new(),
            delimiter: ",".to_owned(),
            quote: "\"".to_owned(),
            header: true,
            null_text: String::new(),
        }
    }
}

/// How fields are told apart.
#[derive(Clone, Debug)]
struct Dialect {
    delimiter: u8,
    quote: u8,
    null_text: Vec<u8>,
}

impl Dialect {
    fn new(options: &CsvOptions) -> Result<Self, InvalidOptions> {
        let delimiter = character(&options.delimiter, "/delimiter")?;
        let quote = character(&options.quote, "/quote")?;
        if delimiter == quote {
            return Err(invalid("/quote", "the quote and the delimiter are the same character"));
        }
        let null_text = options.null_text.clone().into_bytes();
        if null_text
            .iter()
            .any(|byte| [delimiter, quote, b'\n', b'\r'].contains(byte))
        {
            return Err(invalid(
                "/nullText",
                "it holds the delimiter, the quote or a line end, so no field could be it",
            ));
        }
        Ok(Self {
            delimiter,
            quote,
            null_text,
        })
    }

    /// Appends a field that is not NULL, in quotes if it needs them.
    fn write(&self, field: &[u8], out: &mut Vec<u8>) {
        let is_plain = |byte: &u8| ![self.delimiter, self.quote, b'\n', b'\r'].contains(byte);
        if field != self.null_text && !field.is_empty() && field.iter().all(is_plain) {
            out.extend_from_slice(field);
            return;
        }
        out.push(self.quote);
        for byte in field {
            if *byte == self.quote {
                out.push(self.quote);
            }
            out.push(*byte);
        }
        out.push(self.quote);
    }

    /// The line of names.
    fn header<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<u8> {
        let mut line = Vec::new();
        for (index, name) in names.enumerate() {
            if index > 0 {
                line.push(self.delimiter);
            }
            self.write(name.as_bytes(), &mut line);
        }
        line
    }
}

fn character(text: &str, pointer: &str) -> Result<u8, InvalidOptions> {
    match text.as_bytes() {
        [byte @ (b'\t' | b' '..=b'~')] => Ok(*byte),
        _ => Err(invalid(
            pointer,
            "it must be one ASCII character, such as `,` or `;` or a tab (\"\\t\")",
        )),
    }
}

fn invalid(pointer: &str, message: &str) -> InvalidOptions {
    InvalidOptions {
        pointer: pointer.to_owned(),
        message: message.to_owned(),
        help: None,
    }
}

/// That no column has others inside it.
fn flat(columns: &SchemaRef) -> Result<(), InvalidOptions> {
    match columns.fields().iter().find(|field| field.data_type().is_nested()) {
        None => Ok(()),
        Some(field) => Err(InvalidOptions {
            pointer: "/schema".to_owned(),
            message: format!(
                "the field `{}` is a list or a record, which a CSV field cannot hold",
                field.name()
            ),
            help: Some("use `format: json`, or a `select` that makes plain columns of it".to_owned()),
        }),
    }
}

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn schema(&self) -> Value {
        schemars::schema_for!(CsvOptions).to_value()
    }

    fn needs_schema(&self) -> bool {
        true
    }

    fn framing(&self, value: &Value) -> Result<Framing, InvalidOptions> {
        let options: CsvOptions = options(value)?;
        let dialect = Dialect::new(&options)?;
        let header = options
            .header
            .then(|| dialect.header(options.schema.keys().map(String::as_str)));
        Ok(Framing::QuotedLines {
            quote: dialect.quote,
            header,
        })
    }

    fn decoder(&self, value: &Value, columns: SchemaRef) -> Result<Box<dyn Decoder>, InvalidOptions> {
        let options: CsvOptions = options(value)?;
        flat(&columns)?;
        Ok(Box::new(decode::CsvDecoder::new(
            Dialect::new(&options)?,
            &options.schema,
            &columns,
        )?))
    }

    fn encoder(&self, value: &Value, columns: SchemaRef) -> Result<Box<dyn Encoder>, InvalidOptions> {
        let options: CsvOptions = options(value)?;
        if columns.column_with_name(dataflow::element::columns::KIND).is_some() {
            return Err(InvalidOptions {
                pointer: String::new(),
                message: "changes of earlier rows cannot be written as CSV".to_owned(),
                help: Some("write `format: json` at the sink".to_owned()),
            });
        }
        Ok(Box::new(encode::CsvEncoder::new(
            Dialect::new(&options)?,
            &options,
            &columns,
        )?))
    }
}
