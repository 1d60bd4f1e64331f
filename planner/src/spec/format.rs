//! `format:` beside a source or sink, and the schema of its records.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use dataflow::element::columns;

use super::Format;
use super::component::Side;
use super::node::{Entry, Node, Value};
use super::options::{self, Subject};
use super::reader::{Reader, listed};
use super::span::Spanned;
use crate::catalog::Options;
use crate::diagnostic::{Diagnostic, codes};

/// The types a schema names, without those that hold others.
const TYPES: &[&str] = &[
    "boolean",
    "int32",
    "int64",
    "float",
    "double",
    "decimal(p,s)",
    "string",
    "binary",
    "date",
    "timestamp",
];
/// Digits of a `decimal`.
const DIGITS_MAX: u8 = 38;

impl Reader<'_> {
    /// `format: json` or `format: { json: { … } }`.
    pub(crate) fn format(&mut self, node: &Node, side: Side) -> Option<Format> {
        let (name, inside) = match &node.value {
            Value::Scalar(_) => {
                let name = self.string(node, "a format")?;
                (
                    name,
                    Node {
                        span: node.span,
                        value: Value::Map(Vec::new()),
                    },
                )
            }
            Value::Map(entries) if entries.len() == 1 => {
                let Entry { key, value } = &entries[0];
                let empty = Node {
                    span: key.span,
                    value: Value::Map(Vec::new()),
                };
                (key.clone(), if value.is_null() { empty } else { value.clone() })
            }
            Value::Map(_) | Value::List(_) => {
                let found = Diagnostic::new(codes::E0310, node.span, "`format` takes the key of one format");
                self.report(found.help("write `format: json`, or with options `format: { json: { … } }`"));
                return None;
            }
        };
        let catalog = self.catalog;
        let Some(options) = catalog.formats().iter().find(|options| options.name == name.value) else {
            let known = catalog.formats().iter().map(|options| options.name);
            let found = Diagnostic::new(codes::E0310, name.span, format!("there is no format `{}`", name.value));
            self.report(
                found
                    .did_you_mean(&name.value, known.clone())
                    .help(format!("formats are {}", listed(known))),
            );
            return None;
        };
        let Value::Map(_) = &inside.value else {
            self.expected(&inside, &format!("a map (the options of `{}`)", name.value));
            return None;
        };
        let schema = self.schema(&name, &inside, side, options);
        let plain = without_schema(&inside);
        let mut written = plain.to_json();
        let subject = Subject {
            what: "the format",
            key: name.span,
            node: &plain,
            options,
        };
        // A schema that options require was looked at above; for the check any will do.
        let required = options.schema["required"]
            .as_array()
            .is_some_and(|keys| keys.iter().any(|key| key == "schema"));
        if let Some(options) = written.as_object_mut().filter(|_| required) {
            options.insert("schema".to_owned(), serde_json::json!({}));
        }
        let fine = options::check(subject, &written, self.diagnostics);
        // A format whose records have columns only by the schema reads their order out of it.
        let ordered = catalog.format(&name.value).is_some_and(|format| format.needs_schema());
        fine.then(|| Format {
            name,
            options: if ordered { inside.to_json() } else { plain.to_json() },
            node: plain,
            schema,
        })
    }

    fn schema(
        &mut self,
        name: &Spanned<String>,
        inside: &Node,
        side: Side,
        options: &Options,
    ) -> Option<Spanned<SchemaRef>> {
        let allowed = options.keys().any(|key| key == "schema");
        let needed = side == Side::Source
            && self
                .catalog
                .format(&name.value)
                .is_some_and(|format| format.needs_schema());
        let Some(entry) = inside.entry("schema") else {
            if needed {
                let help = format!(
                    "write `format: {{ {}: {{ schema: {{ field: string }} }} }}`",
                    name.value
                );
                let message = format!("the format `{}` needs the `schema` of its records", name.value);
                self.error(codes::E0312, name.span, message, &help);
            }
            return None;
        };
        if !allowed && !needed {
            let message = format!("the format `{}` takes no `schema`", name.value);
            self.report(Diagnostic::new(codes::E0305, entry.key.span, message));
            return None;
        }
        let fields = self.fields(&entry.value)?;
        Some(Spanned::new(Arc::new(Schema::new(fields)), entry.value.span))
    }

    /// The fields of a record. Recursion is bounded by the depth of the document.
    fn fields(&mut self, node: &Node) -> Option<Fields> {
        let Value::Map(entries) = &node.value else {
            self.expected(node, "a map (each field of a record and its type)");
            return None;
        };
        if entries.is_empty() {
            self.error(
                codes::E0214,
                node.span,
                "a record without fields",
                "write `{ field: type }`",
            );
            return None;
        }
        let mut fields = Vec::with_capacity(entries.len());
        for Entry { key, value } in entries {
            if columns::is_reserved(&key.value) || key.value.is_empty() {
                let message = format!("a field can't be called `{}`", key.value);
                self.error(codes::E0215, key.span, message, "names with `$` are reserved");
                continue;
            }
            // The second half of a `decimal(10,2)` without quotes was told with its first.
            let rest_of_decimal = value.is_null() && key.value.ends_with(')');
            if let Some(kind) = Some(value)
                .filter(|_| !rest_of_decimal)
                .and_then(|value| self.data_type(value))
            {
                fields.push(Field::new(&key.value, kind, true));
            }
        }
        // One wrong type would make every expression that reads it look wrong too.
        (fields.len() == entries.len()).then(|| fields.into())
    }

    fn data_type(&mut self, node: &Node) -> Option<DataType> {
        match &node.value {
            Value::Map(_) => self.fields(node).map(DataType::Struct),
            Value::List(items) => {
                let [item] = items.as_slice() else {
                    self.error(
                        codes::E0311,
                        node.span,
                        "a list has the type of its items, one",
                        "such as `[string]`",
                    );
                    return None;
                };
                self.data_type(item)
                    .map(|item| DataType::List(Arc::new(Field::new_list_field(item, true))))
            }
            Value::Scalar(scalar) => {
                let known = plain_type(&scalar.text);
                if known.is_none() {
                    let shown: String = scalar.text.chars().take(40).collect();
                    let found = Diagnostic::new(codes::E0311, node.span, format!("there is no type `{shown}`"));
                    let found = match foreign(&scalar.text.to_ascii_lowercase()) {
                        Some(ours) => Diagnostic {
                            suggestion: Some(ours.to_owned()),
                            ..found
                        },
                        None => found.did_you_mean(&scalar.text, TYPES.iter().copied()),
                    };
                    if scalar.text.starts_with("decimal(") && !scalar.text.ends_with(')') {
                        self.report(found.help("between braces its comma needs quotes: `\"decimal(10,2)\"`"));
                        return None;
                    }
                    let help = format!(
                        "types are {}, `[T]` for a list and a map for a record",
                        TYPES.join(", ")
                    );
                    self.report(found.help(help));
                }
                known
            }
        }
    }
}

fn without_schema(node: &Node) -> Node {
    let Value::Map(entries) = &node.value else {
        return node.clone();
    };
    let others = entries
        .iter()
        .filter(|entry| entry.key.value != "schema")
        .cloned()
        .collect();
    Node {
        span: node.span,
        value: Value::Map(others),
    }
}

fn plain_type(name: &str) -> Option<DataType> {
    Some(match name {
        "boolean" => DataType::Boolean,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "string" => DataType::Utf8View,
        "binary" => DataType::Binary,
        "date" => DataType::Date32,
        "timestamp" => columns::timestamp(),
        decimal => {
            let (digits, scale) = decimal.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
            let (digits, scale) = (digits.trim().parse::<u8>().ok()?, scale.trim().parse::<u8>().ok()?);
            let scale_signed = i8::try_from(scale).ok()?;
            (1..=DIGITS_MAX).contains(&digits).then_some(())?;
            (scale <= digits).then_some(DataType::Decimal128(digits, scale_signed))?
        }
    })
}

/// What other systems call our types.
fn foreign(name: &str) -> Option<&'static str> {
    Some(match name {
        "int" | "integer" => "int32",
        "long" | "bigint" => "int64",
        "float32" | "real" => "float",
        "number" | "float64" => "double",
        "bool" => "boolean",
        "text" | "varchar" | "utf8" => "string",
        "bytes" => "binary",
        "datetime" | "instant" => "timestamp",
        "decimal" | "numeric" => "decimal(18,2)",
        _ => return None,
    })
}
