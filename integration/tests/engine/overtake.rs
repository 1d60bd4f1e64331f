//! A checkpoint under back-pressure does not wait until a slow sink has taken what stands before its barrier.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::{Cluster, weir};
use serde_json::Value;

use super::judge::judge;

const EVENTS: u64 = 240_000;
const LIMIT: Duration = Duration::from_secs(150);

/// Rows a second that each of the two slow sinks takes. Their queues and the channels before them hold several thousands.
const PACE: u32 = 3_000;

/// Generator -> filter -> shuffle between two task managers -> a sink that keeps what it is given, and a slow one that holds
/// the source up.
fn document(folder: &Path) -> String {
    format!(
        "datastreamName: held-up\ncontactName: test\ndesiredState: ON\nparallelism: 2\n\
         checkpoint: {{ interval: 500ms, alignedTimeout: 300ms }}\n\
         sources:\n  - generator: {{ events: shop, count: {EVENTS}, splits: 2, seed: 3 }}\n\
         eventTypeFilters: [PAGE_VIEW, PURCHASE]\nsinks:\n\
         \x20 - keyBy: [subscriberId]\n    file: {{ path: \"{}\", roll: {{ every: 1s }} }}\n\
         \x20 - name: slow\n    keyBy: [subscriberId]\n    blackhole: {{ throughput: {PACE} }}\n",
        folder.display()
    )
}

/// The newest checkpoint that has overtaken something.
fn unaligned(described: &Value) -> Option<&Value> {
    let history = described["checkpoints"]["history"].as_array()?;
    let overtook = |one: &&Value| one["epoch"].is_u64() && one["overtookBytes"].as_u64().unwrap_or(0) > 0;
    history.iter().find(overtook)
}

#[test]
fn a_checkpoint_overtakes_what_waits_for_a_slow_sink_and_a_kill_costs_no_record() -> Result<()> {
    let place = tempfile::tempdir()?;
    let out = place.path().join("out");
    let mut cluster = Cluster::start(place.path(), &[])?;
    cluster.start_taskmanager("tm-1", &[])?;
    cluster.start_taskmanager("tm-2", &[])?;
    cluster.submit(&document(&out))?;
    let described = cluster.until("held-up", "to overtake", LIMIT, |described| {
        unaligned(described).is_some()
    })?;
    let checkpoint = unaligned(&described).context("an unaligned checkpoint")?;
    // Rows are a few hundred bytes: what was overtaken would have kept the two sinks busy for longer than it took.
    let overtaken = checkpoint["overtookBytes"].as_u64().context("bytes")?;
    ensure!(overtaken > 100_000, "it was held up: {checkpoint}");
    let page = cluster.weir(&["describe", "held-up"])?;
    let page = String::from_utf8_lossy(&page.stdout);
    ensure!(page.contains("unaligned, "), "{page}");
    // Somebody goes, with the newest checkpoint an unaligned one.
    cluster.kill_taskmanager("tm-2");
    cluster.start_taskmanager("tm-3", &[])?;
    let restarted = |described: &Value| {
        described["summary"]["state"] == "running" && described["summary"]["restarts"].as_u64() >= Some(1)
    };
    cluster.until("held-up", "to go on", LIMIT, restarted)?;
    let store = place.path().join("state");
    let state = weir(
        &["state", "verify", "held-up", "--state", &store.to_string_lossy()],
        place.path(),
    )?;
    ensure!(state.status.success(), "{}", String::from_utf8_lossy(&state.stdout));
    cluster.until_finished("held-up", LIMIT)?;
    judge(&out, EVENTS, 2)
}
