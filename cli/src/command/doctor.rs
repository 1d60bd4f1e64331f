//! `weir doctor`: looks for what would keep Weir, or a document, from running, and says what to do about it.

use bytes::Bytes;
use dataflow::contract::{EnumeratorContext, Order};
use dataflow::store::open::AllowPaths;
use planner::job::JobGraph;
use serde::Serialize;

use super::documents::read;
use crate::args::{Doctor, OutputForm};
use crate::exit::{Exit, Stop};
use crate::output::show;
use crate::planning::Planner;
use crate::wiring::{self, Parts};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    what: String,
    /// What is wrong; none where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

impl Finding {
    fn of(what: impl Into<String>, outcome: Result<(), Stop>) -> Self {
        let what = what.into();
        match outcome {
            Ok(()) => Self {
                what,
                problem: None,
                help: None,
            },
            Err(stop) => Self {
                what,
                problem: Some(stop.message),
                help: stop.help,
            },
        }
    }
}

/// Open files: each subtask, channel, output file and connection is one.
const FILES_WANTED: u64 = 4096;

pub(crate) async fn doctor(doctor: &Doctor, form: OutputForm) -> Result<Exit, Stop> {
    let parts = Parts::new(AllowPaths::All)?;
    let mut findings = vec![
        Finding::of("open files allowed", open_files()),
        Finding::of(format!("state folder {}", doctor.state), state(&doctor.state).await),
    ];
    if let Some(file) = &doctor.file {
        let text = read(file)?;
        let planner = Planner::new(parts.catalog.clone(), parts.stores.clone()).of_file(file);
        match planner.plan_all(&text).await {
            Err(stop) => findings.push(Finding::of(format!("document {}", file.display()), Err(stop))),
            Ok(planned) => {
                findings.push(Finding::of(format!("document {}", file.display()), Ok(())));
                for one in &planned {
                    findings.extend(inputs(&parts, &one.graph).await);
                }
            }
        }
    }
    let sick = findings.iter().any(|finding| finding.problem.is_some());
    show(form, &findings, |findings| findings.iter().map(line).collect())?;
    Ok(if sick { Exit::Failed } else { Exit::Success })
}

fn line(finding: &Finding) -> String {
    let help = finding
        .help
        .as_ref()
        .map_or_else(String::new, |help| format!("\n     help: {help}"));
    match &finding.problem {
        None => format!("ok   {}\n", finding.what),
        Some(problem) => format!("BAD  {}: {problem}{help}\n", finding.what),
    }
}

fn open_files() -> Result<(), Stop> {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    // The soft limit stands first; `unlimited` and systems without /proc are no problem.
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    match soft {
        Some(soft) if soft < FILES_WANTED => Err(Stop::new(Exit::Failed, format!("{soft}; {FILES_WANTED} are wanted"))
            .help(format!(
                "raise it: `ulimit -n {FILES_WANTED}`, or LimitNOFILE= in a systemd unit"
            ))),
        _ => Ok(()),
    }
}

/// Makes an object, finds that it cannot be made twice, and removes it: what epochs and terms stand on.
async fn state(url: &str) -> Result<(), Stop> {
    let store = wiring::state_store(url)?;
    let path = format!("doctor/{}", uuid::Uuid::new_v4());
    let failed = |error: dataflow::store::Error| Stop::from(dataflow::Failure::from(error));
    store
        .create(&path, Bytes::from_static(b"first"))
        .await
        .map_err(failed)?;
    let again = store.create(&path, Bytes::from_static(b"second")).await;
    store.delete(&path).await.map_err(failed)?;
    match again {
        Err(dataflow::store::Error::Exists { .. }) => Ok(()),
        Err(error) => Err(failed(error)),
        Ok(()) => Err(
            Stop::new(Exit::Failed, "it overwrites objects that must be created only once").help(
                "use a store that honours create-if-absent (If-None-Match), such as Amazon S3, MinIO or a local folder",
            ),
        ),
    }
}

/// Asks every source of a graph what there is to read.
async fn inputs(parts: &Parts, graph: &JobGraph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for node in graph.vertices.iter().flat_map(|vertex| &vertex.chain.nodes) {
        let dataflow::recipe::Recipe::Source(recipe) = &node.recipe else {
            continue;
        };
        let what = format!("source {} ({})", node.name, recipe.connector);
        let Some(source) = parts
            .catalog
            .connector(&recipe.connector)
            .and_then(|connector| connector.source())
        else {
            continue;
        };
        let context = EnumeratorContext {
            stores: parts.stores.clone(),
            clock: parts.clock.clone(),
            parallelism: 1,
            order: Order::Free,
        };
        let found = match source.enumerator(&recipe.options, context, None) {
            Ok(mut enumerator) => enumerator.discover().await,
            Err(failure) => Err(failure),
        };
        findings.push(match found {
            Ok(discovery) => Finding::of(format!("{what}: {} splits", discovery.splits.len()), Ok(())),
            Err(failure) => Finding::of(what, Err(failure.into())),
        });
    }
    findings
}
