//! Flips in a savepoint: what begins from it is exactly the rest, or is told which object is not as it was written.

use std::fs;
use std::path::Path;
use std::process::Output;

use anyhow::{Context as _, Result, ensure};

use super::folder::{copy, flip, objects};
use super::{Draw, LIMIT, Settings, Tally};
use crate::cluster::Cluster;
use crate::oracle::{self, Event, compare};

/// The savepoint.
const LABEL: &str = "half";

/// Flips bits in a savepoint, and begins a job from each.
///
/// # Errors
/// When a result is wrong, or nobody is told which object is; with the seed's flip that shows it.
pub fn savepoints(place: &Path, settings: &Settings, said: &mut dyn FnMut(&str)) -> Result<Tally> {
    fs::create_dir_all(place)?;
    let mut cluster = Cluster::start(place, &[])?;
    cluster.start_taskmanager("tm-1", &[])?;
    cluster.start_taskmanager("tm-2", &[])?;
    cluster.submit(&settings.document("first", &place.join("first")))?;
    cluster.until("first", "to commit", LIMIT, |described| {
        described["summary"]["state"] == "running" && described["summary"]["epoch"].as_u64() > Some(6)
    })?;
    cluster.json(&["stop", "first", "--savepoint", "--as", LABEL])?;
    cluster.until("first", "to stop", LIMIT, |described| {
        described["summary"]["state"] == "stopped"
    })?;
    let (saved, sound) = (place.join("state/savepoints"), place.join("sound"));
    copy(&saved, &sound)?;
    let bench = Bench {
        place,
        cluster,
        expected: settings.expected()?,
        before: oracle::visible(&place.join("first"))?,
    };
    let (mut draw, mut tally) = (Draw(settings.seed), Tally::default());
    for turn in 0..settings.flips {
        fs::remove_dir_all(&saved)?;
        copy(&sound, &saved)?;
        let found = objects(&saved)?;
        let object = &found[draw.below(found.len())];
        let flipped = flip(&object.path, &mut draw)?;
        let what = format!("flip {turn} of seed {}: {flipped} of {}", settings.seed, object.name);
        let name = format!("again-{turn}");
        let document = settings.document(&name, &place.join(&name));
        let outcome = bench
            .begin(&name, &document, &object.name)
            .with_context(|| what.clone())?;
        tally.right += u32::from(outcome == "right");
        tally.named += u32::from(outcome == "named");
        said(&format!("{what}: {outcome}"));
    }
    Ok(tally)
}

struct Bench<'a> {
    place: &'a Path,
    cluster: Cluster,
    expected: Vec<Event>,
    /// What the first job gave.
    before: Vec<Event>,
}

impl Bench<'_> {
    fn begin(&self, name: &str, document: &str, object: &str) -> Result<&'static str> {
        let state = self.place.join("state").to_string_lossy().into_owned();
        let savepoint = format!("savepoints/{LABEL}");
        let looked = crate::cluster::weir(&["state", "verify", &savepoint, "--state", &state], self.place)?;
        let printed = words(&looked);
        ensure!(
            !looked.status.success() && printed.contains(object),
            "`weir state verify` does not name it:\n{printed}"
        );
        let file = self.place.join(format!("{name}.yaml"));
        fs::write(&file, document)?;
        let begun = self
            .cluster
            .weir(&["submit", &file.to_string_lossy(), "--from-savepoint", LABEL, "--wait"])?;
        let said = words(&begun);
        let mut seen = oracle::visible(&self.place.join(name))?;
        seen.extend(&self.before);
        let verdict = compare(self.expected.clone(), seen);
        let wrong = verdict.duplicated + verdict.foreign + verdict.altered;
        ensure!(wrong == 0, "rows are wrong: {verdict:?}\n{said}");
        if begun.status.success() {
            ensure!(verdict.is_exact(), "it finished, and rows are wrong: {verdict:?}");
            return Ok("right");
        }
        ensure!(said.contains(object), "it is not named:\n{said}");
        Ok("named")
    }
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
