//! What a JSON Schema says of each option, in the words of people. Pure; a schema that says nothing gives nothing.

use serde_json::Value;

use super::{Choice, Meaning};

/// Options inside options, so deep; schemas may go in circles.
const DEPTH_MAX: usize = 5;

/// The key by which a struct says what a plain number is measured in.
const UNIT: &str = "x-unit";

/// Its properties as options; `root` is where references lead.
pub(super) fn options(schema: &Value, root: &Value) -> Vec<Choice> {
    inside(schema, root, DEPTH_MAX)
}

fn inside(schema: &Value, root: &Value, depth: usize) -> Vec<Choice> {
    if depth == 0 {
        return Vec::new();
    }
    let schema = led(schema, root);
    let required = |name: &str| {
        let names = schema["required"].as_array();
        names.is_some_and(|names| names.iter().any(|one| one == name))
    };
    let properties = schema["properties"].as_object().into_iter().flatten();
    let mut found: Vec<Choice> = properties
        .map(|(name, about)| choice((name, required(name)), about, root, depth))
        .collect();
    // One of several forms: what any of them has, and a form of nothing but a value has none.
    let several = ["anyOf", "oneOf"].iter().any(|key| {
        let forms = schema[key].as_array().into_iter().flatten();
        forms.filter(|form| !led(form, root)["properties"].is_null()).count() > 1
    });
    for form in parts(schema) {
        for option in inside(form, root, depth - 1) {
            let required = option.required && !several;
            let option = Choice { required, ..option };
            if found.iter().all(|known| known.name != option.name) {
                found.push(option);
            }
        }
    }
    found
}

fn parts(schema: &Value) -> impl Iterator<Item = &Value> {
    ["allOf", "anyOf", "oneOf"]
        .into_iter()
        .flat_map(|key| schema[key].as_array().into_iter().flatten())
}

/// Where a reference leads.
fn led<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
    target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

fn choice((name, required): (&str, bool), about: &Value, root: &Value, depth: usize) -> Choice {
    let target = led(about, root);
    let text = |schema: &Value| schema["description"].as_str().map(str::to_owned);
    let (kind, unit, example) = kind(about, root, depth);
    Choice {
        name: name.to_owned(),
        about: text(about).or_else(|| text(target)).unwrap_or_default(),
        unit: about[UNIT].as_str().map(str::to_owned).or(unit),
        kind,
        required,
        default: Some(&about["default"]).filter(|value| !value.is_null()).map(written),
        range: range(about).or_else(|| range(target)),
        example,
        values: values(about, root, depth),
        options: inside(about, root, depth - 1),
    }
}

/// A value as YAML writes it in a line.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let pairs = members.iter().map(|(key, value)| format!("{key}: {}", written(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A word for the type, the unit and the range of a value, where it has them.
type Form = (String, Option<String>, Option<String>);

/// What kind of value it takes, what that is measured in, and how one may look.
fn kind(about: &Value, root: &Value, depth: usize) -> Form {
    let own = |text: &str| (text.to_owned(), None, None);
    let schema = led(about, root);
    if let Some(pattern) = schema["pattern"].as_str() {
        if pattern.contains("KiB") {
            let unit = "B, KiB, MiB, GiB, TiB";
            return ("size".to_owned(), Some(unit.to_owned()), Some("64MiB".to_owned()));
        }
        if pattern.contains("[0-9]+ms") {
            return (
                "duration".to_owned(),
                Some("ms, s, m, h, d".to_owned()),
                Some("30s".to_owned()),
            );
        }
    }
    match values(about, root, depth).as_slice() {
        [] => {}
        [only] => return own(&format!("`{}`", only.value)),
        _ => return own("one of"),
    }
    let word = |name: &str| match name {
        "string" => "text",
        "integer" => "whole number",
        "number" => "number",
        "boolean" => "true or false",
        "array" => "list",
        "object" => "options",
        _ => "",
    };
    let names: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![word(name)],
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(word).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    if names == ["list"] {
        let (of, unit, _) = kind(&schema["items"], root, depth.saturating_sub(1));
        let text = if of.is_empty() {
            "list".to_owned()
        } else {
            format!("list of {of}s")
        };
        return (text, unit, None);
    }
    if names == ["options"] && schema["properties"].is_null() {
        return own("map");
    }
    if !names.is_empty() {
        return own(&names.join(" or "));
    }
    if depth == 0 {
        return own("");
    }
    let forms: Vec<_> = parts(schema).map(|form| kind(form, root, depth - 1)).collect();
    let mut words: Vec<&str> = Vec::new();
    for (word, _, _) in &forms {
        if !word.is_empty() && !words.contains(&word.as_str()) {
            words.push(word);
        }
    }
    let first = |part: fn(&Form) -> &Option<String>| forms.iter().find_map(|form| part(form).clone());
    (words.join(" or "), first(|form| &form.1), first(|form| &form.2))
}

/// The values there are, where they are listed.
fn values(about: &Value, root: &Value, depth: usize) -> Vec<Meaning> {
    let schema = led(about, root);
    let meaning = |value: &Value, about: &str| Meaning {
        value: written(value),
        about: about.to_owned(),
    };
    if let Some(listed) = schema["enum"].as_array() {
        return listed.iter().map(|value| meaning(value, "")).collect();
    }
    if !schema["const"].is_null() {
        let about = schema["description"].as_str().unwrap_or_default();
        return vec![meaning(&schema["const"], about)];
    }
    let forms: Vec<&Value> = parts(schema).collect();
    if depth == 0 || forms.is_empty() {
        return Vec::new();
    }
    let given: Vec<Vec<Meaning>> = forms
        .iter()
        .filter(|form| form["type"] != "null")
        .map(|form| values(form, root, depth - 1))
        .collect();
    // Where anything else is possible too, they are not all.
    match given.iter().any(Vec::is_empty) {
        true => Vec::new(),
        false => given.into_iter().flatten().collect(),
    }
}

fn range(schema: &Value) -> Option<String> {
    let number = |key: &str| schema[key].as_number().map(ToString::to_string);
    // An unsigned number is not below 0 anyway.
    let from = number("minimum").filter(|least| least != "0" || !schema["maximum"].is_null());
    match (from, number("exclusiveMinimum"), number("maximum")) {
        (Some(least), _, Some(most)) => Some(format!("from {least} to {most}")),
        (Some(least), _, None) => Some(format!("{least} or more")),
        (None, Some(limit), Some(most)) => Some(format!("above {limit}, up to {most}")),
        (None, Some(limit), None) => Some(format!("above {limit}")),
        (None, None, Some(most)) => Some(format!("up to {most}")),
        (None, None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use dataflow::quantity::{ByteCount, Span};
    use schemars::JsonSchema;
    use serde::Serialize;

    use super::*;

    #[derive(JsonSchema, Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Inner {
        /// How often.
        every: Span,
    }

    #[derive(JsonSchema)]
    #[schemars(rename_all = "camelCase")]
    #[expect(dead_code, reason = "only its schema is used")]
    enum Kind {
        /// The first.
        One,
        /// The second.
        Two,
    }

    #[derive(JsonSchema)]
    #[schemars(rename_all = "camelCase")]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Given {
        /// Where.
        path: String,
        /// How large.
        #[schemars(default = "size")]
        largest: ByteCount,
        /// Which.
        kind: Option<Kind>,
        /// When.
        watch: Option<Inner>,
        /// How fast.
        #[schemars(range(min = 1, max = 9), extend("x-unit" = "rows/s"))]
        rate: Option<u32>,
        /// Whom.
        names: Vec<String>,
    }

    fn size() -> ByteCount {
        ByteCount(64 << 20)
    }

    #[test]
    fn an_option_says_what_it_takes_in_the_words_of_people() {
        let schema = schemars::schema_for!(Given).to_value();
        let found = options(&schema, &schema);
        let of = |name: &str| found.iter().find(|one| one.name == name).cloned().unwrap();
        let path = of("path");
        assert_eq!(
            (path.kind.as_str(), path.required, path.about.as_str()),
            ("text", true, "Where.")
        );
        let largest = of("largest");
        assert_eq!(
            (largest.kind.as_str(), largest.default.as_deref()),
            ("size", Some("64MiB"))
        );
        assert!(largest.unit.is_some_and(|unit| unit.contains("MiB")));
        let kind = of("kind");
        assert_eq!((kind.kind.as_str(), kind.required), ("one of", false));
        let values: Vec<_> = kind
            .values
            .iter()
            .map(|one| (one.value.as_str(), one.about.as_str()))
            .collect();
        assert_eq!(values, [("one", "The first."), ("two", "The second.")]);
        let watch = of("watch");
        assert_eq!(
            (watch.kind.as_str(), watch.options[0].name.as_str()),
            ("options", "every")
        );
        assert_eq!(watch.options[0].kind, "duration");
        let rate = of("rate");
        assert_eq!(
            (rate.unit.as_deref(), rate.range.as_deref()),
            (Some("rows/s"), Some("from 1 to 9"))
        );
        assert_eq!(of("names").kind, "list of texts");
    }

    #[test]
    fn a_schema_that_goes_in_circles_ends() {
        let schema = serde_json::json!({ "properties": { "again": { "$ref": "#" } } });
        let found = options(&schema, &schema);
        assert_eq!(found[0].options[0].name, "again");
        assert!(options(&Value::Null, &Value::Null).is_empty());
    }
}
