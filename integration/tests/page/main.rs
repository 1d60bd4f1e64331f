//! The web page, driven in a browser against a real cluster with datastreams in many states; `integration/ui` says what
//! is looked at. Values are compared with REST; an error in the console, a violation of the policy, a request to anybody
//! else or a serious fault by axe fails it. Pictures are left in `<target>/tmp/page`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where the browser's driver is"
)]

mod hostile;
mod login;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use integration::cluster::Cluster;
use serde_json::{Value, json};

/// On a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One after the other: each judges a browser by the clock, and the machine has two cores.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Vertices of two subtasks, event time, windows, dead letters and late rows.
const SHOP: &str = "
datastreamName: shop
contactName: eng-analytics
desiredState: ON
parallelism: 2
hidden: [subscriberId]
sources:
  - name: events
    generator: { events: shop, throughput: 2000, rate: 2000, malformed: 0.01, late: 0.01, splits: 2 }
    eventTime: { field: eventTime }
eventTypeFilters: [PURCHASE, CHECKOUT]
steps:
  - name: once
    dedup: { key: [eventId], within: 10m }
sinks:
  - blackhole: {}
deadLetter: { path: FOLDER/dead, roll: { every: 2s } }
";

const SLOW: &str = "
datastreamName: slow-sink
contactName: eng-data
desiredState: ON
sources:
  - generator: { events: shop }
sinks:
  - name: warehouse
    blackhole: { throughput: 20 }
";

/// Its sink writes into a folder that is a file; its contact is a script, to whoever takes it for markup.
const BROKEN: &str = "
datastreamName: broken
contactName: \"<img src=x onerror=alert(1)>\"
desiredState: ON
sources:
  - generator: { events: shop, throughput: 100 }
sinks:
  - file: { path: FOLDER/blocked/out }
";

const FINISHED: &str = "
datastreamName: finished
contactName: oncall
desiredState: ON
sources:
  - generator: { events: shop, count: 1000 }
sinks:
  - blackhole: {}
";

/// Keeps what it reads as files of a few seconds each.
const KEPT: &str = "
datastreamName: kept
contactName: eng-lake
desiredState: ON
sources:
  - name: events
    generator: { events: shop, throughput: 1000, rate: 500, splits: 1 }
    eventTime: { field: eventTime }
eventTypeFilters: [PURCHASE, CHECKOUT, LOGIN]
archive: { path: FOLDER/lake, roll: { size: 1MiB, every: 3s } }
";

/// Rows that come after their windows are closed.
const LATE: &str = "
datastreamName: late-rows
contactName: eng-analytics
desiredState: ON
sources:
  - name: events
    generator: { events: shop, throughput: 1000, rate: 50, late: 0.2, splits: 1 }
    eventTime: { field: eventTime, maxOutOfOrderness: 2s }
steps:
  - name: perTenSeconds
    keyBy: [companyId]
    window: { tumbling: 10s }
    aggregate: { orders: count(*) }
sinks:
  - blackhole: {}
";

/// To be stopped with a savepoint.
const SAVED: &str = "
datastreamName: saved
contactName: eng-data
desiredState: ON
sources:
  - generator: { events: shop, throughput: 100 }
sinks:
  - blackhole: {}
";

/// Where `integration/ui/install.sh` has put what drives the browser.
fn driver() -> PathBuf {
    let folder = std::env::var("WEIR_BROWSER").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|_| PathBuf::from(std::env::var("HOME").unwrap()).join(".cache/weir-browser"));
    let module = folder.join("node_modules/playwright-core");
    assert!(
        module.is_dir(),
        "{} is missing: run integration/ui/install.sh",
        module.display()
    );
    folder
}

fn state(cluster: &Cluster, name: &str) -> Value {
    let described = cluster.ask(&format!("/v1/datastreams/{name}")).unwrap();
    described["summary"]["state"].clone()
}

/// A cluster in which something of everything goes on.
fn stage(folder: &Path) -> Cluster {
    let mut cluster = Cluster::start(folder, &[]).unwrap();
    for name in ["tm-1", "tm-2"] {
        cluster.start_taskmanager(name, &["--slots", "4"]).unwrap();
    }
    std::fs::write(folder.join("blocked"), "not a folder").unwrap();
    for document in [FINISHED, BROKEN, SHOP, SLOW, KEPT, LATE, SAVED] {
        let text = document.replace("FOLDER", &folder.display().to_string());
        cluster.submit(&text).unwrap();
    }
    for (name, wanted) in [("finished", "finished"), ("broken", "failed")] {
        let reached = integration::cluster::until(name, integration::cluster::Deadline::of(PATIENCE), || {
            Ok((state(&cluster, name) == json!(wanted)).then_some(()))
        });
        reached.unwrap();
    }
    let flows = |described: &Value| {
        let progress = &described["summary"]["progress"];
        let late: bool = progress["rowsOut"].as_u64() > Some(0) && progress["deadLetters"].as_u64() > Some(0);
        late && described["watermark"]["watermarkMs"].is_i64()
    };
    cluster
        .until("shop", "to give rows, dead letters and time", PATIENCE, flows)
        .unwrap();
    let late = |described: &Value| {
        let vertices = described["vertices"].as_array().into_iter().flatten();
        let mut steps = vertices.flat_map(|vertex| vertex["steps"].as_array().into_iter().flatten());
        steps.any(|step| step["late"].as_u64() > Some(0))
    };
    cluster
        .until("late-rows", "to count late rows", PATIENCE, late)
        .unwrap();
    let kept = integration::cluster::until("kept", integration::cluster::Deadline::of(PATIENCE), || {
        let archive = cluster.ask("/v1/datastreams/kept/archive?limit=1")?;
        Ok((archive["filesTotal"].as_u64() > Some(0)).then_some(()))
    });
    kept.unwrap();
    cluster
        .weir(&["stop", "saved", "--savepoint", "--as", "by-hand-before"])
        .unwrap();
    cluster
}

#[test]
fn the_page_shows_what_rest_says_and_does_what_it_is_asked_for() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let cluster = stage(folder.path());
    drive("page.mjs", &cluster, &[]);
}

/// Lets a script of `integration/ui` look at the page of a cluster; pictures are left beside those of others.
fn drive(script: &str, cluster: &Cluster, arguments: &[&str]) {
    let driver = driver();
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&shots).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui").join(script);
    let output = Command::new("node")
        .arg(script)
        .arg(format!("http://{}", cluster.rest()))
        .arg(&shots)
        .args(arguments)
        .env("WEIR_BROWSER", driver)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the page has faults:\n{said}{errors}");
}
