//! The JSON Schema of a test: what happens in it and what is expected of it.

use schemars::JsonSchema;
use serde_json::{Value, json};

/// A test: what is given, and what is expected of it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Test {
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

/// An item of `given`.
pub(super) fn given() -> Value {
    let source = json!({"$ref": "#/$defs/Name", "description": "The source, where there are several."});
    let rows = json!({
        "type": "array", "maxItems": 1000, "items": {"type": ["object", "array", "string", "number", "boolean"]},
        "description": "Rows of a source: maps, or records as text.",
    });
    let watermark = json!({"$ref": "#/$defs/Moment", "description": "Event time comes to here."});
    let wait = json!({"type": "string", "description": "So much time passes on the clock: `30s`."});
    let end = json!({"type": "null", "description": "All input is over."});
    json!({"anyOf": [
        item(&json!({"rows": rows, "source": source}), "rows"),
        item(&json!({"watermark": watermark, "source": source}), "watermark"),
        item(&json!({"wait": wait}), "wait"),
        item(&json!({"end": end}), "end"),
        {"const": "end", "description": "All input is over."},
    ]})
}

/// An item of `expect`.
pub(super) fn expected() -> Value {
    let sink = json!({"$ref": "#/$defs/Name", "description": "The sink, where there are several."});
    let order = json!({"type": "boolean", "description": "Whether their order counts; it does not unless given."});
    let rows = json!({
        "type": "array", "maxItems": 1000, "items": {"type": ["object", "string"]},
        "description": "All its rows: each a map of what it holds, or the line that is written.",
    });
    let text = |description: &str| json!({"type": "string", "description": description});
    let letter = json!({"anyOf": [text("A part of the error."), {
        "type": "object", "additionalProperties": false,
        "properties": {
            "step": text("The step that could not take the record."),
            "error": text("A part of the error."),
            "record": {"description": "The record, or what it holds."},
        },
    }]});
    let letters = json!({"type": "array", "maxItems": 1000, "items": letter, "description": "All dead letters."});
    json!({"anyOf": [
        item(&json!({"rows": rows, "sink": sink, "inOrder": order}), "rows"),
        item(&json!({"deadLetters": letters}), "deadLetters"),
    ]})
}

fn item(properties: &Value, required: &str) -> Value {
    json!({"type": "object", "properties": properties, "required": [required], "additionalProperties": false})
}
