//! A datastream that is made wider and narrower while it runs loses and doubles no record.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use integration::cluster::Cluster;
use serde_json::Value;

use super::judge::judge;

const EVENTS: u64 = 600_000;
const LIMIT: Duration = Duration::from_secs(120);

/// Generator -> filter -> shuffle -> a sink; the source has more splits than readers.
fn document(folder: &Path, parallelism: u32, count: u64) -> String {
    let out = folder.join("out");
    format!(
        "datastreamName: wide\ncontactName: test\ndesiredState: ON\nparallelism: {parallelism}\ncheckpoint: {{ interval: 300ms }}\n\
         sources:\n  - generator: {{ events: shop, count: {count}, splits: 5, seed: 3, throughput: 40000 }}\n\
         eventTypeFilters: [PAGE_VIEW, PURCHASE]\nsinks:\n  - keyBy: [subscriberId]\n    file: {{ path: \"{}\", roll: {{ size: 4MiB, every: 1s }} }}\n",
        out.display()
    )
}

fn cluster(folder: &Path, task_managers: u32) -> Result<Cluster> {
    let mut cluster = Cluster::start(folder, &[])?;
    for number in 1..=task_managers {
        cluster.start_taskmanager(&format!("tm-{number}"), &[])?;
    }
    Ok(cluster)
}

/// What a command says that is refused.
fn said(cluster: &Cluster, arguments: &[&str]) -> Result<String> {
    let refused = cluster.weir(arguments)?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(refused.status.code() == Some(5), "{:?}: {said}", refused.status);
    Ok(said)
}

fn until_past(cluster: &Cluster, before: u64) -> Result<Value> {
    cluster.until_past("wide", before, LIMIT)
}

fn widths(described: &Value) -> Vec<u64> {
    let vertices = described["vertices"].as_array().into_iter().flatten();
    vertices.filter_map(|vertex| vertex["parallelism"].as_u64()).collect()
}

#[test]
fn two_then_three_then_one_subtasks_cost_no_record() -> Result<()> {
    let place = tempfile::tempdir()?;
    let cluster = cluster(place.path(), 3)?;
    cluster.submit(&document(place.path(), 2, EVENTS))?;
    until_past(&cluster, 1)?;
    for parallelism in [3, 1] {
        let done = cluster.json(&["rescale", "wide", "--parallelism", &parallelism.to_string()])?;
        ensure!(done["state"] == "done", "{done}");
        let epoch = done["epoch"].as_u64().unwrap_or_default();
        let described = until_past(&cluster, epoch + 1)?;
        let widths = widths(&described);
        ensure!(widths.iter().all(|width| *width == parallelism), "{widths:?}");
        ensure!(described["summary"]["restarts"] == 0, "nothing failed: {described}");
    }
    cluster.until_finished("wide", LIMIT)?;
    judge(&place.path().join("out"), EVENTS, 5)
}

#[test]
fn a_rescale_without_room_or_sense_is_refused_and_nothing_stops() -> Result<()> {
    let place = tempfile::tempdir()?;
    let cluster = cluster(place.path(), 2)?;
    cluster.submit(&document(place.path(), 2, EVENTS))?;
    let before = until_past(&cluster, 1)?;
    for (wanted, said) in [
        ("5", "needs 5 slots, 2 are free"),
        ("2", "is 2 already"),
        ("5000", "1024"),
    ] {
        let refused = cluster.weir(&["rescale", "wide", "--parallelism", wanted])?;
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        ensure!(
            !refused.status.success() && words.contains(said) && words.contains("help:"),
            "{words}"
        );
    }
    let after = until_past(&cluster, before["summary"]["epoch"].as_u64().unwrap_or_default())?;
    ensure!(
        after["generation"] == before["generation"],
        "the same deployment runs on"
    );
    Ok(())
}

#[test]
fn a_killed_process_in_the_middle_of_a_rescale_costs_no_record() -> Result<()> {
    let place = tempfile::tempdir()?;
    let mut cluster = cluster(place.path(), 3)?;
    cluster.submit(&document(place.path(), 2, EVENTS))?;
    until_past(&cluster, 1)?;
    let rest = cluster.begin(&["rescale", "wide", "--parallelism", "3"])?;
    cluster.kill_taskmanager("tm-1");
    cluster.start_taskmanager("tm-4", &[])?;
    drop(rest);
    let described = until_past(&cluster, 3)?;
    let rest = cluster.begin(&["rescale", "wide", "--parallelism", "1"])?;
    cluster.kill_jobmanager();
    cluster.start_jobmanager()?;
    drop(rest);
    until_past(&cluster, described["summary"]["epoch"].as_u64().unwrap_or_default() + 1)?;
    cluster.until_finished("wide", LIMIT)?;
    judge(&place.path().join("out"), EVENTS, 5)
}

#[test]
fn an_applied_document_takes_over_from_the_one_that_runs() -> Result<()> {
    let place = tempfile::tempdir()?;
    let cluster = cluster(place.path(), 3)?;
    let file = place.path().join("wide.yaml");
    let name = file.to_string_lossy().into_owned();
    let apply = |text: String| -> Result<Value> {
        fs::write(&file, text)?;
        cluster.json(&["apply", &name])
    };
    let text = document(place.path(), 1, EVENTS);
    ensure!(apply(text.clone())?[0]["outcome"] == "started");
    let before = until_past(&cluster, 1)?;
    ensure!(apply(text.clone())?[0]["outcome"] == "unchanged");
    let wider = text
        .replace("parallelism: 1", "parallelism: 3")
        .replace("300ms", "200ms");
    ensure!(apply(wider.clone())?[0]["outcome"] == "changing");
    let after = until_past(&cluster, before["summary"]["epoch"].as_u64().unwrap_or_default() + 2)?;
    ensure!(widths(&after).iter().all(|width| *width == 3), "{after}");
    ensure!(
        after["document"].as_str().is_some_and(|text| text.contains("200ms")),
        "{after}"
    );
    // What would become of its state: all of it is kept, by the document that runs as by a wider one.
    let planned = cluster.json(&["plan", &name])?;
    let verdicts = planned[0]["verdicts"].as_array().cloned().unwrap_or_default();
    let keeps = |verdict: &Value| verdict["state"]["verdict"] == "keeps";
    ensure!(
        planned[0]["known"] == true && !verdicts.is_empty() && verdicts.iter().all(keeps),
        "{planned}"
    );
    fs::write(
        &file,
        wider.replace("datastreamName: wide", "datastreamName: unheard-of"),
    )?;
    let planned = cluster.json(&["plan", &name])?;
    ensure!(
        planned[0]["known"] == false && planned[0]["verdicts"][0]["state"]["verdict"] == "startsEmpty",
        "{planned}"
    );
    // Its splits would be of another stream.
    fs::write(&file, wider.replace("seed: 3", "seed: 4"))?;
    // Each of the three says it as `weir validate` would: the code, the place in this file, the line.
    let shown = format!("--> {name}:7:5");
    let planned = said(&cluster, &["plan", &name])?;
    for said in [&planned, &said(&cluster, &["apply", &name])?] {
        ensure!(
            said.contains("error[E0701]: `source-1` cannot go on with what it has kept"),
            "{said}"
        );
        ensure!(said.contains(&shown) && said.contains("seed: 4"), "{said}");
    }
    cluster.until_finished("wide", LIMIT)?;
    judge(&place.path().join("out"), EVENTS, 5)
}
