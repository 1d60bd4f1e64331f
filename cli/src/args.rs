//! What can be typed: verbs, files and flags.

use std::net::{AddrParseError, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use dataflow::quantity::{ByteCount, Span, Time};

use crate::logging::Format as LogFormat;

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

/// Who one is, and whom one believes: the same words for who asks and for who is asked.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Trust {
    /// A file with the token by which REST is asked; a job manager lets in who shows one of those in it, and makes the file
    /// where there is none. A token itself is never typed; it may be in the environment as WEIR_TOKEN.
    #[arg(
        long,
        global = true,
        env = "WEIR_TOKEN_FILE",
        value_name = "FILE",
        hide_short_help = true
    )]
    pub(crate) token_file: Option<PathBuf>,

    /// The authority whose certificate the job manager shows, as PEM.
    #[arg(long, global = true, env = "WEIR_CA", value_name = "FILE", hide_short_help = true)]
    pub(crate) ca: Option<PathBuf>,

    /// The certificate to show to a job manager that asks for one, as PEM.
    #[arg(long, global = true, env = "WEIR_CERT", value_name = "FILE", hide_short_help = true)]
    pub(crate) cert: Option<PathBuf>,

    /// The key of that certificate, as PEM.
    #[arg(long, global = true, env = "WEIR_KEY", value_name = "FILE", hide_short_help = true)]
    pub(crate) key: Option<PathBuf>,
}

/// How a process that listens is protected; needed where it listens beyond this machine.
#[derive(Args, Clone, Debug, Default)]
#[group(skip)]
pub(crate) struct Door {
    /// The certificate of this process, as PEM: for REST, and for what job managers and task managers say to each other.
    #[arg(long, value_name = "FILE", env = "WEIR_TLS_CERT", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The key of that certificate, as PEM.
    #[arg(long, value_name = "FILE", env = "WEIR_TLS_KEY", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// The authority that signs the certificates of the cluster, as PEM: job managers and task managers show them to each
    /// other, and REST takes them in place of a token.
    #[arg(long, value_name = "FILE", env = "WEIR_TLS_CLIENT_CA", requires = "tls_cert")]
    pub(crate) tls_client_ca: Option<PathBuf>,

    /// The name that the certificates of the cluster's processes have; the address that is dialled unless given.
    #[arg(long, value_name = "NAME", env = "WEIR_TLS_NAME")]
    pub(crate) tls_name: Option<String>,

    /// REST is behind a proxy that speaks TLS to the outside; a token is asked for all the same.
    #[arg(long)]
    pub(crate) tls_terminated_upstream: bool,

    /// A file with tokens that may look and change nothing.
    #[arg(long, value_name = "FILE", env = "WEIR_READ_TOKEN_FILE")]
    pub(crate) read_token_file: Option<PathBuf>,

    /// A name by which REST and the page may be asked for, beside those of this machine; may be given several times.
    #[arg(long = "allow-host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,
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

/// `weir plan`.
#[derive(Args, Debug)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) files: Files,

    /// The document that ran before: says of each step whether it keeps its state, migrates it, starts empty or is gone.
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,

    /// The same, against what runs, or ran, under these names on this cluster.
    #[arg(long, value_name = "URL", env = "WEIR_CLUSTER")]
    pub(crate) cluster: Option<String>,
}

/// `weir test`.
#[derive(Args, Debug)]
pub(crate) struct Test {
    /// YAML files, or `-` for standard input.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// Only tests with this in their names.
    #[arg(long, value_name = "NAME")]
    pub(crate) filter: Option<String>,
}

/// `weir run`.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// A YAML file, or `-` for standard input.
    pub(crate) file: PathBuf,

    /// Where checkpoints are kept: a folder, or `s3://bucket/prefix`.
    #[arg(long, env = "WEIR_STATE", default_value = ".weir")]
    pub(crate) state: String,

    /// Starts anew instead of going on; what was written stays.
    #[arg(long)]
    pub(crate) fresh: bool,

    /// Memory for what flows and waits.
    #[arg(long, default_value = "1GiB")]
    pub(crate) memory: ByteCount,

    /// Serves metrics and the REST API there while the job runs, such as `127.0.0.1:7080`.
    #[arg(long, value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
}

/// `weir dev`.
#[derive(Args, Debug)]
pub(crate) struct Dev {
    /// Where the page and REST are. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:7080", value_parser = address)]
    pub(crate) listen: SocketAddr,

    /// Keeps everything in this folder, and goes on from there; without it, all is gone at the end.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,

    /// Without the demo's datastreams.
    #[arg(long)]
    pub(crate) bare: bool,
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

/// `weir state`.
#[derive(Subcommand, Debug)]
pub(crate) enum State {
    /// Lists the steps with state: cuts, files, bytes and entries.
    Ls {
        /// Whose.
        #[command(flatten)]
        kept: Kept,
    },
    /// Prints what a step holds of a key.
    Get {
        /// Whose.
        #[command(flatten)]
        kept: Kept,
        /// The step.
        step: String,
        /// The key; several values are joined by commas. Quotes may be left out.
        key: String,
    },
    /// Takes away what nobody needs any more: old records, and state files that none of those kept names.
    Gc {
        /// The datastream; without it, all of the cluster.
        name: Option<String>,
        /// Only says what would go.
        #[arg(long)]
        dry_run: bool,
        /// Where.
        #[command(flatten)]
        cluster: Cluster,
    },
    /// Reads every record that is kept, every file that one names and the savepoints of the datastream, and compares checksums.
    Verify {
        /// Whose.
        #[command(flatten)]
        kept: Kept,
    },
}

/// A datastream in a store.
#[derive(Args, Debug)]
pub(crate) struct Kept {
    /// The datastream's name; `NAME@2` for its second life; `savepoints/LABEL`, or the path or URL of a savepoint.
    pub(crate) name: String,

    /// Where its checkpoints are: the folder of the job manager or of `weir run`, or `s3://bucket/prefix`.
    #[arg(long, env = "WEIR_STATE", default_value = ".weir")]
    pub(crate) state: String,
}

/// `weir logs`.
#[derive(Args, Debug)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) named: Named,

    /// Prints further lines as they come, until the datastream has ended.
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// `weir top`.
#[derive(Args, Debug)]
pub(crate) struct Top {
    /// The datastream; without it, all of them.
    pub(crate) name: Option<String>,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

/// `weir tap`.
#[derive(Args, Debug)]
pub(crate) struct Tap {
    /// The datastream's name.
    pub(crate) name: String,

    /// The step, by its name in the document or in `weir describe`; of a sink, the rows that it is handed.
    pub(crate) step: String,

    /// Only rows for which this SQL expression is true, such as `payload.total > 100`.
    #[arg(long = "where", value_name = "EXPR")]
    pub(crate) condition: Option<String>,

    /// Ends after so many rows; without it, at Ctrl-C.
    #[arg(short = 'n', long = "rows", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rows: Option<u32>,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

/// `weir dlq`.
#[derive(Subcommand, Debug)]
pub(crate) enum Dlq {
    /// Lists them, the newest first.
    List {
        /// Whose.
        #[command(flatten)]
        named: Named,
        /// Only those of this step.
        #[arg(long)]
        step: Option<String>,
        /// Only those with this in their errors.
        #[arg(long, value_name = "TEXT")]
        error: Option<String>,
        /// Not older than this, such as `10m`; or not before this, such as `2026-01-31T12:00:00Z`.
        #[arg(long, value_name = "SPAN|TIME", value_parser = ago)]
        since: Option<Since>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Goes on behind this one: the last of the list before.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Shows one whole: the record as it came, where it lay, the step, the error.
    Show {
        /// Whose.
        #[command(flatten)]
        named: Named,
        /// Which, by its id in the list; without it, the newest.
        id: Option<String>,
    },
}

/// A moment, or so long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// So long before now.
    Ago(Duration),
    /// In milliseconds since 1970 UTC.
    At(i64),
}

fn ago(text: &str) -> Result<Since, String> {
    let span = text.parse::<Span>().map(|span| Since::Ago(span.0));
    span.or_else(|_| text.parse::<Time>().map(|time| Since::At(time.0)))
        .map_err(|_| format!("`{text}` is neither a span such as `10m` nor a time such as `2026-01-31T12:00:00Z`"))
}

/// `weir submit`.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command")]
pub(crate) struct Submit {
    #[command(flatten)]
    pub(crate) files: Files,

    #[command(flatten)]
    pub(crate) cluster: Cluster,

    /// Starts anew where a datastream of that name has ended.
    #[arg(long)]
    pub(crate) fresh: bool,

    /// Begins with the state of a savepoint: its label, or the folder or URL of one elsewhere.
    #[arg(long, value_name = "LABEL|URL", conflicts_with_all = ["fresh", "from_checkpoint"])]
    pub(crate) from_savepoint: Option<String>,

    /// Begins with the state of a checkpoint, such as `orders`, `orders@1` or `orders@1:17`; without an epoch, the newest.
    #[arg(long, value_name = "JOB[:EPOCH]", conflicts_with = "fresh")]
    pub(crate) from_checkpoint: Option<String>,

    /// Lets go of state that no step of the document takes over.
    #[arg(long)]
    pub(crate) allow_dropped_state: bool,

    /// Waits until the datastream has ended, and shows its progress; before that, a few seconds for the job manager.
    #[arg(long)]
    pub(crate) wait: bool,
}

/// `weir apply`.
#[derive(Args, Debug)]
pub(crate) struct Apply {
    #[command(flatten)]
    pub(crate) files: Files,

    #[command(flatten)]
    pub(crate) cluster: Cluster,

    /// Lets go of state that no step of the changed document takes over.
    #[arg(long)]
    pub(crate) allow_dropped_state: bool,
}

/// `weir diff`.
#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// A datastream, or a YAML file (`-` for standard input), which is compared with what is in force.
    pub(crate) subject: String,

    /// Of a datastream: the version before; the one before `--to` unless given.
    #[arg(long, value_name = "VERSION")]
    pub(crate) from: Option<u64>,

    /// Of a datastream: the version after; the newest unless given.
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<u64>,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

/// `weir rollback`.
#[derive(Args, Debug)]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(crate) named: Named,

    /// Which version, as `weir history` lists them; the one before the newest unless given.
    pub(crate) version: Option<u64>,

    /// Lets go of state that no step of that version takes over.
    #[arg(long)]
    pub(crate) allow_dropped_state: bool,
}

/// `weir rescale`.
#[derive(Args, Debug)]
pub(crate) struct Rescale {
    #[command(flatten)]
    pub(crate) named: Named,

    /// How many subtasks its steps are to have, but for those whose document says so themselves.
    #[arg(long)]
    pub(crate) parallelism: u32,
}

/// `weir stop`.
#[derive(Args, Debug)]
pub(crate) struct Stop {
    #[command(flatten)]
    pub(crate) named: Named,

    /// Finishes what has entered and lets time run out first, as if the input had ended.
    #[arg(long)]
    pub(crate) drain: bool,

    /// Keeps the last checkpoint by name, and waits for it.
    #[arg(long, conflicts_with = "drain")]
    pub(crate) savepoint: bool,

    /// The savepoint's name; without it, one made of the datastream's name and the time.
    #[arg(long = "as", value_name = "LABEL", requires = "savepoint")]
    pub(crate) label: Option<String>,
}

/// `weir savepoint`.
#[derive(Args, Debug)]
pub(crate) struct Savepoint {
    #[command(flatten)]
    pub(crate) named: Named,

    /// Its name; without it, one made of the datastream's name and the time.
    #[arg(long = "as", value_name = "LABEL")]
    pub(crate) label: Option<String>,
}

/// `weir explain`.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// An error code, the name of a connector, format or step, or a YAML file.
    pub(crate) subject: String,

    /// For a file: which stage of its way to a running job.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) stage: Stage,
}

/// A stage of walk two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// Names resolved, types known.
    Logical,
    /// Chains and edges.
    #[default]
    Job,
    /// Subtasks and channels.
    Execution,
}

/// `weir new`.
#[derive(Args, Debug)]
pub(crate) struct New {
    /// `SOURCE/SINK`, such as `file/parquet`; without it, a stream of made-up events to standard output.
    #[arg(default_value = "generator/stdout")]
    pub(crate) shape: String,
}

/// `weir doctor`.
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// A document to check against this machine: can its inputs be read, its outputs be written?
    pub(crate) file: Option<PathBuf>,

    /// The state folder to check.
    #[arg(long, env = "WEIR_STATE", default_value = ".weir")]
    pub(crate) state: String,
}

/// `weir jobmanager`.
#[derive(Args, Debug)]
pub(crate) struct JobManager {
    /// Where everything that must survive is kept: a folder, or `s3://bucket/prefix`.
    #[arg(long, env = "WEIR_STATE")]
    pub(crate) state: String,

    /// Where people connect: the page, REST and metrics. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:7080", value_parser = address)]
    pub(crate) listen: SocketAddr,

    /// Where task managers connect. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:7081", value_parser = address)]
    pub(crate) control: SocketAddr,

    /// Waits where another job manager leads, and takes over when that one is gone. It listens only then, so it may be given
    /// the same addresses; both need fixed ports.
    #[arg(long)]
    pub(crate) standby: bool,

    #[command(flatten)]
    pub(crate) door: Door,

    #[command(flatten)]
    pub(crate) paths: Paths,

    #[command(flatten)]
    pub(crate) measures: Measures,

    /// Writes the addresses it listens on into this file, as JSON, once it does.
    #[arg(long)]
    pub(crate) ready_file: Option<PathBuf>,
}

/// How much of what is measured a process shows.
#[derive(Args, Clone, Debug)]
pub(crate) struct Measures {
    /// So many series stand on its page of metrics at most; what is left out is counted.
    #[arg(long, value_name = "COUNT", default_value_t = dataflow::metric::SERIES_MAX)]
    pub(crate) metrics_series: usize,
}

/// `weir taskmanager`.
#[derive(Args, Debug)]
pub(crate) struct TaskManager {
    /// The job manager's control address; where there are standbys elsewhere, theirs too, separated by commas.
    #[arg(long, env = "WEIR_CONTROL", default_value = "127.0.0.1:7081", value_delimiter = ',', value_parser = address)]
    pub(crate) jobmanager: Vec<SocketAddr>,

    /// Its name, unique in the cluster; without it, one made of the host and process.
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// How many slots: each holds one subtask of every vertex of a job.
    #[arg(long, default_value_t = 1)]
    pub(crate) slots: u32,

    /// Memory for what flows and waits.
    #[arg(long, default_value = "1GiB")]
    pub(crate) memory: ByteCount,

    /// A folder for what need not survive the process: state that does not fit into memory, copies of state files; the
    /// system's folder for temporary files unless given.
    #[arg(long)]
    pub(crate) state_dir: Option<PathBuf>,

    /// Where other task managers connect. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_parser = address)]
    pub(crate) listen: SocketAddr,

    /// Where metrics are served. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_parser = address)]
    pub(crate) metrics: SocketAddr,

    /// Shows series of each subtask beside the sums of its vertex.
    #[arg(long)]
    pub(crate) metrics_per_subtask: bool,

    #[command(flatten)]
    pub(crate) measures: Measures,

    #[command(flatten)]
    pub(crate) door: Door,

    #[command(flatten)]
    pub(crate) paths: Paths,
}

/// Which local folders datastreams may touch.
#[derive(Args, Clone, Debug)]
pub(crate) struct Paths {
    /// Lets datastreams read and write below this folder; may be given several times. Without it they touch no local path.
    #[arg(long = "allow-path")]
    pub(crate) allowed: Vec<PathBuf>,
}
