//! A slow and simple `json`, so that the operators that decode and splice can be tested without a connector.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryViewArray, BinaryViewBuilder, RecordBatch};
use arrow::json::{LineDelimitedWriter, ReaderBuilder};
use arrow_schema::SchemaRef;
use dataflow::contract::{
    BadRecord, Decoded, Decoder, Encoder, Format, Framing, InvalidOptions, Lines, Splicer, Unnested,
};
use dataflow::expr::Path;
use serde_json::{Map, Value};

/// Reads JSON with `serde_json`; panics at the record `"panic"`, as a bug would.
pub(crate) struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn schema(&self) -> Value {
        Value::Bool(true)
    }

    fn needs_schema(&self) -> bool {
        false
    }

    fn framing(&self, _: &Value) -> Result<Framing, InvalidOptions> {
        Ok(Framing::Lines)
    }

    fn decoder(&self, _: &Value, columns: SchemaRef) -> Result<Box<dyn Decoder>, InvalidOptions> {
        Ok(Box::new(Slow(columns)))
    }

    fn encoder(&self, _: &Value, _: SchemaRef) -> Result<Box<dyn Encoder>, InvalidOptions> {
        Ok(Box::new(Plain))
    }

    fn splicer(&self) -> Option<&dyn Splicer> {
        Some(self)
    }
}

/// Writes rows with Arrow's own writer.
struct Plain;

impl Encoder for Plain {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Lines) -> Vec<BadRecord> {
        for row in 0..rows.num_rows() {
            let mut text = Vec::new();
            let mut writer = LineDelimitedWriter::new(&mut text);
            writer.write(&rows.slice(row, 1)).unwrap();
            writer.finish().unwrap();
            drop(writer);
            let line = out.line(|out| {
                out.extend_from_slice(text.trim_ascii_end());
                Ok::<_, std::convert::Infallible>(())
            });
            line.unwrap();
        }
        Vec::new()
    }
}

struct Slow(SchemaRef);

impl Decoder for Slow {
    fn decode(&mut self, records: &BinaryViewArray) -> Decoded {
        let (mut bad, mut columns) = (Vec::new(), Vec::new());
        let mut parts: Vec<RecordBatch> = Vec::new();
        for (row, record) in records.iter().enumerate() {
            let record = record.unwrap();
            assert_ne!(record, b"\"panic\"", "a bug in a decoder");
            let value = serde_json::from_slice::<Value>(record).ok().filter(Value::is_object);
            if value.is_none() {
                bad.push(BadRecord {
                    row,
                    error: "not a JSON object".to_owned(),
                });
            }
            let mut decoder = ReaderBuilder::new(Arc::clone(&self.0)).build_decoder().unwrap();
            decoder
                .serialize(&[value.unwrap_or_else(|| Value::Object(Map::new()))])
                .unwrap();
            parts.push(decoder.flush().unwrap().unwrap());
        }
        for index in 0..self.0.fields().len() {
            let arrays: Vec<_> = parts.iter().map(|part| part.column(index).as_ref()).collect();
            columns.push(arrow::compute::concat(&arrays).unwrap() as ArrayRef);
        }
        Decoded { columns, bad }
    }
}

fn remove(value: &mut Value, parts: &[String]) {
    match parts {
        [] => {}
        [last] => drop(value.as_object_mut().and_then(|object| object.shift_remove(last))),
        [first, rest @ ..] => {
            if let Some(inner) = value.get_mut(first) {
                remove(inner, rest);
            }
        }
    }
}

fn inside<'a>(value: &'a mut Value, parts: &[String]) -> Option<&'a mut Value> {
    parts.iter().try_fold(value, |value, part| value.get_mut(part))
}

impl Splicer for Json {
    fn remove_fields(&self, records: &BinaryViewArray, paths: &[Path]) -> BinaryViewArray {
        let mut spliced = BinaryViewBuilder::new();
        for record in records {
            let mut value: Value = serde_json::from_slice(record.unwrap()).unwrap();
            paths.iter().for_each(|path| remove(&mut value, path.parts()));
            spliced.append_value(value.to_string());
        }
        spliced.finish()
    }

    fn unnest(&self, records: &BinaryViewArray, path: &Path) -> Unnested {
        let mut new = BinaryViewBuilder::new();
        let (mut rows, mut bad) = (Vec::new(), Vec::new());
        for (row, record) in records.iter().enumerate() {
            let mut value: Value = serde_json::from_slice(record.unwrap()).unwrap();
            let list = match inside(&mut value, path.parts()) {
                None | Some(Value::Null) => continue,
                Some(Value::Array(list)) => list.clone(),
                Some(_) => {
                    bad.push(BadRecord {
                        row,
                        error: format!("{path} is no list"),
                    });
                    continue;
                }
            };
            for element in list {
                *inside(&mut value, path.parts()).unwrap() = element;
                new.append_value(value.to_string());
                rows.push(u32::try_from(row).unwrap());
            }
        }
        Unnested {
            records: new.finish(),
            rows,
            bad,
        }
    }
}
