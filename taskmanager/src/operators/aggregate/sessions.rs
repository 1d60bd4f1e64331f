//! Sessions: windows of each key's own, from its first row to a gap after its last.
//!
//! A row at exactly the gap still belongs (as in Flink), so a session is complete when the watermark has passed that
//! instant too: what comes in time is in one session, whatever the order. A row between two sessions makes them one.
//! A batch first finds the session of each row, joining sessions on the way, and is then folded at once.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use dataflow::Failure;
use dataflow::element::BATCH_ROWS_MAX;
use dataflow::key;

use super::Past;
use super::accumulate::{Merge, Shape};
use super::input::Input;
use super::members::{Members, NOTHING, Session};
use super::reached::Reached;
use super::results::{Around, Bounds, Results};
use crate::operators::late::Late;
use crate::state::{Cut, KeyGroups, Restored, Table, Values};

/// The state of sessions, among an aggregate's.
const SESSIONS: u8 = 3;

/// All sessions, and when each is looked at next.
pub(super) struct Sessions {
    gap: i64,
    lateness: i64,
    table: Table<Members>,
    groups: KeyGroups,
    reached: Reached,
    /// Ends of sessions, and when they are forgotten. An entry counts while its session says the same.
    timers: BinaryHeap<Reverse<(i64, u32)>>,
    /// What has changed since the last early results; none where there are none.
    fresh: Option<BTreeSet<u32>>,
    early: Vec<u32>,
    latest: i64,
    shape: Arc<Shape>,
    slots: Vec<u32>,
}

/// How long sessions last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lasting {
    /// So long without a row ends one.
    pub(super) gap_ms: u64,
    /// So long after that late rows still count.
    pub(super) lateness_ms: u64,
}

impl Sessions {
    pub(super) fn new(
        lasting: Lasting,
        shape: &Arc<Shape>,
        groups: &KeyGroups,
        past: Past,
        restored: &Restored,
    ) -> Result<Self, Failure> {
        let cut = u64::from(restored.cuts.is_empty());
        let mut sessions = Self {
            gap: i64::try_from(lasting.gap_ms).unwrap_or(i64::MAX).max(1),
            lateness: i64::try_from(lasting.lateness_ms).unwrap_or(i64::MAX),
            table: Table::new(SESSIONS, 0, Members::new(shape)?, cut),
            groups: groups.clone(),
            reached: past.reached,
            timers: BinaryHeap::new(),
            fresh: None,
            early: Vec::new(),
            latest: past.latest,
            shape: Arc::clone(shape),
            slots: Vec::new(),
        };
        restored.each(groups, |entry| {
            if entry.place.state == SESSIONS {
                sessions.table.restore(entry.key, entry.value, groups)
            } else {
                Ok(())
            }
        })?;
        let live: Vec<u32> = sessions.table.values().live().collect();
        live.into_iter().for_each(|id| sessions.set_timer(id));
        Ok(sessions)
    }

    /// Early results are wanted. What was restored is told again: nobody knows whether it had been.
    pub(super) fn with_early(mut self) -> Self {
        self.fresh = Some(self.table.values().live().collect());
        self
    }

    fn set_timer(&mut self, id: u32) {
        let lateness = self.lateness;
        let session = self.table.values_mut().session_mut(id);
        session.timer = session.end.saturating_add(if session.fired { lateness } else { 0 });
        self.timers.push(Reverse((session.timer, id)));
    }

    /// Folds a batch; gives the rows that came too late.
    pub(super) fn fold(&mut self, input: &Input) -> Result<Vec<Late>, Failure> {
        let rows: Vec<u32> = (0..).take(input.keys.len()).collect();
        let mut slots = std::mem::take(&mut self.slots);
        self.table.slots(&input.keys, &rows, &mut slots)?;
        let mut placing = Placing::default();
        let (mut kept, mut late, mut empty) = (Vec::with_capacity(rows.len()), Vec::new(), Vec::new());
        for (row, slot) in rows.iter().zip(&slots) {
            let (time, watermark) = (input.at[*row as usize], self.watermark(input, *row));
            match self.place(*slot, time, watermark, &mut placing) {
                Ok(id) => {
                    kept.push(*row);
                    placing.ids.push(id);
                }
                Err(by_ms) => {
                    late.push(Late { row: *row, by_ms });
                    empty.push(*slot);
                }
            }
        }
        self.join(&mut placing)?;
        let members = self.table.values_mut();
        input.content.fold(members.accumulators_mut(), &placing.ids, &kept)?;
        placing.gone.iter().for_each(|(_, gone)| members.free(*gone));
        if let Some(fresh) = &mut self.fresh {
            placing.gone.iter().for_each(|(_, gone)| {
                fresh.remove(gone);
            });
            fresh.extend(&placing.ids);
        }
        for slot in empty {
            if self.table.values().is_empty(slot) {
                self.table.remove(slot, &self.groups);
            }
        }
        self.latest = self.latest.max(input.at.iter().copied().max().unwrap_or(i64::MIN));
        self.slots = slots;
        Ok(late)
    }

    fn watermark(&self, input: &Input, row: u32) -> i64 {
        if self.reached.is_uneven() {
            let hash = key::hash(input.keys.row(row as usize));
            self.reached.of(self.groups.group(hash))
        } else {
            self.reached.watermark()
        }
    }

    /// The session of a row, or by how much the row is late.
    fn place(&mut self, slot: u32, time: i64, watermark: i64, placing: &mut Placing) -> Result<u32, i64> {
        let end = time.saturating_add(self.gap);
        let members = self.table.values_mut();
        let mut found = None;
        let mut next = members.first(slot);
        while next != NOTHING {
            let (id, session) = (next, *members.session(next));
            next = session.next;
            if time > session.end || session.start > end {
                continue;
            }
            match found {
                None => found = Some(id),
                Some(into) => {
                    members.unlink(id);
                    members.widen(into, session.start, session.end);
                    placing.gone.push((into, id));
                }
            }
        }
        let Some(id) = found else {
            let late_by = watermark.saturating_sub(end.saturating_add(self.lateness));
            if late_by >= 0 {
                return Err(late_by);
            }
            let id = members.begin(slot, time, end);
            self.set_timer(id);
            return Ok(id);
        };
        members.widen(id, time, end);
        if members.session(id).fired {
            // It was given, and is to be given again; the timer that would have forgotten it counts no more.
            members.session_mut(id).fired = false;
            self.set_timer(id);
        }
        Ok(id)
    }

    /// Brings together what sessions that became one had folded before, and finds the session of each row again.
    fn join(&mut self, placing: &mut Placing) -> Result<(), Failure> {
        if placing.gone.is_empty() {
            return Ok(());
        }
        // Later unions are nearer to the end: from behind, each target is known.
        let mut target = std::collections::HashMap::new();
        for (into, gone) in placing.gone.iter().rev() {
            let last = target.get(into).copied().unwrap_or(*into);
            target.insert(*gone, last);
        }
        for id in &mut placing.ids {
            *id = target.get(id).copied().unwrap_or(*id);
        }
        let from: Vec<u32> = placing.gone.iter().map(|(_, gone)| *gone).collect();
        let into: Vec<u32> = from.iter().map(|gone| target[gone]).collect();
        let all: Vec<u32> = (0..).take(from.len()).collect();
        let mut apart = super::accumulate::Accumulators::new(&self.shape)?;
        apart.grow(from.len());
        let accumulators = self.table.values_mut().accumulators_mut();
        apart.merge(
            Merge {
                into: &all,
                from: &from,
            },
            accumulators,
        )?;
        accumulators.merge(
            Merge {
                into: &into,
                from: &all,
            },
            &apart,
        )
    }

    /// Time has come to here.
    pub(super) fn advance(&mut self, watermark: i64) {
        self.reached.advance(watermark);
    }

    /// Results of what has changed in sessions that are not complete.
    pub(super) fn early(&mut self) {
        let Some(fresh) = &mut self.fresh else { return };
        let members = self.table.values();
        let open = std::mem::take(fresh).into_iter();
        self.early
            .extend(open.filter(|id| members.is_live(*id) && !members.session(*id).fired));
    }

    /// Whether something has changed that early results would tell.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh.as_ref().is_some_and(|fresh| !fresh.is_empty())
    }

    /// When the next session may be complete.
    pub(super) fn next_end(&self) -> Option<i64> {
        self.timers.peek().map(|Reverse((time, _))| time.saturating_add(1))
    }

    /// The next rows, if any are due.
    pub(super) fn pull(&mut self, results: &Results) -> Result<Option<RecordBatch>, Failure> {
        if !self.early.is_empty() {
            let rest = self.early.split_off(self.early.len().min(BATCH_ROWS_MAX));
            let ids = std::mem::replace(&mut self.early, rest);
            return self.rows(&ids, results).map(Some);
        }
        let mut ids = Vec::new();
        while ids.len() < BATCH_ROWS_MAX
            && let Some(Reverse((time, id))) = self.timers.peek().copied()
            && time <= self.reached.watermark()
        {
            self.timers.pop();
            let members = self.table.values();
            if !members.is_live(id) || members.session(id).timer != time {
                continue;
            }
            let Session { end, fired, .. } = *members.session(id);
            if fired {
                self.forget(id);
            } else if end > time {
                self.set_timer(id);
            } else {
                // The next timer of the same session must not be taken for this one.
                self.table.values_mut().session_mut(id).timer = i64::MIN;
                ids.push(id);
            }
        }
        if ids.is_empty() {
            return Ok(None);
        }
        let rows = self.rows(&ids, results)?;
        for id in ids {
            let session = self.table.values_mut().session_mut(id);
            session.fired = true;
            let (key, end) = (session.key, session.end);
            self.table.touch(key);
            if end.saturating_add(self.lateness) <= self.reached.watermark() {
                self.forget(id);
            } else {
                self.set_timer(id);
            }
        }
        Ok(Some(rows))
    }

    fn forget(&mut self, id: u32) {
        let members = self.table.values_mut();
        let key = members.session(id).key;
        members.unlink(id);
        members.free(id);
        if members.is_empty(key) {
            self.table.remove(key, &self.groups);
        } else {
            self.table.touch(key);
        }
    }

    fn rows(&self, ids: &[u32], results: &Results) -> Result<RecordBatch, Failure> {
        let members = self.table.values();
        let around = Around {
            bounds: Bounds::Each {
                starts: ids.iter().map(|id| members.session(*id).start).collect(),
                ends: ids.iter().map(|id| members.session(*id).end).collect(),
            },
            ..Around::default()
        };
        let keys = ids.iter().map(|id| self.table.key(members.session(*id).key));
        results.rows(keys, |measure| members.accumulators().finish(measure, ids), &around)
    }

    pub(super) fn freeze(&mut self, cut: &mut Cut) {
        self.table.freeze(cut, &self.groups);
    }

    /// What is known of time.
    pub(super) fn past(&self) -> Past {
        Past {
            reached: self.reached.clone(),
            latest: self.latest,
        }
    }
}

/// Where the rows of a batch go.
#[derive(Default)]
struct Placing {
    /// The session of each row.
    ids: Vec<u32>,
    /// Sessions that became part of others: into which, and which.
    gone: Vec<(u32, u32)>,
}
