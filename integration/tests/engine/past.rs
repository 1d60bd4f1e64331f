//! What is over stays known: finished, failed, cancelled and stopped datastreams, after the job manager is killed.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::{Cluster, Deadline, until};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(90);

const NAMES: [&str; 4] = ["finished", "failed", "cancelled", "stopped"];

fn document(name: &str, source: &str, sink: &str) -> String {
    format!(
        "datastreamName: {name}\ncontactName: eng-{name}\ndesiredState: ON\ncheckpoint: {{ interval: 200ms }}\n\
         restart: never\nsources:\n  - generator: {{ events: shop, {source} }}\nsinks:\n  - {sink}\n"
    )
}

fn reached(cluster: &Cluster, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    until(&format!("{name} {what}"), Deadline::of(LIMIT), || {
        let described = cluster.ask(&format!("/v1/datastreams/{name}"))?;
        Ok(wanted(&described).then_some(described))
    })
}

fn state(name: &str) -> impl Fn(&Value) -> bool {
    move |described| described["summary"]["state"] == name
}

/// Four datastreams, each over in its own way.
fn stage(cluster: &Cluster) -> Result<()> {
    let folder = cluster.folder().display();
    std::fs::write(cluster.folder().join("blocked"), "not a folder")?;
    let flows = |described: &Value| described["checkpoints"]["completed"].as_u64() >= Some(2);
    cluster.submit(&document("finished", "count: 2000", "blackhole: {}"))?;
    reached(cluster, "finished", "to finish", state("finished"))?;
    let blocked = format!("file: {{ path: \"{folder}/blocked/out\" }}");
    cluster.submit(&document("failed", "throughput: 100", &blocked))?;
    reached(cluster, "failed", "to fail", state("failed"))?;
    for name in ["cancelled", "stopped"] {
        cluster.submit(&document(name, "throughput: 500", "blackhole: {}"))?;
        reached(cluster, name, "to take checkpoints", flows)?;
    }
    ensure!(cluster.weir(&["cancel", "cancelled"])?.status.success());
    ensure!(
        cluster
            .weir(&["stop", "stopped", "--savepoint", "--as", "kept"])?
            .status
            .success()
    );
    for name in ["cancelled", "stopped"] {
        reached(cluster, name, "to be over", state(name))?;
    }
    Ok(())
}

/// What people and programs see of all of them, but for rates of floating point in series.
fn seen(cluster: &Cluster) -> Result<Vec<Value>> {
    let mut seen = vec![cluster.ask("/v1/datastreams")?, cluster.ask("/jobs/overview")?];
    for name in NAMES {
        for part in ["", "/logs", "/runs", "/runs/0"] {
            seen.push(cluster.ask(&format!("/v1/datastreams/{name}{part}"))?);
        }
        let jobs = seen[1]["jobs"].as_array().context("jobs")?;
        let id = jobs
            .iter()
            .find(|job| job["name"] == name)
            .and_then(|job| job["jid"].as_str());
        let id = id.context("its id")?.to_owned();
        for part in ["", "/checkpoints", "/exceptions", "/plan"] {
            let mut answer = cluster.ask(&format!("/jobs/{id}{part}"))?;
            if let Some(answer) = answer.as_object_mut() {
                answer.remove("now");
            }
            seen.push(answer);
        }
    }
    // The time at which lines are written is known a moment after the end.
    for lines in seen.iter_mut().filter_map(Value::as_array_mut) {
        lines
            .iter_mut()
            .filter(|line| line["level"].is_string())
            .for_each(|line| line["atMs"] = Value::Null);
    }
    Ok(seen)
}

#[test]
fn what_is_over_is_shown_after_a_kill_as_it_was_before() -> Result<()> {
    let place = tempfile::tempdir()?;
    let mut cluster = Cluster::start(place.path(), &[])?;
    cluster.start_taskmanager("tm-1", &["--slots", "2"])?;
    stage(&cluster)?;
    let kept = |described: &Value| described["operations"][0]["state"] == "done";
    let stopped = reached(&cluster, "stopped", "to be kept", kept)?;
    ensure!(stopped["operations"][0]["result"] == "savepoints/kept", "{stopped}");
    // The last word of a run is written a moment after it is known.
    let named = || {
        let runs = cluster.ask("/v1/datastreams/stopped/runs")?;
        let Some(newest) = runs[0]["number"].as_u64() else {
            return Ok(None);
        };
        let run = cluster.ask(&format!("/v1/datastreams/stopped/runs/{newest}"))?;
        Ok(kept(&run).then_some(()))
    };
    until("its savepoint to be remembered", Deadline::of(LIMIT), named)?;
    let before = seen(&cluster)?;
    let text = serde_json::to_string(&before)?;
    ensure!(
        !text.contains(&place.path().join("state").display().to_string()),
        "no path of the state folder: {text}"
    );

    cluster.kill_jobmanager();
    cluster.start_jobmanager()?;
    let read = || {
        let listed = cluster.ask("/v1/datastreams")?;
        let all = listed.as_array().context("a list")?;
        Ok(all.iter().all(|one| one["subtasks"].as_u64() > Some(0)).then_some(()))
    };
    until("what is over to be read", Deadline::of(LIMIT), read)?;
    let after = seen(&cluster)?;
    for (before, after) in before.iter().zip(&after) {
        ensure!(before == after, "before {before}\nafter {after}");
    }
    let [finished, failed] = ["finished", "failed"].map(|name| cluster.ask(&format!("/v1/datastreams/{name}")));
    let (finished, failed) = (finished?, failed?);
    ensure!(finished["summary"]["progress"]["rowsOut"] == 2000, "{finished}");
    ensure!(
        finished["summary"]["startedMs"].as_i64() < finished["summary"]["sinceMs"].as_i64(),
        "{finished}"
    );
    ensure!(failed["exceptions"][0]["message"].is_string(), "{failed}");
    Ok(())
}
