//! Bad documents, each bad for another cause: what a person is told about them, as goldens.
//!
//! `tests/bad/NAME.yaml` and what is said of it, `NAME.txt`; `BLESS=1` writes the latter anew.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod toy;

use std::fs;
use std::path::{Path, PathBuf};

use planner::diagnostic::{Diagnostics, Look};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad")
}

fn documents() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    found.sort();
    found
}

fn findings(text: &str) -> Diagnostics {
    planner::plan(text, &toy::catalog(), &planner::Discovered::default()).diagnostics
}

#[test]
fn every_mistake_is_shown_where_it_is() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for path in documents() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let said = findings(&text).render(&format!("{name}.yaml"), &text, Look::Plain);
        let golden = path.with_extension("txt");
        if bless {
            fs::write(&golden, &said).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != said {
            wrong.push(format!("{name}:\n{said}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "BLESS=1 writes these down, if they are right:\n\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_bad_document_has_a_finding_of_its_own() {
    let documents = documents();
    assert!(documents.len() >= 45, "{} documents", documents.len());
    let mut seen: Vec<(String, String)> = Vec::new();
    for path in documents {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let findings = findings(&text);
        assert!(!findings.is_empty(), "{name} is not bad");
        let first = findings
            .iter()
            .map(|one| format!("{} {}", one.code.as_str(), one.message))
            .collect::<Vec<_>>()
            .join("; ");
        if let Some((other, _)) = seen.iter().find(|(_, said)| *said == first) {
            panic!("{name} and {other} are bad for one cause: {first}");
        }
        seen.push((name, first));
    }
}
