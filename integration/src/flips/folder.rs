//! Folders that are copied and objects in which bits are flipped.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Draw;

/// A file in a state folder.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) path: PathBuf,
    /// How somebody is told of it: the last part of its path.
    pub(super) name: String,
    /// What its name ends with.
    pub(super) kind: String,
    /// The number that its name begins with, or 0.
    pub(super) number: u64,
}

/// All files below a folder that hold anything, in the order of their paths.
pub(super) fn objects(folder: &Path) -> Result<Vec<Object>> {
    let mut found = Vec::new();
    collect(folder, &mut found)?;
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<Object>) -> Result<()> {
    // It is not there yet, or what was there a moment ago is garbage by now.
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // What is being written has a name of its own, and is no object.
        if name.starts_with('.') || fs::metadata(&path).map_or(0, |found| found.len()) == 0 {
            continue;
        }
        let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
        let kind = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        found.push(Object {
            number: digits.parse().unwrap_or(0),
            path,
            name,
            kind,
        });
    }
    Ok(())
}

/// Copies a folder with all in it.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("copying {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Flips one bit; says which.
pub(super) fn flip(path: &Path, draw: &mut Draw) -> Result<String> {
    let mut bytes = fs::read(path)?;
    // Heads and envelopes are small: a third of the flips are theirs.
    let reach = if draw.below(3) == 0 {
        bytes.len().min(256)
    } else {
        bytes.len()
    };
    let (at, bit) = (draw.below(reach), draw.below(8));
    bytes[at] ^= 1 << bit;
    // Another file in its place: others may be links to the same one.
    fs::remove_file(path)?;
    fs::write(path, bytes)?;
    Ok(format!("bit {bit} of byte {at}"))
}
