//! A registry of toys: connectors and formats with options but nothing behind them, for tests of the planner.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use dataflow::contract::sink::{Kinds, Wants};
use dataflow::contract::{
    Connector, Decoder, Description, Encoder, Enumerator, EnumeratorContext, Format, Framing, Guarantee,
    InvalidOptions, Reader, ReaderContext, Shape, Sink, SinkConnector, SinkContext, SourceConnector,
};
use dataflow::element::columns;
use dataflow::{Failure, Registry};
use planner::Catalog;
use serde_json::{Value, json};

/// The catalog of all toys.
pub(crate) fn catalog() -> Catalog {
    Catalog::new(registry())
}

/// All toys.
pub(crate) fn registry() -> Registry {
    let connector = |name, source: Option<Value>, sink: Option<Value>| -> Arc<dyn Connector> {
        Arc::new(Toy {
            name,
            source: source.map(|schema| Side { name, schema }),
            sink: sink.map(|schema| Side { name, schema }),
        })
    };
    let stream = || options(json!({"streamName": {"type": "string"}}), &["streamName"]);
    let connectors = vec![
        connector("kinesisStream", Some(stream()), Some(stream())),
        connector("kafka", Some(kafka()), Some(kafka())),
        connector("file", Some(files()), Some(files())),
        connector("generator", Some(generator()), None),
        connector("table", Some(options(json!({}), &[])), None),
        connector(
            "archive",
            Some(options(json!({"path": {"type": "string"}}), &["path"])),
            None,
        ),
        connector("stdout", None, Some(options(json!({}), &[]))),
        connector("blackhole", None, Some(options(json!({}), &[]))),
        connector("parquet", None, Some(parquet())),
    ];
    let delimiter = json!({"delimiter": {"type": "string", "maxLength": 1}, "header": {"type": "boolean"}, "schema": {"type": "object"}});
    let formats: Vec<Arc<dyn Format>> = vec![
        Arc::new(ToyFormat {
            name: "json",
            schema: options(json!({"schema": {"type": "object"}}), &[]),
            needs_schema: false,
        }),
        Arc::new(ToyFormat {
            name: "raw",
            schema: options(json!({}), &[]),
            needs_schema: false,
        }),
        Arc::new(ToyFormat {
            name: "csv",
            schema: options(delimiter, &[]),
            needs_schema: true,
        }),
    ];
    Registry::new(connectors, formats)
}

fn options(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn kafka() -> Value {
    let properties = json!({
        "brokers": {"type": "string"},
        "topic": {"type": "string", "minLength": 1},
        "from": {"oneOf": [{"const": "earliest"}, {"const": "latest"}]},
    });
    options(properties, &["brokers", "topic"])
}

fn files() -> Value {
    let roll = json!({"type": ["object", "null"], "properties": {"rows": {"type": "integer", "minimum": 1}}, "additionalProperties": false});
    let properties = json!({
        "path": {"type": "string", "minLength": 1},
        "compression": {"type": "string", "enum": ["none", "gzip", "zstd"]},
        "watch": {"type": "boolean"},
        "roll": roll,
        "changelog": {"type": "boolean"},
    });
    options(properties, &["path"])
}

fn generator() -> Value {
    let properties = json!({
        "events": {"type": "string", "enum": ["shop", "nexmark", "keys"]},
        "count": {"type": ["integer", "null"], "minimum": 0},
        "malformed": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "splits": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
    });
    options(properties, &[])
}

fn parquet() -> Value {
    let properties = json!({
        "path": {"type": "string"},
        "partitionBy": {"type": "array", "items": {"type": "string"}},
        "rollInterval": {"type": "string"},
    });
    options(properties, &["path"])
}

struct Toy {
    name: &'static str,
    source: Option<Side>,
    sink: Option<Side>,
}

struct Side {
    name: &'static str,
    schema: Value,
}

impl Connector for Toy {
    fn name(&self) -> &'static str {
        self.name
    }

    fn describe(&self) -> Description {
        Description {
            summary: "a toy",
            guarantee: self.sink.as_ref().map(|_| Guarantee::ExactlyOnce),
            examples: &[],
        }
    }

    fn source(&self) -> Option<&dyn SourceConnector> {
        self.source.as_ref().map(|side| side as &dyn SourceConnector)
    }

    fn sink(&self) -> Option<&dyn SinkConnector> {
        self.sink.as_ref().map(|side| side as &dyn SinkConnector)
    }
}

#[async_trait]
impl SourceConnector for Side {
    fn schema(&self) -> Value {
        self.schema.clone()
    }

    /// Toys yield bytes, but `table` yields typed columns, and a path that ends in `.parquet` columns that have to be
    /// discovered; one that ends in `.missing` can't work.
    fn plan(&self, options: &Value) -> Result<Shape, InvalidOptions> {
        refuse_missing(options)?;
        let path = options["path"].as_str().unwrap_or_default();
        Ok(match self.name {
            "table" | "archive" => Shape::Columns(table()),
            _ if path.ends_with(".parquet") => Shape::Discovered,
            _ => Shape::Bytes,
        })
    }

    fn is_timed(&self) -> bool {
        self.name == "archive"
    }

    fn enumerator(&self, _: &Value, _: EnumeratorContext, _: Option<Value>) -> Result<Box<dyn Enumerator>, Failure> {
        Err(Failure::bug("a toy"))
    }

    fn reader(&self, _: &Value, _: ReaderContext) -> Result<Box<dyn Reader>, Failure> {
        Err(Failure::bug("a toy"))
    }
}

impl SinkConnector for Side {
    fn schema(&self) -> Value {
        self.schema.clone()
    }

    fn plan(&self, options: &Value, input: &SchemaRef) -> Result<Wants, InvalidOptions> {
        refuse_missing(options)?;
        let encoded = !matches!(self.name, "blackhole" | "parquet");
        let changelog = options["changelog"] == true;
        let kinds = if changelog || self.name == "blackhole" {
            Kinds::Changes
        } else {
            Kinds::Inserts
        };
        let reserved = input.fields().iter().map(|field| field.name().clone());
        let wanted = |name: &str| !encoded || (changelog && name == columns::KIND);
        let reserved = reserved
            .filter(|name| columns::is_reserved(name) && wanted(name))
            .collect();
        let partitions = options["partitionBy"].as_array().cloned().unwrap_or_default();
        let partitions = partitions.iter().filter_map(|path| path.as_str()?.parse().ok());
        Ok(Wants {
            encoded,
            reserved,
            paths: partitions.map(|path| (path, DataType::Utf8View)).collect(),
            kinds,
        })
    }

    fn sink(&self, _: &Value, _: SinkContext) -> Result<Box<dyn Sink>, Failure> {
        Err(Failure::bug("a toy"))
    }
}

fn refuse_missing(options: &Value) -> Result<(), InvalidOptions> {
    match options["path"].as_str() {
        Some(path) if path.ends_with(".missing") => Err(InvalidOptions {
            pointer: "/path".to_owned(),
            message: format!("`{path}` can't be used"),
            help: Some("name another file".to_owned()),
        }),
        _ => Ok(()),
    }
}

fn table() -> SchemaRef {
    let item = Field::new("price", DataType::Float64, true);
    let items = DataType::List(Arc::new(Field::new_list_field(
        DataType::Struct(vec![item].into()),
        true,
    )));
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("eventType", DataType::Utf8View, true),
        Field::new("total", DataType::Float64, true),
        Field::new("paid", DataType::Boolean, true),
        Field::new("items", items, true),
    ]))
}

struct ToyFormat {
    name: &'static str,
    schema: Value,
    needs_schema: bool,
}

impl Format for ToyFormat {
    fn name(&self) -> &'static str {
        self.name
    }

    fn schema(&self) -> Value {
        self.schema.clone()
    }

    fn needs_schema(&self) -> bool {
        self.needs_schema
    }

    fn framing(&self, _: &Value) -> Result<Framing, InvalidOptions> {
        Ok(Framing::Lines)
    }

    fn decoder(&self, _: &Value, columns: SchemaRef) -> Result<Box<dyn Decoder>, InvalidOptions> {
        if self.name == "raw" && !columns.fields().is_empty() {
            let message = "a raw record has no fields".to_owned();
            return Err(InvalidOptions {
                pointer: String::new(),
                message,
                help: Some("use another format".to_owned()),
            });
        }
        Ok(Box::new(Nothing))
    }

    fn encoder(&self, _: &Value, _: SchemaRef) -> Result<Box<dyn Encoder>, InvalidOptions> {
        Ok(Box::new(Nothing))
    }
}

struct Nothing;

impl Decoder for Nothing {
    fn decode(&mut self, _: &arrow::array::BinaryViewArray) -> dataflow::contract::Decoded {
        dataflow::contract::Decoded {
            columns: Vec::new(),
            bad: Vec::new(),
        }
    }
}

impl Encoder for Nothing {
    fn encode(&mut self, _: &RecordBatch, _: &mut dataflow::contract::Lines) -> Vec<dataflow::contract::BadRecord> {
        Vec::new()
    }
}
