//! What has happened to a job, bounded, for people.

use std::collections::VecDeque;
use std::time::Duration;

use dataflow::Failure;
use dataflow::id::{BarrierId, Epoch};
use dataflow::time::WallTime;

use crate::checkpoint::Timing;
use crate::rest::types::{Checkpoint, Exception, LogLine};

const CHECKPOINTS_KEPT: usize = 20;
const EXCEPTIONS_KEPT: usize = 20;
const LINES_KEPT: usize = 1_000;

/// Checkpoints, failures and log lines, the newest ones.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) checkpoints: VecDeque<Checkpoint>,
    pub(super) completed: u64,
    pub(super) aborted: u64,
    pub(super) exceptions: VecDeque<Exception>,
    lines: VecDeque<LogLine>,
    line_count: u64,
}

/// Who is to blame for a failure.
#[derive(Clone, Debug, Default)]
pub(super) struct Blame {
    pub(super) subtask: Option<String>,
    pub(super) task_manager: Option<String>,
}

impl History {
    pub(super) fn checkpoint(
        &mut self,
        barrier: BarrierId,
        (timing, wall): (Timing, WallTime),
        bytes: u64,
        outcome: Result<Epoch, String>,
    ) {
        match outcome {
            Ok(_) => self.completed += 1,
            Err(_) => self.aborted += 1,
        }
        let (collected, recorded) = (
            timing.collected.unwrap_or(timing.over),
            timing.recorded.unwrap_or(timing.over),
        );
        let duration = timing.over.since(timing.triggered);
        let checkpoint = Checkpoint {
            barrier: barrier.to_string(),
            epoch: outcome.as_ref().ok().map(|epoch| epoch.0),
            triggered_ms: wall.0 - i64::try_from(duration.as_millis()).unwrap_or(0),
            duration_ms: millis(duration),
            collect_ms: millis(collected.since(timing.triggered)),
            record_ms: millis(recorded.since(collected)),
            commit_ms: millis(timing.over.since(recorded)),
            bytes,
            aborted: outcome.err(),
        };
        push(&mut self.checkpoints, checkpoint, CHECKPOINTS_KEPT);
    }

    pub(super) fn exception(&mut self, failure: &Failure, answer: String, blame: Blame, at: WallTime) {
        let exception = Exception {
            at_ms: at.0,
            subtask: blame.subtask,
            task_manager: blame.task_manager,
            disposition: format!("{:?}", failure.disposition).to_lowercase(),
            message: failure.message.clone(),
            help: failure.help.clone(),
            answer,
            recovered_ms: None,
        };
        push(&mut self.exceptions, exception, EXCEPTIONS_KEPT);
    }

    /// The newest failure is overcome.
    pub(super) fn recovered(&mut self, after: Duration) {
        if let Some(exception) = self.exceptions.front_mut() {
            exception.recovered_ms = Some(millis(after));
        }
    }

    pub(super) fn line(&mut self, at: WallTime, level: &str, origin: &str, text: String) {
        self.line_count += 1;
        let line = LogLine {
            number: self.line_count,
            at_ms: at.0,
            level: level.to_owned(),
            origin: origin.to_owned(),
            text,
        };
        self.lines.push_back(line);
        if self.lines.len() > LINES_KEPT {
            self.lines.pop_front();
        }
    }

    pub(super) fn lines_after(&self, number: u64) -> Vec<LogLine> {
        self.lines.iter().filter(|line| line.number > number).cloned().collect()
    }
}

/// The newest first.
fn push<T>(list: &mut VecDeque<T>, item: T, kept: usize) {
    list.push_front(item);
    list.truncate(kept);
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
