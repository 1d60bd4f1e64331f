//! A sink that hangs: an S3 server that is stopped in the middle of a stream at full speed, and goes on later.
//!
//! What waits is bounded by the task managers' `--memory`, the result is exact, and a cancel is answered meanwhile.
//! `HANG_SECONDS=60 cargo test --release -p integration --test s3 hangs -- --nocapture` prints the figure of `docs/performance.md`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dataflow::time::{Clock as _, SystemClock};
use integration::cluster::{Cluster, Deadline};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rows::ensure_exact;
use crate::server::{BUCKET, Server};

/// Several times what both task managers may hold, in bytes.
const EVENTS: u64 = 2_000_000;

/// `--memory` of each task manager: for what flows and waits.
const MEMORY_BYTES: u64 = 128 << 20;

/// What a process may hold beside that and beside what it held before it had a job: code that it reads in, threads,
/// connections, what the allocator keeps.
const SLACK_BYTES: u64 = 96 << 20;

const LIMIT: Duration = Duration::from_secs(120);

const NAME: &str = "hung";

/// How long the server hangs: 5 seconds unless `HANG_SECONDS` says otherwise.
#[expect(
    clippy::disallowed_methods,
    reason = "the figure is measured by the test, for longer than a test should take"
)]
fn hang_time() -> Result<Duration> {
    let seconds = std::env::var("HANG_SECONDS").map_or(Ok(5), |text| text.parse())?;
    Ok(Duration::from_secs(seconds))
}

/// A server and a cluster whose job writes to it at full speed.
struct Scene {
    server: Server,
    cluster: Cluster,
    /// What each process held before there was a job.
    idle: Vec<u64>,
    _place: TempDir,
}

fn rows(described: &Value) -> u64 {
    described["summary"]["progress"]["rowsIn"].as_u64().unwrap_or(0)
}

impl Scene {
    /// In mid-flow, with committed epochs behind it.
    async fn begin() -> Result<Self> {
        let server = Server::start().await?;
        let place = tempfile::tempdir()?;
        let mut cluster = Cluster::start_in(place.path(), &[], server.environment())?;
        let memory = format!("{MEMORY_BYTES}B");
        for name in ["tm-1", "tm-2"] {
            cluster.start_taskmanager(name, &["--memory", &memory])?;
        }
        // A small job that runs proves that both are there.
        cluster.submit(&document("first", 100_000, "blackhole: {}"))?;
        cluster.until_finished("first", LIMIT)?;
        let idle = cluster.processes().map(|(_, process)| process.rss_bytes()).collect();
        let sink = format!("file: {{ path: \"s3://{BUCKET}/out\", roll: {{ size: 32MiB, every: 1s }} }}");
        cluster.submit(&document(NAME, EVENTS, &sink))?;
        cluster.until(NAME, "to commit", LIMIT, |described| {
            described["summary"]["epoch"].as_u64() > Some(1) && rows(described) > EVENTS / 10
        })?;
        Ok(Self {
            server,
            cluster,
            idle,
            _place: place,
        })
    }

    fn memory(&self) -> Vec<u64> {
        self.cluster
            .processes()
            .map(|(_, process)| process.rss_bytes())
            .collect()
    }

    fn peaks(&self) -> Vec<u64> {
        self.cluster
            .processes()
            .map(|(_, process)| process.peak_bytes())
            .collect()
    }

    /// Rows that were read, and restarts.
    fn reached(&self) -> Result<(u64, Value)> {
        let described = self.cluster.json(&["describe", NAME])?;
        Ok((rows(&described), described["summary"]["restarts"].clone()))
    }
}

/// Generator -> shuffle between the task managers -> `sink`.
fn document(name: &str, events: u64, sink: &str) -> String {
    format!(
        "datastreamName: {name}\ncontactName: test\ndesiredState: ON\nparallelism: 2\ncheckpoint: {{ interval: 500ms }}\n\
         sources:\n  - generator: {{ events: shop, count: {events}, splits: 2, seed: 17 }}\n\
         sinks:\n  - keyBy: [subscriberId]\n    {sink}\n"
    )
}

fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_hangs_holds_the_stream_and_grows_no_memory() -> Result<()> {
    let scene = Scene::begin().await?;
    let clock = SystemClock::start();
    let before = scene.memory();
    scene
        .cluster
        .processes()
        .try_for_each(|(_, process)| process.forget_peak())?;
    scene.server.process().signal("STOP")?;
    let half = hang_time()? / 2;
    clock.sleep(half).await;
    let (held, (rows_held, restarts_held)) = (scene.memory(), scene.reached()?);
    clock.sleep(half).await;
    let (during, (rows_later, restarts)) = (scene.peaks(), scene.reached()?);
    ensure!(rows_held.max(rows_later) < EVENTS, "the input was not over");
    // Requests time out after half a minute; a job that has begun anew has counted its rows back to the last epoch.
    ensure!(
        rows_held == rows_later || restarts != restarts_held,
        "the stream stands still once every queue is full: {rows_held}, then {rows_later} rows"
    );
    scene.server.process().signal("CONT")?;
    scene.cluster.until(NAME, "to go on", LIMIT, |described| {
        rows(described) > rows_later || described["summary"]["state"] == "finished"
    })?;
    scene.cluster.until_finished(NAME, LIMIT)?;
    let after = scene.memory();

    println!(
        "MiB            before a job   before   halfway   peak during   after; the sink hung for {:?}, {restarts} restarts",
        2 * half
    );
    for (at, (name, _)) in scene.cluster.processes().enumerate() {
        let column = |values: &[u64]| mib(values[at]);
        println!(
            "{name:<15}{:>12}{:>9}{:>10}{:>14}{:>8}",
            column(&scene.idle),
            column(&before),
            column(&held),
            column(&during),
            column(&after)
        );
        let bound = scene.idle[at] + MEMORY_BYTES + SLACK_BYTES;
        ensure!(
            during[at] <= bound,
            "{name} held {} of {} MiB",
            mib(during[at]),
            mib(bound)
        );
    }
    let options = json!({"events": "shop", "count": EVENTS, "splits": 2, "seed": 17});
    ensure_exact(&scene.server, "out", &options).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_is_answered_while_the_sink_hangs_and_frees_the_processes() -> Result<()> {
    let scene = Scene::begin().await?;
    let clock = SystemClock::start();
    scene.server.process().signal("STOP")?;
    clock.sleep(hang_time()?).await;
    let asked = clock.now();
    let deadline = Deadline::of(Duration::from_secs(10));
    let output = scene.cluster.weir(&["cancel", NAME])?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    scene.cluster.until(NAME, "to be cancelled", LIMIT, |described| {
        described["summary"]["state"] == "cancelled"
    })?;
    println!("cancelled after {:?}", clock.now().since(asked));
    ensure!(!deadline.has_passed(), "it took {:?}", clock.now().since(asked));

    // Slots, threads and memory are free again, though the server still hangs.
    scene.cluster.submit(&document("next", 500_000, "blackhole: {}"))?;
    let next = scene.cluster.until_finished("next", LIMIT)?;
    ensure!(rows(&next) == 500_000, "{next}");
    for (at, (name, process)) in scene.cluster.processes().enumerate() {
        let bound = scene.idle.get(at).context("as many as before")? + MEMORY_BYTES;
        println!("{name}: {} MiB after the cancel", mib(process.rss_bytes()));
        ensure!(
            process.rss_bytes() <= bound,
            "{name} holds {} MiB",
            mib(process.rss_bytes())
        );
    }
    Ok(())
}
