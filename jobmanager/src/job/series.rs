//! How a job did lately: a few numbers every two seconds, for a quarter of an hour.

use std::collections::VecDeque;

use super::actor::Actor;
use crate::rest::types::{Series as Columns, Summary};

/// From one line to the next.
const SPAN_MS: i64 = 2_000;
/// 15 minutes; 56 bytes each, so that 200 jobs keep 5 MB.
const LINES_KEPT: usize = 450;

/// The lines, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Series {
    lines: VecDeque<Line>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    at_ms: i64,
    rows_in_rate: f64,
    rows_out_rate: f64,
    bytes_rate: f64,
    freshness_ms: Option<i64>,
    backpressured: f64,
}

impl Series {
    /// Whether it is time for the next line. A clock that was set back is no reason to be silent.
    fn is_due(&self, now_ms: i64) -> bool {
        self.lines
            .back()
            .is_none_or(|line| !(0..SPAN_MS).contains(&(now_ms - line.at_ms)))
    }

    fn add(&mut self, line: Line) {
        self.lines.push_back(line);
        if self.lines.len() > LINES_KEPT {
            self.lines.pop_front();
        }
    }

    /// As REST gives them.
    pub(super) fn columns(&self) -> Columns {
        let lines = &self.lines;
        Columns {
            at_ms: lines.iter().map(|line| line.at_ms).collect(),
            rows_in_rate: lines.iter().map(|line| line.rows_in_rate).collect(),
            rows_out_rate: lines.iter().map(|line| line.rows_out_rate).collect(),
            bytes_rate: lines.iter().map(|line| line.bytes_rate).collect(),
            freshness_ms: lines.iter().map(|line| line.freshness_ms).collect(),
            backpressured: lines.iter().map(|line| line.backpressured).collect(),
        }
    }
}

impl Actor {
    /// Keeps how it is now, where the last line is old enough and there is something to say.
    pub(super) fn remember(&mut self, summary: &Summary) {
        let now_ms = self.context.clock.wall().0;
        if self.concluded || !self.series.is_due(now_ms) {
            return;
        }
        let pressed = self.shares(|gauges| gauges.backpressured);
        let line = Line {
            at_ms: now_ms,
            rows_in_rate: summary.progress.rows_in_rate,
            rows_out_rate: summary.progress.rows_out_rate,
            bytes_rate: summary.progress.bytes_rate,
            freshness_ms: summary.watermark_ms.map(|time| now_ms.saturating_sub(time)),
            backpressured: pressed.fold(0.0, f64::max),
        };
        self.series.add(line);
        self.lags.end_line(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_every_two_seconds_and_are_bounded() {
        let mut series = Series::default();
        for at_ms in (0..2_000_000).step_by(500) {
            if series.is_due(at_ms) {
                series.add(Line {
                    at_ms,
                    ..Line::default()
                });
            }
        }
        let columns = series.columns();
        assert_eq!(
            (columns.at_ms.len(), columns.freshness_ms.len()),
            (LINES_KEPT, LINES_KEPT)
        );
        assert_eq!(columns.at_ms.last(), Some(&1_998_000));
        assert!(columns.at_ms.windows(2).all(|pair| pair[1] - pair[0] == SPAN_MS));
        assert!(series.is_due(5), "the clock was set back");
    }
}
