//! An S3 server that is away: under input, output and state.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Result, ensure};
use integration::cluster::{Deadline, command};

use super::{check_refusal, document};

/// A request is tried six times with pauses that grow; this is a multiple of what they take together.
const LIMIT: Duration = Duration::from_secs(45);

/// Runs a document with an S3 server that nobody runs: it must fail with `code` and name the server and what to do.
fn refused(source: &str, sink: &str, state: &str, code: i32) -> Result<()> {
    let place = tempfile::tempdir()?;
    fs::write(place.path().join("away.yaml"), document(source, sink))?;
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let deadline = Deadline::of(LIMIT);
    let output = command(&["run", "away.yaml", "--state", state], place.path())
        .env("AWS_ENDPOINT_URL_S3", format!("http://{address}"))
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .output()?;
    ensure!(!deadline.has_passed(), "it took longer than {LIMIT:?}");
    let what = format!("{source} -> {sink}, state in {state}");
    check_refusal(
        &what,
        &output,
        code,
        &[
            &address,
            "s3://bucket",
            "Connection refused",
            "help:",
            "AWS_ENDPOINT_URL_S3",
        ],
    )
}

const GENERATOR: &str = "generator: { events: shop, count: 1000 }";

#[test]
fn an_s3_server_that_is_away_is_named_by_sinks() -> Result<()> {
    refused(GENERATOR, "file: { path: \"s3://bucket/out\" }", "state", 1)?;
    refused(GENERATOR, "parquet: { path: \"s3://bucket/out\" }", "state", 1)
}

#[test]
fn an_s3_server_that_is_away_is_named_by_sources() -> Result<()> {
    refused("file: { path: \"s3://bucket/in\" }", "blackhole: {}", "state", 1)?;
    // Its schema is read before anything runs.
    refused("archive: { path: \"s3://bucket/in\" }", "blackhole: {}", "state", 4)
}

#[test]
fn an_s3_server_that_is_away_is_named_by_the_state() -> Result<()> {
    refused(GENERATOR, "blackhole: {}", "s3://bucket/state", 5)
}

#[test]
fn keys_that_nobody_gives_are_asked_for_within_seconds() -> Result<()> {
    let place = tempfile::tempdir()?;
    fs::write(
        place.path().join("away.yaml"),
        document("archive: { path: \"s3://bucket/in\" }", "blackhole: {}"),
    )?;
    // Machines of Amazon's do give keys: a port that was free a moment ago gives none there either.
    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    for verb in ["run", "plan", "validate"] {
        let deadline = Deadline::of(Duration::from_secs(15));
        let output = command(&[verb, "away.yaml"], place.path())
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{nobody}"))
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .output()?;
        ensure!(!deadline.has_passed(), "weir {verb} took too long");
        let words = [
            "s3://bucket",
            "no keys",
            "help:",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
        ];
        check_refusal(verb, &output, 4, &words)?;
    }
    Ok(())
}
