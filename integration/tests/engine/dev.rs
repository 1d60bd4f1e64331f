//! `weir dev`: a cluster with its page and a demo by one command, gone at Ctrl-C, or kept.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::{Deadline, Process, command, until, weir};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(90);

fn start(folder: &Path, arguments: &[&str]) -> Result<(Process, String)> {
    let arguments = [&["dev", "--listen", "127.0.0.1:0"], arguments].concat();
    // Each has a log of its own.
    let log = folder.join(format!("dev-{}.log", std::fs::read_dir(folder)?.count()));
    let mut dev = Process::start("dev", command(&arguments, folder), &log)?;
    let address = until("weir dev to say where its page is", Deadline::of(LIMIT), || {
        dev.check()?;
        let log = dev.log();
        let said = log.split("page http://").nth(1).and_then(|rest| rest.split('/').next());
        Ok(said.filter(|_| log.contains("Ctrl-C ends it")).map(str::to_owned))
    })?;
    Ok((dev, address))
}

fn list(folder: &Path, address: &str) -> Result<Vec<Value>> {
    let output = weir(
        &["list", "--cluster", &format!("http://{address}"), "-o", "json"],
        folder,
    )?;
    let list: Value = serde_json::from_slice(&output.stdout)?;
    list.as_array().cloned().context("a list")
}

fn end(mut dev: Process) -> Result<()> {
    dev.signal("INT")?;
    let status = dev.wait(Deadline::of(LIMIT))?;
    ensure!(status.code() == Some(0), "{status}: {}", dev.log());
    Ok(())
}

#[test]
fn one_command_shows_everything_and_ctrl_c_ends_it() -> Result<()> {
    let place = tempfile::tempdir()?;
    let folder = place.path();
    let kept = folder.join("kept").display().to_string();
    let (dev, address) = start(folder, &["--state", &kept])?;
    let cluster = format!("http://{address}");
    let demo = until("the demo to show everything", Deadline::of(LIMIT), || {
        let output = weir(&["describe", "demo-shop", "--cluster", &cluster, "-o", "json"], folder)?;
        let described: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let steps = described["vertices"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|vertex| vertex["steps"].as_array());
        let late: u64 = steps.flatten().filter_map(|step| step["late"].as_u64()).sum();
        let progress = &described["summary"]["progress"];
        let all = late > 0 && progress["deadLetters"].as_u64() > Some(0) && progress["rowsOut"].as_u64() > Some(0);
        Ok(all.then_some(described))
    })?;
    let on = |vertex: &Value| vertex["subtasks"].as_array().cloned().unwrap_or_default();
    let managers: std::collections::BTreeSet<String> = demo["vertices"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(on)
        .filter_map(|subtask| subtask["taskManager"].as_str().map(str::to_owned))
        .collect();
    ensure!(managers.len() == 2, "both task managers work: {managers:?}");
    for (shown, words) in [("dead", ".jsonl"), ("archive", ".parquet"), ("revenue", ".jsonl")] {
        until(&format!("files of {shown}"), Deadline::of(LIMIT), || {
            let found = files(&Path::new(&kept).join("demo").join(shown));
            Ok(found.iter().any(|name| name.ends_with(words)).then_some(()))
        })?;
    }
    let page = weir(
        &[
            "dlq",
            "list",
            "demo-shop",
            "--limit",
            "1",
            "--cluster",
            &cluster,
            "-o",
            "json",
        ],
        folder,
    )?;
    ensure!(String::from_utf8_lossy(&page.stdout).contains("\"error\""), "{page:?}");
    let epoch = demo["summary"]["epoch"].as_u64().context("an epoch")?;
    end(dev)?;
    // What is kept goes on.
    let (dev, address) = start(folder, &["--state", &kept])?;
    let again = until("the demo to go on", Deadline::of(LIMIT), || {
        let list = list(folder, &address)?;
        let shop = list.into_iter().find(|one| one["name"] == "demo-shop");
        Ok(shop.filter(|one| one["state"] == "running" && one["epoch"].as_u64() > Some(epoch)))
    })?;
    ensure!(again["job"] == "demo-shop@1", "{again:#}");
    end(dev)?;
    let (dev, address) = start(folder, &["--bare"])?;
    ensure!(list(folder, &address)?.is_empty(), "nothing of it without the demo");
    end(dev)
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let below = |entry: std::fs::DirEntry| match entry.path().is_dir() {
        true => files(&entry.path()),
        false => vec![entry.file_name().to_string_lossy().into_owned()],
    };
    entries
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('_'))
        .flat_map(below)
        .collect()
}
