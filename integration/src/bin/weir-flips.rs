//! Flips single bits in what jobs have kept, and demands the right result or the object's name: `weir-flips --flips 200`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use integration::flips::{Settings, checkpoints, savepoints};

/// Flips bits in checkpoints and savepoints of real jobs.
#[derive(Parser)]
struct Arguments {
    /// How many flips; one in ten is in a savepoint.
    #[arg(long, default_value_t = 200)]
    flips: u32,
    /// Which ones.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many events the job has.
    #[arg(long, default_value_t = 200_000)]
    events: u64,
    /// How many of them come in a second.
    #[arg(long, default_value_t = 100_000)]
    rate: u64,
    /// Where the jobs' folders are made; it must not be there yet.
    #[arg(long)]
    folder: PathBuf,
}

#[expect(clippy::print_stdout, reason = "this is a command, and the lines are its result")]
fn main() -> Result<()> {
    let arguments = Arguments::parse();
    std::fs::create_dir(&arguments.folder)?;
    let folder = arguments.folder.canonicalize()?;
    let settings = Settings {
        seed: arguments.seed,
        flips: arguments.flips - arguments.flips / 10,
        events: arguments.events,
        rate: arguments.rate,
    };
    let mut said = |line: &str| println!("{line}");
    let kept = checkpoints(&folder.join("checkpoints"), &settings, &mut said)?;
    let settings = Settings {
        flips: arguments.flips / 10,
        ..settings
    };
    let saved = savepoints(&folder.join("savepoints"), &settings, &mut said)?;
    let (right, named) = (kept.right + saved.right, kept.named + saved.named);
    println!(
        "{} flips: {right} right, {named} named, 0 silently wrong",
        arguments.flips
    );
    Ok(())
}
