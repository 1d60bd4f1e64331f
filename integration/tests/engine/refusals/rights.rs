//! Folders without permission, under input, output and state. Root may read everything, so it becomes nobody first.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;
use integration::cluster::binary;
use tempfile::TempDir;

use super::{check_refusal, document};

/// The user without any rights.
const NOBODY: u32 = 65_534;

/// Whether this process may do everything.
pub(super) fn is_root() -> Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

/// A place where `weir` is run by somebody who may write into `work` only.
struct Place {
    folder: TempDir,
    weir: PathBuf,
}

impl Place {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let weir = folder.path().join("weir");
        // Nobody cannot look into the home folder where it was built.
        fs::hard_link(binary(), &weir).or_else(|_| fs::copy(binary(), &weir).map(drop))?;
        fs::create_dir(folder.path().join("work"))?;
        mode(folder.path(), 0o755)?;
        mode(&folder.path().join("work"), 0o777)?;
        Ok(Self { folder, weir })
    }

    /// A folder that only root may use.
    fn closed(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder)?;
        fs::write(folder.join("a.json"), "{\"eventId\":\"1\"}\n")?;
        mode(&folder, if is_root()? { 0o700 } else { 0 })?;
        Ok(folder)
    }

    /// Runs a document that must fail with `code`, say all of `words`, and what to do.
    fn refuses(&self, document: &str, state: &Path, (code, words): (i32, &[&str])) -> Result<()> {
        let work = self.folder.path().join("work");
        fs::write(work.join("refused.yaml"), document)?;
        let mut command = Command::new(&self.weir);
        command
            .args(["run", "refused.yaml", "--fresh", "--state"])
            .arg(state)
            .current_dir(work)
            .stdin(Stdio::null());
        if is_root()? {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.output()?;
        check_refusal(document, &output, code, words)?;
        check_refusal(document, &output, code, &["no permission", "help:"])
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Else a user who is not root could not remove what is in them.
        for entry in fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            let _ = mode(&entry.path(), 0o755);
        }
    }
}

fn mode(path: &Path, mode: u32) -> std::io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

#[test]
fn input_without_permission_is_named() -> Result<()> {
    let place = Place::new()?;
    let input = place.closed("input")?;
    let shown = input.display().to_string();
    let state = Path::new("state");
    for path in [shown.clone(), format!("{shown}/a.json"), format!("{shown}/*.json")] {
        let document = document(&format!("file: {{ path: \"{path}\" }}"), "blackhole: {}");
        place.refuses(&document, state, (1, &[&shown, "chmod o+r"]))?;
    }
    // Its schema is read before anything runs.
    let document = document(&format!("archive: {{ path: \"{shown}\" }}"), "blackhole: {}");
    place.refuses(&document, state, (3, &[&shown, "chmod o+r"]))
}

#[test]
fn output_without_permission_is_named() -> Result<()> {
    let place = Place::new()?;
    let output = place.closed("output")?.display().to_string();
    let source = "generator: { events: shop, count: 1000 }";
    for sink in [
        format!("file: {{ path: \"{output}\" }}"),
        format!("parquet: {{ path: \"{output}/below\" }}"),
    ] {
        place.refuses(
            &document(source, &sink),
            Path::new("state"),
            (1, &[&output, "the right to read and write there"]),
        )?;
    }
    Ok(())
}

#[test]
fn a_state_folder_without_permission_is_named() -> Result<()> {
    let place = Place::new()?;
    let state = place.closed("state")?;
    let document = document("generator: { events: shop, count: 1000 }", "blackhole: {}");
    let shown = state.display().to_string();
    place.refuses(&document, &state, (5, &[&shown, "the right to read and write there"]))?;
    let below = state.join("below");
    place.refuses(&document, &below, (5, &[&shown, "the right to read and write there"]))
}
