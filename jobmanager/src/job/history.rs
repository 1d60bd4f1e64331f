//! What has happened to a job, bounded, for people.

use std::collections::VecDeque;
use std::time::Duration;

use dataflow::Failure;
use dataflow::id::{BarrierId, Epoch};
use dataflow::time::WallTime;

use crate::checkpoint::{Aligned, Parts, Timing};
use crate::cluster::Logged;
use crate::rest::types::{Checkpoint, Exception, LastCheckpoint, LogLine, Split};

const CHECKPOINTS_KEPT: usize = 60;
const EXCEPTIONS_KEPT: usize = 64;
/// Of those so many travel in every record, so that another job manager knows them.
const EXCEPTIONS_RECORDED: usize = 8;
/// Of the job manager, and as many again of the task managers: a talkative one does not drive out what was decided.
const LINES_KEPT: usize = 1_000;

/// Who speaks where it is the job manager.
const OWN: &str = "jobmanager";

/// Checkpoints, failures and log lines, the newest ones.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) checkpoints: VecDeque<Checkpoint>,
    pub(super) completed: u64,
    pub(super) aborted: u64,
    pub(super) exceptions: VecDeque<Exception>,
    lines: VecDeque<LogLine>,
    told: VecDeque<LogLine>,
    last_number: u64,
}

/// Where a line of a subtask comes from.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The name of its vertex, if this job has such a subtask.
    pub(super) vertex: Option<String>,
    /// Whether its attempt was over when the line came.
    pub(super) over: bool,
}

/// Who is to blame for a failure.
#[derive(Clone, Debug, Default)]
pub(super) struct Blame {
    pub(super) subtask: Option<String>,
    /// The steps of its vertex.
    pub(super) vertex: Option<String>,
    pub(super) task_manager: Option<String>,
}

/// How a job was when something failed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Then {
    pub(super) at: WallTime,
    pub(super) epoch: Epoch,
    pub(super) restarts: u64,
}

impl History {
    /// Nothing has happened yet. Lines are numbered from the time of day in milliseconds, so that their numbers go on
    /// growing when the job is taken up by another job manager.
    pub(super) fn begin(at: WallTime) -> Self {
        Self {
            last_number: at.0.unsigned_abs(),
            ..Self::default()
        }
    }

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
            alignment_ms: millis(timing.aligned.longest),
            split: timing
                .collected
                .map(|collected| split(&timing.aligned, collected.since(timing.triggered))),
            state_bytes: timing.aligned.state_bytes,
            written_bytes: timing.aligned.written_bytes,
            overtook_bytes: timing.aligned.overtook,
            bytes,
            aborted: outcome.err(),
        };
        push(&mut self.checkpoints, checkpoint, CHECKPOINTS_KEPT);
    }

    /// The newest one that was committed, of those that are kept.
    pub(super) fn last_checkpoint(&self) -> Option<LastCheckpoint> {
        self.checkpoints.iter().find_map(|checkpoint| {
            Some(LastCheckpoint {
                epoch: checkpoint.epoch?,
                triggered_ms: checkpoint.triggered_ms,
                duration_ms: checkpoint.duration_ms,
                bytes: checkpoint.bytes,
            })
        })
    }

    /// What another job manager has written into the record that the job goes on from, the newest first.
    pub(super) fn inherit(&mut self, exceptions: &[Exception]) {
        self.exceptions = exceptions.iter().take(EXCEPTIONS_KEPT).cloned().collect();
    }

    /// What travels in a record.
    pub(super) fn recorded(&self) -> Vec<Exception> {
        self.exceptions.iter().take(EXCEPTIONS_RECORDED).cloned().collect()
    }

    pub(super) fn exception(&mut self, failure: &Failure, answer: String, blame: Blame, then: Then) {
        let exception = Exception {
            at_ms: then.at.0,
            epoch: then.epoch.0,
            restarts: then.restarts,
            vertex: blame.vertex,
            cause: cause(&failure.message),
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

    /// A line of the job manager's own.
    pub(super) fn line(&mut self, at: WallTime, level: &str, text: String) {
        let line = own(self.number(), (at, level), text);
        keep(&mut self.lines, line);
    }

    /// The next line of the job manager's own, which is still to be said.
    pub(super) fn unsaid(&self, at: WallTime, text: String) -> LogLine {
        own(self.last_number + 1, (at, "INFO"), text)
    }

    /// A line of a task manager.
    pub(super) fn told(&mut self, task_manager: String, logged: Logged, place: Option<Place>) {
        let Logged {
            at,
            level,
            speaker,
            text,
        } = logged;
        let (subtask, attempt) = speaker.unzip();
        let line = LogLine {
            number: self.number(),
            at_ms: at.0,
            level,
            origin: task_manager,
            over: place.as_ref().is_some_and(|place| place.over),
            vertex: place.and_then(|place| place.vertex),
            subtask: subtask.map(|subtask| subtask.to_string()),
            attempt,
            text,
        };
        keep(&mut self.told, line);
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// In the order of their times, as far as the clocks of the machines agree.
    pub(super) fn lines_after(&self, number: u64) -> Vec<LogLine> {
        let all = self.lines.iter().chain(&self.told);
        let mut lines: Vec<LogLine> = all.filter(|line| line.number > number).cloned().collect();
        lines.sort_by_key(|line| (line.at_ms, line.number));
        lines
    }
}

/// The last part of a chain of causes; none where there is no chain.
fn cause(message: &str) -> Option<String> {
    message.rsplit_once(": ").map(|(_, cause)| cause.to_owned())
}

fn own(number: u64, (at, level): (WallTime, &str), text: String) -> LogLine {
    LogLine {
        number,
        at_ms: at.0,
        level: level.to_owned(),
        origin: OWN.to_owned(),
        vertex: None,
        subtask: None,
        attempt: None,
        over: false,
        text,
    }
}

fn keep(lines: &mut VecDeque<LogLine>, line: LogLine) {
    lines.push_back(line);
    if lines.len() > LINES_KEPT {
        lines.pop_front();
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

/// What the acknowledgement that came last took of the time until it came; what is left of that is the way to its subtask.
fn split(aligned: &Aligned, collected: Duration) -> Split {
    let Parts {
        alignment,
        sync,
        upload,
    } = aligned.last;
    Split {
        subtask: aligned.last_of.map(|subtask| subtask.to_string()).unwrap_or_default(),
        start_us: micros(collected.saturating_sub(alignment + sync + upload)),
        alignment_us: micros(alignment),
        sync_us: micros(sync),
        upload_us: micros(upload),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use dataflow::id::{SubtaskId, VertexId};
    use dataflow::time::Instant;

    use super::*;

    fn told(history: &mut History, at_ms: i64, text: &str) {
        let subtask = SubtaskId {
            vertex: VertexId(1),
            index: 0,
        };
        let logged = Logged {
            at: WallTime(at_ms),
            level: "WARN".to_owned(),
            speaker: Some((subtask, "att-1.1.1.0".to_owned())),
            text: text.to_owned(),
        };
        let place = Place {
            vertex: Some("filter".to_owned()),
            over: false,
        };
        history.told("tm-1".to_owned(), logged, Some(place));
    }

    fn texts(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn lines_of_all_processes_stand_in_the_order_of_their_times() {
        let mut history = History::begin(WallTime(1_000));
        history.line(WallTime(1_030), "INFO", "all run".to_owned());
        told(&mut history, 1_020, "runs, but was heard late");
        history.line(WallTime(1_010), "INFO", "begins".to_owned());
        let lines = history.lines_after(0);
        assert_eq!(texts(&lines), ["begins", "runs, but was heard late", "all run"]);
        assert_eq!(
            (
                lines[1].origin.as_str(),
                lines[1].subtask.as_deref(),
                lines[1].vertex.as_deref()
            ),
            ("tm-1", Some("sub-1.0"), Some("filter"))
        );
        assert_eq!(
            texts(&history.lines_after(lines[1].number)),
            ["begins"],
            "what came after it"
        );
    }

    #[test]
    fn a_talkative_task_manager_drives_out_its_own_lines_and_no_others() {
        let mut history = History::begin(WallTime(0));
        history.line(WallTime(0), "INFO", "begins".to_owned());
        (0..5_000).for_each(|at| told(&mut history, at, "again"));
        let lines = history.lines_after(0);
        assert_eq!((lines.len(), lines[0].text.as_str()), (LINES_KEPT + 1, "begins"));
    }

    #[test]
    fn failures_say_where_when_and_why_are_bounded_and_handed_on() {
        let mut history = History::default();
        for epoch in 0..100 {
            let blame = Blame {
                subtask: Some("sub-1.0".to_owned()),
                vertex: Some("filter -> out".to_owned()),
                task_manager: Some("tm-1".to_owned()),
            };
            let failure = Failure::retry("sub-1.0 on tm-1: `out` cannot write: no space left on device");
            let then = Then {
                at: WallTime(7),
                epoch: Epoch(epoch),
                restarts: epoch + 1,
            };
            history.exception(&failure, "restart 1 in a row".to_owned(), blame, then);
        }
        assert_eq!(history.exceptions.len(), EXCEPTIONS_KEPT);
        let newest = &history.exceptions[0];
        assert_eq!(
            (
                newest.epoch,
                newest.restarts,
                newest.vertex.as_deref(),
                newest.cause.as_deref()
            ),
            (99, 100, Some("filter -> out"), Some("no space left on device"))
        );
        let mut next = History::begin(WallTime(9));
        next.inherit(&history.recorded());
        assert_eq!(
            (next.exceptions.len(), next.exceptions[0].epoch),
            (EXCEPTIONS_RECORDED, 99)
        );
    }

    #[test]
    fn ten_thousand_checkpoints_are_counted_and_the_newest_are_kept() {
        let mut history = History::default();
        let barrier = BarrierId {
            generation: dataflow::id::Generation { term: 1, deployment: 1 },
            counter: 1,
        };
        let timing = Timing {
            triggered: Instant::default(),
            collected: None,
            recorded: None,
            over: Instant::default(),
            aligned: Aligned::default(),
        };
        for epoch in 0..10_000 {
            let outcome = if epoch % 100 == 0 {
                Err("too slow".to_owned())
            } else {
                Ok(Epoch(epoch))
            };
            history.checkpoint(barrier, (timing, WallTime(0)), 1, outcome);
        }
        assert_eq!((history.completed, history.aborted), (9_900, 100));
        assert_eq!(
            (history.checkpoints.len(), history.checkpoints[0].epoch),
            (CHECKPOINTS_KEPT, Some(9_999))
        );
    }

    #[test]
    fn numbers_go_on_growing_under_the_next_job_manager() {
        let mut first = History::begin(WallTime(1_000));
        (0..50).for_each(|_| first.line(WallTime(1_000), "INFO", String::new()));
        let last = first.lines_after(0).last().map_or(0, |line| line.number);
        let mut second = History::begin(WallTime(2_000));
        second.line(WallTime(2_000), "INFO", "begins".to_owned());
        assert_eq!(texts(&second.lines_after(last)), ["begins"]);
    }
}
