//! `weir logs` tells one story of a datastream: what the job manager decided and what the task managers met.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::Cluster;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(90);

/// Two sources, each with bad records, a shuffle, and two sinks that count. Twenty seconds of rows: a disk may take seconds
/// over one record, and the job must still be running when it has two.
const DOCUMENT: &str = "datastreamName: told\ncontactName: test\ndesiredState: ON\nparallelism: 2\n\
    checkpoint: { interval: 300ms }\nsources:\n  - generator: { events: shop, count: 2000000, splits: 2, seed: 3, throughput: 100000, malformed: 0.001 }\n\
    eventTypeFilters: [PAGE_VIEW, PURCHASE]\nsinks:\n  - keyBy: [subscriberId]\n    blackhole: {}\n";

fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line[field].as_str().unwrap_or_default()
}

/// The lines of a process that say something.
fn said<'a>(lines: &'a [Value], origin: &str, words: &str) -> Vec<&'a Value> {
    let fits = |line: &&Value| text(line, "origin") == origin && text(line, "text").contains(words);
    lines.iter().filter(fits).collect()
}

fn lines(cluster: &Cluster) -> Result<Vec<Value>> {
    let lines = cluster.json(&["logs", "told"])?;
    lines.as_array().cloned().context("a list of lines")
}

fn is_past(epoch: u64) -> impl Fn(&Value) -> bool {
    move |described| {
        let summary = &described["summary"];
        summary["state"] == "running" && summary["epoch"].as_u64().is_some_and(|reached| reached > epoch)
    }
}

#[test]
fn lines_of_all_processes_tell_of_bad_records_and_of_a_kill_in_the_order_of_time() -> Result<()> {
    let place = tempfile::tempdir()?;
    let mut cluster = Cluster::start(place.path(), &[])?;
    cluster.start_taskmanager("tm-1", &[])?;
    cluster.start_taskmanager("tm-2", &[])?;
    cluster.submit(DOCUMENT)?;
    let described = cluster.until("told", "to commit", LIMIT, is_past(1))?;
    let epoch = described["summary"]["epoch"].as_u64().context("an epoch")?;
    cluster.kill_taskmanager("tm-2");
    cluster.start_taskmanager("tm-3", &[])?;
    cluster.until("told", "to commit again", LIMIT, is_past(epoch + 1))?;
    cluster.until_finished("told", LIMIT)?;
    let lines = lines(&cluster)?;
    for task_manager in ["tm-1", "tm-2", "tm-3"] {
        ensure!(
            !said(&lines, task_manager, "subtask starts restored_from=epoch-").is_empty(),
            "{task_manager}: {lines:#?}"
        );
        ensure!(
            !said(&lines, task_manager, "a record went to the dead letters").is_empty(),
            "{task_manager}: {lines:#?}"
        );
    }
    for words in [
        "told@1 begins",
        "task manager tm-2 is gone",
        "all subtasks run",
        "to finished",
    ] {
        ensure!(!said(&lines, "jobmanager", words).is_empty(), "{words}: {lines:#?}");
    }
    ensure!(
        !said(&lines, "tm-1", "subtask is at the end of its input").is_empty(),
        "{lines:#?}"
    );
    let dead = said(&lines, "tm-1", "a record went to the dead letters");
    ensure!(
        dead.iter().all(|line| line["level"] == "WARN"
            && text(line, "subtask").starts_with("sub-0.")
            && !text(line, "vertex").is_empty()),
        "{dead:#?}"
    );
    let times: Vec<i64> = lines.iter().filter_map(|line| line["atMs"].as_i64()).collect();
    ensure!(times.len() == lines.len() && times.is_sorted(), "{times:?}");
    for (number, line) in lines.iter().enumerate() {
        let again = lines[..number].iter().any(|other| other["number"] == line["number"]);
        ensure!(!again, "twice: {line}");
    }
    follows(&cluster, &lines)
}

/// What people read has the same lines, and to follow what is over is to read it to its end.
fn follows(cluster: &Cluster, lines: &[Value]) -> Result<()> {
    let table = String::from_utf8(cluster.weir(&["logs", "told"])?.stdout)?;
    ensure!(table.lines().count() == lines.len(), "{table}");
    ensure!(
        table.contains("INFO  jobmanager: ") && table.contains("WARN  tm-1 ") && table.contains("… sub-0."),
        "{table}"
    );
    let followed = cluster.weir(&["logs", "told", "--follow", "-o", "json"])?;
    let followed: Vec<Value> = serde_json::Deserializer::from_slice(&followed.stdout)
        .into_iter()
        .collect::<Result<_, _>>()?;
    ensure!(followed == lines, "{followed:#?}");
    let yaml = cluster.weir(&["logs", "told", "-o", "yaml"])?;
    ensure!(
        String::from_utf8(yaml.stdout)?.contains("origin: tm-1"),
        "YAML has the same fields"
    );
    Ok(())
}
