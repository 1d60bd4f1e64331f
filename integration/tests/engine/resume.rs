//! `weir run` started again goes on where it was, and says so.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use integration::cluster::{Deadline, Process, binary, until, weir};
use integration::oracle::{self, Event, compare};
use serde_json::json;

const EVENTS: u64 = 400_000;

fn document(folder: &Path) -> String {
    format!(
        "datastreamName: resumed\ncontactName: test\ndesiredState: ON\nparallelism: 2\ncheckpoint: {{ interval: 200ms }}\n\
         sources:\n  - generator: {{ events: shop, count: {EVENTS}, splits: 2, seed: 7, throughput: 200000 }}\n\
         sinks:\n  - file: {{ path: \"{}\", roll: {{ size: 4MiB, every: 500ms }} }}\n",
        folder.join("out").display()
    )
}

fn expected() -> Result<Vec<Event>> {
    oracle::expected(&json!({"events": "shop", "count": EVENTS, "splits": 2, "seed": 7}), &[])
}

fn start(folder: &Path) -> Result<Process> {
    let mut command = Command::new(binary());
    command
        .args(["run", "datastream.yaml"])
        .current_dir(folder)
        .stdout(Stdio::null());
    Process::start("weir run", command, &folder.join("run.log"))
}

fn visible_files(folder: &Path) -> usize {
    fs::read_dir(folder.join("out")).map_or(0, |entries| {
        entries
            .flatten()
            .filter(|entry| !entry.file_name().to_string_lossy().starts_with('_'))
            .count()
    })
}

#[test]
fn a_killed_run_goes_on_where_it_was_and_a_finished_one_says_so() -> Result<()> {
    let place = tempfile::tempdir()?;
    fs::write(place.path().join("datastream.yaml"), document(place.path()))?;
    for round in 1..=2 {
        let mut process = start(place.path())?;
        let files = visible_files(place.path());
        until("more committed files", Deadline::of(Duration::from_secs(60)), || {
            process.check()?;
            Ok((visible_files(place.path()) > files).then_some(()))
        })?;
        drop(process);
        ensure!(
            oracle::visible(&place.path().join("out"))?.len() < expected()?.len(),
            "round {round} was killed in mid-flow"
        );
    }
    let output = weir(&["run", "datastream.yaml"], place.path())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{said}");
    ensure!(said.contains("goes on"), "it says that it goes on: {said}");
    let verdict = compare(expected()?, oracle::visible(&place.path().join("out"))?);
    ensure!(verdict.is_exact(), "{verdict:?}");

    let output = weir(&["run", "datastream.yaml"], place.path())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.success() && said.contains("finished"),
        "a finished run says so: {said}"
    );
    ensure!(
        compare(expected()?, oracle::visible(&place.path().join("out"))?).is_exact(),
        "and writes nothing more"
    );
    Ok(())
}
