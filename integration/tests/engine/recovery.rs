//! A cluster that loses processes loses and doubles no record.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::{Cluster, Deadline, epoch, until};

use super::judge::judge;

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

fn cluster(folder: &Path, document: &str) -> Result<Cluster> {
    let mut cluster = Cluster::start(folder, &[])?;
    cluster.start_taskmanager("tm-1", &[])?;
    cluster.start_taskmanager("tm-2", &[])?;
    cluster.submit(document)?;
    Ok(cluster)
}

fn until_past(cluster: &Cluster, before: u64) -> Result<u64> {
    cluster
        .until_past("shuffled", before, LIMIT)
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
    judge(&place.path().join("out"), EVENTS, 2)
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
    judge(&place.path().join("out"), EVENTS, 2)
}

/// Lines of the task managers' logs that say so.
fn told(cluster: &Cluster, what: &str) -> Result<usize> {
    let names = cluster.taskmanagers();
    let counts = names.iter().map(|name| -> Result<usize> {
        let log = std::fs::read_to_string(cluster.folder().join(format!("{name}.log")))?;
        Ok(log.matches(what).count())
    });
    counts.sum()
}

/// Rows that have entered subtasks on a task manager, as its metrics say while there is no job manager to ask.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of rows, which Prometheus' text has as a float"
)]
fn rows(cluster: &Cluster, name: &str) -> Result<u64> {
    let log = std::fs::read_to_string(cluster.folder().join(format!("{name}.log")))?;
    let address = log
        .split("metrics at http://")
        .nth(1)
        .and_then(|rest| rest.split('/').next());
    let mut stream = TcpStream::connect(address.context("its metrics")?)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    let counted = page.lines().filter(|line| line.starts_with("weir_records_in_total"));
    let numbers = counted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(numbers.sum::<f64>() as u64)
}

#[test]
fn rows_go_on_while_the_job_manager_is_away_and_the_next_one_takes_the_same_subtasks_over() -> Result<()> {
    let place = tempfile::tempdir()?;
    let sink = format!(
        "file: {{ path: \"{}\", roll: {{ size: 4MiB, every: 1s }} }}",
        place.path().join("out").display()
    );
    let slowly = document(&sink).replace("throughput: 150000", "throughput: 30000");
    let mut cluster = cluster(place.path(), &slowly)?;
    let before = until_past(&cluster, 1)?;
    let started = told(&cluster, "subtask starts")?;
    ensure!(started > 0, "what a subtask says when it starts is in the logs");
    cluster.kill_jobmanager();
    let at_kill = rows(&cluster, "tm-1")?;
    until("rows to go on", Deadline::of(LIMIT), || {
        Ok((rows(&cluster, "tm-1")? > at_kill + 10_000).then_some(()))
    })?;
    cluster.start_jobmanager()?;
    until_past(&cluster, before + 2)?;
    ensure!(told(&cluster, "subtask starts")? == started, "nothing was started anew");
    ensure!(
        told(&cluster, "adopted")? >= 2,
        "both task managers' subtasks were taken over"
    );
    let described = cluster.until_finished("shuffled", LIMIT)?;
    ensure!(described["summary"]["restarts"] == 0, "{described}");
    judge(&place.path().join("out"), EVENTS, 2)
}
