//! The JSON Schema of the document, for editors: the language's own keys from the types here, options from the catalog.
//!
//! These types are never made: the parser reads the tree itself, because no deserialiser keeps places and goes on
//! after a mistake. Their doc comments are what an editor shows; a test holds their keys and the parser's together.

mod checkpoint;
mod steps;
mod test;

use std::collections::BTreeMap;

use dataflow::quantity::{ByteCount, Span};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use checkpoint::Checkpoint;
use steps::steps;

use crate::catalog::{ARCHIVE, Catalog, DEAD_LETTER, Options};

/// A datastream: one document, one job.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Datastream {
    /// The version of the language: `weir/v1`, also where it is left out.
    api_version: Option<String>,
    /// Its name and identity: state and archives belong to it.
    datastream_name: Name,
    /// Who is asked when it stops: a team or a person.
    contact_name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Whether it should run. OFF takes a last checkpoint and keeps the state.
    #[schemars(extend("enum" = ["ON", "OFF", "on", "off", "On", "Off", true, false]))]
    desired_state: Option<Value>,
    /// How many subtasks each step has, unless it says so itself.
    #[schemars(range(min = 1, max = 1024))]
    parallelism: Option<u32>,
    /// How many key groups there are: the most subtasks a keyed step can ever have. Fixed for the life of the datastream; 1024 unless given.
    #[schemars(range(min = 1, max = 32768))]
    max_parallelism: Option<u32>,
    /// How much memory the job may use for what flows and waits, on each task manager: `4GiB`.
    memory: Option<ByteCount>,
    /// When the job takes checkpoints.
    checkpoint: Option<Checkpoint>,
    /// What happens after a failure that may pass.
    restart: Option<Restart>,
    /// How long a batch may wait for company before it is sent; `5ms` unless given.
    buffer_timeout: Option<Span>,
    /// Where it comes from.
    #[schemars(length(min = 1))]
    sources: Vec<Source>,
    /// Only records of these types are taken.
    #[schemars(length(min = 1))]
    event_type_filters: Option<Vec<Word>>,
    /// The path of a record's type; `eventType` unless given.
    event_type_field: Option<String>,
    /// What happens to the records, in order; a step without `input` reads the one before it.
    steps: Option<Vec<Step>>,
    /// Where it goes.
    #[schemars(length(min = 1))]
    sinks: Option<Vec<Sink>>,
    /// Keeps the stream as Parquet files, to be read by anybody and replayed by Weir.
    archive: Option<Archive>,
    /// Where records go that a step could not take.
    dead_letter: Option<DeadLetter>,
    /// Tests of the document, which `weir test` runs: rows given, rows expected.
    #[schemars(length(min = 1, max = 200))]
    tests: Option<Vec<Test>>,
}

/// A test: what is given, and what is expected of it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Test {
    /// What it shows; unique among the tests of the datastream.
    #[schemars(length(min = 1, max = 200))]
    name: String,
    /// How many subtasks each step has in it; 1 unless given.
    #[schemars(range(min = 1, max = 16))]
    parallelism: Option<u32>,
    /// The time of day at which it begins, such as `2026-01-31T12:00:00Z`; midnight of 2026-01-01 unless given.
    clock: Option<Moment>,
    /// What happens, in order.
    #[schemars(length(max = 500))]
    given: Option<Vec<Given>>,
    /// What came of it.
    #[schemars(length(max = 500))]
    expect: Vec<Expected>,
    /// What happens after that, and what comes of it.
    #[schemars(length(max = 500))]
    then: Option<Vec<Act>>,
}

/// What is given, and what is expected of it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Act {
    /// What happens, in order.
    #[schemars(length(max = 500))]
    given: Option<Vec<Given>>,
    /// What came of it, since it was last asked for.
    #[schemars(length(max = 500))]
    expect: Vec<Expected>,
}

/// A point in time: `2026-01-31T12:00:00Z`, or milliseconds since 1970.
#[derive(JsonSchema)]
#[schemars(extend("type" = ["string", "integer"]))]
#[expect(dead_code, reason = "only its schema is used")]
struct Moment(Value);
/// One thing that happens.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Given(Value);
/// What came to one sink, or to the dead letters.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Expected(Value);

/// What happens after a failure that may pass.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Restart {
    /// The job stays failed.
    Never,
    /// The same delay each time, so many times in a row.
    Fixed(Fixed),
    /// A delay that doubles, with jitter, and begins anew after a quiet time.
    Exponential(Exponential),
}

/// The same delay each time, so many times in a row.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Fixed {
    /// How many restarts in a row; 3 unless given.
    #[schemars(range(min = 1))]
    attempts: Option<u32>,
    /// The delay before each; `10s` unless given.
    delay: Option<Span>,
}

/// A delay that doubles, with jitter, and begins anew after a quiet time.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Exponential {
    /// The first delay; `100ms` unless given.
    first: Option<Span>,
    /// The longest delay; `1m` unless given.
    longest: Option<Span>,
    /// After this long without a failure the delay begins anew; `10m` unless given.
    quiet: Option<Span>,
    /// How many restarts in a row before it gives up; never unless given.
    #[schemars(range(min = 1))]
    attempts: Option<u32>,
}

/// Where a record's event time stands, and how far out of order it comes.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct EventTime {
    /// The path of the event time.
    field: String,
    /// How far behind the latest one an event time may be without being late.
    max_out_of_orderness: Option<Span>,
    /// After this long without a record a split no longer holds time back.
    idle_timeout: Option<Span>,
    /// A split that is so far ahead of the slowest one waits.
    max_drift: Option<Span>,
}

/// A name: letters, digits, `_`, `.` and `-`.
#[derive(JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "only its schema is used")]
struct Name(#[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$"))] String);

/// A word; one that YAML takes for a number or a boolean stays what it looks like.
#[derive(JsonSchema)]
#[schemars(extend("type" = ["string", "number", "boolean"]))]
#[expect(dead_code, reason = "only its schema is used")]
struct Word(Value);

/// Where a datastream comes from.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Source(Value);
/// What happens to the records.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Step(Value);
/// Where a datastream goes.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Sink(Value);
/// Keeps the stream as Parquet files.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Archive(Value);
/// Where records go that a step could not take.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct DeadLetter(Value);

/// The JSON Schema (draft 2020-12) of a document, with the connectors and formats of this catalog.
#[must_use]
pub fn json_schema(catalog: &Catalog) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    generator.subschema_for::<EventTime>();
    let mut schema = generator.into_root_schema_for::<Datastream>().to_value();
    let mut definitions = Definitions(schema["$defs"].as_object().cloned().unwrap_or_default());
    definitions.fill(catalog);
    schema["$defs"] = Value::Object(definitions.0);
    schema["title"] = json!("Weir datastream");
    // A datastream needs an end: a sink, or the archive alone.
    schema["anyOf"] = json!([{"required": ["sinks"]}, {"required": ["archive"]}]);
    schema
}

struct Definitions(Map<String, Value>);

impl Definitions {
    fn fill(&mut self, catalog: &Catalog) {
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

fn parallelism() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": 1024, "description": "How many subtasks it has."})
}

/// One text or a list of them.
fn texts(description: &str) -> Value {
    json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}], "description": description})
}

fn siblings() -> BTreeMap<&'static str, Value> {
    let name = |description: &str| json!({"$ref": "#/$defs/Name", "description": description});
    BTreeMap::from([
        ("name", name("Its name and identity: state belongs to it.")),
        (
            "renamedFrom",
            name("The name it had before: its state is carried over."),
        ),
        ("parallelism", parallelism()),
    ])
}

fn source_siblings() -> BTreeMap<&'static str, Value> {
    let mut siblings = siblings();
    siblings.insert("format", json!({"$ref": "#/$defs/format"}));
    siblings.insert("eventTime", json!({"$ref": "#/$defs/EventTime"}));
    siblings
}

fn step_siblings() -> BTreeMap<&'static str, Value> {
    let mut siblings = siblings();
    siblings.insert(
        "input",
        texts("What it reads: a source, a step, or a branch as `route.branch`; the step before it unless given."),
    );
    siblings.insert("inputs", texts("What it reads, if that is several."));
    siblings.insert(
        "keyBy",
        texts("The paths of a key: rows with equal values meet in one subtask."),
    );
    siblings
}

fn sink_siblings() -> BTreeMap<&'static str, Value> {
    let mut siblings = step_siblings();
    siblings.insert("format", json!({"$ref": "#/$defs/format"}));
    siblings
}
