//! The oracle of windowed counts as a command: compares a folder of counts by company and minute with the generator's events.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use integration::oracle;

/// Compares counts with the generator's events, each id counted once.
#[derive(Parser)]
struct Arguments {
    /// The generator's options, as JSON.
    #[arg(long)]
    generator: String,
    /// Folder of the counts.
    #[arg(long)]
    counts: PathBuf,
}

#[expect(clippy::print_stdout, reason = "this is a command, and the table is its result")]
fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let expected = oracle::expected_counts(&oracle::options(&arguments.generator)?)?;
    let found = oracle::compare_counts(&expected, &arguments.counts)?;
    println!("windows expected      {:>12}", found.expected);
    println!("unique events in them {:>12}", found.events);
    println!("windows missing       {:>12}", found.missing);
    println!("windows duplicated    {:>12}", found.duplicated);
    println!("windows not expected  {:>12}", found.foreign);
    println!("wrong counts          {:>12}", found.wrong);
    Ok(if found.is_exact() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
