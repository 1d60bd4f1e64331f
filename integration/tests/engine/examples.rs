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

#[test]
fn a_row_that_cannot_be_written_is_a_dead_letter_and_stops_nothing() -> Result<()> {
    let place = tempfile::tempdir()?;
    let rows: String = (0..1000).map(|n| format!("{{\"n\":{n},\"d\":{}}}\n", n % 10)).collect();
    fs::write(place.path().join("in.jsonl"), [rows.as_bytes(), b"\xff\xfe\n"].concat())?;
    let document = "datastreamName: ratios\ncontactName: test\ndesiredState: ON\nsources:\n  - file: { path: ./in.jsonl }\n    \
                    format: { json: { schema: { n: int64, d: double } } }\nsteps:\n  - select: { n: n, ratio: d / d }\n\
                    sinks:\n  - file: { path: ./out }\ndeadLetter: { path: ./dead }\n";
    fs::write(place.path().join("ratios.yaml"), document)?;
    let output = weir(&["run", "ratios.yaml"], place.path())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let written = lines(&place.path().join("out"))?;
    ensure!(
        written.len() == 900,
        "nine of ten rows can be written, found {}",
        written.len()
    );
    let letters = lines(&place.path().join("dead"))?;
    ensure!(
        letters.len() == 101,
        "one of ten is 0 / 0, and one is no text: found {}",
        letters.len()
    );
    let letters = letters.iter().map(|letter| serde_json::from_str(letter));
    let letters: Vec<serde_json::Value> = letters.collect::<Result<_, _>>()?;
    let (unread, unwritten): (Vec<_>, Vec<_>) = letters.iter().partition(|letter| letter["step"] != "sink-1");
    ensure!(
        unread.len() == 1 && unread[0]["recordBytes"] == "//4=" && unread[0]["record"].is_null(),
        "{unread:?}"
    );
    let letter = unwritten[0];
    ensure!(
        unwritten.len() == 100
            && letter["error"] == "ratio: JSON has no number NaN"
            && letter["position"].is_number()
            && letter["record"]
                .as_str()
                .is_some_and(|record| record.contains("\"n\":")),
        "{letter}"
    );
    Ok(())
}
