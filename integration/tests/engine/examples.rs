//! Every example runs word for word and gives what its folder says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::weir;
use integration::oracle::read_folder;

/// The lines below a folder, sorted: the order between subtasks is no promise.
fn lines(folder: &Path) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    read_folder(folder, &mut |line| {
        lines.push(String::from_utf8_lossy(line).into_owned())
    })?;
    lines.sort();
    Ok(lines)
}

/// What an example must give: expected/NAME, or expected/FOLDER/NAME, is the content of the folder of that name.
fn expected(folder: &Path, prefix: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            all.extend(expected(&entry.path(), &format!("{name}/"))?);
        } else {
            let mut lines: Vec<String> = fs::read_to_string(entry.path())?.lines().map(str::to_owned).collect();
            lines.sort();
            all.insert(name, lines);
        }
    }
    Ok(all)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?
        } else {
            fs::copy(entry.path(), target).map(drop)?
        }
    }
    Ok(())
}

/// Runs one example in a copy of its folder.
fn check(name: &str) -> Result<()> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    let place = tempfile::tempdir()?;
    copy(&example, place.path())?;
    let output = weir(&["run", "datastream.yaml"], place.path())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (folder, wanted) in expected(&example.join("expected"), "")? {
        let found = lines(&place.path().join(&folder)).with_context(|| folder.clone())?;
        ensure!(
            found == wanted,
            "{name}: {folder} holds\n  {}\nand must hold\n  {}",
            found.join("\n  "),
            wanted.join("\n  ")
        );
    }
    Ok(())
}

#[test]
fn every_example_gives_what_its_folder_says() -> Result<()> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(examples)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    ensure!(names.len() >= 6, "the examples are there");
    names.iter().try_for_each(|name| check(name))
}

#[test]
fn dead_letters_say_where_and_why() -> Result<()> {
    let place = tempfile::tempdir()?;
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/dead-letters"),
        place.path(),
    )?;
    let output = weir(&["run", "datastream.yaml"], place.path())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let letters = lines(&place.path().join("dead"))?;
    ensure!(letters.len() == 4, "four bad records, found {letters:?}");
    for letter in letters {
        let letter: serde_json::Value = serde_json::from_str(&letter)?;
        for key in ["datastream", "step", "error", "split", "position", "record"] {
            ensure!(!letter[key].is_null(), "{key} is missing in {letter}");
        }
        ensure!(
            letter["split"]
                .as_str()
                .is_some_and(|split| split.contains("events.json")),
            "{letter}"
        );
    }
    Ok(())
}
