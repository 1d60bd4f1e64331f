//! The parts of the schema that follow from the catalog, and those that are written by hand.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::steps::steps;
use super::{parallelism, sink_siblings, source_siblings, test};
use crate::catalog::{ARCHIVE, Catalog, DEAD_LETTER, Options};

/// The named parts of the schema.
pub(super) struct Definitions(pub(super) Map<String, Value>);

impl Definitions {
    /// Puts in what the catalog says, and what no type here says well enough.
    pub(super) fn fill(&mut self, catalog: &Catalog) {
        self.0.insert("format".to_owned(), json!({}));
        let format = self.formats(catalog);
        self.set("format", "How bytes become records.", format);
        let kind = json!([
            {"type": "string", "description": "`boolean`, `int32`, `int64`, `float`, `double`, `decimal(p,s)`, `string`, `binary`, `date` or `timestamp`"},
            {"type": "array", "items": {"$ref": "#/$defs/type"}, "minItems": 1, "maxItems": 1},
            {"$ref": "#/$defs/record"},
        ]);
        self.set("type", "The type of a field.", json!({"anyOf": kind}));
        let fields = json!({"type": "object", "additionalProperties": {"$ref": "#/$defs/type"}, "minProperties": 1});
        self.set("record", "The fields of a record and their types.", fields);
        let sources = self.items(catalog.sources(), "source", &source_siblings());
        self.set("Source", "Where a datastream comes from.", sources);
        let sinks = self.items(catalog.sinks(), "sink", &sink_siblings());
        self.set("Sink", "Where a datastream goes.", sinks);
        self.set("Step", "What happens to the records.", steps());
        let own = [
            (
                "of",
                json!({"type": "string", "description": "The step whose rows are kept; those that the sinks take unless given."}),
            ),
            ("parallelism", parallelism()),
            (
                "retention",
                json!({"type": "string", "description": "How long partitions are kept. Not applied yet in this version."}),
            ),
        ];
        let archive = self.short_for(catalog, ARCHIVE, &own);
        self.set(
            "Archive",
            "Keeps the stream as Parquet files, to be read by anybody and replayed by Weir.",
            archive,
        );
        let dead_letter = self.short_for(catalog, DEAD_LETTER, &[]);
        self.set("Given", "One thing that happens.", test::given());
        self.set(
            "Expected",
            "What came to one sink, or to the dead letters.",
            test::expected(),
        );
        self.set(
            "DeadLetter",
            "Where records go that a step could not take.",
            dead_letter,
        );
    }

    fn set(&mut self, name: &str, description: &str, mut schema: Value) {
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), json!(description));
        }
        self.0.insert(name.to_owned(), schema);
    }

    /// The schema of options, with its definitions moved to ours under names of their own.
    fn embed(&mut self, prefix: &str, options: &Options) -> Value {
        let mut schema = options.schema.clone();
        rename(&mut schema, prefix);
        let own = schema.as_object_mut().and_then(|schema| {
            schema.remove("$schema");
            schema.remove("title");
            schema.remove("$defs")
        });
        for (name, definition) in own.as_ref().and_then(Value::as_object).into_iter().flatten() {
            self.0.insert(format!("{prefix}.{name}"), definition.clone());
        }
        schema
    }

    /// An item with one component key: its options inside, or, where they can be beside an empty key, beside it.
    fn items(&mut self, components: &[Options], side: &str, siblings: &BTreeMap<&str, Value>) -> Value {
        let mut forms = Vec::new();
        for options in components {
            let inside = self.embed(&format!("{side}.{}", options.name), options);
            let mut beside = json!(siblings);
            for (key, schema) in inside["properties"].as_object().into_iter().flatten() {
                beside[key] = schema.clone();
            }
            beside[options.name] = json!({"type": "null"});
            let mut required = vec![json!(options.name)];
            required.extend(inside["required"].as_array().into_iter().flatten().cloned());
            let mut with = json!(siblings);
            with[options.name] = inside;
            forms.push(json!({"type": "object", "properties": with, "required": [options.name], "additionalProperties": false}));
            forms.push(
                json!({"type": "object", "properties": beside, "required": required, "additionalProperties": false}),
            );
        }
        json!({"anyOf": forms})
    }

    fn formats(&mut self, catalog: &Catalog) -> Value {
        let names: Vec<&str> = catalog.formats().iter().map(|options| options.name).collect();
        let mut forms = vec![json!({"type": "string", "enum": names})];
        for options in catalog.formats() {
            let mut inside = self.embed(&format!("format.{}", options.name), options);
            if options.keys().any(|key| key == "schema") {
                inside["properties"]["schema"] = json!({"$ref": "#/$defs/record"});
            }
            let nullable = json!({"anyOf": [inside, {"type": "null"}]});
            let properties = json!({options.name: nullable});
            forms.push(json!({"type": "object", "properties": properties, "required": [options.name], "additionalProperties": false}));
        }
        json!({"anyOf": forms})
    }

    fn short_for(&mut self, catalog: &Catalog, connector: &str, own: &[(&str, Value)]) -> Value {
        let Some(options) = catalog.sinks().iter().find(|options| options.name == connector) else {
            return json!({"type": "object"});
        };
        let mut schema = self.embed(&format!("sink.{connector}"), options);
        for (key, value) in own {
            schema["properties"][*key] = value.clone();
        }
        schema
    }
}

/// Points references at definitions of this prefix.
fn rename(schema: &mut Value, prefix: &str) {
    match schema {
        Value::Object(members) => {
            for (key, value) in members.iter_mut() {
                match value.as_str().and_then(|target| target.strip_prefix("#/$defs/")) {
                    Some(name) if key == "$ref" => *value = json!(format!("#/$defs/{prefix}.{name}")),
                    Some(_) | None => rename(value, prefix),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, prefix)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
