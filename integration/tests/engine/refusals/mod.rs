//! Whatever cannot work is refused with a clear error and a non-zero exit, and nothing panics.

mod away;
mod disk;
mod rights;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::{Cluster, weir};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Holds what a command did against what it must do: fail with `code`, and say all of `words`.
fn check_refusal(what: &str, output: &Output, code: i32, words: &[&str]) -> Result<()> {
    let said = said(output);
    ensure!(
        output.status.code() == Some(code),
        "{what}: exit {:?}, said {said}",
        output.status.code()
    );
    for word in words {
        ensure!(said.contains(word), "{what}: `{word}` is missing in\n{said}");
    }
    ensure!(!said.contains("panicked"), "{said}");
    Ok(())
}

/// Runs a command that must fail with `code` and say all of `words`.
fn refused(arguments: &[&str], folder: &Path, code: i32, words: &[&str]) -> Result<()> {
    let output = weir(arguments, folder)?;
    check_refusal(&format!("weir {}", arguments.join(" ")), &output, code, words)
}

/// A document that is not tried again where it fails.
fn document(source: &str, sink: &str) -> String {
    format!(
        "datastreamName: refused\ncontactName: test\ndesiredState: ON\nrestart: never\nsources:\n  - {source}\nsinks:\n  - {sink}\n"
    )
}

/// Runs a document that must fail.
fn run_refused(folder: &Path, source: &str, sink: &str, words: &[&str]) -> Result<()> {
    fs::write(folder.join("refused.yaml"), document(source, sink))?;
    refused(&["run", "refused.yaml", "--fresh"], folder, 1, words)
}

#[test]
fn wrong_flags_and_names_are_refused() -> Result<()> {
    let place = tempfile::tempdir()?;
    refused(&["run"], place.path(), 2, &["FILE"])?;
    refused(&["run", "no-such.yaml"], place.path(), 5, &["no-such.yaml", "help"])?;
    refused(&["explain", "E9999"], place.path(), 5, &["E9999"])?;
    refused(&["new", "kafka/nowhere"], place.path(), 5, &["generator"])?;
    refused(
        &["list", "--cluster", "http://127.0.0.1:1"],
        place.path(),
        4,
        &["cannot be reached", "weir jobmanager"],
    )?;
    refused(
        &["list", "--cluster", "nonsense"],
        place.path(),
        1,
        &["http://127.0.0.1:7080"],
    )?;
    refused(
        &["jobmanager", "--state", "s", "--listen", "nowhere"],
        place.path(),
        2,
        &["127.0.0.1:7080"],
    )?;
    refused(
        &["jobmanager", "--state", "s", "--listen", "0.0.0.0:0"],
        place.path(),
        1,
        &["127.0.0.1"],
    )
}

#[test]
fn a_document_with_mistakes_shows_all_of_them() -> Result<()> {
    let place = tempfile::tempdir()?;
    let text = "datastreamName: wrong\ncontactName: me\ndesiredState: MAYBE\nsources:\n  - fiel: { path: x }\nsinks:\n  - stdout: {}\n";
    fs::write(place.path().join("wrong.yaml"), text)?;
    refused(
        &["validate", "wrong.yaml"],
        place.path(),
        3,
        &["wrong.yaml:3", "wrong.yaml:5", "MAYBE", "fiel", "file"],
    )?;
    refused(
        &["run", "wrong.yaml"],
        place.path(),
        3,
        &["wrong.yaml:3", "wrong.yaml:5"],
    )
}

#[test]
fn input_that_is_not_what_it_says_ends_the_job_with_a_reason() -> Result<()> {
    let place = tempfile::tempdir()?;
    let folder = place.path();
    fs::write(folder.join("cut.json.gz"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b])?;
    fs::write(
        folder.join("not.parquet"),
        "this is text, not Parquet, whatever its name says",
    )?;
    run_refused(folder, "file: { path: ./cut.json.gz }", "stdout: {}", &["cut.json.gz"])?;
    let text = "datastreamName: refused\ncontactName: test\ndesiredState: ON\nsources:\n  - file: { path: ./not.parquet }\nsinks:\n  - stdout: {}\n";
    fs::write(folder.join("not.yaml"), text)?;
    let output = weir(&["run", "not.yaml", "--fresh"], folder)?;
    ensure!(
        !output.status.success() && said(&output).contains("not.parquet"),
        "{}",
        said(&output)
    );
    run_refused(folder, "file: { path: ./nowhere }", "stdout: {}", &["nowhere"])
}

#[test]
fn output_that_cannot_be_written_ends_the_job_with_a_reason() -> Result<()> {
    let place = tempfile::tempdir()?;
    fs::write(place.path().join("a-file"), "in the way")?;
    let source = "generator: { events: shop, count: 1000 }";
    run_refused(place.path(), source, "file: { path: ./a-file/below }", &["a-file"])
}

#[test]
fn what_ends_a_run_is_said_once() -> Result<()> {
    let place = tempfile::tempdir()?;
    fs::write(place.path().join("a-file"), "in the way")?;
    let generator = "generator: { events: shop, count: 1000 }";
    for (source, sink) in [
        (generator, "file: { path: ./a-file/below }"),
        ("file: { path: ./nowhere }", "stdout: {}"),
    ] {
        fs::write(place.path().join("once.yaml"), document(source, sink))?;
        let said = said(&weir(&["run", "once.yaml", "--fresh"], place.path())?);
        let end = said.lines().find_map(|line| line.strip_prefix("refused: failed: "));
        let end = end.with_context(|| format!("no word of its end in\n{said}"))?;
        // Whose failure it is stands before it.
        let cause = end.split_once(" on local: ").map_or(end, |(_, cause)| cause);
        ensure!(said.matches(cause).count() == 1, "`{cause}` is said again in\n{said}");
    }
    Ok(())
}

#[test]
fn a_port_in_use_is_named() -> Result<()> {
    let place = tempfile::tempdir()?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    refused(
        &[
            "jobmanager",
            "--state",
            "state",
            "--listen",
            &address,
            "--control",
            "127.0.0.1:0",
        ],
        place.path(),
        5,
        &[&address, "help"],
    )
}

#[test]
fn a_second_job_manager_on_the_same_folder_is_refused() -> Result<()> {
    let place = tempfile::tempdir()?;
    let _first = Cluster::start(place.path(), &[])?;
    let arguments = [
        "jobmanager",
        "--state",
        "state",
        "--listen",
        "127.0.0.1:0",
        "--control",
        "127.0.0.1:0",
    ];
    refused(&arguments, place.path(), 5, &["state", "help"])
}
