//! What is done with documents here.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dataflow::quantity::ByteCount;

use super::{Files, address};

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
