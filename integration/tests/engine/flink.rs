//! Flink's own command-line client and its REST paths against a cluster of ours.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::Cluster;
use integration::servers::installed;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

/// A stream without an end, that keeps state and has event time.
fn document(name: &str) -> String {
    format!(
        "datastreamName: {name}\ncontactName: test\ndesiredState: ON\nparallelism: 2\ncheckpoint: {{ interval: 300ms }}\nsources:\n\
         \x20 - generator: {{ events: shop, splits: 2, throughput: 5000 }}\n\
         \x20   format: {{ json: {{ schema: {{ subscriberId: int64, eventTime: timestamp }} }} }}\n\
         \x20   eventTime: {{ field: eventTime }}\n\
         steps:\n  - keyBy: [subscriberId]\n    window: {{ tumbling: 1s }}\n    aggregate: {{ n: count(*) }}\nsinks:\n  - blackhole: {{}}\n"
    )
}

/// What Flink's client prints; it must succeed.
fn client(cluster: &Cluster, action: &str, arguments: &[&str]) -> Result<String> {
    let conf = cluster.folder().join("flink-conf");
    std::fs::create_dir_all(&conf)?;
    std::fs::write(conf.join("config.yaml"), "rest.address: 127.0.0.1\n")?;
    let opens = ["java.lang", "java.util", "java.net", "java.nio", "java.time"];
    let output = Command::new("java")
        .args(opens.map(|package| format!("--add-opens=java.base/{package}=ALL-UNNAMED")))
        .args([
            "-Xmx256m",
            "-cp",
            &format!("{}/*", installed("flink-client-2.3.0/lib")?.display()),
        ])
        .args(["org.apache.flink.client.cli.CliFrontend", action, "-m", cluster.rest()])
        .args(arguments)
        .env("FLINK_CONF_DIR", &conf)
        .output()
        .context("java")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "flink {action}: {text}{errors}");
    Ok(text)
}

fn state(cluster: &Cluster, name: &str, wanted: &str) -> Result<Value> {
    cluster.until(name, wanted, LIMIT, |described| described["summary"]["state"] == wanted)
}

/// Flink's id of a job, as the list under Flink's path has it.
fn id(cluster: &Cluster, name: &str) -> Result<String> {
    let jobs = cluster.ask("/jobs/overview")?;
    let found = jobs["jobs"]
        .as_array()
        .context("jobs")?
        .iter()
        .find(|job| job["name"] == name);
    Ok(found.and_then(|job| job["jid"].as_str()).context("jid")?.to_owned())
}

#[test]
fn flinks_client_lists_saves_stops_and_cancels() -> Result<()> {
    let place = tempfile::tempdir()?;
    let mut cluster = Cluster::start(place.path(), &[])?;
    cluster.start_taskmanager("tm-1", &["--slots", "4"])?;
    cluster.submit(&document("orders"))?;
    cluster.submit(&document("clicks"))?;
    state(&cluster, "orders", "running")?;
    state(&cluster, "clicks", "running")?;
    let (orders, clicks) = (id(&cluster, "orders")?, id(&cluster, "clicks")?);

    let listed = client(&cluster, "list", &["-a"])?;
    for line in [
        format!("{orders} : orders (RUNNING)"),
        format!("{clicks} : clicks (RUNNING)"),
    ] {
        ensure!(listed.contains(&line), "{line} in {listed}");
    }
    let saved = client(&cluster, "savepoint", &[&orders])?;
    let path = saved
        .split("Path: ")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .context(saved.clone())?;
    // Small state lies in the record; a folder of files is beside it where there is more.
    // It is said relative to the state folder: where that lies is nobody's business.
    let record = cluster.folder().join("state").join(format!("{path}.record"));
    ensure!(record.is_file(), "{path} is a savepoint");
    let stopped = client(&cluster, "stop", &[&orders])?;
    ensure!(stopped.contains("Savepoint completed. Path: "), "{stopped}");
    state(&cluster, "orders", "stopped")?;
    client(&cluster, "cancel", &[&clicks])?;
    state(&cluster, "clicks", "cancelled")?;
    Ok(())
}

#[test]
fn flinks_paths_say_what_ours_say() -> Result<()> {
    let place = tempfile::tempdir()?;
    let mut cluster = Cluster::start(place.path(), &[])?;
    cluster.start_taskmanager("tm-1", &["--slots", "3"])?;
    cluster.submit(&document("orders"))?;
    let ours = cluster.until(
        "orders",
        "three checkpoints and figures of its readers",
        LIMIT,
        |described| {
            let busy = described["vertices"][0]["subtasks"][1]["busy"].as_f64();
            let mut steps = described["vertices"][0]["steps"].as_array().into_iter().flatten();
            let timed = steps.any(|step| step["watermarkMs"].is_i64());
            described["checkpoints"]["completed"].as_u64() >= Some(3) && busy.is_some_and(|busy| busy > 0.0) && timed
        },
    )?;
    let overview = cluster.ask("/overview")?;
    ensure!(
        (
            &overview["taskmanagers"],
            &overview["slots-total"],
            &overview["slots-available"],
            &overview["jobs-running"]
        ) == (&1.into(), &3.into(), &1.into(), &1.into()),
        "{overview}"
    );
    let id = id(&cluster, "orders")?;
    let job = cluster.ask(&format!("/v1/jobs/{id}"))?;
    ensure!(
        (&job["state"], &job["name"]) == (&"RUNNING".into(), &"orders".into()),
        "{job}"
    );
    let vertices = job["vertices"].as_array().context("vertices")?;
    let names: Vec<_> = vertices.iter().map(|vertex| &vertex["name"]).collect();
    let own: Vec<_> = ours["vertices"]
        .as_array()
        .context("our vertices")?
        .iter()
        .map(|vertex| &vertex["name"])
        .collect();
    ensure!(names == own, "{names:?} and {own:?}");
    let plan = cluster.ask(&format!("/jobs/{id}/plan"))?;
    let input = &plan["plan"]["nodes"][1]["inputs"][0];
    ensure!(
        (&input["id"], &input["ship_strategy"]) == (&vertices[0]["id"], &"HASH".into()),
        "{plan}"
    );

    of_checkpoints(&cluster, &id)?;
    let first = vertices[0]["id"].as_str().context("id")?;
    of_a_vertex(&cluster, &format!("/jobs/{id}/vertices/{first}"))?;
    for path in [
        "/config",
        "/jobmanager/config",
        "/taskmanagers",
        "/taskmanagers/tm-1",
        "/jobs",
    ] {
        cluster.ask(path)?;
    }
    for path in ["config", "exceptions", "checkpoints/config"] {
        cluster.ask(&format!("/jobs/{id}/{path}"))?;
    }
    ensure!(cluster.ask("/jobs/0123").is_err(), "what is not there is not found");
    Ok(())
}

fn of_checkpoints(cluster: &Cluster, id: &str) -> Result<()> {
    let checkpoints = cluster.ask(&format!("/jobs/{id}/checkpoints"))?;
    let newest = checkpoints["latest"]["completed"]["id"].as_u64().context("its id")?;
    ensure!(
        checkpoints["counts"]["completed"].as_u64() >= Some(3) && newest >= 3,
        "{checkpoints}"
    );
    let one = cluster.ask(&format!("/jobs/{id}/checkpoints/details/{newest}"))?;
    ensure!(one["status"] == "COMPLETED" && one["num_subtasks"] == 4, "{one}");
    Ok(())
}

fn of_a_vertex(cluster: &Cluster, vertex: &str) -> Result<()> {
    let subtasks = cluster.ask(vertex)?;
    ensure!(
        subtasks["subtasks"][1]["status"] == "RUNNING" && subtasks["parallelism"] == 2,
        "{subtasks}"
    );
    let pressure = cluster.ask(&format!("{vertex}/backpressure"))?;
    ensure!(
        pressure["subtasks"][1]["busyRatio"]
            .as_f64()
            .is_some_and(|busy| busy > 0.0),
        "{pressure}"
    );
    let metrics = cluster.ask(&format!("{vertex}/metrics?get=0.numRecordsOut,7.numRecordsOut"))?;
    let value = metrics[0]["value"].as_str().and_then(|value| value.parse::<f64>().ok());
    ensure!(
        metrics.as_array().is_some_and(|all| all.len() == 1) && value > Some(0.0),
        "{metrics}"
    );
    let watermarks = cluster.ask(&format!("{vertex}/watermarks"))?;
    let value = watermarks[0]["value"]
        .as_str()
        .and_then(|value| value.parse::<i64>().ok());
    ensure!(value > Some(0), "{watermarks}");
    Ok(())
}
