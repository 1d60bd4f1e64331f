//! A SeaweedFS of our own on loopback, in a folder of its own; killed when it is dropped, or before and begun again.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use dataflow::store::Stores;
use dataflow::store::open::{AllowPaths, OpenStores, S3};
use dataflow::time::{Clock as _, SystemClock};
use integration::cluster::{Deadline, Process};
use integration::servers::installed;
use tempfile::TempDir;

/// The bucket that is there from the beginning.
pub(crate) const BUCKET: &str = "weir";

const ACCESS_KEY: &str = "weir";
const SECRET_KEY: &str = "weir-secret";

/// How long the server may take to be ready, on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// The server is asked this often whether it is ready.
const PAUSE: Duration = Duration::from_millis(50);

/// A running server.
pub(crate) struct Server {
    ports: [u16; 10],
    process: Process,
    folder: TempDir,
}

/// Ports that were free a moment ago, all different.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let listeners = std::array::from_fn::<_, N, _>(|_| TcpListener::bind("127.0.0.1:0"));
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(listeners) {
        *port = listener?.local_addr()?.port();
    }
    Ok(ports)
}

/// The process of a server with its data in `folder`.
fn spawn(folder: &Path, ports: [u16; 10]) -> Result<Process> {
    let mut command = Command::new(installed("bin/weed")?);
    command.arg("mini").arg(format!("-dir={}", folder.display())).args([
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-webdav=false",
        "-admin.ui=false",
    ]);
    command
        .args(["-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"])
        .arg(format!("-bucket={BUCKET}"));
    let names = [
        "s3.port",
        "s3.port.grpc",
        "master.port",
        "master.port.grpc",
        "volume.port",
        "volume.port.grpc",
        "filer.port",
        "filer.port.grpc",
        "admin.port",
        "admin.port.grpc",
    ];
    command.args(names.iter().zip(ports).map(|(name, port)| format!("-{name}={port}")));
    command
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .current_dir(folder);
    Process::start("weed", command, &folder.join("log"))
}

impl Server {
    /// Starts a server and waits until it answers.
    pub(crate) async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let ports = free_ports()?;
        let process = spawn(folder.path(), ports)?;
        let mut server = Self { ports, process, folder };
        server.ready().await.with_context(|| server.process.log())?;
        Ok(server)
    }

    /// `kill -9`: it is away until it is begun again.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.signal("KILL")?;
        self.process.wait(Deadline::of(READY)).map(drop)
    }

    /// Starts it anew after a kill, at the same address with the same data, and waits until it answers.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        self.process = spawn(self.folder.path(), self.ports)?;
        self.ready().await.with_context(|| self.process.log())
    }

    /// The process, to be held up.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// What a process of ours is told of it.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let all = [
            ("AWS_ENDPOINT_URL_S3", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ];
        all.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Waits until the bucket is there and takes an object.
    async fn ready(&mut self) -> Result<()> {
        let deadline = Deadline::of(READY);
        let clock = SystemClock::start();
        let store = OpenStores::new(AllowPaths::Only(Vec::new()), self.settings()).open(&format!("s3://{BUCKET}"))?;
        while let Err(error) = store.put("ready", Bytes::new()).await {
            self.process.check()?;
            ensure!(!deadline.has_passed(), "the server takes no object: {error}");
            clock.sleep(PAUSE).await;
        }
        Ok(store.delete("ready").await?)
    }

    /// How to reach it.
    pub(crate) fn settings(&self) -> S3 {
        S3 {
            endpoint: Some(self.endpoint()),
            region: None,
            access_key: Some(ACCESS_KEY.to_owned()),
            secret_key: Some(SECRET_KEY.to_owned()),
            session_token: None,
            metadata: None,
        }
    }
}
