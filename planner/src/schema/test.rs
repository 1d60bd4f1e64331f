//! The JSON Schema of what happens in a test and what is expected of it.

use serde_json::{Value, json};

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
