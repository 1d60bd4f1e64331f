//! Which documents a datastream has run, what is between them, and back to one: by the command line, over a killed job manager.

use std::time::Duration;

use anyhow::{Result, ensure};
use integration::cluster::Cluster;
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

const DOCUMENT: &str = "datastreamName: shop
contactName: eng
desiredState: ON
sources:
  - name: events
    generator: { events: shop, throughput: 500, splits: 1 }
steps:
  - name: once
    dedup: { key: [eventId], within: 10m, time: processing }
sinks:
  - name: out
    blackhole: {}
";

/// Number and cause of each version, the newest first.
fn history(cluster: &Cluster) -> Result<Vec<(Value, Value)>> {
    let versions = cluster.json(&["history", "shop"])?;
    let all = versions.as_array().cloned().unwrap_or_default();
    Ok(all
        .iter()
        .map(|one| (one["number"].clone(), one["cause"].clone()))
        .collect())
}

#[test]
fn documents_are_remembered_compared_and_gone_back_to() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut cluster = Cluster::start(folder.path(), &[])?;
    cluster.start_taskmanager("tm-1", &["--slots", "1"])?;
    cluster.submit(DOCUMENT)?;
    let runs = |described: &Value| {
        described["summary"]["state"] == "running" && described["summary"]["epoch"].as_u64() > Some(1)
    };
    cluster.until("shop", "to run", LIMIT, runs)?;
    let changed = folder.path().join("changed.yaml");
    std::fs::write(&changed, DOCUMENT.replace("within: 10m", "within: 20m"))?;
    let changed = changed.display().to_string();
    let differs = cluster.weir(&["diff", &changed])?;
    let shown = String::from_utf8_lossy(&differs.stdout).into_owned();
    ensure!(
        shown.contains("-    dedup: { key: [eventId], within: 10m,")
            && shown.contains("+    dedup: { key: [eventId], within: 20m,"),
        "{shown}"
    );
    cluster.json(&["apply", &changed])?;
    ensure!(
        history(&cluster)? == [(json!(2), json!("changed")), (json!(1), json!("begun"))],
        "{:?}",
        history(&cluster)?
    );
    let between = cluster.json(&["diff", "shop"])?;
    ensure!(
        (&between["added"], &between["removed"]) == (&json!(1), &json!(1)),
        "{between}"
    );
    cluster.kill_jobmanager();
    cluster.start_jobmanager()?;
    cluster.until("shop", "to run again", LIMIT, |described| {
        described["summary"]["state"] == "running"
    })?;
    ensure!(
        history(&cluster)?.len() == 2,
        "a job manager that comes back enters nothing twice: {:?}",
        history(&cluster)?
    );
    cluster.json(&["rollback", "shop"])?;
    let document = cluster.ask("/v1/datastreams/shop")?["document"].clone();
    ensure!(
        document.as_str().is_some_and(|text| text.contains("within: 10m")),
        "{document}"
    );
    let versions = cluster.json(&["history", "shop"])?;
    let kept = versions[0]["verdicts"]
        .as_array()
        .into_iter()
        .flatten()
        .all(|one| one["state"] == "keeps");
    ensure!(versions[0]["number"] == 3 && kept, "{versions}");
    let refused = cluster.weir(&["rollback", "shop", "9"])?;
    ensure!(refused.status.code() == Some(5), "{:?}", refused.status);
    Ok(())
}
