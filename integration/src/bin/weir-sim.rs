//! Plays seeds of the simulated cluster: one with everything that happens, or many until one breaks a rule.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use integration::sim::{Mutant, Profile, Run, Telling};

/// Plays the control plane of Weir in virtual time, with faults.
#[derive(Parser)]
struct Arguments {
    /// The seed, or the first of many.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The kind of world, such as `Swarm`.
    #[arg(long, default_value = "Swarm")]
    profile: String,
    /// A rule of the protocol to break, such as `NoFence`.
    #[arg(long)]
    mutant: Option<String>,
    /// Print what happens.
    #[arg(long)]
    trace: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let profile = Profile::named(&arguments.profile)
        .with_context(|| format!("no profile `{}`; there are {:?}", arguments.profile, Profile::ALL))?;
    let mutant = match &arguments.mutant {
        Some(name) => {
            let found = Mutant::named(name);
            Some(found.with_context(|| format!("no mutant `{name}`; there are {:?}", Mutant::ALL))?)
        }
        None => None,
    };
    let mut code = ExitCode::SUCCESS;
    for seed in arguments.seed..arguments.seed.saturating_add(arguments.seeds) {
        let run = Run {
            seed,
            profile,
            mutant,
            telling: if arguments.trace { Telling::Lines } else { Telling::Hash },
        };
        let outcome = run.play()?;
        outcome.lines.iter().for_each(|line| print(line));
        if arguments.seeds == 1 || outcome.violation.is_some() {
            print(&format!(
                "seed {seed}: {} events, {} faults, {} records, {:.1} s of virtual time, dropped {} and {}, hash {:016x}",
                outcome.events,
                outcome.faults,
                outcome.records,
                outcome.lasted as f64 / 1e6,
                outcome.dropped_by_managers,
                outcome.dropped_by_workers,
                outcome.hash
            ));
        }
        if let Some(violation) = outcome.violation {
            print(&format!("seed {seed}: {violation}\n  {}", run.command()));
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

#[expect(clippy::print_stdout, reason = "what this command is for")]
fn print(line: &str) {
    println!("{line}");
}
