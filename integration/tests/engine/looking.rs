//! What people look at while a datastream runs: rows by `weir tap`, dead letters by `weir dlq`, what holds it up by
//! `weir explain-stall`; and that looking costs the stream nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dataflow::time::{Clock as _, SystemClock};
use integration::cluster::{Cluster, Deadline, Process, command, until};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(90);

/// Rows with columns and one hidden field, bad records, and a window.
fn document(folder: &Path) -> String {
    let dead = folder.join("dead").display().to_string();
    format!(
        "datastreamName: seen\ncontactName: test\ndesiredState: ON\nparallelism: 2\nhidden: [subscriberId]\n\
         checkpoint: {{ interval: 500ms }}\nsources:\n\
         \x20 - name: events\n    generator: {{ events: shop, throughput: 4000, rate: 4000, splits: 2, malformed: 0.01, seed: 3 }}\n\
         steps:\n  - name: bought\n    filter: \"eventType = 'PURCHASE'\"\n\
         \x20 - name: typed\n    select: {{ id: eventId, subscriberId: subscriberId, total: \"payload.total + 0\" }}\n\
         sinks:\n  - name: out\n    blackhole: {{}}\n\
         deadLetter: {{ path: \"{dead}\", roll: {{ every: 1s }} }}\n"
    )
}

fn started(place: &Path, document: &str, name: &str) -> Result<Cluster> {
    let mut cluster = Cluster::start(place, &[])?;
    cluster.start_taskmanager("tm-1", &[])?;
    cluster.start_taskmanager("tm-2", &[])?;
    cluster.submit(document)?;
    cluster.until_past(name, 1, LIMIT)?;
    Ok(cluster)
}

/// Rows of a tap, one a line; one that sees none in time is a failure.
fn rows(cluster: &Cluster, arguments: &[&str]) -> Result<Vec<Value>> {
    let url = format!("http://{}", cluster.rest());
    let arguments = [&["tap"], arguments, &["-o", "json", "--cluster", &url]].concat();
    let mut command = command(&arguments, cluster.folder());
    command.stdout(Stdio::piped());
    let log = cluster.folder().join("tap.log");
    let mut tap = Process::start_piped("weir tap", command, &log)?;
    let mut out = tap.stdout().context("its output")?;
    let reader = std::thread::Builder::new().spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    })?;
    let status = tap.wait(Deadline::of(LIMIT)).with_context(|| arguments.join(" "))?;
    ensure!(status.success(), "{arguments:?}: {}", fs::read_to_string(&log)?);
    let text = reader.join().map_err(|_panic| anyhow::anyhow!("the reader"))??;
    let rows = serde_json::Deserializer::from_str(&text).into_iter();
    rows.map(|row| row.context("a row")).collect()
}

#[test]
fn rows_behind_any_step_are_shown_by_condition_and_what_is_hidden_is_not() -> Result<()> {
    let place = tempfile::tempdir()?;
    let cluster = started(place.path(), &document(place.path()), "seen")?;
    let records = rows(
        &cluster,
        &[
            "seen",
            "events",
            "-n",
            "20",
            "--where",
            "payload.total > 50 AND eventType = 'PURCHASE'",
        ],
    )?;
    ensure!(records.len() == 20, "{} rows", records.len());
    for record in &records {
        let row = &record["row"];
        ensure!(row["eventType"] == "PURCHASE", "{record}");
        ensure!(row["payload"]["total"].as_f64() > Some(50.0), "{record}");
        ensure!(row["subscriberId"] == "•••", "{record}");
    }
    let subtasks: BTreeMap<&str, usize> =
        records
            .iter()
            .filter_map(|row| row["subtask"].as_str())
            .fold(BTreeMap::new(), |mut all, subtask| {
                *all.entry(subtask).or_default() += 1;
                all
            });
    ensure!(subtasks.len() == 2, "rows of both subtasks: {subtasks:?}");
    for step in ["bought", "typed", "out"] {
        let some = rows(&cluster, &["seen", step, "-n", "3"])?;
        ensure!(
            some.len() == 3 && some.iter().all(|row| row["row"]["subscriberId"] == "•••"),
            "{step}: {some:#?}"
        );
    }
    let typed = rows(&cluster, &["seen", "typed", "-n", "3", "--where", "total >= 10"])?;
    ensure!(
        typed.iter().all(|row| row["row"]["total"].as_f64() >= Some(10.0)),
        "{typed:#?}"
    );
    refused(&cluster)
}

/// A wrong question is refused with its place, before anything is sent.
fn refused(cluster: &Cluster) -> Result<()> {
    for (arguments, code, words) in [
        (
            vec!["seen", "typed", "--where", "totl > 10"],
            3,
            "there is no field `totl`",
        ),
        (vec!["seen", "events", "--where", "subscriberId = '1'"], 3, "is hidden"),
        (vec!["seen", "typed", "--where", "total >"], 3, "error"),
        (vec!["seen", "typd"], 5, "did you mean `typed`?"),
        (vec!["unseen", "typed"], 5, "there is no datastream `unseen`"),
    ] {
        let output = cluster.weir(&[vec!["tap"], arguments.clone()].concat())?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.code() == Some(code) && said.contains(words),
            "{arguments:?}: {said}"
        );
        ensure!(output.stdout.is_empty(), "{arguments:?}");
    }
    let output = cluster.weir(&["tap", "seen", "typed", "--where", "totl > 10"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(said.contains("totl > 10\n  ^^^^"), "the place is marked: {said}");
    Ok(())
}

/// A stream at full speed.
const FAST: &str = "datastreamName: fast\ncontactName: test\ndesiredState: ON\nparallelism: 2\ncheckpoint: { interval: 500ms }\n\
    sources:\n  - name: events\n    generator: { events: shop, splits: 2, seed: 3 }\n\
    eventTypeFilters: [PURCHASE]\nsinks:\n  - name: out\n    blackhole: {}\n";

/// Rows a second over some seconds, by what was counted.
fn rate(cluster: &Cluster, seconds: u64) -> Result<f64> {
    let counted = || -> Result<f64> {
        let described = cluster.ask("/v1/datastreams/fast")?;
        described["summary"]["progress"]["rowsIn"].as_f64().context("rows")
    };
    let clock = SystemClock::start();
    let (before, began) = (counted()?, clock.now());
    let end = Deadline::of(Duration::from_secs(seconds));
    until("the time to pass", Deadline::of(LIMIT), || {
        Ok(end.has_passed().then_some(()))
    })?;
    Ok((counted()? - before) / clock.now().since(began).as_secs_f64())
}

/// Opens taps and reads their first bytes and no more.
fn stalled(cluster: &Cluster, count: usize) -> Result<Vec<TcpStream>> {
    let mut taps = Vec::new();
    for _ in 0..count {
        let mut tap = TcpStream::connect(cluster.rest())?;
        write!(
            tap,
            "GET /v1/datastreams/fast/tap?step=events&seconds=600&limit=10000 HTTP/1.1\r\nHost: {}\r\n\r\n",
            cluster.rest()
        )?;
        let mut head = [0; 15];
        tap.read_exact(&mut head)?;
        ensure!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
        taps.push(tap);
    }
    Ok(taps)
}

#[test]
fn taps_whose_readers_stall_neither_slow_a_stream_nor_make_its_processes_grow() -> Result<()> {
    let place = tempfile::tempdir()?;
    let cluster = started(place.path(), FAST, "fast")?;
    let resident = || -> u64 { cluster.processes().map(|(_, process)| process.rss_bytes()).sum() };
    rate(&cluster, 3)?;
    // In turns, for the machine is not this test's alone.
    let (mut alone, mut tapped) = (0.0_f64, 0.0_f64);
    let before = resident();
    for _ in 0..3 {
        alone = alone.max(rate(&cluster, 3)?);
        let taps = stalled(&cluster, 8)?;
        tapped = tapped.max(rate(&cluster, 3)?);
        let refused = cluster.weir(&["tap", "fast", "out", "-n", "1"])?;
        ensure!(!refused.status.success(), "eight are as many as may");
        drop(taps);
        until("the taps to be taken off", Deadline::of(LIMIT), || {
            let free = cluster.weir(&["tap", "fast", "out", "-n", "1"])?;
            Ok(free.status.success().then_some(()))
        })?;
    }
    let grown = resident().saturating_sub(before);
    eprintln!("{alone:.0} rows/s alone, {tapped:.0} with eight taps; grown by {grown} bytes");
    ensure!(
        tapped > alone * 0.7,
        "{alone:.0} rows a second alone, {tapped:.0} with eight taps that nobody reads"
    );
    ensure!(grown < 128 << 20, "the processes have grown by {grown} bytes");
    Ok(())
}

/// Letters of committed files, as any reader of the folder finds them.
fn outside(folder: &Path) -> Result<Vec<Value>> {
    let mut letters = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            for line in fs::read_to_string(&path)?.lines() {
                letters.push(serde_json::from_str(line)?);
            }
        }
    }
    Ok(letters)
}

#[test]
fn dead_letters_are_those_that_an_outside_reader_finds() -> Result<()> {
    let place = tempfile::tempdir()?;
    let text = document(place.path()).replace("hidden: [subscriberId]\n", "");
    let text = text.replace("malformed", "count: 20000, malformed");
    let mut cluster = Cluster::start(place.path(), &[])?;
    cluster.start_taskmanager("tm-1", &["--slots", "2"])?;
    cluster.submit(&text)?;
    cluster.until_finished("seen", LIMIT)?;
    let written = outside(&place.path().join("dead"))?;
    ensure!(written.len() > 100, "{} letters", written.len());
    let listed = cluster.json(&["dlq", "list", "seen", "--limit", "100000"])?;
    let letters = listed["letters"].as_array().context("letters")?;
    let key = |letter: &Value| {
        let text = |name: &str| letter[name].as_str().unwrap_or_default().to_owned();
        (text("split"), letter["position"].as_u64(), text("step"), text("error"))
    };
    let mut found: Vec<_> = letters.iter().map(key).collect();
    let mut wanted: Vec<_> = written.iter().map(key).collect();
    found.sort();
    wanted.sort();
    ensure!(found == wanted, "{} listed, {} written", found.len(), wanted.len());
    // Whole ones, byte for byte.
    for letter in letters.iter().step_by(letters.len() / 10) {
        let id = letter["id"].as_str().context("an id")?;
        let whole = cluster.json(&["dlq", "show", "seen", id])?;
        let same = written
            .iter()
            .find(|one| key(one) == key(&whole))
            .context("a letter of the folder")?;
        ensure!(
            whole["record"] == same["record"] && whole["failedAtMs"] == same["failedAt"],
            "{whole:#} {same:#}"
        );
    }
    let newest = cluster.json(&["dlq", "show", "seen"])?;
    ensure!(newest["id"] == letters[0]["id"], "{newest:#}");
    // In parts, and by what is asked for.
    let step = written[0]["step"].as_str().context("a step")?;
    let by_step = cluster.json(&["dlq", "list", "seen", "--step", step, "--limit", "100000"])?;
    let of_step = written.iter().filter(|one| one["step"] == step).count();
    ensure!(
        by_step["letters"].as_array().map(Vec::len) == Some(of_step),
        "{of_step} of {step}"
    );
    let none = cluster.json(&["dlq", "list", "seen", "--since", "2100-01-01T00:00:00Z"])?;
    ensure!(none["letters"].as_array().is_some_and(Vec::is_empty), "{none:#}");
    let first = cluster.json(&["dlq", "list", "seen", "--limit", "7"])?;
    let next = first["next"].as_str().context("there are more")?;
    let second = cluster.json(&["dlq", "list", "seen", "--limit", "7", "--after", next])?;
    ensure!(second["letters"][0]["id"] == letters[7]["id"], "{second:#}");
    Ok(())
}

const SLOW: &str = "datastreamName: slow\ncontactName: test\ndesiredState: ON\nsources:\n  - name: events\n    generator: { events: shop }\n\
    sinks:\n  - name: warehouse\n    blackhole: { throughput: 20 }\n";

#[test]
fn a_slow_sink_is_explained_with_who_waits_for_it_and_the_exit_code_says_so() -> Result<()> {
    let place = tempfile::tempdir()?;
    let mut cluster = Cluster::start(place.path(), &[])?;
    cluster.start_taskmanager("tm-1", &["--slots", "2"])?;
    cluster.submit(SLOW)?;
    let explained = until("the slow sink to be explained", Deadline::of(LIMIT), || {
        let output = cluster.weir(&["explain-stall", "slow"])?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok((output.status.code() == Some(1) && text.contains("sink `warehouse`")).then_some(text))
    })?;
    ensure!(explained.contains("waits for sink warehouse for"), "{explained}");
    let findings: Value = serde_json::from_slice(&cluster.weir(&["explain-stall", "slow", "-o", "json"])?.stdout)?;
    ensure!(
        findings[0]["code"] == "backpressure" && findings[0]["subtask"] == "sub-0.0",
        "{findings:#}"
    );
    // One that is well.
    cluster.submit("datastreamName: well\ncontactName: test\ndesiredState: ON\nsources:\n  - generator: { events: shop, throughput: 100 }\nsinks:\n  - blackhole: {}\n")?;
    cluster.until_past("well", 2, LIMIT)?;
    let output = cluster.weir(&["explain-stall", "well"])?;
    ensure!(
        output.status.code() == Some(0),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    // The same in `top`, which shows one view where nobody sits at a terminal.
    let top = cluster.weir(&["top"])?;
    let text = String::from_utf8_lossy(&top.stdout).into_owned();
    ensure!(
        top.status.success() && text.contains("slow") && text.contains("well") && !text.contains('\u{1b}'),
        "{text}"
    );
    let one = cluster.json(&["top", "slow"])?;
    ensure!(one["datastream"]["summary"]["name"] == "slow", "{one:#}");
    Ok(())
}
