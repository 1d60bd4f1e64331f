//! The command line of `weir`: reads what was typed, runs the verb, and says how it ended.
//!
//! The binary hands in the list of connectors; another binary may hand in a longer one, as the measurement of latency does.

mod args;
mod client;
mod command;
mod config;
mod door;
mod events;
mod exit;
mod logging;
mod output;
mod planning;
mod sheet;
mod telemetry;
mod wiring;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use dataflow::Registry;
use dataflow::time::SystemClock;

use crate::args::{Arguments, Verb};
use crate::exit::Exit;
use crate::logging::Failures;
use crate::telemetry::Telemetry;

/// Runs what the command line asks for, with these connectors; the exit code of the process.
#[must_use]
pub fn weir(connectors: Registry) -> ExitCode {
    let arguments = Arguments::parse();
    let lines = taskmanager::Lines::new(Arc::new(SystemClock::start()));
    let failures = match arguments.verb {
        Verb::Run(_) => Failures::Passing,
        _ => Failures::All,
    };
    // Dead letters are a part of what a test expects: nobody is to be warned of them.
    let log = match (&arguments.verb, arguments.log.as_str()) {
        (Verb::Test(_), "warn") => "error",
        (_, written) => written,
    }
    .to_owned();
    let outcome = Telemetry::open(arguments.otlp.as_deref(), &arguments.verb).and_then(|telemetry| {
        logging::begin((&log, arguments.log_format), failures, &lines, &telemetry)?;
        wiring::begin(connectors)?;
        client::begin(&arguments.trust)?;
        let outcome = command::run(arguments, lines, &telemetry);
        telemetry.close();
        outcome
    });
    match outcome {
        Ok(exit) => exit.into(),
        Err(stop) => {
            // A rendered diagnostic says `error` itself.
            let prefix = if stop.exit == Exit::Document { "" } else { "error: " };
            output::say(&format!("{prefix}{stop}"));
            stop.exit.into()
        }
    }
}
