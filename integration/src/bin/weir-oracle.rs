//! The oracle as a command, for the demo and the chaos harness: compares folders of results with what must be there.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use integration::oracle::{self, Event, Line, Verdict};
use serde_json::Value;

/// Compares results with the generator's events, by unique ids.
#[derive(Parser)]
struct Arguments {
    /// The generator's options, as JSON.
    #[arg(long)]
    generator: String,
    /// Event types that are kept; all without it.
    #[arg(long, value_delimiter = ',')]
    keep: Vec<String>,
    /// Folder of the kept events.
    #[arg(long)]
    archived: PathBuf,
    /// Folder of the replayed events.
    #[arg(long, requires = "replay_type")]
    replayed: Option<PathBuf>,
    /// The event type that was replayed.
    #[arg(long)]
    replay_type: Option<String>,
    /// The beginning of the replayed time, in milliseconds.
    #[arg(long, default_value_t = i64::MIN)]
    replay_from: i64,
    /// The end of the replayed time, in milliseconds; events at it are not replayed.
    #[arg(long, default_value_t = i64::MAX)]
    replay_to: i64,
    /// Appends a line of the table for each folder to this file.
    #[arg(long)]
    summary: Option<PathBuf>,
}

/// What the generator made.
#[derive(Default)]
struct Made {
    generated: usize,
    kept: Vec<Event>,
    replayable: Vec<Event>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let made = make(&arguments)?;
    print(&format!(
        "{:<12}{:>12}{:>10}{:>12}{:>9}{:>9}{:>8}",
        "", "events", "missing", "duplicated", "foreign", "altered", "files"
    ));
    print(&format!("{:<12}{:>12}", "generated", made.generated));
    print(&format!("{:<12}{:>12}", "kept", made.kept.len()));
    let archived = judge("archived", made.kept, &arguments.archived)?;
    let replayed = match &arguments.replayed {
        Some(folder) => judge("replayed", made.replayable, folder)?,
        None => Verdict::default(),
    };
    if let Some(file) = &arguments.summary {
        line("archived as Parquet", &archived).append(file)?;
        if arguments.replayed.is_some() {
            line("replayed", &replayed).append(file)?;
        }
    }
    let exact = archived.is_exact() && replayed.is_exact();
    print(if exact {
        "exactly once: nothing missing, nothing twice, every byte as it was"
    } else {
        "NOT exactly once"
    });
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(title: &str, verdict: &Verdict) -> Line {
    Line {
        title: title.to_owned(),
        expected: verdict.expected as u64,
        found: verdict.actual as u64,
        missing: verdict.missing as u64,
        doubled: verdict.duplicated as u64,
        wrong: (verdict.foreign + verdict.altered) as u64,
    }
}

fn make(arguments: &Arguments) -> Result<Made> {
    let options: Value = serde_json::from_str(&arguments.generator).context("--generator")?;
    let mut made = Made::default();
    oracle::generated(&options, &mut |record| {
        made.generated += 1;
        let (Some(event), Some(kind)) = (oracle::event(record), oracle::event_type(record)) else {
            return;
        };
        if !arguments.keep.is_empty() && !arguments.keep.iter().any(|kept| kept == kind) {
            return;
        }
        made.kept.push(event);
        let in_time = (arguments.replay_from..arguments.replay_to).contains(&event.time);
        if in_time && arguments.replay_type.as_deref() == Some(kind) {
            made.replayable.push(event);
        }
    })?;
    Ok(made)
}

fn judge(what: &str, expected: Vec<Event>, folder: &std::path::Path) -> Result<Verdict> {
    let mut actual = Vec::with_capacity(expected.len());
    let mut unreadable = 0;
    let files = oracle::read_folder(folder, &mut |record| match oracle::event(record) {
        Some(event) => actual.push(event),
        None => unreadable += 1,
    })?;
    let mut verdict = oracle::compare(expected, actual);
    verdict.foreign += unreadable;
    let Verdict {
        actual,
        missing,
        duplicated,
        foreign,
        altered,
        ..
    } = verdict;
    print(&format!(
        "{what:<12}{actual:>12}{missing:>10}{duplicated:>12}{foreign:>9}{altered:>9}{files:>8}"
    ));
    Ok(verdict)
}

#[expect(clippy::print_stdout, reason = "this is a command, and the table is its result")]
fn print(line: &str) {
    println!("{line}");
}
