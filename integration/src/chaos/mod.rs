//! Cycles of kills in mid-flow: three datastreams with state on a cluster of real processes, which die at random, at named
//! points of a checkpoint, alone and together, or stand still for longer than anybody waits; judged from outside.
//!
//! ```text
//!   seed, number ──> Strike ──> blow on the Fleet ──> committed again? ──> Tally
//!                                       └── the datastreams end ──> verdict: lost, doubled, out of order
//! ```
//!
//! Enters: a seed. Leaves: a verdict on every round and a table of the cycles. Who calls: `weir-chaos`. Must stay true: a
//! strike is a function of seed and number alone; one that hit a datastream before its first commit or at its end does not
//! count. Not here: what is right (oracle).

mod blow;
mod fleet;
mod strike;
mod tally;
mod verdict;

pub use strike::{Strike, points};
pub use tally::Tally;
pub use verdict::{Finding, Verdict};

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use dataflow::time::SystemClock;

use blow::Outcome;
use fleet::Fleet;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Where state and output go; made anew for each round.
    pub folder: PathBuf,
    /// How many kills in mid-flow.
    pub kills: u64,
    /// Events of each datastream in one round.
    pub events: u64,
    /// Another seed, another order of strikes and other moments.
    pub seed: u64,
    /// The number of the first strike: a cycle is replayed by its seed and number.
    pub first: u64,
    /// Only strikes whose title has this in it.
    pub only: Option<String>,
}

/// How it went.
#[derive(Debug, Default)]
pub struct Report {
    /// The cycles that count.
    pub tally: Tally,
    /// What the outsider found, round by round.
    pub verdicts: Vec<Verdict>,
}

/// A campaign under way.
struct Course<'a> {
    clock: SystemClock,
    say: &'a dyn Fn(&str),
    report: Report,
    /// The number of the next strike.
    number: u64,
    /// Crash points in a row to which nobody came.
    missed: u32,
}

/// So many of them in a row are no accident.
const MISSED_MAX: u32 = 8;

impl Campaign {
    /// Strikes until enough kills count. `say` hears a line for each cycle and each verdict. Ends early where something is
    /// lost, doubled or out of order: the folder is then left as it is.
    ///
    /// # Errors
    /// When a datastream fails, or does not go on in time.
    pub fn run(&self, say: &dyn Fn(&str)) -> Result<Report> {
        let mut course = Course {
            clock: SystemClock::start(),
            say,
            report: Report::default(),
            number: self.first,
            missed: 0,
        };
        while course.report.tally.count() < self.kills {
            let (began, before) = (course.number, course.report.tally.count());
            let place = || {
                let folder = self.folder.join("round");
                format!(
                    "seed {}, strikes from {began}; everything is in {}",
                    self.seed,
                    folder.display()
                )
            };
            let verdict = self.round(&mut course).with_context(place)?;
            say(&verdict.to_string());
            let exact = verdict.is_exact();
            course.report.verdicts.push(verdict);
            if !exact {
                let (seed, kills) = (self.seed, course.report.tally.count() - before);
                let only = self
                    .only
                    .as_ref()
                    .map_or_else(String::new, |only| format!("ONLY='{only}' "));
                say(&format!("NOT exactly once: {}", place()));
                say(&format!(
                    "again: {only}KILLS={kills} SEED={seed} FIRST={began} make chaos"
                ));
                break;
            }
        }
        Ok(course.report)
    }

    /// Three datastreams from their beginnings to their ends.
    fn round(&self, course: &mut Course<'_>) -> Result<Verdict> {
        let folder = self.folder.join("round");
        fs::remove_dir_all(&folder).or_else(|error| if folder.exists() { Err(error) } else { Ok(()) })?;
        let mut fleet = Fleet::start(&folder, self.seed.wrapping_add(course.number), self.events)?;
        self.strikes(&mut fleet, course)?;
        fleet.until_finished()?;
        Verdict::of(&fleet)
    }

    /// Strikes until a datastream comes near its end.
    fn strikes(&self, fleet: &mut Fleet, course: &mut Course<'_>) -> Result<()> {
        while course.report.tally.count() < self.kills {
            let number = course.number;
            let (strike, chance) = Strike::of(self.seed, number);
            let title = strike.to_string();
            if self.only.as_ref().is_some_and(|only| !title.contains(only)) {
                course.number += 1;
                continue;
            }
            let outcome = blow::blow(fleet, strike, chance, &course.clock);
            match outcome.with_context(|| format!("strike {number}: {title}"))? {
                Outcome::Over => break,
                Outcome::Missed => {
                    course.missed += 1;
                    ensure!(
                        course.missed < MISSED_MAX,
                        "nobody comes to any crash point: build `weir` with `make build`, which has the feature `testing`"
                    );
                    (course.say)(&format!(
                        "      strike {number}: {title}: nobody came there, not counted"
                    ));
                }
                Outcome::Counted(took) => {
                    if matches!(strike, Strike::Point(..)) {
                        course.missed = 0;
                    }
                    course.report.tally.add(strike, took);
                    let (count, took) = (course.report.tally.count(), took.as_millis());
                    (course.say)(&format!(
                        "{count:>5} strike {number}: {title}: committed again after {took} ms"
                    ));
                }
            }
            course.number += 1;
        }
        Ok(())
    }
}
