//! The OpenAPI document, generated from the table of routes and from the types, comments and all.
//!
//! Schemas come from `schemars`, as those of documents and connectors do: [decision 016](../../../docs/decisions/016-openapi-from-the-table-of-routes.md).

use std::sync::OnceLock;

use axum::http::Method;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::routes::{Content, Route, table};
use super::types::Problem;

/// Where a document of version 3.1 keeps its schemas, which are plain JSON Schema there.
const SCHEMAS: &str = "#/components/schemas/";

/// The document; made once.
pub(super) fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| document().to_string())
}

/// The same as a value.
pub(super) fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = SCHEMAS.trim_start_matches('#').trim_end_matches('/').into();
        settings.meta_schema = None;
    });
    let mut written = settings.clone().for_serialize().into_generator();
    let mut read = settings.for_deserialize().into_generator();
    let problem = written.subschema_for::<Problem>();
    let mut paths: Map<String, Value> = Map::new();
    for route in table() {
        let about = operation(&route, &problem, (&mut written, &mut read));
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = about;
    }
    let mut schemas = written.take_definitions(true);
    schemas.extend(read.take_definitions(true));
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Weir",
            "version": "v1",
            "description": "What people and programs ask a job manager. Errors are problem details (RFC 9457) with `code`, `place` and `help`.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "tags": [
            { "name": "datastreams", "description": "What is known of datastreams." },
            { "name": "documents", "description": "Texts: what they would do, and those that ran." },
            { "name": "actions", "description": "What changes something." },
            { "name": "cluster", "description": "The job manager and its task managers." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A line of the file that `--token-file` names; where the job manager listens on loopback, nobody is asked.",
                },
            },
        },
        // Either way: what is asked for depends on how the job manager was started.
        "security": [{}, { "token": [] }],
    });
    bound(&mut document);
    document
}

fn operation(route: &Route, problem: &Schema, (written, read): (&mut SchemaGenerator, &mut SchemaGenerator)) -> Value {
    let mut parameters: Vec<Value> = named(route.path).map(path_parameter).collect();
    if let Some(query) = route.query {
        // Its own schema, and not a reference to it: each of its properties is a parameter.
        let mut own = SchemaSettings::draft2020_12().for_deserialize().into_generator();
        let reference = query(&mut own);
        parameters.extend(options(&reference, &own));
    }
    let mut answers = json!({
        route.status.to_string(): {
            "description": route.about,
            "content": content(&route.answer, written),
        },
    });
    for (status, why) in refusals(route) {
        answers[status.to_string()] = json!({
            "description": why,
            "content": { "application/problem+json": { "schema": problem } },
        });
    }
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.about,
        "tags": [route.tag],
        "parameters": parameters,
        "responses": answers,
    });
    if let Some(body) = &route.body {
        let is_text = matches!(body, Content::Text(_));
        // Nothing at all can be looked at as well: what is wrong with it is the answer.
        let required = (is_text && route.id != "validateText") || route.id == "rescaleDatastream";
        operation["requestBody"] = json!({ "required": required, "content": content(body, read) });
    }
    operation
}

/// Why something is not done, by the status that says so; every one that this path can answer with.
fn refusals(route: &Route) -> Vec<(u16, &'static str)> {
    let changes = route.method != Method::GET;
    let named = changes || route.path.contains('{');
    // They reach into what runs, or into what it has kept.
    let reaches = matches!(route.id, "tapDatastream" | "listArchive" | "sampleArchive");
    let all = [
        (400, true, "The request is garbled; `place` says where."),
        (401, true, "It is not known who asks."),
        (
            403,
            changes,
            "Whoever asks may not change this, or another page asks in their name.",
        ),
        (404, named, "There is none of that name or number."),
        (409, changes || reaches, "It cannot be done as things are."),
        (413, route.body.is_some(), "The body is too large."),
        (415, route.body.is_some(), "The body is of another content type."),
        (421, true, "The job manager is not asked for by that name."),
        (
            422,
            changes || reaches,
            "What is asked for makes no sense; `diagnostics` has the places, where it is a document.",
        ),
        (429, true, "Too many wrong tokens came from there."),
        (503, true, "It cannot be had just now."),
        (504, true, "It took too long."),
    ];
    all.into_iter()
        .filter(|(_, possible, _)| *possible)
        .map(|(status, _, why)| (status, why))
        .collect()
}

/// The bounds of whole numbers, which their formats name and JSON Schema does not know.
fn bound(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let most = match members.get("format").and_then(Value::as_str) {
                Some("uint32") => Some(u64::from(u32::MAX)),
                Some("uint64" | "uint") => Some(u64::MAX),
                _ => None,
            };
            if let Some(most) = most {
                members.entry("maximum").or_insert(most.into());
            }
            members.values_mut().for_each(bound);
        }
        Value::Array(items) => items.iter_mut().for_each(bound),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn content(content: &Content, generator: &mut SchemaGenerator) -> Value {
    match content {
        Content::Json(shape) => json!({ "application/json": { "schema": shape(generator) } }),
        Content::Text(kind) => {
            json!({ *kind: { "schema": { "type": if kind.ends_with("json") { "object" } else { "string" } } } })
        }
        // Of each event's data; a document has no better word for it before version 3.2.
        Content::Events(shape) => json!({ "text/event-stream": { "schema": shape(generator) } }),
    }
}

/// The names in a path that stand for something.
fn named(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn path_parameter(name: &str) -> Value {
    let (about, kind) = match name {
        "name" => (
            "The name of a datastream, or of a task manager.",
            json!({ "type": "string" }),
        ),
        "code" => ("The code of a mistake, such as `E0101`.", json!({ "type": "string" })),
        "number" => (
            "The number of a version, or of a run.",
            json!({ "type": "integer", "format": "uint64", "minimum": 0 }),
        ),
        _ => ("The id of an operation.", json!({ "type": "string" })),
    };
    json!({ "name": name, "in": "path", "required": true, "description": about, "schema": kind })
}

/// A parameter for each property of a type of options.
fn options(reference: &Schema, generator: &SchemaGenerator) -> Vec<Value> {
    let name = reference
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|path| path.rsplit('/').next());
    let definition = name.and_then(|name| generator.definitions().get(name));
    let properties = definition
        .and_then(|definition| definition.get("properties"))
        .and_then(Value::as_object);
    let needed = definition
        .and_then(|definition| definition.get("required"))
        .and_then(Value::as_array);
    let is_needed = |name: &str| needed.is_some_and(|names| names.iter().any(|one| one == name));
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        json!({ "name": name, "in": "query", "required": is_needed(name), "description": about, "schema": schema })
    };
    properties.into_iter().flatten().map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every value under a key, anywhere in the document.
    fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, member)| {
                if name == key {
                    found.push(member);
                }
                all(member, key, found);
            }),
            Value::Array(items) => items.iter().for_each(|item| all(item, key, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_route_is_in_it_with_a_name_of_its_own_and_its_answers() {
        let document = document();
        let mut ids = BTreeSet::new();
        for route in table() {
            let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
            assert_eq!(operation["operationId"], route.id, "{}", route.path);
            for (status, _) in refusals(&route) {
                assert!(operation["responses"][status.to_string()].is_object(), "{}", route.path);
            }
            assert!(
                operation["responses"][route.status.to_string()].is_object(),
                "{}",
                route.path
            );
            let parameters = operation["parameters"].as_array().unwrap();
            let count = named(route.path).count();
            assert!(
                parameters.iter().filter(|one| one["in"] == "path").count() == count,
                "{}",
                route.path
            );
            assert!(ids.insert(route.id), "{} is there twice", route.id);
        }
    }

    #[test]
    fn every_reference_leads_to_a_schema_and_every_field_says_what_it_is() {
        let document = document();
        let mut references = Vec::new();
        all(&document, "$ref", &mut references);
        assert!(references.len() > 30, "{}", references.len());
        for reference in references {
            let name = reference.as_str().unwrap().strip_prefix(SCHEMAS).unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            for (field, about) in schema["properties"].as_object().into_iter().flatten() {
                assert!(about["description"].is_string(), "{name}.{field}");
            }
        }
    }

    #[test]
    fn options_are_parameters_and_bodies_know_what_they_refuse() {
        let document = document();
        let submit = &document["paths"]["/v1/datastreams"]["post"];
        let names: Vec<_> = submit["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["name"])
            .collect();
        assert_eq!(
            names,
            ["fresh", "apply", "allowDroppedState", "fromSavepoint", "fromCheckpoint"]
        );
        assert_eq!(document["components"]["schemas"]["Stop"]["additionalProperties"], false);
        assert_eq!(text(), document.to_string());
    }
}
