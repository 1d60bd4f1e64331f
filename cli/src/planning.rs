//! Planning with the world at hand: asks sources for schemas that only their files know, then lets the planner decide.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use dataflow::store::Stores;
use dataflow::{Disposition, Failure};
use jobmanager::{Desired, Looked, Plan, Planned, Rejected, Written};
use planner::diagnostic::{Diagnostics, Look};
use planner::job::JobGraph;
use planner::logical::LogicalPlan;
use planner::spec::{DesiredState, Spec, Test};
use planner::{Catalog, Discovered, Overrides};
use serde_json::Value;

use crate::exit::{Exit, Stop};
use crate::sheet::{look, title};

/// Plans texts.
pub(crate) struct Planner {
    catalog: Arc<Catalog>,
    stores: Arc<dyn Stores>,
    /// What messages call the text.
    file: String,
    look: Look,
}

/// A datastream whose tests can be run.
pub(crate) struct Rehearsable {
    pub(crate) name: String,
    /// The names of its sources, in order.
    pub(crate) sources: Vec<String>,
    /// The names of its sinks, in order, the archive's among them.
    pub(crate) sinks: Vec<String>,
    /// Its tests, each with the graph that it is run on, or what stands in the way of that many subtasks.
    pub(crate) tests: Vec<(Test, Result<JobGraph, String>)>,
}

/// What `weir validate` says of a text.
pub(crate) struct Checked {
    /// How a command ends that was asked for nothing else.
    pub(crate) exit: Exit,
    pub(crate) names: Vec<String>,
    /// For people; empty where nothing was found.
    pub(crate) rendered: String,
    pub(crate) diagnostics: Value,
}

impl Planner {
    /// A planner of texts that came without a file, and go back as plain text.
    pub(crate) fn new(catalog: Arc<Catalog>, stores: Arc<dyn Stores>) -> Self {
        Self {
            catalog,
            stores,
            file: "datastream.yaml".to_owned(),
            look: Look::Plain,
        }
    }

    /// Texts of this file, for the person at this terminal.
    pub(crate) fn of_file(mut self, file: &Path) -> Self {
        self.file = title(file);
        self.look = look();
        self
    }

    /// Plans every document of a text.
    pub(crate) async fn plan_all(&self, text: &str) -> Result<Vec<Planned>, Stop> {
        let walked = self.walk(text).await.map_err(|failure| self.unseen(failure))?;
        self.planned(text, walked)
            .map_err(|rejected| Stop::new(Exit::Document, rejected.rendered.trim_end()))
    }

    /// The whole walk of a text without mistakes.
    pub(crate) async fn walked(&self, text: &str) -> Result<planner::Planned, Stop> {
        let planned = self.walk(text).await.map_err(|failure| self.unseen(failure))?;
        if planned.diagnostics.has_errors() || planned.jobs.is_empty() {
            return Err(Stop::new(Exit::Document, self.rendered(text, &planned.diagnostics)));
        }
        Ok(planned)
    }

    /// What was found in a text, for the person at this terminal.
    pub(crate) fn rendered(&self, text: &str, found: &Diagnostics) -> String {
        found.render(&self.file, text, self.look).trim_end().to_owned()
    }

    /// The logical plans of a text, as text.
    pub(crate) async fn logical_text(&self, text: &str) -> Result<String, Stop> {
        let planned = self.walked(text).await?;
        Ok(planned
            .plans
            .iter()
            .map(planner::explain::logical)
            .collect::<Vec<_>>()
            .join("\n"))
    }

    /// Every mistake in a text.
    pub(crate) async fn check(&self, text: &str) -> Checked {
        match self.walk(text).await {
            Ok(planned) => {
                let found = &planned.diagnostics;
                let rendered = if found.is_empty() {
                    String::new()
                } else {
                    found.render(&self.file, text, self.look)
                };
                Checked {
                    exit: if found.has_errors() {
                        Exit::Document
                    } else {
                        Exit::Success
                    },
                    names: planned.specs.iter().map(|spec| spec.name.value.clone()).collect(),
                    rendered,
                    diagnostics: found.to_json(&self.file, text),
                }
            }
            Err(failure) => Checked {
                exit: unseen_exit(&failure),
                names: Vec::new(),
                rendered: format!("error: {}: {failure}", self.file),
                diagnostics: unreachable_input(&failure),
            },
        }
    }

    /// Why a text cannot be planned whose sources cannot be looked at.
    fn unseen(&self, failure: Failure) -> Stop {
        let exit = unseen_exit(&failure);
        // What is said of documents says itself that it is an error.
        let prefix = if exit == Exit::Document { "error: " } else { "" };
        Stop {
            exit,
            message: format!("{prefix}{}: {}", self.file, failure.message),
            help: failure.help,
        }
    }

    /// What a walk led to: a plan of every document, or what stands in its way.
    fn planned(&self, text: &str, planned: planner::Planned) -> Result<Vec<Planned>, Rejected> {
        if planned.diagnostics.has_errors() || planned.jobs.is_empty() {
            return Err(Rejected {
                diagnostics: planned.diagnostics.to_json(&self.file, text),
                rendered: planned.diagnostics.render(&self.file, text, self.look),
                summary: planned.diagnostics.summary().trim_end().to_owned(),
            });
        }
        let of_spec = |((spec, graph), plan): ((&Spec, JobGraph), LogicalPlan)| Planned {
            written: Arc::new(Written {
                file: self.file.clone(),
                text: text.to_owned(),
                places: plan.places,
            }),
            text: text.get(spec.span.start..spec.span.end).unwrap_or(text).to_owned(),
            graph,
            desired: match spec.desired {
                DesiredState::On => Desired::On,
                DesiredState::Off => Desired::Off,
            },
        };
        // Without mistakes every document has its graph, in order.
        let jobs = planned.specs.iter().zip(planned.jobs);
        Ok(jobs.zip(planned.plans).map(of_spec).collect())
    }

    /// The datastreams of a text, each with the job graph that each of its tests is run on.
    pub(crate) async fn rehearsable(&self, text: &str) -> Result<Vec<Rehearsable>, Stop> {
        let discovered = self.look(text).await.map_err(|failure| self.unseen(failure))?;
        let planned = planner::plan(text, &self.catalog, &discovered);
        if planned.diagnostics.has_errors() {
            let rendered = planned.diagnostics.render(&self.file, text, self.look);
            return Err(Stop::new(Exit::Document, rendered.trim_end()));
        }
        let graph = |spec: &Spec, test: &Test| {
            let parallelism = test.parallelism.map(|number| number.value);
            let planned = planner::rehearsed(spec, &self.catalog, &discovered, parallelism);
            planned.map_err(|diagnostics| diagnostics.render(&self.file, text, Look::Plain))
        };
        let of_spec = |spec: &Spec| Rehearsable {
            name: spec.name.value.clone(),
            sources: planner::logical::source_names(spec),
            sinks: planner::logical::sink_names(spec),
            tests: spec
                .tests
                .iter()
                .map(|test| (test.clone(), graph(spec, test)))
                .collect(),
        };
        Ok(planned.specs.iter().map(of_spec).collect())
    }

    /// The walk, behind the questions to the world.
    async fn walk(&self, text: &str) -> Result<planner::Planned, Failure> {
        self.walk_with(text, Overrides::default()).await
    }

    async fn walk_with(&self, text: &str, overrides: Overrides) -> Result<planner::Planned, Failure> {
        let discovered = self.look(text).await?;
        Ok(planner::plan_with(text, &self.catalog, &discovered, overrides))
    }

    /// Asks the sources of a text for the columns that only the world knows.
    async fn look(&self, text: &str) -> Result<Discovered, Failure> {
        let parsed = planner::spec::parse(text, &self.catalog);
        let mut discovered = Discovered::default();
        // A text with mistakes is shown them first: its sources may name nothing that is there.
        if !parsed.diagnostics.has_errors() {
            for wanted in planner::sources_to_discover(&parsed.specs, &self.catalog) {
                let connector = self.catalog.connector(&wanted.connector);
                let Some(source) = connector.and_then(|connector| connector.source()) else {
                    continue;
                };
                let schema = source
                    .discover_schema(&wanted.options, self.stores.clone())
                    .await
                    .map_err(|mut failure| {
                        failure.message = format!("source `{}`: {}", wanted.source, failure.message);
                        failure
                    })?;
                discovered.insert(&wanted.datastream, &wanted.source, schema);
            }
        }
        Ok(discovered)
    }
}

#[async_trait]
impl Plan for Planner {
    async fn plan(&self, text: &str) -> Result<Vec<Planned>, Rejected> {
        self.planned_with(text, Overrides::default()).await
    }

    async fn rescaled(&self, text: &str, parallelism: u32) -> Result<Vec<Planned>, Rejected> {
        let parallelism = Some(parallelism);
        self.planned_with(text, Overrides { parallelism }).await
    }

    async fn review(&self, text: &str) -> Looked {
        let walked = match self.walk(text).await {
            Ok(walked) => walked,
            Err(failure) => {
                return Looked {
                    diagnostics: unreachable_input(&failure),
                    rendered: format!("error: {}: {failure}", self.file),
                    planned: Vec::new(),
                };
            }
        };
        let found = &walked.diagnostics;
        let (diagnostics, rendered) = (found.to_json(&self.file, text), self.rendered(text, found));
        let rendered = if found.is_empty() { String::new() } else { rendered };
        // What cannot run is told by its diagnostics.
        let planned = self.planned(text, walked).unwrap_or_default();
        Looked {
            diagnostics,
            rendered,
            planned,
        }
    }
}

impl Planner {
    async fn planned_with(&self, text: &str, overrides: Overrides) -> Result<Vec<Planned>, Rejected> {
        match self.walk_with(text, overrides).await {
            Ok(walked) => self.planned(text, walked),
            Err(failure) => Err(Rejected {
                diagnostics: unreachable_input(&failure),
                rendered: format!("error: {}: {failure}", self.file),
                summary: failure.message,
            }),
        }
    }
}

/// Input that cannot be looked at now may be there later; other input is not what the document says.
fn unseen_exit(failure: &Failure) -> Exit {
    match failure.disposition {
        Disposition::Retry => Exit::Unreachable,
        Disposition::Fail | Disposition::Bug => Exit::Document,
    }
}

/// Input that cannot be looked at, in the form of a finding.
fn unreachable_input(failure: &Failure) -> Value {
    serde_json::json!({
        "errors": 1,
        "warnings": 0,
        "findings": [{ "code": null, "severity": "error", "message": failure.message, "help": failure.help }],
    })
}
