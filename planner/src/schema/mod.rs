//! The JSON Schema of the document, for editors: the language's own keys from the types here, options from the catalog.
//!
//! These types are never made: the parser reads the tree itself, because no deserialiser keeps places and goes on
//! after a mistake. Their doc comments are what an editor shows; a test holds their keys and the parser's together.

mod checkpoint;
mod loss_alarm;
mod definitions;
mod restart;
mod steps;
mod test;

use std::collections::BTreeMap;

use dataflow::quantity::{ByteCount, Span};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use checkpoint::Checkpoint;
use definitions::Definitions;
use loss_alarm::LossAlarm;
use restart::Restart;
pub(crate) use steps::steps;
use test::Test;

use crate::catalog::Catalog;

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
    /// When somebody is told that rows are missing: rows that nobody left out on purpose, called late or could not take.
    loss_alarm: Option<LossAlarm>,
    /// Paths whose values nobody is shown who looks at rows, in taps and in dead letters: `[email, payload.card]`. Sinks get
    /// them as they are.
    #[schemars(length(min = 1))]
    hidden: Option<Vec<String>>,
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
