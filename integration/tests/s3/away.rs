//! A server that dies under a running job and comes back: the job goes on, exactly once.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use dataflow::store::Stores as _;
use dataflow::store::open::{AllowPaths, OpenStores};
use integration::cluster::{Deadline, Process, command, until};
use serde_json::json;

use crate::rows::{ensure_exact, published};
use crate::server::{BUCKET, Server};

const EVENTS: u64 = 300_000;
const LIMIT: Duration = Duration::from_secs(120);

/// What the job does about a server that is away: it tries again soon.
const RESTART: &str = "restart: { exponential: { first: 200ms, longest: 1s } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_and_comes_back_costs_no_record() -> Result<()> {
    let mut server = Server::start().await?;
    let place = tempfile::tempdir()?;
    let text = format!(
        "datastreamName: survivor\ncontactName: test\ndesiredState: ON\nparallelism: 2\ncheckpoint: {{ interval: 300ms }}\n{RESTART}\n\
         sources:\n  - generator: {{ events: shop, count: {EVENTS}, splits: 2, seed: 13, throughput: 60000 }}\n\
         sinks:\n  - file: {{ path: \"s3://{BUCKET}/out\", roll: {{ size: 8MiB, every: 500ms }} }}\n"
    );
    fs::write(place.path().join("survivor.yaml"), text)?;
    let mut command = command(&["run", "survivor.yaml"], place.path());
    command.envs(server.environment());
    let mut run = Process::start("weir run", command, &place.path().join("log"))?;

    let stores = OpenStores::new(AllowPaths::Only(Vec::new()), server.settings());
    let store = stores.open(&format!("s3://{BUCKET}/out"))?;
    let deadline = Deadline::of(LIMIT);
    while published(store.as_ref()).await?.is_empty() {
        run.check()?;
        ensure!(!deadline.has_passed(), "nothing was committed: {}", run.log());
        tokio::task::yield_now().await;
    }
    server.kill()?;
    until("the loss to be noticed", Deadline::of(LIMIT), || {
        run.check()?;
        Ok(run.log().contains("AWS_ENDPOINT_URL_S3").then_some(()))
    })?;
    server.start_again().await?;

    let status = run.wait(Deadline::of(LIMIT))?;
    ensure!(status.success(), "{status}: {}", run.log());
    let options = json!({"events": "shop", "count": EVENTS, "splits": 2, "seed": 13});
    ensure_exact(&server, "out", &options).await
}
