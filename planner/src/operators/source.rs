//! `sources`: what a connector yields, as bytes that a format reads or as columns.

use std::collections::BTreeMap;

use arrow_schema::{Fields, Schema, SchemaRef};
use dataflow::contract::Shape;
use dataflow::element::columns;
use dataflow::recipe::{self, Recipe};
use serde_json::{Value, json};

use super::{decode, event_time};
use crate::diagnostic::{Diagnostic, codes};
use crate::logical::{Binder, Bound, Input, Reads, Scope, Stage, Untimed, holds, user};
use crate::spec::{self, Spanned};

/// The format of records where a document names none.
pub(crate) const FORMAT: &str = "json";

/// What a source yields.
enum Yields {
    /// Records as bytes in this format, of any fields.
    Open(recipe::Format),
    /// Records as bytes in this format, with these fields.
    Decoded(recipe::Format, SchemaRef),
    /// Columns.
    Columns(SchemaRef),
}

pub(crate) fn observe(binder: &mut Binder<'_>, stage: &Stage<'_>, source: &spec::Source) -> Scope {
    match yields(binder, stage, source) {
        None => Scope::Unknown,
        Some(Yields::Decoded(_, schema) | Yields::Columns(schema)) => Scope::typed(&schema),
        Some(Yields::Open(_)) => {
            let scope = Scope::Open(binder.stream());
            if let Some(event_time) = &source.event_time {
                event_time::observe(binder, event_time, &scope);
            }
            scope
        }
    }
}

pub(crate) fn bind(
    binder: &mut Binder<'_>,
    stage: &Stage<'_>,
    source: &spec::Source,
    scope: &Scope,
) -> Option<Vec<Bound>> {
    let component = source.component.as_ref()?;
    let recipe = |format, columns| recipe_of(component, format, columns);
    let (format, fields, open) = match yields(binder, stage, source)? {
        Yields::Columns(schema) => {
            let names = schema.fields().iter().map(|field| field.name().clone()).collect();
            let output = Input::typed(schema.fields().clone());
            let first = Bound::new(recipe(None, Some(names)), Reads::default(), output.clone());
            return timed(binder, (stage, source), vec![first], &output);
        }
        Yields::Open(format) => (format.clone(), binder.fields(scope), Some(format)),
        Yields::Decoded(format, schema) => (format, schema.fields().clone(), None),
    };
    let bytes = Input::records(Fields::empty(), format.clone());
    let decoded = match open {
        Some(format) => Input::records(fields, format),
        None => Input::typed(fields).made_of(&bytes),
    };
    if let Err(invalid) = binder
        .catalog
        .format(&format.name)?
        .decoder(&format.options, Schema::new(decoded.fields.clone()).into())
    {
        let span = source
            .format
            .as_ref()
            .map_or(component.connector.span, |format| format.name.span);
        let names: Vec<String> = decoded
            .fields
            .iter()
            .map(|field| format!("`{}`", field.name()))
            .collect();
        let message = format!(
            "the format `{}` cannot give {}: {}",
            format.name,
            names.join(", "),
            invalid.message
        );
        let found = Diagnostic::new(codes::E0509, span, message);
        binder.diagnostics.push(match invalid.help {
            Some(help) => found.help(help),
            None => found,
        });
        return None;
    }
    let first = recipe(Some(format.clone()), None);
    let first = Bound::new(first, Reads::default(), bytes);
    let operators = vec![first, decode::bound(format, decoded.clone())];
    timed(binder, (stage, source), operators, &decoded)
}

/// The operators of a source, and behind them the one that gives rows their time, where the document or the connector
/// says what that is.
fn timed(
    binder: &mut Binder<'_>,
    (stage, source): (&Stage<'_>, &spec::Source),
    mut operators: Vec<Bound>,
    output: &Input,
) -> Option<Vec<Bound>> {
    let component = source.component.as_ref()?;
    let connector = binder.catalog.connector(&component.connector.value)?.source()?;
    if let Some(event_time) = &source.event_time {
        operators.push(event_time::bind(binder, event_time, output)?);
    } else if connector.is_timed() {
        operators.push(event_time::of_source(output));
    } else if let Some(last) = operators.last_mut() {
        last.output.untimed = vec![Untimed::Source(Spanned::new(stage.name.clone(), stage.span))];
    }
    Some(operators)
}

fn recipe_of(component: &spec::Component, format: Option<recipe::Format>, columns: Option<Vec<String>>) -> Recipe {
    Recipe::Source(recipe::Source {
        connector: component.connector.value.clone(),
        options: component.options.clone(),
        format,
        columns,
    })
}

fn yields(binder: &mut Binder<'_>, stage: &Stage<'_>, source: &spec::Source) -> Option<Yields> {
    let component = source.component.as_ref()?;
    let connector = binder.catalog.connector(&component.connector.value)?.source()?;
    let shape = match connector.plan(&component.options) {
        Ok(shape) => shape,
        Err(invalid) => {
            binder.invalid(&component.node, component.connector.span, &invalid);
            return None;
        }
    };
    let written = source.format.as_ref();
    let schema = written
        .and_then(|format| format.schema.as_ref())
        .map(|schema| schema.value.clone());
    Some(match (shape, schema) {
        (Shape::Bytes, Some(schema)) => Yields::Decoded(format(written), schema),
        (Shape::Bytes, None) => Yields::Open(format(written)),
        (Shape::Columns(schema), _) | (Shape::Discovered, Some(schema)) => Yields::Columns(schema),
        (Shape::Discovered, None) => {
            let Some(schema) = binder.discovered.get(&stage.name) else {
                let message = format!("the columns of `{}` are not known before it is looked at", stage.name);
                binder
                    .diagnostics
                    .push(Diagnostic::new(codes::W0504, stage.span, message));
                return None;
            };
            if holds(schema, columns::RAW) {
                Yields::Open(format(written))
            } else {
                Yields::Columns(Schema::new(user(schema)).into())
            }
        }
    })
}

/// The format that was written, or else the one that is meant.
pub(crate) fn format(written: Option<&spec::Format>) -> recipe::Format {
    match written {
        Some(format) => {
            let options = if format.options.is_null() {
                json!({})
            } else {
                format.options.clone()
            };
            recipe::Format {
                name: format.name.value.clone(),
                options,
            }
        }
        None => recipe::Format {
            name: FORMAT.to_owned(),
            options: Value::Object(serde_json::Map::new()),
        },
    }
}

/// Sources of a datastream whose columns somebody has to look at before it can be planned, by name.
pub(crate) fn undiscovered<'a>(
    spec: &'a spec::Spec,
    catalog: &crate::Catalog,
) -> BTreeMap<String, &'a spec::Component> {
    let mut found = BTreeMap::new();
    for (index, source) in spec.sources.iter().enumerate() {
        let Some(component) = &source.component else { continue };
        let connector = catalog
            .connector(&component.connector.value)
            .and_then(|connector| connector.source());
        let shape = connector.map(|connector| connector.plan(&component.options));
        let given = source.format.as_ref().is_some_and(|format| format.schema.is_some());
        if matches!(shape, Some(Ok(Shape::Discovered))) && !given {
            let name = source
                .name
                .as_ref()
                .map_or_else(|| format!("source-{}", index + 1), |name| name.value.clone());
            found.insert(name, component);
        }
    }
    found
}
