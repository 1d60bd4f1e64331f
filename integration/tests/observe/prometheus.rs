//! Prometheus and promtool as `integration/servers.sh` has unpacked them.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::{Cluster, Deadline, Process, fetch, until};
use integration::servers::installed;
use serde_json::Value;

/// The folder of what is shipped beside the binary.
pub(crate) fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// What promtool says of a text; it must find nothing.
pub(crate) fn promtool(arguments: &[&str], input: &str) -> Result<()> {
    let mut child = Command::new(installed("prometheus/usr/bin/promtool")?)
        .args(arguments)
        .current_dir(deploy().join("prometheus"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("promtool")?;
    child.stdin.take().context("its input")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    ensure!(
        output.status.success(),
        "promtool {}: {}",
        arguments.join(" "),
        said.join("\n")
    );
    Ok(())
}

/// A Prometheus that scrapes a cluster once a second, by the configuration that is shipped.
pub(crate) struct Prometheus {
    _process: Process,
    address: String,
}

impl Prometheus {
    pub(crate) fn start(cluster: &Cluster) -> Result<Self> {
        let folder = cluster.folder().join("prometheus");
        std::fs::create_dir_all(&folder)?;
        let shipped = std::fs::read_to_string(deploy().join("prometheus/prometheus.yaml"))?;
        ensure!(
            shipped.matches("127.0.0.1:7080").count() == 2,
            "the job manager's address is there twice"
        );
        let own = shipped
            .replace("127.0.0.1:7080", cluster.rest())
            .replace("_interval: 15s", "_interval: 1s")
            .replace("rules.yaml", &deploy().join("prometheus/rules.yaml").to_string_lossy());
        let config = folder.join("prometheus.yaml");
        std::fs::write(&config, own)?;
        // Free now; whoever takes it before Prometheus does is seen at once.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut command = Command::new(installed("prometheus/usr/bin/prometheus")?);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"));
        let mut process = Process::start("prometheus", command, &folder.join("prometheus.log"))?;
        until("Prometheus to be ready", Deadline::of(Duration::from_secs(60)), || {
            process.check()?;
            Ok(fetch(&address, "/-/ready").ok())
        })?;
        Ok(Self {
            _process: process,
            address,
        })
    }

    /// The series that an expression gives now.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let answer = self.ask(&format!("/api/v1/query?query={}", encoded(expression)))?;
        let series = answer["data"]["result"].as_array().cloned();
        series.with_context(|| format!("{expression}: {answer}"))
    }

    /// How many targets it reaches.
    pub(crate) fn targets_up(&self) -> Result<usize> {
        let answer = self.ask("/api/v1/targets")?;
        let targets = answer["data"]["activeTargets"].as_array().cloned().unwrap_or_default();
        Ok(targets.iter().filter(|target| target["health"] == "up").count())
    }

    fn ask(&self, path: &str) -> Result<Value> {
        let answer: Value = serde_json::from_str(&fetch(&self.address, path)?)?;
        ensure!(answer["status"] == "success", "{path}: {answer}");
        Ok(answer)
    }
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
