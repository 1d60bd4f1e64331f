//! A cluster that loses processes loses and doubles no record.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::Cluster;
use integration::oracle::{self, compare};
use serde_json::{Value, json};

const EVENTS: u64 = 600_000;
const LIMIT: Duration = Duration::from_secs(90);

/// Generator -> filter -> shuffle between two task managers -> a sink.
fn document(sink: &str) -> String {
    format!(
        "datastreamName: shuffled\ncontactName: test\ndesiredState: ON\nparallelism: 2\ncheckpoint: {{ interval: 300ms }}\n\
         sources:\n  - generator: {{ events: shop, count: {EVENTS}, splits: 2, seed: 3, throughput: 150000 }}\n\
         \x20   eventTime: {{ field: eventTime }}\n\
         eventTypeFilters: [PAGE_VIEW, PURCHASE]\nsinks:\n  - keyBy: [subscriberId]\n    {sink}\n"
    )
}

fn judge(folder: &Path) -> Result<()> {
    let options = json!({"events": "shop", "count": EVENTS, "splits": 2, "seed": 3});
    let expected = oracle::expected(&options, &["PAGE_VIEW", "PURCHASE"])?;
    let verdict = compare(expected, oracle::visible(folder)?);
    ensure!(verdict.expected > 0 && verdict.is_exact(), "{verdict:?}");
    Ok(())
}

fn cluster(folder: &Path, document: &str) -> Result<Cluster> {
    let mut cluster = Cluster::start(folder, &[])?;
    cluster.start_taskmanager("tm-1", &[])?;
    cluster.start_taskmanager("tm-2", &[])?;
    cluster.submit(document)?;
    Ok(cluster)
}

fn epoch(described: &Value) -> u64 {
    described["summary"]["epoch"].as_u64().unwrap_or(0)
}

fn until_past(cluster: &Cluster, before: u64) -> Result<u64> {
    let past = |described: &Value| described["summary"]["state"] == "running" && epoch(described) > before;
    cluster
        .until("shuffled", "to commit", LIMIT, past)
        .map(|described| epoch(&described))
}

#[test]
fn a_killed_task_manager_costs_no_record() -> Result<()> {
    let place = tempfile::tempdir()?;
    let sink = format!(
        "file: {{ path: \"{}\", roll: {{ size: 4MiB, every: 1s }} }}",
        place.path().join("out").display()
    );
    let mut cluster = cluster(place.path(), &document(&sink))?;
    let before = until_past(&cluster, 1)?;
    cluster.kill_taskmanager("tm-2");
    cluster.start_taskmanager("tm-3", &[])?;
    until_past(&cluster, before + 1)?;
    let described = cluster.until_finished("shuffled", LIMIT)?;
    ensure!(
        described["summary"]["restarts"].as_u64().context("restarts")? >= 1,
        "the loss was noticed: {described}"
    );
    judge(&place.path().join("out"))
}

#[test]
fn a_killed_job_manager_costs_no_record() -> Result<()> {
    let place = tempfile::tempdir()?;
    let sink = format!(
        "parquet: {{ path: \"{}\", partitionBy: [eventType] }}",
        place.path().join("out").display()
    );
    let mut cluster = cluster(place.path(), &document(&sink))?;
    let before = until_past(&cluster, 1)?;
    cluster.kill_jobmanager();
    cluster.start_jobmanager()?;
    until_past(&cluster, before + 1)?;
    cluster.until_finished("shuffled", LIMIT)?;
    judge(&place.path().join("out"))
}
