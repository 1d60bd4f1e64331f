//! A part of a datastream that fails is started anew alone: what is not connected with it runs on, and all of it stays exact.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::{Cluster, epoch};

use super::judge::judge;

const LIMIT: Duration = Duration::from_secs(90);
const WIDE: u64 = 450_000;
const NARROW: u64 = 300_000;
const WIDE_STEPS: [&str; 2] = ["wide", "outA"];
const NARROW_STEPS: [&str; 2] = ["narrow", "outB"];

/// Two flows: a wide one with subtasks on both task managers, and a narrow one with one of each, on the first.
fn document(folder: &Path) -> String {
    let sink = |name: &str| {
        format!(
            "{{ path: \"{}\", roll: {{ size: 4MiB, every: 1s }} }}",
            folder.join(name).display()
        )
    };
    let (wide, narrow) = (sink("wide"), sink("narrow"));
    format!(
        "datastreamName: two\ncontactName: test\ndesiredState: ON\nparallelism: 2\ncheckpoint: {{ interval: 300ms }}\nsources:\n\
         \x20 - name: wide\n    generator: {{ events: shop, count: {WIDE}, splits: 2, seed: 3, throughput: 40000 }}\n\
         \x20 - name: narrow\n    generator: {{ events: shop, count: {NARROW}, splits: 1, seed: 3, throughput: 30000 }}\n    parallelism: 1\n\
         eventTypeFilters: [PAGE_VIEW, PURCHASE]\nsinks:\n\
         \x20 - name: outA\n    input: wide\n    keyBy: [subscriberId]\n    file: {wide}\n\
         \x20 - name: outB\n    input: narrow\n    keyBy: [subscriberId]\n    parallelism: 1\n    file: {narrow}\n"
    )
}

/// How many subtasks of a flow have been started on a task manager.
fn starts(cluster: &Cluster, task_manager: &str, vertices: &[&str]) -> Result<usize> {
    let log = std::fs::read_to_string(cluster.folder().join(format!("{task_manager}.log")))?;
    let starts = log.lines().filter(|line| line.contains("subtask starts"));
    let of_flow = |line: &&str| {
        let mut first = vertices.iter().map(|name| format!("vertex=\"{name}"));
        first.any(|vertex| line.contains(&vertex))
    };
    Ok(starts.filter(of_flow).count())
}

fn until_past(cluster: &Cluster, before: u64) -> Result<u64> {
    cluster
        .until_past("two", before, LIMIT)
        .map(|described| epoch(&described))
}

#[test]
fn a_task_manager_with_a_part_of_one_flow_takes_that_flow_down_and_not_the_other() -> Result<()> {
    let place = tempfile::tempdir()?;
    let mut cluster = Cluster::start(place.path(), &[])?;
    cluster.start_taskmanager("tm-1", &[])?;
    cluster.start_taskmanager("tm-2", &[])?;
    cluster.submit(&document(place.path()))?;
    let mut before = until_past(&cluster, 1)?;
    let (wide, narrow) = (
        starts(&cluster, "tm-1", &WIDE_STEPS)?,
        starts(&cluster, "tm-1", &NARROW_STEPS)?,
    );
    ensure!(
        wide > 0 && narrow > 0,
        "both flows have subtasks on the first: {wide}, {narrow}"
    );
    for (dead, next) in [("tm-2", "tm-3"), ("tm-3", "tm-4")] {
        cluster.kill_taskmanager(dead);
        cluster.start_taskmanager(next, &[])?;
        before = until_past(&cluster, before + 1)?;
    }
    ensure!(
        starts(&cluster, "tm-1", &NARROW_STEPS)? == narrow,
        "the narrow flow was not started anew"
    );
    ensure!(
        starts(&cluster, "tm-1", &WIDE_STEPS)? == 3 * wide,
        "all of the wide one was, twice"
    );
    // Whoever leads next takes over what was born in two deployments.
    cluster.kill_jobmanager();
    cluster.start_jobmanager()?;
    until_past(&cluster, before + 1)?;
    let described = cluster.until_finished("two", LIMIT)?;
    ensure!(
        starts(&cluster, "tm-1", &NARROW_STEPS)? == narrow,
        "nor was it by the next leader: {described}"
    );
    let restarts = described["exceptions"].as_array().context("exceptions")?.len();
    ensure!(restarts == 2, "both losses stand in its history: {described}");
    judge(&place.path().join("wide"), WIDE, 2)?;
    judge(&place.path().join("narrow"), NARROW, 1)
}
