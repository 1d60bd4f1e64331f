//! Cycles of `kill -9` in mid-flow as a command: at random and at named points of a checkpoint, judged from outside.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use integration::chaos::{Campaign, Strike};

/// Kills processes in mid-flow until enough kills count, and judges every round.
#[derive(Parser)]
struct Arguments {
    /// Where state and output go; removed and made anew.
    #[arg(long)]
    folder: PathBuf,
    /// How many kills in mid-flow.
    #[arg(long, default_value_t = 200)]
    kills: u64,
    /// Events of each of the three datastreams in one round.
    #[arg(long, default_value_t = 200_000)]
    events: u64,
    /// Another seed, other moments and another order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The number of the first strike; with `--kills 1`, one cycle is replayed.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Only strikes whose title has this in it, such as `commit` or `both`.
    #[arg(long)]
    only: Option<String>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.only.as_ref().is_some_and(|only| !Strike::is_any_like(only)) {
        anyhow::bail!(
            "no strike has {:?} in its title: try `commit`, `both`, `at random`",
            arguments.only
        );
    }
    let folder = std::path::absolute(&arguments.folder)?;
    fs::create_dir_all(&folder)?;
    let campaign = Campaign {
        folder,
        kills: arguments.kills,
        events: arguments.events,
        seed: arguments.seed,
        first: arguments.first,
        only: arguments.only,
    };
    let report = campaign.run(&|line| print(line))?;
    let sum = |what: fn(&integration::chaos::Finding) -> u64| -> u64 {
        report
            .verdicts
            .iter()
            .flat_map(|verdict| &verdict.findings)
            .map(what)
            .sum()
    };
    print(&format!("\n{}", report.tally));
    print(&format!(
        "{} cycles in {} rounds, seed {}: {} events, {} lost, {} doubled, {} out of order, {} wrong",
        report.tally.count(),
        report.verdicts.len(),
        arguments.seed,
        sum(|finding| finding.expected),
        sum(|finding| finding.lost),
        sum(|finding| finding.doubled),
        sum(|finding| finding.misordered),
        sum(|finding| finding.wrong),
    ));
    let exact = report.verdicts.iter().all(integration::chaos::Verdict::is_exact);
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "this is a command, and the lines are its result")]
fn print(line: &str) {
    println!("{line}");
}
