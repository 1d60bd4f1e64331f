//! `weir`, the one binary: reads what was typed, runs the verb, and says how it ended.

mod args;
mod client;
mod command;
mod config;
mod exit;
mod output;
mod planning;
mod wiring;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use crate::args::Arguments;
use crate::exit::Exit;

// Batches are made on one thread and dropped on another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = match EnvFilter::try_new(&arguments.log) {
        Ok(filter) => filter,
        Err(error) => {
            output::say(&format!("error: --log {}: {error}", arguments.log));
            return Exit::Failed.into();
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
    match command::run(arguments) {
        Ok(exit) => exit.into(),
        Err(stop) => {
            // A rendered diagnostic says `error` itself.
            let prefix = if stop.exit == Exit::Document { "" } else { "error: " };
            output::say(&format!("{prefix}{stop}"));
            stop.exit.into()
        }
    }
}
