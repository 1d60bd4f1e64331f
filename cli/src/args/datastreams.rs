//! What is asked of datastreams on a cluster, and of their state.

use std::time::Duration;

use clap::{Args, Subcommand};
use dataflow::quantity::{Span, Time};

use super::{Cluster, Files, Named};

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
        .map_err(|_no_number| {
            format!("`{text}` is neither a span such as `10m` nor a time such as `2026-01-31T12:00:00Z`")
        })
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
