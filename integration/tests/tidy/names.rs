//! Names that say nothing, marks of unfinished work, and words that do not belong in the repository.

use crate::{report, tree};

/// Modules and types that become drawers.
const DRAWERS: &[&str] = &[
    "utils", "util", "common", "helpers", "helper", "misc", "manager", "base", "info", "stuff",
];

/// The two crates keep Flink's word.
fn is_drawer(part: &str) -> bool {
    DRAWERS.contains(&part.trim_end_matches(".rs"))
}

#[test]
fn no_file_or_folder_is_a_drawer() {
    let drawer = |file: &&tree::File| file.path.split('/').any(is_drawer);
    let found: Vec<String> = tree::sources()
        .iter()
        .filter(drawer)
        .map(|file| file.path.clone())
        .collect();
    report("names that say nothing", &found);
}

#[test]
fn no_mark_of_unfinished_work_is_left() {
    // Built from parts, so that this file does not find itself.
    let marks = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["X", "XX"].concat(),
        ["todo", "!("].concat(),
    ];
    let mut found = Vec::new();
    for file in tree::sources() {
        for (index, line) in file.text.lines().enumerate() {
            let issue = line.contains("(#");
            if !issue && marks.iter().any(|mark| line.contains(mark.as_str())) {
                found.push(format!("{}:{}", file.path, index + 1));
            }
        }
    }
    report("marks of unfinished work without an issue", &found);
}

#[test]
fn no_test_is_switched_off() {
    let marks = [["#[ign", "ore"].concat(), ["#[should", "_panic"].concat()];
    let off = |file: &&tree::File| marks.iter().any(|mark| file.text.contains(mark.as_str()));
    let found: Vec<String> = tree::sources()
        .iter()
        .filter(off)
        .map(|file| file.path.clone())
        .collect();
    report("tests that are switched off or expect a panic", &found);
}

#[test]
fn messages_of_the_wire_stay_at_the_border() {
    let border = [
        "/wire.rs",
        "/service/",
        "/network/",
        "/cluster/",
        "/deploy/",
        "/tests",
        "/testing",
    ];
    let inside = |file: &&tree::File| {
        let plane = file.path.starts_with("taskmanager/") || file.path.starts_with("jobmanager/");
        plane && !border.iter().any(|part| file.path.contains(part)) && file.text.contains("use proto::")
    };
    let found: Vec<String> = tree::sources()
        .iter()
        .filter(inside)
        .map(|file| file.path.clone())
        .collect();
    report(
        "`use proto` outside wire.rs, service, network, cluster and deploy",
        &found,
    );
}

#[test]
fn every_error_code_has_a_page_and_every_page_a_code() {
    let pages: Vec<tree::File> = tree::files(&[".md"])
        .into_iter()
        .filter(|file| file.path.starts_with("docs/errors/"))
        .collect();
    let named = |file: &tree::File| {
        let code = file
            .path
            .trim_start_matches("docs/errors/")
            .trim_end_matches(".md")
            .to_owned();
        (code == "README" || file.text.contains(&code)).then_some(code)
    };
    let wrong: Vec<String> = pages
        .iter()
        .filter(|file| named(file).is_none())
        .map(|file| file.path.clone())
        .collect();
    assert!(!pages.is_empty(), "docs/errors has pages");
    report("pages that do not name their own code", &wrong);
}
