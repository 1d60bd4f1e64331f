//! Standard output that nobody reads: the run waits for its reader within its memory, and goes on.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{ChildStdout, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::{Deadline, Process, command, until};
use integration::oracle::{self, Event, compare};
use serde_json::json;
use tempfile::TempDir;

const EVENTS: u64 = 600_000;

/// A fraction of the events' bytes.
const MEMORY_BYTES: u64 = 64 << 20;

/// What a process holds beside what flows: code, line tables, runtimes, files in the page cache that it maps.
const BASE_BYTES: u64 = 128 << 20;

const LIMIT: Duration = Duration::from_secs(60);

/// Starts a run at full speed whose standard output is a pipe.
fn start() -> Result<(TempDir, Process, BufReader<ChildStdout>)> {
    let place = tempfile::tempdir()?;
    let text = format!(
        "datastreamName: unread\ncontactName: test\ndesiredState: ON\ncheckpoint: {{ interval: 200ms }}\n\
         sources:\n  - generator: {{ events: shop, count: {EVENTS}, seed: 11 }}\nsinks:\n  - stdout: {{}}\n"
    );
    fs::write(place.path().join("unread.yaml"), text)?;
    let memory = format!("{MEMORY_BYTES}B");
    let mut command = command(&["run", "unread.yaml", "--memory", &memory], place.path());
    command.stdout(Stdio::piped());
    let mut process = Process::start_piped("weir run", command, &place.path().join("log"))?;
    let mut lines = BufReader::new(process.stdout().context("its standard output")?);
    // It has begun; the pipe is full soon after.
    ensure!(!lines.fill_buf()?.is_empty(), "{}", process.log());
    Ok((place, process, lines))
}

/// Waits until it no longer gets anywhere: every queue on the way to the pipe is full.
fn until_stuck(process: &mut Process) -> Result<()> {
    let mut ticks = Vec::new();
    until("the run to stand still", Deadline::of(LIMIT), || {
        process.check()?;
        ticks.push(process.cpu_ticks());
        // A second of looks in which it used no more than three hundredths of a second.
        let still = ticks.len() > 50 && ticks[ticks.len() - 1] - ticks[ticks.len() - 50] <= 3;
        Ok(still.then_some(()))
    })
}

#[test]
fn output_that_nobody_reads_holds_the_run_within_its_memory() -> Result<()> {
    let (_place, mut process, lines) = start()?;
    until_stuck(&mut process)?;
    ensure!(
        process.peak_bytes() < BASE_BYTES + MEMORY_BYTES,
        "it holds {} MiB",
        process.peak_bytes() >> 20
    );
    let mut found = Vec::new();
    for line in lines.split(b'\n') {
        found.push(oracle::event(&line?).context("a whole record")?);
    }
    let status = process.wait(Deadline::of(LIMIT))?;
    ensure!(status.success(), "{status}: {}", process.log());
    let expected: Vec<Event> = oracle::expected(&json!({"events": "shop", "count": EVENTS, "seed": 11}), &[])?;
    let verdict = compare(expected, found);
    ensure!(verdict.is_exact(), "{verdict:?}");
    Ok(())
}

#[test]
fn a_run_whose_output_nobody_reads_can_be_left() -> Result<()> {
    let (_place, mut process, _lines) = start()?;
    until_stuck(&mut process)?;
    // The first asks for a last checkpoint, which cannot be; the second leaves at once.
    process.signal("TERM")?;
    until("the first signal to be heard", Deadline::of(LIMIT), || {
        Ok(process.log().contains("takes a last checkpoint").then_some(()))
    })?;
    process.signal("TERM")?;
    let status = process.wait(Deadline::of(Duration::from_secs(10)))?;
    ensure!(status.code() == Some(130), "{status}: {}", process.log());
    Ok(())
}
