//! Names the build: processes of one cluster must be of the same sources.

use std::path::Path;
use std::process::Command;

/// Grows with every commit and checkout. The index would not do: git writes to it even when it is only asked, and the
/// binary, whose link is the longest of all, would be made anew each time.
const MOVES: &str = "../.git/logs/HEAD";

fn main() {
    let described = Command::new("git")
        .args(["--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=12"])
        .output();
    let text = described
        .ok()
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    println!(
        "cargo:rustc-env=WEIR_BUILD={}",
        text.unwrap_or_else(|| "unknown".to_owned())
    );
    println!("cargo:rerun-if-changed=build.rs");
    if Path::new(MOVES).exists() {
        println!("cargo:rerun-if-changed={MOVES}");
    }
}
