//! What can be typed: verbs, files and flags.

mod documents;
mod datastreams;
mod processes;

use std::net::{AddrParseError, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::logging::Format as LogFormat;

pub(crate) use datastreams::{
    Apply, Diff, Dlq, Kept, Logs, Rescale, Rollback, Savepoint, Since, State, Stop, Submit, Tap, Top,
};
pub(crate) use documents::{Dev, Doctor, Explain, New, Plan, Run, Stage, Test};
pub(crate) use processes::{Door, JobManager, Measures, Paths, TaskManager, Trust};

/// Streams as a service: a datastream is ten lines of YAML.
#[derive(Debug, Parser)]
#[command(name = "weir", version, about, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,

    /// How results are printed.
    #[arg(short, long, global = true, value_enum, default_value_t)]
    pub(crate) output: OutputForm,

    /// Log lines on standard error: error, warn, info, debug, trace, or `target=level` pairs.
    #[arg(long, global = true, env = "WEIR_LOG", default_value = "warn")]
    pub(crate) log: String,

    /// How log lines are written.
    #[arg(long, global = true, env = "WEIR_LOG_FORMAT", value_enum, default_value_t)]
    pub(crate) log_format: LogFormat,

    /// Tells traces and metrics to a collector of OpenTelemetry at this address, by gRPC, such as http://127.0.0.1:4317.
    #[arg(long, global = true, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub(crate) otlp: Option<String>,

    #[command(flatten)]
    pub(crate) trust: Trust,
}

/// An address of this machine's, or of the job manager's.
fn address(text: &str) -> Result<SocketAddr, String> {
    let numbers = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    let parsed = numbers.parse();
    parsed.map_err(|error: AddrParseError| {
        format!("{error}; it is written as numbers with a port, such as 127.0.0.1:7080")
    })
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputForm {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Runs datastreams in this process; run again, it goes on where it was.
    Run(Run),
    /// Runs a small cluster in this process, with the page and datastreams to look at.
    Dev(Dev),
    /// Finds every mistake in documents, without running them.
    Validate(Files),
    /// Runs the tests in documents: in virtual time, without their sources and sinks.
    Test(Test),
    /// Shows what would run, and what becomes of the state of what runs now.
    Plan(Plan),
    /// Creates datastreams on a cluster.
    Submit(Submit),
    /// Creates datastreams on a cluster, or changes those that run to what the documents say.
    Apply(Apply),
    /// Lets a running datastream go on with another parallelism.
    Rescale(Rescale),
    /// Keeps a checkpoint of a running datastream by name; `weir submit --from-savepoint` begins from it.
    Savepoint(Savepoint),
    /// Lists the documents that a datastream has run, the newest first.
    History(Named),
    /// Shows what is between two versions of a datastream's document, or between what is in force and a file.
    Diff(Diff),
    /// Goes back to an older version of a datastream's document, as `weir apply` would.
    Rollback(Rollback),
    /// Lists the datastreams of a cluster.
    List(Cluster),
    /// Shows everything about one datastream: state, rates, waits, checkpoints, failures, dead letters.
    Describe(Named),
    /// Prints what the job manager and the task managers say about a datastream.
    Logs(Logs),
    /// Shows the datastreams of a cluster, or the parts of one, as they change; once where nobody sits at a terminal.
    Top(Top),
    /// Shows some rows behind a step of a running datastream, as they go by.
    Tap(Tap),
    /// Says what holds a datastream up and who is behind it, the worst first; exits with 1 where something does.
    ExplainStall(Named),
    /// Shows records that a step could not take.
    #[command(subcommand)]
    Dlq(Dlq),
    /// Takes a last checkpoint and stops; the state is kept.
    Stop(Stop),
    /// Stops now, without a last checkpoint.
    Cancel(Named),
    /// Explains an error code (`weir explain E0101`), a connector or format (`weir explain file`), or a stage of a document.
    Explain(Explain),
    /// Prints the JSON Schema of the document, for editors.
    Schema,
    /// Prints a document to begin with.
    New(New),
    /// Reads the state of a checkpoint in the store, without running anything.
    #[command(subcommand)]
    State(State),
    /// Looks for what would keep Weir or a document from running.
    Doctor(Doctor),
    /// Prints completions for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Runs the control plane: decides what runs where.
    Jobmanager(JobManager),
    /// Runs a part of the data plane: moves the batches.
    Taskmanager(TaskManager),
}

/// Documents.
#[derive(Args, Debug)]
pub(crate) struct Files {
    /// YAML files, or `-` for standard input.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// Where the cluster is.
#[derive(Args, Clone, Debug)]
pub(crate) struct Cluster {
    /// The job manager's REST address.
    #[arg(long, env = "WEIR_CLUSTER", default_value = "http://127.0.0.1:7080")]
    pub(crate) cluster: String,
}

/// A datastream on a cluster.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// The datastream's name.
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::*;

    /// An argument of a verb with the id of a global one is taken for it, and ends the process where it is of another type.
    #[test]
    fn no_verb_has_an_argument_that_is_called_like_a_global_one() {
        fn look(command: &Command, globals: &[String]) {
            for argument in command.get_arguments().filter(|argument| !argument.is_global_set()) {
                let id = argument.get_id().to_string();
                assert!(!globals.contains(&id), "`{id}` of `{}`", command.get_name());
            }
            command.get_subcommands().for_each(|one| look(one, globals));
        }
        let command = Arguments::command();
        command.clone().debug_assert();
        let globals = command.get_arguments().filter(|argument| argument.is_global_set());
        let globals: Vec<String> = globals.map(|argument| argument.get_id().to_string()).collect();
        assert!(globals.len() > 5, "{globals:?}");
        command.get_subcommands().for_each(|one| look(one, &globals));
    }
}
