//! One line of the table in which several oracles say what they found.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// What one oracle found of one output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Of what.
    pub title: String,
    /// How many events must be in it.
    pub expected: u64,
    /// How many are.
    pub found: u64,
    /// How many of the expected ones are not.
    pub missing: u64,
    /// How many are there once more.
    pub doubled: u64,
    /// What is there and must not be, or differs.
    pub wrong: u64,
}

impl Line {
    /// Adds it to a file, its parts divided by tabs: `printf` and `column` make a table of them.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(&self, file: &Path) -> Result<()> {
        let Self {
            title,
            expected,
            found,
            missing,
            doubled,
            wrong,
        } = self;
        let opened = OpenOptions::new().create(true).append(true).open(file);
        let written =
            opened.and_then(|mut file| writeln!(file, "{title}\t{expected}\t{found}\t{missing}\t{doubled}\t{wrong}"));
        written.with_context(|| format!("writing {}", file.display()))
    }
}
