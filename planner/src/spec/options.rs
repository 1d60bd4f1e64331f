//! Options of a component against its JSON Schema: every mistake, at its place, in a person's words.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value as Json;

use super::node::Node;
use super::reader::listed;
use super::span::Span;
use crate::catalog::Options;
use crate::diagnostic::{Diagnostic, Diagnostics, codes, nearest};

/// What is checked: the options, and how a person knows them.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// Such as `the source`.
    pub(crate) what: &'a str,
    /// The component's key and its place.
    pub(crate) key: Span,
    pub(crate) node: &'a Node,
    pub(crate) options: &'a Options,
}

/// Checks options; true where nothing is wrong with them.
pub(crate) fn check(subject: Subject<'_>, options: &Json, diagnostics: &mut Diagnostics) -> bool {
    let errors: Vec<ValidationError<'_>> = subject.options.validator.iter_errors(options).collect();
    for error in errors.iter().filter(|error| !misspelt(subject, error, &errors)) {
        explain(subject, error, diagnostics);
    }
    errors.is_empty()
}

/// Whether what is missing stands there under a misspelt key, which is told by another error.
fn misspelt(subject: Subject<'_>, missing: &ValidationError<'_>, errors: &[ValidationError<'_>]) -> bool {
    let ValidationErrorKind::Required { property } = missing.kind() else {
        return false;
    };
    errors
        .iter()
        .filter(|other| other.instance_path() == missing.instance_path())
        .any(|other| match other.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let known = properties(&subject.options.schema, other.schema_path().as_str());
                unexpected
                    .iter()
                    .any(|key| nearest(key, known.iter().map(String::as_str)) == property.as_str())
            }
            _ => false,
        })
}

fn explain(subject: Subject<'_>, error: &ValidationError<'_>, diagnostics: &mut Diagnostics) {
    let name = subject.options.name;
    let node = subject.node.at(error.instance_path().as_str());
    let span = if node.is_null() || error.instance_path().is_empty() {
        subject.place(error)
    } else {
        node.span
    };
    let place = error.instance_path().as_str().trim_start_matches('/').replace('/', ".");
    let shown = if place.is_empty() {
        format!("`{name}`")
    } else {
        format!("`{place}`")
    };
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let known = properties(&subject.options.schema, error.schema_path().as_str());
            for key in unexpected {
                let span = node.entry(key).map_or(span, |entry| entry.key.span);
                diagnostics.push(unknown_option(&subject, key, span, &known));
            }
        }
        ValidationErrorKind::Required { property } => {
            let missing = property.as_str().unwrap_or_default();
            let found = Diagnostic::new(
                codes::E0306,
                subject.place(error),
                format!("{} `{name}` needs `{missing}`", subject.what),
            );
            let inside = if place.is_empty() {
                String::new()
            } else {
                format!(" in `{place}`")
            };
            diagnostics.push(found.label(format!("`{missing}` is missing{inside}")));
        }
        ValidationErrorKind::Type { kind } => {
            let found = Diagnostic::new(
                codes::E0307,
                span,
                format!("{shown} must be {}, not {}", types(kind), node.kind()),
            );
            let quote = types(kind).contains("text") && matches!(node.kind(), "a number" | "a boolean");
            diagnostics.push(if quote { found.help("put it in quotes") } else { found });
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            alternatives(subject, (error, span, &shown), context, diagnostics);
        }
        ValidationErrorKind::Enum { options } => {
            let values = options.as_array().cloned().unwrap_or_default();
            diagnostics.push(choice(span, &shown, node, &values));
        }
        ValidationErrorKind::Constant { expected_value } => {
            diagnostics.push(choice(
                span,
                &shown,
                node,
                std::slice::from_ref(expected_value.as_ref()),
            ));
        }
        _ => diagnostics.push(Diagnostic::new(
            codes::E0308,
            span,
            format!("{shown}: {}", error.masked_with("the value")),
        )),
    }
}

fn unknown_option(subject: &Subject<'_>, key: &str, span: Span, known: &[String]) -> Diagnostic {
    let message = format!("`{key}` is no option of {} `{}`", subject.what, subject.options.name);
    let help = format!("it has {}", listed(known.iter().map(String::as_str)));
    let found = Diagnostic::new(codes::E0305, span, message);
    found.did_you_mean(key, known.iter().map(String::as_str)).help(help)
}

impl Subject<'_> {
    /// The place of the value an error speaks of; the component's key stands for the whole.
    fn place(&self, error: &ValidationError<'_>) -> Span {
        let pointer = error.instance_path().as_str();
        if pointer.is_empty() {
            return self.key;
        }
        let (parent, last) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        let parent = self.node.at(parent);
        parent
            .entry(&last.replace("~1", "/").replace("~0", "~"))
            .map_or(parent.span, |entry| entry.key.span)
    }
}

/// Of several forms a value may have, the one that was probably meant says what is wrong.
fn alternatives(
    subject: Subject<'_>,
    (error, span, shown): (&ValidationError<'_>, Span, &str),
    context: &[Vec<ValidationError<'static>>],
    diagnostics: &mut Diagnostics,
) {
    let node = subject.node.at(error.instance_path().as_str());
    let mut values = Vec::new();
    let mut kinds: Vec<String> = Vec::new();
    for branch in context {
        for one in branch.iter().filter(|one| one.instance_path() == error.instance_path()) {
            match one.kind() {
                ValidationErrorKind::Constant { expected_value } => values.push(expected_value.as_ref().clone()),
                ValidationErrorKind::Enum { options } => values.extend(options.as_array().cloned().unwrap_or_default()),
                ValidationErrorKind::Type { kind } => kinds.extend(Some(types(kind)).filter(|kind| !kind.is_empty())),
                _ => {}
            }
        }
    }
    let typed = |one: &ValidationError<'_>| {
        matches!(one.kind(), ValidationErrorKind::Type { .. }) && one.instance_path() == error.instance_path()
    };
    // A form whose outermost type is right was meant; of several, the one with the fewest mistakes.
    let meant = context
        .iter()
        .filter(|branch| !branch.iter().any(typed))
        .min_by_key(|branch| branch.len());
    match meant {
        Some(branch) if values.is_empty() => branch.iter().for_each(|one| explain(subject, one, diagnostics)),
        _ if !values.is_empty() => diagnostics.push(choice(span, shown, node, &values)),
        _ => {
            kinds.dedup();
            let message = format!("{shown} must be {}, not {}", kinds.join(" or "), node.kind());
            diagnostics.push(Diagnostic::new(codes::E0307, span, message));
        }
    }
}

fn choice(span: Span, shown: &str, node: &Node, values: &[Json]) -> Diagnostic {
    let words: Vec<String> = values
        .iter()
        .filter(|value| !value.is_null())
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = Diagnostic::new(
        codes::E0308,
        span,
        format!("{shown} must be one of {}", listed(words.iter().copied())),
    );
    match node.to_json() {
        Json::String(written) => found.did_you_mean(&written, words),
        _ => found,
    }
}

fn types(kind: &TypeKind) -> String {
    let word = |kind: jsonschema::JsonType| match kind {
        jsonschema::JsonType::Array => "a list",
        jsonschema::JsonType::Boolean => "true or false",
        jsonschema::JsonType::Integer => "a whole number",
        jsonschema::JsonType::Null => "",
        jsonschema::JsonType::Number => "a number",
        jsonschema::JsonType::Object => "a map",
        jsonschema::JsonType::String => "text",
    };
    match kind {
        TypeKind::Single(kind) => word(*kind).to_owned(),
        TypeKind::Multiple(kinds) => kinds
            .iter()
            .map(word)
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" or "),
    }
}

/// The names of the properties beside the keyword at this place of a schema.
fn properties(schema: &Json, keyword: &str) -> Vec<String> {
    let parent = keyword.rsplit_once('/').map_or("", |(parent, _)| parent);
    let properties = schema
        .pointer(parent)
        .and_then(|parent| parent.get("properties"))
        .and_then(Json::as_object);
    properties
        .into_iter()
        .flat_map(|properties| properties.keys().cloned())
        .collect()
}
