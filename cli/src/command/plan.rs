//! `weir plan`: what would run, and what becomes of what the steps of the document before have kept.

use std::fmt::Write as _;
use std::path::Path;

use dataflow::store::open::AllowPaths;
use planner::job::JobGraph;
use planner::logical::LogicalPlan;
use planner::verdict::{self, Verdict};
use serde::Serialize;

use super::documents::read;
use crate::args::{OutputForm, Plan};
use crate::client::Client;
use crate::exit::{Exit, Stop};
use crate::output::{say, show};
use crate::planning::Planner;
use crate::wiring::Parts;

/// A datastream that would run instead of another document of its name.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    datastream: String,
    /// Whether anything of this name has run; all its steps start empty otherwise.
    known: bool,
    graph: JobGraph,
    verdicts: Vec<Verdict>,
}

pub(crate) async fn plan(verb: &Plan, form: OutputForm) -> Result<Exit, Stop> {
    let parts = Parts::new(AllowPaths::All)?;
    let planner = || Planner::new(parts.catalog.clone(), parts.stores.clone());
    let before = match &verb.against {
        Some(file) => {
            let text = read(file)?;
            Some(planner().of_file(file).walked(&text).await?.jobs)
        }
        None => None,
    };
    if before.is_none() && verb.cluster.is_none() {
        let mut graphs = Vec::new();
        for file in &verb.files.files {
            graphs.extend(planner().of_file(file).walked(&read(file)?).await?.jobs);
        }
        show(form, &graphs, |graphs| {
            graphs.iter().map(planner::explain::job).collect::<Vec<_>>().join("\n")
        })?;
        return Ok(Exit::Success);
    }
    let mut changes = Vec::new();
    let mut exit = Exit::Success;
    for file in &verb.files.files {
        let text = read(file)?;
        let planner = planner().of_file(file);
        let planned = planner.walked(&text).await?;
        for (graph, logical) in planned.jobs.into_iter().zip(&planned.plans) {
            let old = match (&before, &verb.cluster) {
                (Some(before), _) => named(before, &graph, verb.against.as_deref())?,
                (None, Some(cluster)) => deployed(cluster, &graph.name, &parts).await?,
                (None, None) => None,
            };
            let change = compared(old.as_ref(), graph);
            if !verdict::is_possible(&change.verdicts) {
                exit = Exit::Refused;
                say(&refusals(&planner, &text, &change, logical));
            }
            changes.push(change);
        }
    }
    show(form, &changes, |changes| {
        changes.iter().map(page).collect::<Vec<_>>().join("\n")
    })?;
    Ok(exit)
}

fn refusals(planner: &Planner, text: &str, change: &Change, logical: &LogicalPlan) -> String {
    let blamed = verdict::blamed(&change.verdicts);
    planner.rendered(text, &verdict::diagnostics(&blamed, &logical.places))
}

fn compared(old: Option<&JobGraph>, graph: JobGraph) -> Change {
    let nothing = JobGraph {
        vertices: Vec::new(),
        edges: Vec::new(),
        ..graph.clone()
    };
    Change {
        datastream: graph.name.clone(),
        known: old.is_some(),
        verdicts: verdict::compare(old.unwrap_or(&nothing), &graph),
        graph,
    }
}

/// The datastream of this name among those of a file.
fn named(before: &[JobGraph], graph: &JobGraph, file: Option<&Path>) -> Result<Option<JobGraph>, Stop> {
    if let Some(found) = before.iter().find(|one| one.name == graph.name) {
        return Ok(Some(found.clone()));
    }
    let names: Vec<_> = before.iter().map(|one| format!("`{}`", one.name)).collect();
    let file = file.map(|file| file.display().to_string()).unwrap_or_default();
    Err(Stop::new(
        Exit::Refused,
        format!(
            "{file}: there is no datastream `{}`, only {}",
            graph.name,
            names.join(", ")
        ),
    )
    .help("a datastream takes its state over by its name: name the file with the document that ran"))
}

/// What runs, or has run, under this name.
async fn deployed(cluster: &str, name: &str, parts: &Parts) -> Result<Option<JobGraph>, Stop> {
    let client = Client::new(cluster)?;
    if !client.list().await?.iter().any(|one| one.name == name) {
        return Ok(None);
    }
    let text = client.describe(name).await?.document;
    let planner = Planner::new(parts.catalog.clone(), parts.stores.clone());
    let planned = planner
        .of_file(Path::new(&format!("{name} on {cluster}")))
        .walked(&text)
        .await?;
    Ok(planned.jobs.into_iter().find(|one| one.name == name))
}

/// What a person reads of one change.
fn page(change: &Change) -> String {
    let mut page = planner::explain::job(&change.graph);
    page.push_str(if change.known {
        "  state\n"
    } else {
        "  state: nothing of this name has run\n"
    });
    for verdict in &change.verdicts {
        // Writing to a string does not fail.
        let _ = writeln!(page, "    {verdict}");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "datastreamName: shop
contactName: eng
sources:
  - name: events
    file: { path: in }
    format: { json: { schema: { company: string, at: timestamp, n: int32 } } }
    eventTime: { field: at }
steps:
  - name: perMinute
    keyBy: [company]
    window: { tumbling: 1m }
    aggregate: { orders: count(*), most: max(n) }
sinks:
  - name: out
    file: { path: out }
";

    async fn change(to: &[(&str, &str)]) -> (Change, String) {
        let parts = Parts::new(AllowPaths::All).unwrap();
        let planner = Planner::new(parts.catalog.clone(), parts.stores.clone());
        let text = to
            .iter()
            .fold(BEFORE.to_owned(), |text, (from, to)| text.replace(from, to));
        let before = planner.walked(BEFORE).await.unwrap().jobs;
        let mut planned = planner.walked(&text).await.unwrap();
        let graph = planned.jobs.remove(0);
        let old = named(&before, &graph, None).unwrap();
        let change = compared(old.as_ref(), graph);
        let said = refusals(&planner, &text, &change, &planned.plans[0]);
        (change, said)
    }

    fn state(change: &Change) -> Vec<String> {
        let page = page(change);
        let lines = page.lines().skip_while(|line| !line.starts_with("  state"));
        lines.map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn each_step_is_told_what_becomes_of_its_state() {
        let (change, _) = change(&[
            ("n: int32", "n: int64"),
            ("orders: count(*), ", ""),
            ("name: out", "name: other"),
        ])
        .await;
        assert_eq!(
            state(&change),
            [
                "  state",
                "    events (source): keeps its state",
                "    events.eventTime (event_time): keeps its state",
                "    perMinute (aggregate): migrates its state: `most` was int32 and is int64; `orders` is gone",
                "    other (sink): starts empty",
                "    out (sink): is gone, and its state with it",
            ]
        );
    }

    #[tokio::test]
    async fn what_cannot_be_is_shown_in_the_document() {
        let (change, said) = change(&[("tumbling: 1m", "tumbling: 1h")]).await;
        assert!(!verdict::is_possible(&change.verdicts));
        assert!(
            said.contains("error[E0701]") && said.contains("datastream.yaml:9:11"),
            "{said}"
        );
        assert!(said.contains("windows of 1h"), "{said}");
    }

    #[tokio::test]
    async fn a_name_that_never_ran_starts_empty() {
        let (change, _) = change(&[]).await;
        let fresh = compared(None, change.graph);
        assert_eq!(state(&fresh)[0], "  state: nothing of this name has run");
        assert!(state(&fresh)[1..].iter().all(|line| line.ends_with("starts empty")));
    }
}
