//! One question to a REST interface on loopback. A process for each would cost more than what is asked for.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::Cluster;

/// Longer than any answer takes from who is there.
const PATIENCE: Duration = Duration::from_secs(5);

impl Cluster {
    /// Where its REST interface and its page are.
    #[must_use]
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// Asks the REST interface, without a process in between.
    ///
    /// # Errors
    /// When nobody answers in a few seconds, or not with JSON.
    pub fn ask(&self, path: &str) -> Result<Value> {
        ask(&self.rest, path)
    }
}

fn ask(address: &str, path: &str) -> Result<Value> {
    serde_json::from_str(&fetch(address, path)?).with_context(|| format!("the JSON of {path}"))
}

/// What is at a path of somebody who speaks HTTP on loopback.
///
/// # Errors
/// When nobody answers in a few seconds, or not with what is there.
pub fn fetch(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // HTTP/1.0: the answer is not in chunks, and ends with the connection.
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: application/json\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = memchr::memmem::find(&answer, b"\r\n\r\n").context("an answer without an end of its head")?;
    let status = String::from_utf8_lossy(&answer[..head])
        .lines()
        .next()
        .map(str::to_owned);
    let status = status.unwrap_or_default();
    ensure!(status.contains(" 200 "), "{path}: {status}");
    String::from_utf8(answer.split_off(head + 4)).with_context(|| format!("the text of {path}"))
}
