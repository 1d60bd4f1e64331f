//! A SeaweedFS of our own on loopback, in a folder of its own; killed when it is dropped.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use dataflow::store::Stores;
use dataflow::store::open::{AllowPaths, OpenStores, S3};
use dataflow::time::{Clock as _, SystemClock};
use integration::cluster::{Deadline, Process};
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
    port: u16,
    process: Process,
    _folder: TempDir,
}

/// Where `integration/servers.sh` puts the server.
#[expect(
    clippy::disallowed_methods,
    reason = "tests find the servers that a script installed below the home folder"
)]
fn binary() -> Result<PathBuf> {
    let folder = std::env::var("WEIR_SERVERS").map(PathBuf::from);
    let folder =
        folder.or_else(|_| std::env::var("HOME").map(|home| PathBuf::from(home).join(".cache/weir-servers")))?;
    let weed = folder.join("bin/weed");
    ensure!(
        weed.is_file(),
        "{} is missing: run integration/servers.sh",
        weed.display()
    );
    Ok(weed)
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

impl Server {
    /// Starts a server and waits until it answers.
    pub(crate) async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let ports: [u16; 10] = free_ports()?;
        let mut command = Command::new(binary()?);
        command
            .arg("mini")
            .arg(format!("-dir={}", folder.path().display()))
            .args([
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
            .current_dir(folder.path());
        let process = Process::start("weed", command, &folder.path().join("log"))?;
        let mut server = Self {
            port: ports[0],
            process,
            _folder: folder,
        };
        server.ready().await.with_context(|| server.process.log())?;
        Ok(server)
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
            endpoint: Some(format!("http://127.0.0.1:{}", self.port)),
            region: None,
            access_key: Some(ACCESS_KEY.to_owned()),
            secret_key: Some(SECRET_KEY.to_owned()),
            session_token: None,
        }
    }
}
