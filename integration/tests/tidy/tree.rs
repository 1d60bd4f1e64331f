//! The files of the repository, as git sees them: tracked, or new and not ignored.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file of the repository.
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn is_test(&self) -> bool {
        let parts = || self.path.split('/');
        parts().any(|part| matches!(part, "tests" | "benches" | "testing")) || parts().next_back() == Some("tests.rs")
    }

    /// The code without its test module, which begins at the first `#[cfg(test)] mod … {` of a file.
    pub(crate) fn production_lines(&self) -> usize {
        let cut = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        self.text[..cut].lines().count()
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("integration lies in the root")
        .to_owned()
}

/// All files whose name ends with one of `endings`.
pub(crate) fn files(endings: &[&str]) -> Vec<File> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git is there: the repository came by it");
    let listed = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let mut paths: Vec<&str> = listed
        .lines()
        .filter(|path| endings.iter().any(|ending| path.ends_with(ending)))
        .collect();
    paths.sort_unstable();
    paths.dedup();
    let read = |path: &str| {
        std::fs::read_to_string(root().join(path)).ok().map(|text| File {
            path: path.to_owned(),
            text,
        })
    };
    paths.into_iter().filter_map(read).collect()
}

/// The Rust files of the workspace.
pub(crate) fn sources() -> Vec<File> {
    files(&[".rs"])
}
