//! The open taps of a job: what each has shown, and when it ends. Pure but for the listener's queue, which is never waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use dataflow::id::{SubtaskId, VertexId};
use dataflow::time::Instant;
use planner::job::JobGraph;
use planner::tap::{Condition, Look, Refusal, look};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::piece::{Counts, Piece, Tapped};
use super::{ROWS_MAX, SECONDS_MAX, TAPS_MAX};
use crate::rest::types::{TapCount, TapEnd, TapOpened};

/// So many pieces may wait for a listener.
const PIECES: usize = 256;
/// Rows a second, of all subtasks together.
const ROWS_PER_SECOND: u32 = 100;
/// A longer row is cut.
const ROW_BYTES_MAX: u32 = 8 << 10;
/// Of wider vertices only some subtasks are looked at.
const SUBTASKS_MAX: u32 = 64;
/// Counts are told so often.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// Who has not read for so long is nobody.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Rows behind this step.
    pub step: String,
    /// Only those for which this is true.
    pub condition: Option<String>,
    /// At most so many.
    pub rows: u32,
    /// For so long.
    pub seconds: u32,
}

/// What subtasks are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Its number.
    pub tap: u64,
    /// Rows behind this step.
    pub step: String,
    /// Of this vertex.
    pub vertex: VertexId,
    /// Of these subtasks of it.
    pub indexes: Vec<u32>,
    /// Only those for which this is true.
    pub condition: Option<Condition>,
    /// So many at most, of each subtask.
    pub rows_per_second: u32,
    /// A longer one is cut.
    pub row_bytes_max: u32,
    /// Until this is over.
    pub duration: Duration,
}

/// The open ones.
#[derive(Debug, Default)]
pub(crate) struct Taps {
    last: u64,
    open: BTreeMap<u64, Tap>,
}

#[derive(Debug)]
struct Tap {
    request: Request,
    look: Look,
    out: mpsc::Sender<Piece>,
    rows_left: u32,
    until: Instant,
    count_at: Instant,
    /// Since when the listener takes nothing.
    stalled: Option<Instant>,
    /// What was counted by attempts that are over.
    before: Counts,
    counts: BTreeMap<SubtaskId, Counts>,
    /// Rows for which the listener had no room.
    dropped: u64,
    /// Why the condition could not be computed for a row, the first time.
    failure: Option<String>,
    trouble: Option<String>,
}

impl Taps {
    /// Opens one.
    ///
    /// # Errors
    /// What is wrong with what was asked for; nothing where too many are open.
    pub(crate) fn open(
        &mut self,
        graph: &JobGraph,
        mut request: Request,
        now: Instant,
    ) -> Result<(u64, mpsc::Receiver<Piece>), Option<Refusal>> {
        request.rows = request.rows.clamp(1, ROWS_MAX);
        request.seconds = request.seconds.clamp(1, SECONDS_MAX);
        let found = look(graph, &request.step, request.condition.as_deref())?;
        if self.open.len() >= TAPS_MAX {
            return Err(None);
        }
        self.last += 1;
        let (out, pieces) = mpsc::channel(PIECES);
        let opened = TapOpened {
            step: found.step.clone(),
            vertex: found.vertex.to_string(),
            parallelism: found.parallelism,
            subtasks: found.parallelism.min(SUBTASKS_MAX),
            columns: found.columns.clone(),
            hidden: graph.settings.hidden.paths().iter().map(ToString::to_string).collect(),
            rows: request.rows,
            seconds: request.seconds,
        };
        // The queue is new.
        let _ = out.try_send(Piece::Open(opened));
        let tap = Tap {
            rows_left: request.rows,
            until: now + Duration::from_secs(u64::from(request.seconds)),
            count_at: now + COUNT_EVERY,
            request,
            look: found,
            out,
            stalled: None,
            before: Counts::default(),
            counts: BTreeMap::new(),
            dropped: 0,
            failure: None,
            trouble: None,
        };
        self.open.insert(self.last, tap);
        Ok((self.last, pieces))
    }

    /// Whether nobody looks.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// What the subtasks of a tap are asked for; only this one, where it is given and looked at.
    pub(crate) fn wanted(&self, tap: u64, only: Option<SubtaskId>, now: Instant) -> Option<Wanted> {
        let Tap { look, until, .. } = self.open.get(&tap)?;
        let subtasks = look.parallelism.clamp(1, SUBTASKS_MAX);
        let mut indexes: Vec<u32> = (0..subtasks)
            .map(|index| spread(index, subtasks, look.parallelism))
            .collect();
        if let Some(only) = only {
            indexes.retain(|index| only.vertex == look.vertex && only.index == *index);
        }
        (!indexes.is_empty()).then(|| Wanted {
            tap,
            step: look.step.clone(),
            vertex: look.vertex,
            indexes,
            condition: look.condition.clone(),
            rows_per_second: (ROWS_PER_SECOND / subtasks).max(1),
            row_bytes_max: ROW_BYTES_MAX,
            duration: until.since(now),
        })
    }

    /// Their numbers.
    pub(crate) fn all(&self) -> Vec<u64> {
        self.open.keys().copied().collect()
    }

    /// Another graph runs: steps may be elsewhere, or gone.
    pub(crate) fn moved(&mut self, graph: &JobGraph) {
        for tap in self.open.values_mut() {
            match look(graph, &tap.request.step, tap.request.condition.as_deref()) {
                Ok(found) => tap.look = found,
                Err(refusal) => tap.trouble = Some(refusal.to_string()),
            }
            let counts = std::mem::take(&mut tap.counts);
            tap.before = counts.into_values().fold(tap.before, Counts::and);
        }
    }

    /// A subtask begins anew, and counts from nothing.
    pub(crate) fn begins(&mut self, subtask: SubtaskId) {
        for tap in self.open.values_mut() {
            if let Some(counts) = tap.counts.remove(&subtask) {
                tap.before = tap.before.and(counts);
            }
        }
    }

    /// A subtask shows something.
    pub(crate) fn heard(&mut self, tapped: Tapped, now: Instant) {
        let Some(tap) = self.open.get_mut(&tapped.tap) else {
            return;
        };
        let Tapped {
            subtask,
            rows,
            counts,
            failure,
            trouble,
            ..
        } = tapped;
        tap.failure = tap.failure.take().or(failure);
        tap.counts.insert(subtask, counts);
        if trouble.is_some() {
            tap.trouble = trouble;
        }
        for row in rows {
            if tap.rows_left == 0 {
                break;
            }
            tap.say(Piece::Row(row.row(subtask)), now);
        }
    }

    /// Nobody listens any more.
    pub(crate) fn close(&mut self, tap: u64) -> bool {
        self.open.remove(&tap).is_some()
    }

    /// Tells counts that are due, and ends what is over; `over` says why all are. Those that were ended.
    pub(crate) fn tend(&mut self, over: Option<&str>, now: Instant) -> Vec<u64> {
        let mut ended = Vec::new();
        for (number, tap) in &mut self.open {
            let reason = tap.over(over, now);
            if reason.is_some() || tap.count_at <= now {
                tap.count_at = now + COUNT_EVERY;
                let counted = tap.counted();
                tap.say(Piece::Count(counted), now);
            }
            if let Some((code, reason)) = reason {
                let end = TapEnd {
                    code: code.to_owned(),
                    reason,
                };
                // Who does not read sees that the stream ends.
                let _ = tap.out.try_send(Piece::End(end));
                ended.push(*number);
            }
        }
        self.open.retain(|number, _| !ended.contains(number));
        ended
    }

    /// When to tend them next.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.open.values().map(|tap| tap.count_at.min(tap.until)).min()
    }
}

impl Tap {
    fn say(&mut self, piece: Piece, now: Instant) {
        let is_row = matches!(piece, Piece::Row(_));
        match self.out.try_send(piece) {
            Ok(()) => {
                self.stalled = None;
                self.rows_left -= u32::from(is_row);
            }
            Err(TrySendError::Full(_)) => {
                self.dropped += u64::from(is_row);
                self.stalled.get_or_insert(now);
            }
            Err(TrySendError::Closed(_)) => {}
        }
    }

    /// Why it is over, by a word and in words.
    fn over(&self, job: Option<&str>, now: Instant) -> Option<(&'static str, String)> {
        let said = |code, reason: &str| Some((code, reason.to_owned()));
        if self.out.is_closed() {
            return said("left", "nobody listens any more");
        }
        if let Some(trouble) = &self.trouble {
            return said("trouble", trouble);
        }
        if self.rows_left == 0 {
            return said("rows", "that is as many rows as were asked for");
        }
        if let Some(reason) = job {
            return said("job", reason);
        }
        if self.until <= now {
            return said("time", "the time that was asked for is over");
        }
        if self.stalled.is_some_and(|since| now.since(since) >= PATIENCE) {
            return said("stalled", "nobody reads what is shown");
        }
        None
    }

    fn counted(&self) -> TapCount {
        let Counts {
            passed,
            looked_at,
            failed,
            matched,
            shown,
        } = self.counts.values().fold(self.before, |sum, counts| sum.and(*counts));
        TapCount {
            passed,
            looked_at,
            failed,
            failure: self.failure.clone(),
            matched,
            shown: shown.saturating_sub(self.dropped),
            dropped: matched.saturating_sub(shown).saturating_add(self.dropped),
        }
    }
}

/// The `number`th of `some` that are spread over all.
fn spread(number: u32, some: u32, all: u32) -> u32 {
    let place = u64::from(number) * u64::from(all) / u64::from(some.max(1));
    u32::try_from(place).unwrap_or(u32::MAX)
}
