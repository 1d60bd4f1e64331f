//! `weir state ls`, `get` and `verify` on a state folder in a bucket: what is there, what a key holds, what is damaged.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use dataflow::store::Stores as _;
use dataflow::store::open::{AllowPaths, OpenStores};
use integration::cluster::{Deadline, Process, command, until};
use integration::oracle;
use serde_json::{Value, json};

use crate::server::{BUCKET, Server};

/// More than are read before it is stopped.
const EVENTS: u64 = 100_000_000;
/// Enough that they are files, and not parts of the record.
const ENTRIES: u64 = 40_000;
const LIMIT: Duration = Duration::from_secs(120);

/// Looks at the state of `seen` in the bucket.
fn state(server: &Server, folder: &Path, verb: &str, more: &[&str]) -> Result<Output> {
    let url = format!("s3://{BUCKET}/state");
    let arguments = [&["state", verb, "seen"], more, &["--state", &url, "-o", "json"]].concat();
    let mut command = command(&arguments, folder);
    Ok(command.envs(server.environment()).output()?)
}

fn json(output: &Output) -> Result<Value> {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).with_context(|| format!("{}: {said}", output.status))
}

/// The sum of a column over the subtasks of the step.
fn sum(listed: &Value, what: &str) -> u64 {
    let rows = listed.as_array().into_iter().flatten();
    rows.filter(|row| row["step"] == "once")
        .filter_map(|row| row[what].as_u64())
        .sum()
}

/// The first event's id, as the document's key has it.
fn first_id(options: &Value) -> Result<String> {
    let mut first = None;
    oracle::generated(options, &mut |record| {
        if first.is_none() {
            first = serde_json::from_slice::<Value>(record).ok();
        }
    })?;
    let id = first.as_ref().and_then(|record| record["eventId"].as_str());
    Ok(id.context("an event has an id")?.to_owned())
}

/// Turns one bit of a state file in the bucket.
async fn damage(server: &Server, file: &str) -> Result<()> {
    let stores = OpenStores::new(AllowPaths::Only(Vec::new()), server.settings());
    let store = stores.open(&format!("s3://{BUCKET}/state"))?;
    let found = store.list("").await?.into_iter().map(|object| object.path);
    let path = found
        .into_iter()
        .find(|path| path.ends_with(file))
        .context("the file in the bucket")?;
    let mut bytes = store.read(&path).await?.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    Ok(store.put(&path, Bytes::from(bytes)).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_in_a_bucket_is_listed_read_and_verified_and_damage_is_named() -> Result<()> {
    let server = Server::start().await?;
    let place = tempfile::tempdir()?;
    let text = format!(
        "datastreamName: seen\ncontactName: test\ndesiredState: ON\nparallelism: 2\ncheckpoint: {{ interval: 300ms }}\n\
         sources:\n  - generator: {{ events: shop, count: {EVENTS}, splits: 2, seed: 13, throughput: 40000 }}\n\
         steps:\n  - name: once\n    dedup: {{ key: [eventId], within: 24h, time: processing }}\nsinks:\n  - blackhole: {{}}\n"
    );
    fs::write(place.path().join("seen.yaml"), text)?;
    let mut command = command(
        &["run", "seen.yaml", "--state", &format!("s3://{BUCKET}/state")],
        place.path(),
    );
    command.envs(server.environment());
    let mut run = Process::start("weir run", command, &place.path().join("log"))?;
    until("enough state in a checkpoint", Deadline::of(LIMIT), || {
        run.check()?;
        // Before the first checkpoint there is nothing to list.
        let listed = state(&server, place.path(), "ls", &[])?;
        Ok((sum(&json(&listed).unwrap_or_default(), "entries") >= ENTRIES).then_some(()))
    })?;
    // A last checkpoint, and the end.
    run.signal("TERM")?;
    run.wait(Deadline::of(LIMIT))?;

    let listed = json(&state(&server, place.path(), "ls", &[])?)?;
    ensure!(
        sum(&listed, "entries") >= ENTRIES && sum(&listed, "files") >= 2,
        "{listed}"
    );

    let options = json!({"events": "shop", "count": 1, "splits": 1, "seed": 13});
    let id = tokio::task::block_in_place(|| first_id(&options))?;
    let held = json(&state(&server, place.path(), "get", &["once", &id])?)?;
    ensure!(
        held.as_array().map(Vec::len) == Some(1) && held[0]["key"].as_str().is_some_and(|key| key.contains(&id)),
        "{held}"
    );
    let nobody = state(&server, place.path(), "get", &["once", "no-such-event"])?;
    ensure!(json(&nobody)? == json!([]), "{nobody:?}");

    let verified = state(&server, place.path(), "verify", &[])?;
    let objects = json(&verified)?;
    ensure!(verified.status.success(), "{objects}");
    let files = objects.as_array().into_iter().flatten();
    let file = files.clone().find(|object| object["step"] == "once");
    let file = file
        .and_then(|object| object["object"].as_str())
        .context("a state file")?
        .to_owned();

    damage(&server, &file).await?;
    let verified = state(&server, place.path(), "verify", &[])?;
    let bad = json(&verified)?;
    let bad: Vec<&Value> = bad
        .as_array()
        .into_iter()
        .flatten()
        .filter(|one| one["problem"].is_string())
        .collect();
    ensure!(verified.status.code() == Some(1), "{bad:?}");
    ensure!(
        bad.iter().all(|one| one["object"] == file) && !bad.is_empty(),
        "{bad:?}"
    );
    Ok(())
}
