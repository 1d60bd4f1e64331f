//! Where `integration/servers.sh` puts what tests talk to.

use std::path::PathBuf;

use anyhow::{Result, ensure};

/// The place of something that is installed, by its path below the folder of servers.
///
/// # Errors
/// When it is not there.
#[expect(
    clippy::disallowed_methods,
    reason = "tests find what a script installed below the home folder"
)]
pub fn installed(path: &str) -> Result<PathBuf> {
    let folder = std::env::var("WEIR_SERVERS").map(PathBuf::from);
    let folder =
        folder.or_else(|_| std::env::var("HOME").map(|home| PathBuf::from(home).join(".cache/weir-servers")))?;
    let found = folder.join(path);
    ensure!(
        found.exists(),
        "{} is missing: run integration/servers.sh",
        found.display()
    );
    Ok(found)
}
