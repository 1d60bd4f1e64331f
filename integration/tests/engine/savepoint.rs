//! Checkpoints that are kept by name, and what begins from them: each record once, whoever read it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use integration::cluster::{Cluster, epoch};
use integration::oracle::{self, Event, compare};
use serde_json::{Value, json};

const EVENTS: u64 = 400_000;
const LIMIT: Duration = Duration::from_secs(120);

fn document(name: &str, out: &Path, parallelism: u32) -> String {
    format!(
        "datastreamName: {name}\ncontactName: test\ndesiredState: ON\nparallelism: {parallelism}\ncheckpoint: {{ interval: 300ms }}\n\
         sources:\n  - name: events\n    generator: {{ events: shop, count: {EVENTS}, splits: 3, seed: 3, throughput: 40000 }}\n\
         sinks:\n  - name: out\n    keyBy: [subscriberId]\n    file: {{ path: \"{}\", roll: {{ size: 4MiB, every: 1s }} }}\n",
        out.display()
    )
}

struct Bench {
    place: tempfile::TempDir,
    cluster: Cluster,
}

impl Bench {
    fn start() -> Result<Self> {
        let place = tempfile::tempdir()?;
        let mut cluster = Cluster::start(place.path(), &[])?;
        for number in 1..=3 {
            cluster.start_taskmanager(&format!("tm-{number}"), &[])?;
        }
        Ok(Self { place, cluster })
    }

    fn out(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn until_past(&self, name: &str, before: u64) -> Result<u64> {
        let described = self.cluster.until_past(name, before, LIMIT)?;
        Ok(epoch(&described))
    }

    fn submit(&self, text: &str, arguments: &[&str]) -> Result<Value> {
        let file = self.place.path().join("submitted.yaml");
        fs::write(&file, text)?;
        self.cluster
            .json(&[&["submit", &file.to_string_lossy()], arguments].concat())
    }

    fn visible(&self, name: &str) -> Result<Vec<Event>> {
        oracle::visible(&self.out(name))
    }
}

fn all() -> Result<Vec<Event>> {
    oracle::expected(&json!({"events": "shop", "count": EVENTS, "splits": 3, "seed": 3}), &[])
}

#[test]
fn a_stop_with_a_savepoint_and_another_job_from_it_make_one_whole() -> Result<()> {
    let bench = Bench::start()?;
    bench.submit(&document("first", &bench.out("first"), 2), &[])?;
    bench.until_past("first", 2)?;
    let stopped = bench.cluster.json(&["stop", "first", "--savepoint", "--as", "half"])?;
    // Relative to the state folder: where that lies is nobody's business.
    ensure!(stopped["result"] == "savepoints/half", "{stopped}");
    bench.cluster.until("first", "to stop", LIMIT, |described| {
        described["summary"]["state"] == "stopped"
    })?;
    // It needs nothing beside it.
    fs::remove_dir_all(bench.place.path().join("state/jobs/first@1"))?;
    let begun = bench.submit(
        &document("second", &bench.out("second"), 3),
        &["--from-savepoint", "half"],
    )?;
    ensure!(begun[0]["outcome"] == "started", "{begun}");
    bench.cluster.until_finished("second", LIMIT)?;
    let mut seen = bench.visible("first")?;
    ensure!(!seen.is_empty());
    seen.extend(bench.visible("second")?);
    let verdict = compare(all()?, seen);
    ensure!(verdict.is_exact(), "{verdict:?}");
    Ok(())
}

#[test]
fn an_older_savepoint_begins_again_there_and_skips_nothing() -> Result<()> {
    let bench = Bench::start()?;
    bench.submit(&document("first", &bench.out("first"), 1), &[])?;
    bench.until_past("first", 2)?;
    let saved = bench.cluster.json(&["savepoint", "first", "--as", "early"])?;
    let at_savepoint = saved["epoch"].as_u64().unwrap_or_default();
    // The first job runs on and commits epochs of the same numbers as the second one will.
    bench.until_past("first", at_savepoint + 3)?;
    bench.submit(
        &document("second", &bench.out("second"), 2),
        &["--from-savepoint", "early"],
    )?;
    bench.cluster.until_finished("first", LIMIT)?;
    bench.cluster.until_finished("second", LIMIT)?;
    let verdict = compare(all()?, bench.visible("first")?);
    ensure!(verdict.is_exact(), "the first job is its own: {verdict:?}");
    let verdict = compare(all()?, bench.visible("second")?);
    let clean = verdict.duplicated + verdict.foreign + verdict.altered == 0;
    ensure!(
        clean && verdict.missing > 0 && verdict.actual > 0,
        "the second has what came after it: {verdict:?}"
    );
    Ok(())
}

#[test]
fn words_about_savepoints_say_what_to_do() -> Result<()> {
    let bench = Bench::start()?;
    bench.submit(&document("first", &bench.out("first"), 1), &[])?;
    bench.until_past("first", 1)?;
    bench.cluster.json(&["savepoint", "first", "--as", "one"])?;
    let other = bench.place.path().join("other.yaml");
    fs::write(
        &other,
        document("second", &bench.out("second"), 1).replace("name: out", "name: other"),
    )?;
    let other = other.to_string_lossy().into_owned();
    for (arguments, said) in [
        (vec!["savepoint", "first", "--as", "one"], "already"),
        (vec!["savepoint", "first", "--as", "a/b"], "cannot name"),
        (vec!["savepoint", "nobody"], "no datastream"),
        (vec!["submit", &other, "--from-savepoint", "two"], "no savepoint `two`"),
        (
            vec!["submit", &other, "--from-checkpoint", "first:x"],
            "names no checkpoint",
        ),
    ] {
        let refused = bench.cluster.weir(&arguments)?;
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        ensure!(
            !refused.status.success() && words.contains(said) && words.contains("help:"),
            "{arguments:?}: {words}"
        );
    }
    Ok(())
}
