//! A full disk: under the output, and under the state folder.
//!
//! The disk is a small tmpfs in a mount namespace of its own, which ends with the process that holds it: nothing is left
//! behind, however the test ends. It takes root, or a machine where everybody may make user namespaces.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use integration::cluster::{Deadline, Process, binary, until};
use integration::oracle::{self, Event, compare};
use serde_json::json;
use tempfile::TempDir;

use super::{check_refusal, said};

const EVENTS: u64 = 60_000;

/// The disk holds the output of all events, but not beside a filler that leaves so little.
const DISK_BYTES: u64 = 64 << 20;
const LEFT_BYTES: u64 = 10 << 20;

const LIMIT: Duration = Duration::from_secs(60);

/// A small disk at `place/disk`, seen only by the processes that are started in it.
struct SmallDisk {
    place: TempDir,
    holder: Child,
    is_root: bool,
}

impl SmallDisk {
    fn mount(bytes: u64) -> Result<Self> {
        let place = tempfile::tempdir()?;
        let folder = place.path().join("disk");
        fs::create_dir(&folder)?;
        let is_root = super::rights::is_root()?;
        let mut command = Command::new("unshare");
        command.args(if is_root {
            &["--mount"][..]
        } else {
            &["--user", "--map-root-user", "--mount"]
        });
        // It lives until its standard input is closed, which happens also when this process is killed.
        let script = r#"mount -t tmpfs -o "size=$1" tmpfs "$0" && echo ready && exec cat"#;
        command.args(["sh", "-c", script]).arg(&folder).arg(bytes.to_string());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut holder = command.spawn().context("unshare (util-linux)")?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take().context("its output")?).read_line(&mut line)?;
        if line.trim() != "ready" {
            let mut said = String::new();
            holder.stderr.take().context("its errors")?.read_to_string(&mut said)?;
            bail!(
                "no small disk for this test: {said}\
                 it needs root with CAP_SYS_ADMIN (`docker run --cap-add SYS_ADMIN`), or user namespaces for everybody"
            );
        }
        Ok(Self { place, holder, is_root })
    }

    /// Where processes on the disk see it.
    fn folder(&self) -> PathBuf {
        self.place.path().join("disk")
    }

    /// Where this process sees it.
    fn seen(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.holder.id(), self.folder().display()))
    }

    /// `weir run` of a document, on the disk, with its state in `state`.
    fn run(&self, document: &str, state: &Path) -> Result<Command> {
        let file = self.place.path().join("datastream.yaml");
        fs::write(&file, document)?;
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.holder.id().to_string(), "--mount"]);
        if !self.is_root {
            command.args(["--user", "--preserve-credentials"]);
        }
        command
            .arg(binary())
            .arg("run")
            .arg(file)
            .arg("--state")
            .arg(state)
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Writes a file that leaves only so many bytes.
    fn fill(&self, left: u64) -> Result<()> {
        let mut filler = fs::File::create(self.seen().join("filler"))?;
        let zeros = [0; 1 << 16];
        for _ in 0..DISK_BYTES.saturating_sub(left) / 65_536 {
            if let Err(error) = filler.write_all(&zeros) {
                ensure!(error.kind() == std::io::ErrorKind::StorageFull, error);
                break;
            }
        }
        Ok(())
    }

    fn make_room(&self) -> Result<()> {
        Ok(fs::remove_file(self.seen().join("filler"))?)
    }

    /// The bytes of every visible file of the output.
    fn files(&self) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.seen().join("out"))? {
            let path = entry?.path();
            if path.is_file() {
                files.push((path.clone(), fs::read(path)?));
            }
        }
        Ok(files)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Either way it is reaped, and the disk goes with it.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn document(out: &Path, restart: &str) -> String {
    format!(
        "datastreamName: full\ncontactName: test\ndesiredState: ON\nparallelism: 2\ncheckpoint: {{ interval: 200ms }}\n{restart}\
         sources:\n  - generator: {{ events: shop, count: {EVENTS}, splits: 2, seed: 5, throughput: 30000 }}\n\
         sinks:\n  - file: {{ path: \"{}\", roll: {{ size: 1MiB, every: 300ms }} }}\n",
        out.display()
    )
}

fn expected() -> Result<Vec<Event>> {
    oracle::expected(&json!({"events": "shop", "count": EVENTS, "splits": 2, "seed": 5}), &[])
}

fn ensure_exact(folder: &Path) -> Result<()> {
    let verdict = compare(expected()?, oracle::visible(folder)?);
    ensure!(verdict.is_exact(), "{verdict:?}");
    Ok(())
}

fn ensure_success(output: &Output) -> Result<()> {
    ensure!(output.status.success(), "{}", said(output));
    Ok(())
}

#[test]
fn a_full_disk_ends_the_run_with_a_reason_and_costs_no_record() -> Result<()> {
    let disk = SmallDisk::mount(DISK_BYTES)?;
    let state = disk.place.path().join("state");
    let document = document(&disk.folder().join("out"), "restart: never\n");
    disk.fill(LEFT_BYTES)?;
    let output = disk.run(&document, &state)?.output()?;
    let out = disk.folder().join("out").display().to_string();
    check_refusal(
        "a full disk",
        &output,
        1,
        &[&out, "no space left", "help: free some space"],
    )?;
    let before = disk.files()?;
    ensure!(!before.is_empty(), "something was committed before the disk was full");
    let verdict = compare(expected()?, oracle::visible(&disk.seen().join("out"))?);
    ensure!(
        verdict.missing > 0 && verdict.duplicated + verdict.foreign + verdict.altered == 0,
        "what is visible is whole: {verdict:?}"
    );

    disk.make_room()?;
    let output = disk.run(&document, &state)?.output()?;
    ensure_success(&output)?;
    ensure!(said(&output).contains("goes on"), "{}", said(&output));
    for (path, bytes) in before {
        ensure!(
            fs::read(&path)? == bytes,
            "{} was committed and has changed",
            path.display()
        );
    }
    ensure_exact(&disk.seen().join("out"))
}

#[test]
fn a_job_that_restarts_goes_on_by_itself_once_the_disk_has_room() -> Result<()> {
    let disk = SmallDisk::mount(DISK_BYTES)?;
    disk.fill(LEFT_BYTES)?;
    let restart = "restart: { exponential: { first: 100ms, longest: 500ms } }\n";
    let document = document(&disk.folder().join("out"), restart);
    let command = disk.run(&document, &disk.place.path().join("state"))?;
    let mut process = Process::start("weir run", command, &disk.place.path().join("log"))?;
    until("the full disk to be noticed", Deadline::of(LIMIT), || {
        process.check()?;
        Ok(process.log().contains("no space left").then_some(()))
    })?;
    disk.make_room()?;
    let status = process.wait(Deadline::of(LIMIT))?;
    ensure!(status.success(), "{status}: {}", process.log());
    ensure_exact(&disk.seen().join("out"))
}

#[test]
fn a_state_folder_on_a_full_disk_is_refused_at_the_start() -> Result<()> {
    let disk = SmallDisk::mount(DISK_BYTES)?;
    disk.fill(0)?;
    let state = disk.folder().join("state");
    let document = document(&disk.place.path().join("out"), "restart: never\n");
    let output = disk.run(&document, &state)?.output()?;
    let state_text = state.display().to_string();
    check_refusal(
        "a full state folder",
        &output,
        5,
        &[&state_text, "no space left", "help: free some space"],
    )?;

    disk.make_room()?;
    ensure_success(&disk.run(&document, &state)?.output()?)?;
    ensure_exact(&disk.place.path().join("out"))
}

#[test]
fn a_state_folder_that_fills_up_holds_the_job_until_there_is_room() -> Result<()> {
    let disk = SmallDisk::mount(DISK_BYTES)?;
    let state = disk.folder().join("state");
    let out = disk.place.path().join("out");
    let document = document(&out, "restart: never\n");
    let mut process = Process::start("weir run", disk.run(&document, &state)?, &disk.place.path().join("log"))?;
    until("something committed", Deadline::of(LIMIT), || {
        process.check()?;
        Ok(oracle::visible(&out)
            .is_ok_and(|events| !events.is_empty())
            .then_some(()))
    })?;
    disk.fill(0)?;
    until("the full state folder to be noticed", Deadline::of(LIMIT), || {
        process.check()?;
        let log = process.log();
        Ok((log.contains(&state.display().to_string())
            && log.contains("no space left")
            && log.contains("free some space"))
        .then_some(()))
    })?;
    disk.make_room()?;
    let status = process.wait(Deadline::of(LIMIT))?;
    ensure!(status.success(), "{status}: {}", process.log());
    ensure_exact(&out)
}
