//! `archive`: replays what `archive:` or the `parquet` sink wrote, or any Hive-partitioned Parquet, by event time.
//!
//! Enters: a folder, a range of time, event types. Leaves: rows in the order of event time; total with one subtask, within
//! slices of time with more. Who calls: the registry. Must stay true: same files, same order, so a restored slice goes on
//! exactly; memory is bounded whatever the files hold. Not here: continuing with the live stream.
//!
//! ```text
//!   folders, footers --> slices of time --> windows of time, read by row group and page, sorted --> paced --> rows
//!     (enumerator)         (splits)                  (merge, window: in a task)                    (reader)
//! ```

mod enumerator;
mod merge;
mod options;
mod partitions;
mod reader;
mod source;
mod split;
#[cfg(test)]
mod tests;
mod times;
mod window;

pub use options::{Moment, Options, Speed};
pub use source::ArchiveSource;

use dataflow::contract::{Connector, Description, Example, SourceConnector};

/// The connector.
#[derive(Clone, Copy, Debug)]
pub struct Archive;

impl Connector for Archive {
    fn name(&self) -> &'static str {
        "archive"
    }

    fn describe(&self) -> Description {
        Description {
            summary: "replays an archive in the order of event time, pruned by time, event type and columns",
            guarantee: None,
            examples: &[
                Example {
                    title: "Replay an hour of one event type",
                    document: HOUR,
                },
                Example {
                    title: "Replay a day ten times as fast as it happened",
                    document: PACED,
                },
            ],
        }
    }

    fn source(&self) -> Option<&dyn SourceConnector> {
        Some(&ArchiveSource)
    }
}

const HOUR: &str = "\
datastreamName: replay-purchases
contactName: eng-analytics
desiredState: ON
sources:
  - archive:
      path: \"s3://lake/revenue\"
      from: \"2026-11-17T13:00:00Z\"
      to: \"2026-11-17T14:00:00Z\"
      eventTypes: [PURCHASE]
sinks:
  - blackhole: {}
";

const PACED: &str = "\
datastreamName: replay-tuesday
contactName: eng-analytics
desiredState: ON
sources:
  - archive: { path: archive, from: \"2026-11-17\", to: \"2026-11-18\", speed: 10x }
sinks:
  - blackhole: {}
";
