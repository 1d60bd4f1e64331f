//! The whole walk as one call: text to job graphs, or every mistake in the text.

use std::collections::BTreeMap;

use arrow_schema::SchemaRef;
use dataflow::recipe::{self, Recipe, Role};
use serde_json::Value;

use crate::catalog::{Catalog, DEAD_LETTER};
use crate::diagnostic::Diagnostics;
use crate::job::{JobGraph, lower};
use crate::logical::{LogicalPlan, bind};
use crate::operators::source;
use crate::rewrite::rewrite;
use crate::spec::{self, Spec};

/// Schemas that somebody found out by looking at the world: of each datastream, by the name of the source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovered(BTreeMap<String, BTreeMap<String, SchemaRef>>);

impl Discovered {
    /// Adds what [`SourceConnector::discover_schema`](dataflow::contract::SourceConnector::discover_schema) said.
    pub fn insert(&mut self, datastream: &str, source: &str, schema: SchemaRef) {
        self.0
            .entry(datastream.to_owned())
            .or_default()
            .insert(source.to_owned(), schema);
    }
}

/// A source whose columns the planner cannot know: ask its connector before planning.
#[derive(Clone, Debug, PartialEq)]
pub struct ToDiscover {
    /// The datastream.
    pub datastream: String,
    /// The source's name in it, given or made.
    pub source: String,
    /// The connector to ask.
    pub connector: String,
    /// The source's options.
    pub options: Value,
}

/// What came of a text.
#[derive(Debug)]
pub struct Planned {
    /// Every datastream in it, as it was written.
    pub specs: Vec<Spec>,
    /// The plans of those without mistakes, in order.
    pub plans: Vec<LogicalPlan>,
    /// The job graphs of those plans, in the same order.
    pub jobs: Vec<JobGraph>,
    /// Every mistake and warning.
    pub diagnostics: Diagnostics,
}

/// Plans every datastream of a text. Total and pure: same text, catalog and schemas, same result, byte for byte.
#[must_use]
pub fn plan(text: &str, catalog: &Catalog, discovered: &Discovered) -> Planned {
    plan_with(text, catalog, discovered, Overrides::default())
}

/// Numbers that hold instead of those in the document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Instead of the datastream's `parallelism`; steps that have a number of their own keep it.
    pub parallelism: Option<u32>,
}

/// Plans every datastream of a text as if it had other numbers in it.
#[must_use]
pub fn plan_with(text: &str, catalog: &Catalog, discovered: &Discovered, overrides: Overrides) -> Planned {
    let spec::Parsed {
        mut specs,
        mut diagnostics,
    } = spec::parse(text, catalog);
    for spec in &mut specs {
        let span = spec
            .settings
            .parallelism
            .as_ref()
            .map_or(spec.span, |written| written.span);
        let value = overrides.parallelism.map(|value| spec::Spanned { value, span });
        spec.settings.parallelism = value.or_else(|| spec.settings.parallelism.take());
    }
    let nothing = BTreeMap::new();
    let mut plans = Vec::new();
    for spec in &specs {
        let schemas = discovered.0.get(&spec.name.value).unwrap_or(&nothing);
        plans.extend(bind(spec, catalog, schemas, &mut diagnostics).map(rewrite));
    }
    let jobs = plans.iter().map(lower).collect();
    Planned {
        specs,
        plans,
        jobs,
        diagnostics,
    }
}

/// The job graph that a test of a datastream is run on: as many subtasks as the test says, one of each step unless it says
/// so, and all rows and dead letters as lines, where the datastream writes none.
///
/// # Errors
/// What stands in the way of that many subtasks.
pub fn rehearsed(
    spec: &Spec,
    catalog: &Catalog,
    discovered: &Discovered,
    parallelism: Option<u32>,
) -> Result<JobGraph, Diagnostics> {
    let mut spec = spec.clone();
    let span = spec.span;
    let value = parallelism.unwrap_or(1);
    spec.settings.parallelism = Some(spec::Spanned { value, span });
    if parallelism.is_none() {
        spec.sources.iter_mut().for_each(|source| source.parallelism = None);
        spec.steps.iter_mut().for_each(|step| step.parallelism = None);
        spec.sinks.iter_mut().for_each(|sink| sink.parallelism = None);
        spec.archive.iter_mut().for_each(|archive| archive.parallelism = None);
    }
    let nothing = BTreeMap::new();
    let mut diagnostics = Diagnostics::default();
    let schemas = discovered.0.get(&spec.name.value).unwrap_or(&nothing);
    let Some(mut plan) = bind(&spec, catalog, schemas, &mut diagnostics) else {
        return Err(diagnostics);
    };
    let lines = || Some(source::format(None));
    for node in &mut plan.nodes {
        if let Recipe::Sink(sink) = &mut node.recipe {
            sink.format = sink.format.take().or_else(lines);
        }
    }
    plan.dead_letter = Some(recipe::Sink {
        connector: DEAD_LETTER.to_owned(),
        options: Value::Null,
        format: lines(),
        role: Role::DeadLetter,
    });
    // The document's number is for what it really reads and writes.
    plan.settings.memory_bytes = None;
    Ok(lower(&rewrite(plan)))
}

/// The sources of these datastreams whose schemas have to be found out, in order.
#[must_use]
pub fn sources_to_discover(specs: &[Spec], catalog: &Catalog) -> Vec<ToDiscover> {
    let of_spec = |spec: &Spec| {
        let found = source::undiscovered(spec, catalog).into_iter();
        let wanted = found.map(|(source, component)| ToDiscover {
            datastream: spec.name.value.clone(),
            source,
            connector: component.connector.value.clone(),
            options: component.options.clone(),
        });
        wanted.collect::<Vec<_>>()
    };
    specs.iter().flat_map(of_spec).collect()
}
