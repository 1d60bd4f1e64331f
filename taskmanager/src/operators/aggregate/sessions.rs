//! Sessions: windows of each key's own, from its first row to a gap after its last.
//!
//! A row at exactly the gap still belongs (as in Flink), so a session is complete when the watermark has passed that
//! instant too: what comes in time is in one session, whatever the order. A row between two sessions makes them one.
//! A batch first finds the session of each row, joining sessions on the way, and is then folded at once.
//!
//! Keys that do not fit into memory take their sessions to disk with them, and leave hints: when to look at them, and that
//! early results are to tell of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use dataflow::Failure;
use dataflow::element::BATCH_ROWS_MAX;
use dataflow::key;

use super::Past;
use super::accumulate::{Merge, Shape};
use super::input::Input;
use super::members::{Arrival, Members, NOTHING, Session};
use super::reached::Reached;
use super::results::{Around, Bounds, Results};
use crate::operators::Ground;
use crate::operators::late::Late;
use crate::state::{Cut, Hints, KeyGroups, Spill, Table, Values};

/// The state of sessions, among an aggregate's.
const SESSIONS: u8 = 3;

/// So many keys come back from disk at once when they are due.
const KEYS_BACK: usize = 1024;

/// Timers that do not count any more are swept out when they are more than half, and more than these.
const TIMERS_MIN: usize = 4096;

/// All sessions, and when each is looked at next.
pub(super) struct Sessions {
    gap: i64,
    lateness: i64,
    table: Table<Members>,
    groups: KeyGroups,
    reached: Reached,
    /// Ends of sessions, and when they are forgotten. An entry counts while its session says the same.
    timers: BinaryHeap<Reverse<(i64, u32)>>,
    /// What has changed since the last early results; none where there are none. An entry counts while its session says so.
    fresh: Option<Vec<u32>>,
    early: Vec<u32>,
    away: Option<Away>,
    latest: i64,
    shape: Arc<Shape>,
    slots: Vec<u32>,
}

/// Keys on disk, and why they will come back.
struct Away {
    /// When the first of their sessions is to be looked at.
    due: Hints,
    /// Early results are to tell of them.
    fresh: Hints,
    /// They are telling of those now.
    telling: bool,
}

impl Away {
    fn new(spill: &Spill) -> Self {
        Self {
            due: Hints::new(spill),
            fresh: Hints::new(spill),
            telling: false,
        }
    }
}

/// How long sessions last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lasting {
    /// So long without a row ends one.
    pub(super) gap_ms: u64,
    /// So long after that late rows still count.
    pub(super) lateness_ms: u64,
    /// Results are wanted before that.
    pub(super) early: bool,
}

impl Sessions {
    pub(super) fn new(lasting: Lasting, shape: &Arc<Shape>, past: Past, ground: &Ground<'_>) -> Result<Self, Failure> {
        let cut = u64::from(ground.restored.cuts.is_empty());
        let table = Table::new(SESSIONS, 0, Members::new(shape)?, cut);
        let mut sessions = Self {
            gap: i64::try_from(lasting.gap_ms).unwrap_or(i64::MAX).max(1),
            lateness: i64::try_from(lasting.lateness_ms).unwrap_or(i64::MAX),
            table: match ground.spill {
                Some(spill) => table.spilling(spill),
                None => table,
            },
            groups: ground.groups.clone(),
            reached: past.reached,
            timers: BinaryHeap::new(),
            fresh: lasting.early.then(Vec::new),
            early: Vec::new(),
            away: ground.spill.map(Away::new),
            latest: past.latest,
            shape: Arc::clone(shape),
            slots: Vec::new(),
        };
        sessions.restore(ground)?;
        Ok(sessions)
    }

    fn restore(&mut self, ground: &Ground<'_>) -> Result<(), Failure> {
        if self.fresh.is_some() {
            self.table.values_mut().arriving(Arrival::Fresh);
        }
        ground.restored.each(&ground.groups, |entry| {
            if entry.place.state != SESSIONS {
                return Ok(());
            }
            self.table.restore(entry.key, entry.value, &ground.groups)?;
            self.settle()
        })?;
        self.table.values_mut().arriving(Arrival::AsTheyWere);
        Ok(())
    }

    /// Sets timers for what came to memory, and leaves hints for what left it.
    fn settle(&mut self) -> Result<(), Failure> {
        let moved = self.table.values_mut().take_moved();
        for id in moved.arrived {
            if self.table.values().is_live(id) {
                self.set_timer(id);
                if let Some(fresh) = &mut self.fresh
                    && self.table.values().session(id).fresh
                {
                    fresh.push(id);
                }
            }
        }
        if let Some(away) = &mut self.away {
            away.due.add(moved.due)?;
            if self.fresh.is_some() {
                away.fresh.add(moved.fresh)?;
            }
        }
        let members = self.table.values();
        if self.timers.len() > TIMERS_MIN.max(2 * members.count()) {
            self.timers
                .retain(|Reverse((time, id))| members.is_live(*id) && members.session(*id).timer == *time);
        }
        Ok(())
    }

    /// Brings keys back from disk.
    fn load(&mut self, keys: &[Box<[u8]>]) -> Result<(), Failure> {
        let mut slots = std::mem::take(&mut self.slots);
        self.table.find_all(keys.iter().map(|key| &**key), &mut slots)?;
        self.slots = slots;
        self.settle()
    }

    /// Early results are to tell of these.
    fn mark_fresh(&mut self, ids: &[u32]) {
        let Some(fresh) = &mut self.fresh else { return };
        for id in ids {
            let session = self.table.values_mut().session_mut(*id);
            if !std::mem::replace(&mut session.fresh, true) {
                fresh.push(*id);
            }
        }
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
        self.settle()?;
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
        self.mark_fresh(&placing.ids);
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
        self.tell_fresh();
        if let Some(away) = &mut self.away {
            away.telling = !away.fresh.is_empty();
        }
    }

    /// Of those in memory.
    fn tell_fresh(&mut self) {
        let Some(fresh) = &mut self.fresh else { return };
        for id in std::mem::take(fresh) {
            if !self.table.values().is_live(id) {
                continue;
            }
            let session = self.table.values_mut().session_mut(id);
            let (was, key) = (std::mem::replace(&mut session.fresh, false), session.key);
            if was && !session.fired {
                self.early.push(id);
            }
            if was && self.away.is_some() {
                // What the disk says of it is not so any more.
                self.table.touch(key);
            }
        }
    }

    /// Whether something has changed that early results would tell.
    pub(super) fn is_fresh(&self) -> bool {
        let is_away = self.away.as_ref().is_some_and(|away| !away.fresh.is_empty());
        self.fresh.as_ref().is_some_and(|fresh| is_away || !fresh.is_empty())
    }

    /// When the next session may be complete.
    pub(super) fn next_end(&self) -> Option<i64> {
        let here = self.timers.peek().map(|Reverse((time, _))| *time);
        let away = self.away.as_ref().and_then(|away| away.due.least());
        let next = [here, away].into_iter().flatten().min();
        next.map(|time| time.saturating_add(1))
    }

    /// The next rows, if any are due.
    pub(super) fn pull(&mut self, results: &Results) -> Result<Option<RecordBatch>, Failure> {
        loop {
            if !self.early.is_empty() {
                let rest = self.early.split_off(self.early.len().min(BATCH_ROWS_MAX));
                let ids = std::mem::replace(&mut self.early, rest);
                return self.rows(&ids, results).map(Some);
            }
            if self.tell_away()? {
                continue;
            }
            let ids = self.due();
            if !ids.is_empty() {
                return self.fire(ids, results).map(Some);
            }
            let watermark = self.reached.watermark();
            let keys = match &mut self.away {
                Some(away) => away.due.take(watermark, KEYS_BACK)?,
                None => Vec::new(),
            };
            if keys.is_empty() {
                return Ok(None);
            }
            self.load(&keys)?;
        }
    }

    /// Goes on with early results of what is on disk; `false` where there is none.
    fn tell_away(&mut self) -> Result<bool, Failure> {
        let Some(away) = self.away.as_mut().filter(|away| away.telling) else {
            return Ok(false);
        };
        let keys = away.fresh.take(i64::MAX, KEYS_BACK)?;
        if keys.is_empty() {
            away.telling = false;
            away.fresh.clear();
            return Ok(false);
        }
        self.load(&keys)?;
        self.tell_fresh();
        Ok(true)
    }

    /// The next sessions in memory that are complete; on the way, forgets those whose time is over.
    fn due(&mut self) -> Vec<u32> {
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
        ids
    }

    fn fire(&mut self, ids: Vec<u32>, results: &Results) -> Result<RecordBatch, Failure> {
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
        Ok(rows)
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
        if let Err(failure) = self.settle() {
            cut.fail(failure);
        }
        if let Some(away) = &mut self.away {
            away.due.tidy();
        }
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
