//! `sinks`, `archive` and `deadLetter`: who takes rows, what it wants of them, and how they become bytes.

use arrow_schema::{Fields, SchemaRef};
use dataflow::contract::sink::{Kinds, Wants};
use dataflow::contract::{InvalidOptions, dead};
use dataflow::element::columns;
use dataflow::recipe::{self, Recipe, Role};

use super::source;
use crate::diagnostic::{Diagnostic, codes};
use crate::logical::{Binder, Bound, Input, Origin, Reads, Scope, SinkItem, rows};
use crate::spec::{Component, DeadLetter};

/// The option by which a sink says that it writes changes as such.
const CHANGELOG: &str = "changelog";

/// What is carried behind a sink: nothing.
fn nothing() -> Input {
    Input::typed(Fields::empty())
}

pub(crate) fn observe(binder: &mut Binder<'_>, item: SinkItem<'_>, input: &Scope) -> Scope {
    let Some(component) = item.component else {
        return Scope::Unknown;
    };
    let open = Input::records(Fields::empty(), source::format(None));
    // Of typed rows a sink gets every column; of open ones what it says it reads. Typed ones may still be copies of open
    // fields, so it is asked of those too, but its refusals mean nothing there.
    let wants = if input.is_open() {
        wants(binder, component, &open.rows())
    } else {
        let connector = binder.catalog.connector(&component.connector.value);
        let sink = connector.and_then(|connector| connector.sink());
        sink.and_then(|sink| sink.plan(&component.options, &open.rows()).ok())
    };
    for (path, data_type) in wants.iter().flat_map(|wants| &wants.paths) {
        binder.read(input, path, Some(data_type));
    }
    Scope::Unknown
}

pub(crate) fn bind(binder: &mut Binder<'_>, item: SinkItem<'_>, input: &Input) -> Option<Bound> {
    let component = item.component?;
    // What an open stream's records hold is not known: a sink must not rely on the fields that others happen to read.
    let seen = match &input.open {
        Some(format) => Input::records(Fields::empty(), format.clone()),
        None => Input {
            origin: Origin::None,
            ..input.clone()
        },
    };
    let wants = wants(binder, component, &seen.rows())?;
    takes(binder, component, wants.kinds, input)?;
    let format = wants.encoded.then(|| source::format(item.format));
    if let (None, Some(written)) = (&format, item.format) {
        let message = format!(
            "`{}` writes rows in a form of its own and takes no `format`",
            component.connector.value
        );
        binder
            .diagnostics
            .push(Diagnostic::new(codes::E0314, written.name.span, message).help("leave `format` out"));
        return None;
    }
    let mut reads = Reads {
        all: input.open.is_none(),
        ..Reads::of(wants.paths.iter().map(|(path, _)| path.clone()))
    };
    let raw = wants.encoded && input.open.is_some();
    let wanted = |name: &str| wants.reserved.iter().any(|reserved| reserved == name) || (raw && name == columns::RAW);
    let all = [
        columns::RAW,
        columns::SPLIT,
        columns::POSITION,
        columns::TIME,
        columns::KIND,
    ];
    reads.reserved = all.into_iter().filter(|name| wanted(name)).collect();
    if let Some(format) = &format {
        encoder(binder, &item, format, (&seen, &reads.reserved))?;
    }
    let recipe = sink(component, format, item.role);
    Some(Bound::new(Recipe::Sink(recipe), reads, nothing()))
}

/// Whether a sink takes the kinds of rows that reach it.
fn takes(binder: &mut Binder<'_>, component: &Component, kinds: Kinds, input: &Input) -> Option<()> {
    let Some(changed) = input.changes().filter(|_| kinds == Kinds::Inserts) else {
        return Some(());
    };
    let connector = &component.connector;
    let message = format!(
        "`{}` takes new rows only, and `{}` changes rows that it gave before",
        connector.value, changed.step.value
    );
    let found =
        Diagnostic::new(codes::E0608, connector.span, message).also(changed.step.span, "these rows are changes");
    let writes_changes = |name: &str| {
        let sinks = binder.catalog.sinks();
        sinks
            .iter()
            .any(|sink| sink.name == name && sink.keys().any(|key| key == CHANGELOG))
    };
    let once = &changed.instead;
    let found = if writes_changes(&connector.value) {
        found.help(format!("{once}, or write the changes: `{CHANGELOG}: true`"))
    } else {
        let others: Vec<&str> = binder.catalog.sinks().iter().map(|sink| sink.name).collect();
        let others = others.into_iter().filter(|name| writes_changes(name));
        let others: Vec<String> = others.map(|name| format!("`{name}`")).collect();
        match others.as_slice() {
            [] => found.help(once),
            others => found.help(format!(
                "{once}, or take a sink that writes changes: {} with `{CHANGELOG}: true`",
                others.join(", ")
            )),
        }
    };
    binder.diagnostics.push(found);
    None
}

/// Whether the format can write rows of these types.
fn encoder(
    binder: &mut Binder<'_>,
    item: &SinkItem<'_>,
    format: &recipe::Format,
    (input, reserved): (&Input, &[&str]),
) -> Option<()> {
    let told = |name: &&str| [columns::RAW, columns::KIND].contains(name);
    let reserved: Vec<&str> = reserved.iter().copied().filter(told).collect();
    let rows = rows(&input.fields, &reserved);
    let Err(invalid) = binder.catalog.format(&format.name)?.encoder(&format.options, rows) else {
        return Some(());
    };
    match (item.format, item.component) {
        (Some(written), _) => binder.invalid(&written.node, written.name.span, &invalid),
        (None, Some(component)) => {
            binder.invalid(
                &component.node,
                component.connector.span,
                &InvalidOptions {
                    pointer: String::new(),
                    ..invalid
                },
            );
        }
        (None, None) => {}
    }
    None
}

/// The sink of dead letters.
pub(crate) fn dead_letter(binder: &mut Binder<'_>, item: &DeadLetter) -> Option<recipe::Sink> {
    let component = item.component.as_ref()?;
    let wants = wants(binder, component, &dead::schema())?;
    Some(sink(
        component,
        wants.encoded.then(|| source::format(None)),
        Role::DeadLetter,
    ))
}

fn wants(binder: &mut Binder<'_>, component: &Component, input: &SchemaRef) -> Option<Wants> {
    let connector = binder.catalog.connector(&component.connector.value)?.sink()?;
    match connector.plan(&component.options, input) {
        Ok(wants) => Some(wants),
        Err(invalid) => {
            binder.invalid(&component.node, component.connector.span, &invalid);
            None
        }
    }
}

fn sink(component: &Component, format: Option<recipe::Format>, role: Role) -> recipe::Sink {
    recipe::Sink {
        connector: component.connector.value.clone(),
        options: component.options.clone(),
        format,
        role,
    }
}
