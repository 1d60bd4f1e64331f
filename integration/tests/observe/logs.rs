//! Lines of JSON of real processes: each is whole, and says who speaks.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::{Cluster, command};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(90);

/// Bad records, two vertices, and an end.
const DOCUMENT: &str = "datastreamName: told\ncontactName: test\ndesiredState: ON\nparallelism: 2\n\
    checkpoint: { interval: 300ms }\nsources:\n  - generator: { events: shop, count: 40000, splits: 2, seed: 3, throughput: 20000, malformed: 0.01 }\n\
    eventTypeFilters: [PAGE_VIEW, PURCHASE]\nsinks:\n  - keyBy: [subscriberId]\n    blackhole: {}\n";

/// The lines of a log, but for what was said to people before it began.
fn lines(log: &str) -> Result<Vec<Value>> {
    let lines = log.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect()
}

fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line[field].as_str().unwrap_or_default()
}

/// Every line has what every line has.
fn are_whole(lines: &[Value]) -> Result<()> {
    ensure!(!lines.is_empty(), "there are lines");
    for line in lines {
        for field in ["time", "level", "message", "target"] {
            ensure!(!text(line, field).is_empty(), "{field} of {line}");
        }
        ensure!(
            text(line, "time").ends_with('Z') && text(line, "time").len() == 24,
            "{line}"
        );
    }
    Ok(())
}

#[test]
fn lines_of_a_cluster_name_job_vertex_subtask_attempt_epoch_and_the_trace_of_the_submit() -> Result<()> {
    let place = tempfile::tempdir()?;
    let mut cluster = Cluster::start(place.path(), &["--log-format", "json"])?;
    cluster.start_taskmanager("tm-1", &["--log-format", "json", "--slots", "2"])?;
    cluster.submit(DOCUMENT)?;
    cluster.until_finished("told", LIMIT)?;
    let logs: Vec<(String, String)> = cluster
        .processes()
        .map(|(name, process)| (name.to_owned(), process.log()))
        .collect();
    let mut traces: Vec<BTreeSet<String>> = Vec::new();
    for (name, log) in &logs {
        let lines = lines(log)?;
        are_whole(&lines)?;
        let of_job: Vec<_> = lines.iter().filter(|line| line["job"] == "told@1").collect();
        ensure!(!of_job.is_empty(), "{name} speaks of the job: {log}");
        traces.push(
            of_job
                .iter()
                .map(|line| text(line, "traceId").to_owned())
                .filter(|id| !id.is_empty())
                .collect(),
        );
        if name == "tm-1" {
            let dead = lines
                .iter()
                .find(|line| text(line, "message").contains("dead letters"))
                .context("a dead letter")?;
            ensure!(dead["level"] == "WARN" && dead["job"] == "told@1", "{dead}");
            ensure!(
                text(dead, "subtask").starts_with("sub-") && text(dead, "attempt").starts_with("att-"),
                "{dead}"
            );
            ensure!(
                !text(dead, "vertex").is_empty() && text(dead, "traceId").len() == 32,
                "{dead}"
            );
        } else {
            ensure!(
                of_job.iter().any(|line| line["epoch"].as_u64() > Some(0)),
                "{name} says how far it is: {log}"
            );
        }
    }
    // One submit, one deployment: both processes name the one trace that the command line began.
    ensure!(traces[0] == traces[1] && traces[0].len() == 1, "{traces:?}");
    Ok(())
}

#[test]
fn weir_run_writes_json_as_well_and_text_has_no_ids_of_traces() -> Result<()> {
    let place = tempfile::tempdir()?;
    std::fs::write(place.path().join("told.yaml"), DOCUMENT)?;
    let run = |format: &str| -> Result<String> {
        let arguments = ["run", "told.yaml", "--fresh", "--log", "info", "--log-format", format];
        let output = command(&arguments, place.path()).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{said}");
        Ok(said)
    };
    let json = lines(&run("json")?)?;
    are_whole(&json)?;
    let starts: Vec<_> = json
        .iter()
        .filter(|line| text(line, "message") == "subtask starts")
        .collect();
    ensure!(
        starts.len() == 4 && starts.iter().all(|line| text(line, "subtask").starts_with("sub-")),
        "{json:#?}"
    );
    let words = run("text")?;
    ensure!(
        words.contains("subtask starts") && words.contains("job=told@2"),
        "{words}"
    );
    ensure!(!words.contains("traceparent") && lines(&words)?.is_empty(), "{words}");
    Ok(())
}
