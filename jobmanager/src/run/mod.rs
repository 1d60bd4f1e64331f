//! What is remembered of a datastream that is over: how it was when it ended, for people.
//!
//! ```text
//!   job ends ──> Run ──seal──> datastreams/runs/<name>/<K>.json     the ledger names the newest K
//!   job manager starts ──ledger──> K ──open──> Run ──> list, describe, series, logs as before
//! ```
//!
//! A run lasts from a submission to an end; a datastream that is stopped and goes on has two of them in one life. Enters: a
//! job's last view. Leaves: the same, after any number of job managers. Who calls: `job`, `jobs`. Must stay true: an object
//! is made by create-if-absent and never changed; it is bounded, and so are the runs of a name; nothing is ever decided from
//! it, so that one that cannot be read is no trouble. Not here: what a job needs to go on, which is in its chain.

mod row;

pub use row::{KEPT, Runs};

use serde::{Deserialize, Serialize};

use crate::rest::types::{Datastream, Lag, LogLine, Outlook, Series};

/// A run is at most so large; of one that would be larger the least important goes first.
const BYTES_MAX: usize = 2 << 20;

/// So many of the last lines of its log are kept.
const LINES_KEPT: usize = 500;

/// One run of a datastream, as it was at its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Everything that was known of it.
    pub datastream: Datastream,
    /// How it did in its last quarter of an hour.
    pub series: Series,
    /// What became of its rows, and how old they were.
    #[serde(default)]
    pub lag: Lag,
    /// The last lines of its log.
    pub lines: Vec<LogLine>,
}

impl Run {
    /// What can be kept of a run.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let over = self.lines.len().saturating_sub(LINES_KEPT);
        self.lines.drain(..over);
        // Of what was under way when the process ended nobody will ever hear again.
        for operation in &mut self.datastream.operations {
            if operation.state == Outlook::UnderWay {
                operation.state = Outlook::Failed;
                operation.reason = Some("the datastream ended before it was known what came of it".to_owned());
            }
        }
        let forget: [fn(&mut Self); 5] = [
            |run| run.lines.clear(),
            |run| run.lag = Lag::default(),
            |run| {
                run.datastream
                    .vertices
                    .iter_mut()
                    .for_each(|vertex| vertex.subtasks.clear())
            },
            |run| run.series = Series::default(),
            |run| run.datastream.document.clear(),
        ];
        for forget in forget {
            if self.bytes() <= BYTES_MAX {
                break;
            }
            forget(&mut self);
        }
        self
    }

    fn bytes(&self) -> usize {
        serde_json::to_vec(self).map_or(usize::MAX, |bytes| bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::types::{State, Summary};

    fn run() -> Run {
        Run {
            datastream: crate::jobs::from_ledger(Summary::begin("orders", "orders@1".to_owned(), (State::Finished, 7))),
            series: Series::default(),
            lag: Lag::default(),
            lines: Vec::new(),
        }
    }

    fn line(number: u64, bytes: usize) -> LogLine {
        LogLine {
            number,
            at_ms: 0,
            level: "INFO".to_owned(),
            origin: "jobmanager".to_owned(),
            vertex: None,
            subtask: None,
            attempt: None,
            over: false,
            text: "x".repeat(bytes),
        }
    }

    #[test]
    fn the_newest_lines_stay_and_an_ordinary_run_stays_whole() {
        let mut long = run();
        long.lines = (0..2_000).map(|number| line(number, 1)).collect();
        let kept = long.clone().bounded();
        assert_eq!((kept.lines.len(), kept.lines[0].number), (LINES_KEPT, 1_500));
        assert_eq!(kept.datastream, long.datastream);
    }

    #[test]
    fn a_run_that_is_too_large_loses_its_log_before_its_counts_and_keeps_its_summary() {
        let mut large = run();
        large.lines = (0..100).map(|number| line(number, 100_000)).collect();
        let kept = large.clone().bounded();
        assert_eq!((kept.lines.len(), &kept.datastream), (0, &large.datastream));
        large.datastream.document = "x".repeat(4 << 20);
        let kept = large.clone().bounded();
        assert!(kept.bytes() <= BYTES_MAX && kept.datastream.document.is_empty());
        assert_eq!(kept.datastream.summary, large.datastream.summary);
    }
}
