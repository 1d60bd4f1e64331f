//! The oracle of windowed counts as a command: compares a folder of counts by company and minute with the generator's events.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use integration::oracle::{self, Counted, Extent, Line};

/// Compares counts with the generator's events, each id counted once.
#[derive(Parser)]
struct Arguments {
    /// The generator's options, as JSON.
    #[arg(long)]
    generator: String,
    /// Folder of the counts.
    #[arg(long)]
    counts: PathBuf,
    /// Folder of the events that came too late for their window.
    #[arg(long)]
    late: Option<PathBuf>,
    /// The datastream began from a savepoint: the windows before it are not looked for.
    #[arg(long)]
    since_savepoint: bool,
    /// Appends a line of the table to this file.
    #[arg(long)]
    summary: Option<PathBuf>,
    /// What that line is called.
    #[arg(long, default_value = "counts")]
    title: String,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let expected = oracle::expected_counts(&oracle::options(&arguments.generator)?)?;
    let extent = if arguments.since_savepoint {
        Extent::Rest
    } else {
        Extent::Whole
    };
    let found = oracle::compare_counts(&expected, &arguments.counts, arguments.late.as_deref(), extent)?;
    print(expected.generated, &found);
    if let Some(file) = &arguments.summary {
        line(&arguments.title, &found).append(file)?;
    }
    Ok(if found.is_exact() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn line(title: &str, found: &Counted) -> Line {
    Line {
        title: title.to_owned(),
        expected: found.events,
        found: found.found,
        missing: found.uncounted,
        doubled: found.recounted,
        wrong: (found.missing + found.duplicated + found.foreign + found.wrong) as u64,
    }
}

#[expect(clippy::print_stdout, reason = "this is a command, and the table is its result")]
fn print(generated: u64, found: &Counted) {
    println!("records generated     {generated:>12}");
    println!("windows expected      {:>12}", found.expected);
    println!("unique events in them {:>12}", found.events);
    println!("  counted or late     {:>12}", found.found);
    println!("  late among them     {:>12}", found.late);
    println!("windows missing       {:>12}", found.missing);
    println!("windows duplicated    {:>12}", found.duplicated);
    println!("windows not expected  {:>12}", found.foreign);
    println!("wrong counts          {:>12}", found.wrong);
}
