//! A job manager that waits takes over from one that is killed, and costs no record.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::{Deadline, Process, binary, until, weir};
use integration::oracle::{self, compare};
use serde_json::{Value, json};

const EVENTS: u64 = 300_000;
const LIMIT: Duration = Duration::from_secs(90);

/// A port that nobody else is given for a while: the system hands them out in turn.
fn port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

struct Ports {
    rest: String,
    control: String,
}

fn jobmanager(folder: &Path, name: &str, ports: &Ports, arguments: &[&str]) -> Result<Process> {
    let mut command = Command::new(binary());
    command.args([
        "jobmanager",
        "--log",
        "info",
        "--listen",
        &ports.rest,
        "--control",
        &ports.control,
    ]);
    command
        .arg("--state")
        .arg(folder.join("state"))
        .arg("--allow-path")
        .arg(folder);
    command
        .arg("--ready-file")
        .arg(folder.join(format!("{name}.json")))
        .args(arguments);
    Process::start(name, command, &folder.join(format!("{name}.log")))
}

fn describe(folder: &Path, ports: &Ports) -> Option<Value> {
    let cluster = format!("http://{}", ports.rest);
    let output = weir(&["describe", "followed", "-o", "json", "--cluster", &cluster], folder).ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story")]
fn a_standby_leads_when_the_leader_is_killed() -> Result<()> {
    let place = tempfile::tempdir()?;
    let folder = place.path();
    let ports = || -> Result<Ports> {
        Ok(Ports {
            rest: format!("127.0.0.1:{}", port()?),
            control: format!("127.0.0.1:{}", port()?),
        })
    };
    let (first, second) = (ports()?, ports()?);
    let leader = jobmanager(folder, "first", &first, &[])?;
    let there = |name: &'static str| move || Ok(folder.join(format!("{name}.json")).exists().then_some(()));
    until("the leader to be ready", Deadline::of(LIMIT), there("first"))?;
    let _standby = jobmanager(folder, "second", &second, &["--standby"])?;
    let waits = || {
        Ok(fs::read_to_string(folder.join("second.log"))?
            .contains("standby")
            .then_some(()))
    };
    until("the standby to wait", Deadline::of(LIMIT), waits)?;
    ensure!(
        !folder.join("second.json").exists(),
        "it does not lead beside the first"
    );

    let both = format!("{},{}", first.control, second.control);
    let mut taskmanagers = Vec::new();
    for name in ["tm-1", "tm-2"] {
        let mut command = Command::new(binary());
        command
            .args([
                "taskmanager",
                "--log",
                "info",
                "--name",
                name,
                "--jobmanager",
                &both,
                "--allow-path",
            ])
            .arg(folder);
        taskmanagers.push(Process::start(name, command, &folder.join(format!("{name}.log")))?);
    }
    let document = folder.join("followed.yaml");
    fs::write(
        &document,
        format!(
            "datastreamName: followed\ncontactName: test\ndesiredState: ON\nparallelism: 2\ncheckpoint: {{ interval: 300ms }}\n\
             sources:\n  - generator: {{ events: shop, count: {EVENTS}, splits: 2, seed: 3, throughput: 30000 }}\n\
             sinks:\n  - keyBy: [subscriberId]\n    file: {{ path: \"{}\", roll: {{ size: 4MiB, every: 1s }} }}\n",
            folder.join("out").display()
        ),
    )?;
    let cluster = format!("http://{}", first.rest);
    let submitted = weir(&["submit", &document.to_string_lossy(), "--cluster", &cluster], folder)?;
    ensure!(
        submitted.status.success(),
        "{}",
        String::from_utf8_lossy(&submitted.stderr)
    );
    let epoch = |described: &Value| described["summary"]["epoch"].as_u64().unwrap_or_default();
    let commits = || Ok(describe(folder, &first).filter(|described| epoch(described) > 2));
    let before = until("it to commit", Deadline::of(LIMIT), commits)?;
    drop(leader);
    let goes_on = || {
        let described = describe(folder, &second);
        Ok(described
            .filter(|described| described["summary"]["state"] == "running" && epoch(described) > epoch(&before) + 2))
    };
    let after = until("the standby to go on with it", Deadline::of(LIMIT), goes_on)?;
    let term = |described: &Value| described["generation"].as_str().map(str::to_owned);
    ensure!(term(&before).context("generation")?.starts_with("gen-1."));
    ensure!(term(&after).context("generation")?.starts_with("gen-2."));
    let finished = || Ok(describe(folder, &second).filter(|described| described["summary"]["state"] == "finished"));
    until("it to finish", Deadline::of(LIMIT), finished)?;
    let expected = oracle::expected(&json!({"events": "shop", "count": EVENTS, "splits": 2, "seed": 3}), &[])?;
    let verdict = compare(expected, oracle::visible(&folder.join("out"))?);
    ensure!(verdict.is_exact(), "{verdict:?}");
    Ok(())
}
