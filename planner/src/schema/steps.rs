//! What the steps of a document look like, for editors.

use serde_json::{Value, json};

use super::{step_siblings, texts};

pub(crate) fn steps() -> Value {
    let expression =
        json!({"type": ["string", "number", "boolean"], "minLength": 1, "description": "An SQL expression."});
    let map = json!({"type": "object", "additionalProperties": expression, "minProperties": 1});
    let share = json!({"type": "number", "minimum": 0, "maximum": 1, "description": "The share to keep, from 0 to 1."});
    let sample = json!({
        "type": "object", "required": ["share"], "additionalProperties": false,
        "properties": {
            "share": share,
            "by": {"type": "string", "description": "The path of a key: all rows of one key are kept, or none."},
            "seed": {"type": "integer", "minimum": 0, "description": "Another seed keeps other rows."},
        },
    });
    let plain = [
        (
            "filter",
            "Keeps the rows for which the expression is true.",
            expression.clone(),
        ),
        (
            "select",
            "Computes the columns of the output.",
            json!({"anyOf": [map, {"type": "array", "items": expression, "minItems": 1}, {"type": "string"}]}),
        ),
        ("drop", "Removes fields.", texts("Paths.")),
        (
            "unnest",
            "Makes one row of each element of the list at this path.",
            json!({"type": "string"}),
        ),
        (
            "route",
            "Gives each row to the first branch whose condition is true; `else` names the branch of the others.",
            map,
        ),
        (
            "union",
            "Joins streams.",
            json!({"anyOf": [{"type": "array", "items": {"type": "string"}, "minItems": 2}, {"type": "null"}]}),
        ),
        (
            "sample",
            "Keeps a share of the rows, the same ones on every run.",
            json!({"anyOf": [share, sample]}),
        ),
    ];
    let forms: Vec<Value> = plain
        .into_iter()
        .chain(keeping())
        .map(|(name, description, schema)| {
            let mut properties = json!(step_siblings());
            match name {
                "aggregate" => properties["window"] = window(),
                "topN" => properties["window"] = plain_window(),
                _ => {}
            }
            properties[name] = json!({"allOf": [schema], "description": description});
            json!({"type": "object", "properties": properties, "required": [name], "additionalProperties": false})
        })
        .collect();
    json!({"anyOf": forms})
}

/// The steps that keep something: name, description, schema.
fn keeping() -> [(&'static str, &'static str, Value); 5] {
    let aggregates = json!({
        "type": "object", "minProperties": 1,
        "additionalProperties": {"type": "string", "description": "One function of many rows, such as `sum(payload.total)`, perhaps with a `FILTER (WHERE …)`."},
    });
    [
        (
            "dedup",
            "Keeps the first row of each key within a span of time.",
            json!({
                "type": "object", "required": ["key", "within"], "additionalProperties": false,
                "properties": {
                    "key": texts("The paths of the key."),
                    "within": length("How long a key is remembered."),
                    "time": time(),
                },
            }),
        ),
        (
            "aggregate",
            "Folds the rows of each key (`keyBy`), in windows (`window`) or, without them, as a stream of changes.",
            aggregates,
        ),
        ("topN", "Keeps the best rows of each key (`keyBy`).", top_n()),
        (
            "delay",
            "Holds rows back for a while.",
            json!({"anyOf": [length("How long."), {
                "type": "object", "required": ["by"], "additionalProperties": false,
                "properties": {"by": length("How long."), "time": time()},
            }]}),
        ),
        (
            "rateLimit",
            "Lets so many rows through in a second, of the stream or of each key (`keyBy`).",
            rate_limit(),
        ),
    ]
}

fn top_n() -> Value {
    json!({
        "type": "object", "required": ["orderBy", "limit"], "additionalProperties": false,
        "properties": {
            "orderBy": texts("Paths, each with ASC or DESC behind it; ASC unless given."),
            "limit": {"type": "integer", "minimum": 1, "maximum": 1_000_000, "description": "How many rows are kept of each key."},
            "rank": {"type": "string", "description": "A column for the place of a row, from 1."},
            "ties": {"enum": ["cut", "keep"], "description": "Whether rows that are equal to the last one are kept too; `cut` unless given, `keep` only by window."},
        },
    })
}

fn rate_limit() -> Value {
    let rate = json!({"type": "number", "exclusiveMinimum": 0, "description": "Rows a second."});
    json!({"anyOf": [rate, {
        "type": "object", "required": ["perSecond"], "additionalProperties": false,
        "properties": {
            "perSecond": rate,
            "burst": {"type": "integer", "minimum": 1, "description": "So many rows may pass at once after a quiet time; a second's worth unless given."},
            "excess": {"enum": ["wait", "drop"], "description": "What becomes of rows above the limit; they wait unless there is a key."},
        },
    }]})
}

/// `window:` beside an aggregate: one form, and what stands beside it.
/// The windows of a `topN`.
fn plain_window() -> Value {
    json!({
        "description": "Which spans of time its results are of.", "type": "object", "required": ["tumbling"], "additionalProperties": false,
        "properties": {
            "tumbling": length("One behind the other, each so long."),
            "time": {"const": "event", "description": "By the rows' own clock."},
            "offset": length("Where windows begin, from midnight."),
            "timeZone": {"type": "string", "description": "Whose midnight and days are meant, such as `Europe/Berlin`; UTC unless given."},
        },
    })
}

fn window() -> Value {
    let two = |part: &str, description: &str, whole: &str| {
        let mut properties = json!({"size": length("How long.")});
        properties[part] = length(description);
        json!({"description": whole, "type": "object", "required": ["size", part], "additionalProperties": false, "properties": properties})
    };
    let gap = json!({"type": "object", "required": ["gap"], "additionalProperties": false, "properties": {"gap": length("So long without a row ends it.")}});
    let nothing = json!({"type": ["object", "null"], "maxProperties": 0, "description": "One for all time: its results are those at the end of the input."});
    let forms = [
        ("tumbling", length("One behind the other, each so long.")),
        (
            "sliding",
            two(
                "every",
                "From one start to the next; divides the size.",
                "They overlap: one begins every so often.",
            ),
        ),
        (
            "session",
            json!({"anyOf": [length("So long without a row ends it."), gap], "description": "As long as rows of a key come; so long without one ends it."}),
        ),
        (
            "cumulative",
            two(
                "step",
                "From one end to the next; divides the size.",
                "One grows from step to step up to its size, with a result at each.",
            ),
        ),
        ("global", nothing),
    ];
    let mut all = vec![json!({"const": "global"})];
    for (name, form) in forms {
        let mut properties = json!({
            "allowedLateness": length("So long behind its end a late row still makes a window give its result again."),
            "time": time(),
            "emitEvery": length("An early result so often."),
        });
        if matches!(name, "tumbling" | "sliding" | "cumulative") {
            properties["offset"] = length("Where windows begin, from midnight.");
            properties["timeZone"] = json!({"type": "string", "description": "Whose midnight and days are meant, such as `Europe/Berlin`; UTC unless given."});
        }
        properties[name] = form;
        all.push(
            json!({"type": "object", "properties": properties, "required": [name], "additionalProperties": false}),
        );
    }
    json!({"anyOf": all, "description": "Which spans of time its results are of."})
}

fn time() -> Value {
    json!({"enum": ["event", "processing"], "description": "By whose clock: the rows' own (`event`, unless given) or the machine's."})
}

fn length(description: &str) -> Value {
    json!({"type": "string", "pattern": "^(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?(?:[0-9]+ms)?$", "description": description})
}
