//! `weir explain`: an error code, a connector or a format, or one stage of a document on its way to subtasks.

use std::path::Path;

use dataflow::contract::Guarantee;
use dataflow::store::open::AllowPaths;
use planner::Catalog;
use serde_json::{Value, json};

use super::documents::read;
use crate::args::{Explain, OutputForm, Stage};
use crate::exit::{Exit, Stop};
use crate::output::{print, show};
use crate::planning::Planner;
use crate::wiring::Parts;

pub(crate) async fn explain(explain: &Explain, form: OutputForm) -> Result<(), Stop> {
    let subject = explain.subject.as_str();
    if let Some(page) = planner::diagnostic::page(subject) {
        return print(page);
    }
    let parts = Parts::new(AllowPaths::All)?;
    if let Some(described) = component(&parts.catalog, subject) {
        return show(form, &described, options_text);
    }
    let file = Path::new(subject);
    if !file.exists() && subject != "-" {
        return Err(unknown(&parts.catalog, subject));
    }
    let text = read(file)?;
    let planner = Planner::new(parts.catalog.clone(), parts.stores).of_file(file);
    match explain.stage {
        Stage::Logical => print(&planner.logical_text(&text).await?),
        Stage::Job => {
            let planned = planner.plan_all(&text).await?;
            print(
                &planned
                    .iter()
                    .map(|one| planner::explain::job(&one.graph))
                    .collect::<Vec<_>>()
                    .join("\n"),
            )
        }
        Stage::Execution => {
            let planned = planner.plan_all(&text).await?;
            let texts = planned
                .iter()
                .map(|one| jobmanager::execution::explain(&jobmanager::execution::expand(&one.graph)));
            print(&texts.collect::<Vec<_>>().join("\n"))
        }
    }
}

fn unknown(catalog: &Catalog, subject: &str) -> Stop {
    let names = catalog
        .sources()
        .iter()
        .chain(catalog.sinks())
        .chain(catalog.formats())
        .map(|options| options.name);
    let codes = planner::diagnostic::pages().iter().map(|(code, _)| *code);
    let mut known: Vec<&str> = names.chain(codes).collect();
    known.sort_unstable();
    known.dedup();
    let help = match planner::diagnostic::nearest(subject, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name an error code such as E0101, a connector such as file, a format such as json, or a YAML file"
            .to_owned(),
    };
    Stop::new(
        Exit::Refused,
        format!("there is nothing to explain by the name `{subject}`, and no such file"),
    )
    .help(help)
}

/// What a connector or format says of itself.
fn component(catalog: &Catalog, name: &str) -> Option<Value> {
    if let Some(connector) = catalog.connector(name) {
        let described = connector.describe();
        let examples: Vec<Value> = described
            .examples
            .iter()
            .map(|example| json!({ "title": example.title, "document": example.document }))
            .collect();
        return Some(json!({
            "name": name,
            "summary": described.summary,
            "guarantee": described.guarantee.map(|guarantee| match guarantee {
                Guarantee::ExactlyOnce => "exactly once",
                Guarantee::AtLeastOnce => "at least once",
            }),
            "source": connector.source().map(|source| source.schema()),
            "sink": connector.sink().map(|sink| sink.schema()),
            "examples": examples,
        }));
    }
    let format = catalog.format(name)?;
    Some(json!({ "name": name, "summary": "A format of records.", "format": format.schema() }))
}

/// The page of a connector or format: its options, as their struct documents them.
fn options_text(described: &Value) -> String {
    let text = |key: &str| described[key].as_str().unwrap_or_default();
    let mut page = format!("{}: {}\n", text("name"), text("summary"));
    if described["guarantee"].is_string() {
        page.push_str(&format!("Its sink delivers {}.\n", text("guarantee")));
    }
    for (key, title) in [("source", "As a source"), ("sink", "As a sink"), ("format", "Options")] {
        if described[key].is_object() {
            page.push_str(&format!("\n{title}:\n{}", properties(&described[key])));
        }
    }
    for example in described["examples"].as_array().into_iter().flatten() {
        let line = |key: &str| example[key].as_str().unwrap_or_default();
        page.push_str(&format!("\n{}:\n\n", line("title")));
        line("document")
            .lines()
            .for_each(|line| page.push_str(&format!("    {line}\n")));
    }
    page
}

/// The properties of a JSON Schema, one a paragraph.
fn properties(schema: &Value) -> String {
    let Some(properties) = schema["properties"].as_object() else {
        return "  no options\n".to_owned();
    };
    if properties.is_empty() {
        return "  no options\n".to_owned();
    }
    let is_required = |name: &str| {
        schema["required"]
            .as_array()
            .is_some_and(|names| names.iter().any(|one| one == name))
    };
    let mut page = String::new();
    for (name, property) in properties {
        let need = match &property["default"] {
            _ if is_required(name) => " (needed)".to_owned(),
            Value::Null => String::new(),
            default => format!(" (unless given: {default})"),
        };
        page.push_str(&format!("  {name}{need}\n"));
        for line in property["description"].as_str().unwrap_or_default().lines() {
            page.push_str(&format!("      {line}\n"));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use planner::components::{ComponentKind, list};

    use super::*;

    const BEFORE: &str = "datastreamName: shown
contactName: eng
sources:
  - name: events
    generator: { events: shop }
    format: { json: { schema: { eventId: string, eventType: string, subscriberId: string, companyId: string, eventTime: timestamp, payload: { total: double, cart: string, items: [{ sku: string }] } } } }
    eventTime: { field: eventTime }
steps:
";

    /// What a step needs before it.
    const BRANCHES: &str = "  - name: kinds\n    route: { bought: \"eventType = 'PURCHASE'\", else: other }\n";

    #[test]
    fn every_example_of_a_connector_and_of_a_step_is_a_document_without_mistakes() {
        let parts = Parts::new(AllowPaths::All).unwrap();
        for component in list(parts.catalog.registry()) {
            for example in &component.examples {
                let text = match component.kind {
                    ComponentKind::Connector => example.document.clone(),
                    ComponentKind::Format => continue,
                    ComponentKind::Step => {
                        let step: String = example.document.lines().map(|line| format!("  {line}\n")).collect();
                        let branches = if component.name == "union" { BRANCHES } else { "" };
                        let end = if component.name == "route" { "kinds.bought" } else { "" };
                        let sink = if end.is_empty() {
                            String::new()
                        } else {
                            format!("    inputs: [{end}, kinds.other]\n")
                        };
                        format!("{BEFORE}{branches}{step}sinks:\n  - name: out\n    blackhole: {{}}\n{sink}")
                    }
                };
                let found = planner::plan(&text, &parts.catalog, &planner::Discovered::default());
                // Columns that only files know are asked for when it is submitted.
                let schema = found
                    .diagnostics
                    .iter()
                    .all(|one| one.severity() == planner::diagnostic::Severity::Warning);
                let shown = found
                    .diagnostics
                    .render("example", &text, planner::diagnostic::Look::Plain);
                assert!(
                    schema || component.name == "archive",
                    "{}: {shown}\n{text}",
                    component.name
                );
            }
        }
    }
}
