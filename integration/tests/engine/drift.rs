//! Files that hold the same time are read side by side, so that no row of any of them is late: `maxDrift`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::{Cluster, weir};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(180);

/// 2026-01-31T12:00:00Z, in milliseconds.
const BEGIN: i64 = 1_769_860_800_000;
const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

/// Rows by key and minute.
type Counts = BTreeMap<(String, i64), u64>;

/// The files that a reader of a folder sees.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match path.is_dir() {
            _ if name.starts_with('_') => {}
            true => found.extend(files(&path)?),
            false => found.push(path),
        }
    }
    Ok(found)
}

/// Writes one hour as a file of rows in the order of their time, and counts them.
fn write(folder: &Path, name: &str, rows: i64, counts: &mut Counts) -> Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = std::io::BufWriter::new(fs::File::create(folder.join(name))?);
    for row in 0..rows {
        let at = BEGIN + row * HOUR / rows;
        let key = format!("key-{}", row % 7);
        writeln!(file, "{{\"key\":\"{key}\",\"at\":{at},\"file\":\"{name}\"}}")?;
        *counts.entry((key, at - at % MINUTE)).or_default() += 1;
    }
    Ok(file.flush()?)
}

fn document(folder: &Path, parallelism: u32, more: &str) -> String {
    let input = folder.join("in");
    let source = format!(
        "file: {{ path: \"{}\" }}\n    format: {{ json: {{ schema: {{ key: string, at: timestamp }} }} }}",
        input.display()
    );
    document_of(&source, folder, parallelism, more)
}

fn document_of(source: &str, folder: &Path, parallelism: u32, more: &str) -> String {
    format!(
        "datastreamName: aligned\ncontactName: test\ndesiredState: ON\nparallelism: {parallelism}\ncheckpoint: {{ interval: 300ms }}\n\
         sources:\n  - name: events\n    {source}\n    eventTime: {{ field: at, maxDrift: 1m }}\n\
         steps:\n  - name: perMinute\n    keyBy: [key]\n    window: {{ tumbling: 1m }}\n    aggregate: {{ n: count(*) }}\n  \
         - name: named\n    select: {{ key: key, begin: \"CAST(window_start AS BIGINT)\", n: n }}\n\
         sinks:\n  - name: out\n    input: named\n    file: {{ path: \"{}\" }}\n{more}",
        folder.join("out").display()
    )
}

fn counted(folder: &Path) -> Result<Counts> {
    let mut counts = Counts::new();
    for file in files(folder)? {
        for line in fs::read_to_string(file)?.lines() {
            let row: Value = serde_json::from_str(line)?;
            let key = row["key"].as_str().with_context(|| line.to_owned())?.to_owned();
            let begin = row["begin"].as_i64().with_context(|| line.to_owned())?;
            *counts.entry((key, begin)).or_default() += row["n"].as_u64().with_context(|| line.to_owned())?;
        }
    }
    Ok(counts)
}

fn ensure_exact(folder: &Path, ended: &Value, expected: &Counts) -> Result<()> {
    let progress = &ended["summary"]["progress"];
    ensure!(progress["deadLetters"] == 0, "rows were late: {progress}");
    ensure_counts(folder, expected)
}

fn ensure_counts(folder: &Path, expected: &Counts) -> Result<()> {
    let found = counted(&folder.join("out"))?;
    let differs = expected.iter().find(|(window, n)| found.get(window) != Some(n));
    ensure!(
        differs.is_none() && found.len() == expected.len(),
        "{differs:?} of {}",
        expected.len()
    );
    Ok(())
}

#[test]
fn files_of_the_same_hour_in_one_subtask_have_no_late_rows() -> Result<()> {
    let place = tempfile::tempdir()?;
    let mut counts = Counts::new();
    // A third of them far thinner than the others.
    for number in 0..6 {
        let rows = if number % 3 == 0 { 3_000 } else { 40_000 };
        write(&place.path().join("in"), &format!("{number}.json"), rows, &mut counts)?;
    }
    let mut cluster = Cluster::start(place.path(), &[])?;
    cluster.start_taskmanager("tm-1", &[])?;
    cluster.submit(&document(place.path(), 1, ""))?;
    let ended = cluster.until_finished("aligned", LIMIT)?;
    ensure_exact(place.path(), &ended, &counts)
}

#[test]
fn parquet_files_of_the_same_hour_have_no_late_rows_either() -> Result<()> {
    let place = tempfile::tempdir()?;
    let mut counts = Counts::new();
    let run = |text: &str| -> Result<()> {
        fs::write(place.path().join("run.yaml"), text)?;
        let ran = weir(&["run", "run.yaml", "--fresh"], place.path())?;
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        ensure!(ran.status.success() && !said.contains("dead letters"), "{said}");
        Ok(())
    };
    for number in 0..4 {
        let name = format!("{number}.json");
        write(&place.path().join("in"), &name, 20_000 + 10_000 * number, &mut counts)?;
        run(&format!(
            "datastreamName: part-{number}\ncontactName: test\ndesiredState: ON\n\
             sources:\n  - file: {{ path: \"in/{name}\" }}\n    format: {{ json: {{ schema: {{ key: string, at: timestamp }} }} }}\n\
             sinks:\n  - parquet: {{ path: \"hours\" }}\n"
        ))?;
    }
    run(&document_of(
        "file: { path: \"hours/**/*.parquet\" }",
        place.path(),
        1,
        "",
    ))?;
    ensure_counts(place.path(), &counts)
}

#[test]
fn a_reader_that_is_ahead_says_whom_it_waits_for_and_nothing_is_late() -> Result<()> {
    let place = tempfile::tempdir()?;
    let mut counts = Counts::new();
    write(&place.path().join("in"), "dense.json", 150_000, &mut counts)?;
    write(&place.path().join("in"), "thin.json", 30_000, &mut counts)?;
    let mut cluster = Cluster::start(place.path(), &[])?;
    cluster.start_taskmanager("tm-1", &[])?;
    cluster.start_taskmanager("tm-2", &[])?;
    let slow = "  - name: slow\n    input: events\n    blackhole: { throughput: 20000 }\n";
    cluster.submit(&document(place.path(), 2, slow))?;
    let waits = cluster.until("aligned", "to hold the thin file", LIMIT, |described| {
        described.to_string().contains(", by maxDrift")
    })?;
    ensure!(waits.to_string().contains("event time of sub-0."), "{waits}");
    let ended = cluster.until_finished("aligned", LIMIT)?;
    ensure_exact(place.path(), &ended, &counts)
}
