//! Every file says what it is for, and none grows past its ceiling.

use crate::ratchet::{FILES, exceeds};
use crate::{report, tree};

const PRODUCTION_LINES_MAX: usize = 600;
const TEST_LINES_MAX: usize = 1_000;
const MOD_LINES_MAX: usize = 300;

#[test]
fn the_first_line_of_every_file_says_what_it_is_for() {
    let first = |text: &str| text.lines().next().unwrap_or_default().trim_start_matches("//! ").len();
    let silent = |file: &&tree::File| !file.text.starts_with("//! ") || first(&file.text) < 10;
    let found: Vec<String> = tree::sources()
        .iter()
        .filter(silent)
        .map(|file| file.path.clone())
        .collect();
    report("files that do not begin with `//!` and a sentence", &found);
}

#[test]
fn scripts_say_what_they_are_for() {
    let says = |file: &tree::File| {
        file.text
            .lines()
            .nth(1)
            .is_some_and(|line| line.starts_with("# ") && line.len() > 20)
    };
    let found: Vec<String> = tree::files(&[".sh"])
        .iter()
        .filter(|file| !says(file))
        .map(|file| file.path.clone())
        .collect();
    report("scripts whose second line does not say what they are for", &found);
}

#[test]
fn no_file_grows_past_its_ceiling() {
    let mut found = Vec::new();
    for file in tree::sources() {
        let (lines, ceiling) = if file.is_test() {
            (file.text.lines().count(), TEST_LINES_MAX)
        } else if file.path.ends_with("/mod.rs") || file.path.ends_with("/lib.rs") {
            (file.production_lines(), MOD_LINES_MAX)
        } else {
            (file.production_lines(), PRODUCTION_LINES_MAX)
        };
        found.extend(exceeds(FILES, &file.path, lines, ceiling));
    }
    report("files past their ceiling (is a noun missing?)", &found);
}
