//! What is logged: on standard error as `--log` and `--log-format` say, and as lines of jobs for `weir logs`.
//!
//! ```text
//!   events ──┬─ --log ──> text or JSON on standard error
//!            └─ ours, about a job, info and above ──> lines, which a task manager sends to its job manager
//!   spans of traces ── where there is a collector ──> telemetry
//! ```

mod json;
mod lines;
mod text;
mod speaker;

use clap::ValueEnum;
use taskmanager::Lines;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, FilterFn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

use crate::exit::{Exit, Stop};
use crate::telemetry::Telemetry;

/// How lines on standard error are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Whose failures the log of this process tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failures {
    /// Those of its subtasks and of its jobs.
    All,
    /// Those that the job gets over: what ends a job is said at its end, and a subtask's failure is the job's.
    Passing,
}

impl Failures {
    fn tells(self, target: &str) -> bool {
        self == Self::All || ![taskmanager::FAILURE, jobmanager::job::LAST_FAILURE].contains(&target)
    }
}

/// Begins to log. Called once, before anything is logged.
pub(crate) fn begin(
    (filter, format): (&str, Format),
    failures: Failures,
    lines: &Lines,
    telemetry: &Telemetry,
) -> Result<(), Stop> {
    let filter =
        EnvFilter::try_new(filter).map_err(|error| Stop::new(Exit::Failed, format!("--log {filter}: {error}")))?;
    let once = FilterFn::new(move |event: &Metadata<'_>| failures.tells(event.target()));
    let lines = lines.clone();
    let subscriber = registry()
        .with(telemetry.layer())
        .with(printed(format).with_filter(filter.and(once)))
        .with(lines::listener(move |line| lines.hear(line)));
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|error| Stop::new(Exit::Failed, format!("no log: {error}")))
}

fn printed<S>(format: Format) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    match format {
        Format::Text => fmt::layer()
            .fmt_fields(text::Fields)
            .with_writer(std::io::stderr)
            .with_target(false)
            .boxed(),
        Format::Json => json::to(std::io::stderr).boxed(),
    }
}
