//! Random bit flips in what a job has kept: whatever is flipped, what comes out is exactly right, or somebody is told which
//! object is not as it was written.
//!
//! A real job is killed in mid-flow when it has made several epochs. For each flip its folders are put back as they were,
//! one bit of one object is flipped, `weir state verify` looks, and `weir run` goes on from there. The rows that an outsider
//! sees are compared with the generator's. Savepoints are flipped in a cluster, and other jobs begin from them.

mod folder;
mod saved;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::cluster::{Deadline, Process, binary, until, weir};
use crate::oracle::{self, Event, compare};
use folder::{Object, copy, flip, objects};

pub use saved::savepoints;

/// What is flipped.
const NAME: &str = "flipped";
/// A machine may be busy.
const LIMIT: Duration = Duration::from_secs(180);

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Which flips of all possible ones.
    pub seed: u64,
    /// How many.
    pub flips: u32,
    /// How many events there are.
    pub events: u64,
    /// How many of them come in a second.
    pub rate: u64,
}

/// What came of the flips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The result was right all the same: nobody needed the object, or only as a hint.
    pub right: u32,
    /// It was refused, and the object was named.
    pub named: u32,
}

/// Random numbers, the same for the same seed.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % bound.max(1) as u64).unwrap_or(0)
    }
}

impl Settings {
    /// A document whose state is every event's id.
    fn document(&self, name: &str, out: &Path) -> String {
        let Self { events, rate, .. } = self;
        format!(
            "datastreamName: {name}\ncontactName: test\ndesiredState: ON\nparallelism: 2\ncheckpoint: {{ interval: 100ms }}\n\
             sources:\n  - name: events\n    generator: {{ events: shop, count: {events}, splits: 3, seed: 3, duplicates: 0.05, throughput: {rate} }}\n\
             \x20   eventTime: {{ field: eventTime, maxOutOfOrderness: 10s }}\n\
             steps:\n  - name: once\n    dedup: {{ key: [eventId], within: 24h }}\n\
             sinks:\n  - name: out\n    file: {{ path: \"{}\", roll: {{ size: 4MiB, every: 500ms }} }}\n",
            out.display()
        )
    }

    /// Every event once.
    fn expected(&self) -> Result<Vec<Event>> {
        let options = json!({"events": "shop", "count": self.events, "splits": 3, "seed": 3, "duplicates": 0.05});
        let mut events = oracle::expected(&options, &[])?;
        events.sort_unstable();
        events.dedup();
        Ok(events)
    }
}

/// A job's folders at work, and as they were when it was killed.
struct Stage {
    place: PathBuf,
    expected: Vec<Event>,
}

impl Stage {
    fn work(&self) -> PathBuf {
        self.place.join("work")
    }

    fn log(&self) -> PathBuf {
        self.place.join("run.log")
    }

    fn start(&self) -> Result<Process> {
        let mut command = Command::new(binary());
        command
            .args(["run", "datastream.yaml", "--state", "state"])
            .current_dir(self.work())
            .stdout(Stdio::null());
        Process::start("weir run", command, &self.log())
    }

    /// Runs until some epochs have state in files, and kills it.
    fn make(place: &Path, settings: &Settings) -> Result<Self> {
        let stage = Self {
            place: place.to_owned(),
            expected: settings.expected()?,
        };
        fs::create_dir_all(stage.work())?;
        let document = settings.document(NAME, &stage.work().join("out"));
        fs::write(stage.work().join("datastream.yaml"), document)?;
        let mut process = stage.start()?;
        until("epochs with files of state", Deadline::of(LIMIT), || {
            process.check()?;
            let found = objects(&stage.work().join("state"))?;
            let count = |ending: &str| found.iter().filter(|object| object.kind == ending).count();
            Ok((count("record") >= 8 && count("cut") >= 6).then_some(()))
        })?;
        drop(process);
        copy(&stage.work(), &place.join("killed"))?;
        ensure!(stage.seen()?.len() < stage.expected.len(), "it was killed in mid-flow");
        Ok(stage)
    }

    fn reset(&self) -> Result<()> {
        fs::remove_dir_all(self.work())?;
        copy(&self.place.join("killed"), &self.work())
    }

    fn seen(&self) -> Result<Vec<Event>> {
        oracle::visible(&self.work().join("out"))
    }

    /// Goes on: whether it came to its end, and what it said.
    fn run(&self) -> Result<(bool, String)> {
        if self.log().exists() {
            fs::remove_file(self.log())?;
        }
        let status = self.start()?.wait(Deadline::of(LIMIT))?;
        let said = fs::read_to_string(self.log()).unwrap_or_default();
        let verdict = compare(self.expected.clone(), self.seen()?);
        let wrong = verdict.duplicated + verdict.foreign + verdict.altered;
        ensure!(wrong == 0, "rows are wrong: {verdict:?}\n{said}");
        if status.success() {
            ensure!(verdict.is_exact(), "it finished, and rows are wrong: {verdict:?}");
        }
        Ok((status.success(), said))
    }
}

/// Flips bits in the state folder of a job that was killed.
///
/// # Errors
/// When a result is wrong, or nobody is told which object is; with the seed's flip that shows it.
pub fn checkpoints(place: &Path, settings: &Settings, said: &mut dyn FnMut(&str)) -> Result<Tally> {
    let stage = Stage::make(place, settings)?;
    let (whole, words) = stage.run()?;
    ensure!(whole, "it cannot go on though nothing was flipped:\n{words}");
    let (mut draw, mut tally) = (Draw(settings.seed), Tally::default());
    for turn in 0..settings.flips {
        stage.reset()?;
        let found = objects(&stage.work().join("state"))?;
        let object = choose(&found, &mut draw);
        let flipped = flip(&object.path, &mut draw)?;
        let what = format!("flip {turn} of seed {}: {flipped} of {}", settings.seed, object.name);
        let outcome = one(&stage, object).with_context(|| what.clone())?;
        match outcome {
            Outcome::Right => tally.right += 1,
            Outcome::Named => tally.named += 1,
        }
        said(&format!("{what}: {outcome:?}"));
    }
    Ok(tally)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Right,
    Named,
}

fn one(stage: &Stage, object: &Object) -> Result<Outcome> {
    let looked = weir(&["state", "verify", NAME, "--state", "state"], &stage.work())?;
    let printed = String::from_utf8_lossy(&looked.stdout).into_owned() + &String::from_utf8_lossy(&looked.stderr);
    let is_named = !looked.status.success() && printed.contains(&object.name);
    if object.kind == "record" {
        ensure!(is_named, "`weir state verify` does not name it:\n{printed}");
    }
    let (whole, said) = stage.run()?;
    if whole {
        return Ok(Outcome::Right);
    }
    ensure!(said.contains(&object.name), "it is not named:\n{said}");
    if object.kind == "cut" {
        ensure!(is_named, "`weir state verify` does not name it:\n{printed}");
    }
    Ok(Outcome::Named)
}

/// Half of them are of the newest record or of a file of state; the others of anything.
fn choose<'a>(found: &'a [Object], draw: &mut Draw) -> &'a Object {
    let of = |kind: &str| -> Vec<&Object> { found.iter().filter(|object| object.kind == kind).collect() };
    match draw.below(4) {
        0 => {
            let newest = of("record").into_iter().max_by_key(|object| object.number);
            newest.unwrap_or(&found[0])
        }
        1 | 2 => {
            let cuts = of("cut");
            cuts[draw.below(cuts.len())]
        }
        _ => &found[draw.below(found.len())],
    }
}
