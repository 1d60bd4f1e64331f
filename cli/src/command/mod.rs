//! One file a verb, or a few that belong together; this is the match.

mod change;
mod cluster;
mod control;
mod describe;
mod dev;
mod doctor;
mod documents;
mod explain;
mod letters;
mod list;
mod logs;
mod plan;
mod run;
mod stall;
mod starter;
mod state;
mod submit;
mod tap;
mod test;
mod top;
mod versions;

pub(crate) use cluster::BUILD;

use std::future::Future;

use clap::CommandFactory as _;
use dataflow::store::open::AllowPaths;
use taskmanager::Lines;

use crate::args::{Arguments, Verb};
use crate::exit::{Exit, Stop};
use crate::output::print;
use crate::telemetry::Telemetry;
use crate::wiring::{self, Parts};

/// Does what was typed; `lines` is where a task manager of this process finds what is logged about its jobs.
pub(crate) fn run(arguments: Arguments, lines: Lines, telemetry: &Telemetry) -> Result<Exit, Stop> {
    let form = arguments.output;
    match arguments.verb {
        Verb::Run(verb) => return run::run(&verb, form, lines, telemetry),
        Verb::Dev(verb) => return dev::dev(&verb, &lines),
        Verb::Jobmanager(verb) => return cluster::jobmanager(&verb, &arguments.trust, telemetry),
        Verb::Taskmanager(verb) => return cluster::taskmanager(verb, &arguments.trust, (lines, telemetry)),
        Verb::Validate(files) => return wait(documents::validate(&files, form)),
        Verb::Test(verb) => return test::test(&verb, form),
        Verb::Plan(verb) => return wait(plan::plan(&verb, form)),
        Verb::Submit(verb) => return wait(submit::submit(&verb, form)),
        Verb::Apply(verb) => wait(change::apply(&verb, form)),
        Verb::Rescale(verb) => wait(change::rescale(&verb, form)),
        Verb::Savepoint(verb) => wait(change::savepoint(&verb, form)),
        Verb::List(cluster) => wait(list::list(&cluster, form)),
        Verb::Describe(named) => wait(describe::describe(&named, form)),
        Verb::Logs(verb) => wait(logs::logs(&verb, form)),
        Verb::History(named) => wait(versions::history(&named, form)),
        Verb::Diff(verb) => wait(versions::diff(&verb, form)),
        Verb::Rollback(verb) => wait(versions::rollback(&verb, form)),
        // Ctrl-C is how they end.
        Verb::Top(verb) => return wiring::io_runtime()?.block_on(top::top(&verb, form)),
        Verb::Tap(verb) => return wiring::io_runtime()?.block_on(tap::tap(&verb, form)),
        Verb::ExplainStall(named) => return wait(stall::explain(&named, form)),
        Verb::Dlq(verb) => wait(letters::dlq(&verb, form)),
        Verb::Stop(verb) if verb.savepoint => wait(change::stop(&verb, form)),
        Verb::Stop(verb) => wait(control::stop(&verb, form)),
        Verb::Cancel(named) => wait(control::cancel(&named, form)),
        Verb::Explain(verb) => wait(explain::explain(&verb, form)),
        Verb::Schema => documents::schema(),
        Verb::New(verb) => starter::new(&verb, &Parts::new(AllowPaths::All)?.catalog),
        Verb::State(verb) => return wait(state::state(&verb, form)),
        Verb::Doctor(verb) => return wait(doctor::doctor(&verb, form)),
        Verb::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "weir", &mut text);
            print(&String::from_utf8_lossy(&text))
        }
    }
    .map(|()| Exit::Success)
}

/// Runs a short command to its end, or to Ctrl-C.
fn wait<T>(work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    wiring::io_runtime()?.block_on(async {
        tokio::select! {
            outcome = work => outcome,
            _ = tokio::signal::ctrl_c() => Err(Stop::new(Exit::Interrupted, "interrupted")),
        }
    })
}
