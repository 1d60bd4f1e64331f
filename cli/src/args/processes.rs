//! What job managers and task managers are told, and whom they let in.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use dataflow::quantity::ByteCount;

use super::address;

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
    #[arg(
        id = "trust_key",
        long = "key",
        global = true,
        env = "WEIR_KEY",
        value_name = "FILE",
        hide_short_help = true
    )]
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
