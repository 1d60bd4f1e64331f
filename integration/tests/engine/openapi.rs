//! The OpenAPI document that a job manager serves, checked by schemathesis against that very job manager with datastreams at
//! work: statuses, content types, bodies, methods, what must be refused and what must not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use integration::cluster::Cluster;

const LIMIT: Duration = Duration::from_secs(60);

/// All cases that are made of the document in this time; a machine that is busy makes fewer of them.
const SECONDS: &str = "45";

/// Where `integration/api/install.sh` has put it.
#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where programs are"
)]
fn schemathesis() -> Result<PathBuf> {
    let folder = std::env::var("WEIR_API").map(PathBuf::from);
    let folder = folder.or_else(|_| std::env::var("HOME").map(|home| PathBuf::from(home).join(".cache/weir-api")))?;
    let program = folder.join("bin/st");
    ensure!(
        program.is_file(),
        "{} is missing: run integration/api/install.sh",
        program.display()
    );
    Ok(program)
}

fn document(name: &str, source: &str) -> String {
    format!(
        "datastreamName: {name}\ncontactName: test\ndesiredState: ON\ncheckpoint: {{ interval: 300ms }}\n\
         sources:\n  - generator: {{ events: shop, {source} }}\nsinks:\n  - blackhole: {{}}\n"
    )
}

#[test]
fn what_the_document_says_is_what_the_job_manager_does() -> Result<()> {
    let program = schemathesis()?;
    let place = tempfile::tempdir()?;
    let mut cluster = Cluster::start(place.path(), &[])?;
    cluster.start_taskmanager("tm-1", &["--slots", "4"])?;
    cluster.submit(&document("over", "count: 100"))?;
    cluster.until_finished("over", LIMIT)?;
    for name in ["orders", "clicks"] {
        cluster.submit(&document(name, "throughput: 200"))?;
        cluster.until(name, "to take a checkpoint", LIMIT, |described| {
            described["checkpoints"]["completed"].as_u64() > Some(0)
        })?;
    }
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("api/schemathesis.toml");
    let output = Command::new(program)
        .arg("--config-file")
        .arg(config)
        .args(["run", "--checks", "all", "--max-time", SECONDS])
        .arg(format!("http://{}/v1/openapi.json", cluster.rest()))
        .current_dir(place.path())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(said.contains("cases:"), "it made some: {said}");
    // It has asked for everything, in every way, and the job manager lives.
    cluster.ask("/v1/health")?;
    Ok(())
}
