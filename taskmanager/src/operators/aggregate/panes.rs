//! Windows of panes: each row is folded once, into its pane's table; a window is merged of its panes when it fires.
//!
//! ```text
//!   rows ── by pane ──> tables ── window complete ──> (merge) ──> rows, a batch for each pull
//!                         └── window closed ──> the table is dropped, whole
//! ```
//!
//! A window that was complete and is not closed yet fires again when late rows come, for their keys only. What purged
//! panes left in the snapshots' cuts is told by the time that was reached: it is not read again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use arrow::array::RecordBatch;
use dataflow::Failure;
use dataflow::element::BATCH_ROWS_MAX;

use super::Past;
use super::accumulate::{Accumulators, Merge, Shape};
use super::frames::Frames;
use super::fresh::Fresh;
use super::input::{Input, KeyRun, Slots};
use super::reached::Reached;
use super::results::{Around, Bounds, Results};
use crate::operators::Ground;
use crate::operators::late::Late;
use crate::state::{Cut, KeyGroups, NONE, Restored, Scan, Spill, Table, Values};

fn spilling<V: Values>(table: Table<V>, spill: Option<&Spill>) -> Table<V> {
    match spill {
        Some(spill) => table.spilling(spill),
        None => table,
    }
}

fn pane_is_gone() -> Failure {
    Failure::bug("a window fires whose pane is gone")
}

/// The state of panes, among an aggregate's.
const PANES: u8 = 1;

/// Which slots of which panes: keys whose windows fire though others of them do not.
pub(super) type Touched = BTreeMap<i64, Vec<u32>>;

/// Panes, and the windows that are due.
pub(super) struct Panes {
    frames: Frames,
    shape: Arc<Shape>,
    groups: KeyGroups,
    tables: BTreeMap<i64, Table<Accumulators>>,
    reached: Reached,
    /// Every window up to this one has fired.
    fired: i64,
    /// Windows to fire for some keys only.
    again: VecDeque<(i64, Which)>,
    firing: Option<Firing>,
    /// What has changed since the last early results; none where there are none.
    fresh: Option<Fresh>,
    latest: i64,
    cut: u64,
    spill: Option<Spill>,
    /// Panes that were dropped since the last cut.
    dropped: Vec<i64>,
    lists: Lists,
    slots: Vec<u32>,
}

/// The keys that a window fires for, though it does not for the others.
enum Which {
    /// By their slots in the window's only pane.
    Slots(Vec<u32>),
    /// By themselves, as each of its panes has them.
    Keys(Arc<BTreeMap<i64, KeyRun>>),
}

/// A window that is giving its rows.
struct Firing {
    end: i64,
    /// Where it is: in its only pane, or merged of several.
    merged: Option<Box<Table<Accumulators>>>,
    /// How far the table was gone through; none where only some slots fire.
    scan: Option<Scan>,
    slots: Vec<u32>,
    given: usize,
}

/// The rows of a batch by pane.
#[derive(Default)]
struct Lists {
    panes: BTreeMap<i64, Vec<u32>>,
    spare: Vec<Vec<u32>>,
}

impl Lists {
    /// Deals out the rows of a batch; most batches are of one pane or two.
    fn deal(&mut self, frames: &Frames, times: &[i64]) {
        let spare = &mut self.spare;
        spare.extend(std::mem::take(&mut self.panes).into_values());
        spare.iter_mut().for_each(Vec::clear);
        let mut current = (i64::MAX, i64::MIN, Vec::new(), i64::MIN);
        for (row, time) in (0_u32..).zip(times) {
            if *time < current.0 || *time >= current.1 {
                if current.0 <= current.1 {
                    self.panes.insert(current.3, current.2);
                }
                let pane = frames.pane(*time);
                let list = self
                    .panes
                    .remove(&pane)
                    .or_else(|| self.spare.pop())
                    .unwrap_or_default();
                current = (frames.start(pane), frames.start(pane + 1), list, pane);
            }
            current.2.push(row);
        }
        if !current.2.is_empty() {
            self.panes.insert(current.3, current.2);
        }
    }
}

impl Panes {
    pub(super) fn new(frames: Frames, shape: &Arc<Shape>, past: Past, ground: &Ground<'_>) -> Self {
        let Past { reached, latest } = past;
        Self {
            fired: frames.complete(reached.watermark()),
            frames,
            shape: Arc::clone(shape),
            groups: ground.groups.clone(),
            tables: BTreeMap::new(),
            reached,
            again: VecDeque::new(),
            firing: None,
            fresh: None,
            latest,
            cut: 1,
            spill: ground.spill.cloned(),
            dropped: Vec::new(),
            lists: Lists::default(),
            slots: Vec::new(),
        }
    }

    /// Early results are wanted.
    pub(super) fn with_early(self) -> Self {
        Self {
            fresh: Some(Fresh::new(self.spill.as_ref())),
            ..self
        }
    }

    pub(super) fn restore(&mut self, restored: &Restored) -> Result<(), Failure> {
        let groups = self.groups.clone();
        restored.each(&groups, |entry| {
            let pane = self.frames.pane(entry.place.namespace);
            if entry.place.state != PANES || self.frames.is_gone(pane, self.reached.of(entry.place.group)) {
                return Ok(());
            }
            let table = self.open(pane, 0)?;
            table.restore(entry.key, entry.value, &groups)?;
            let departed = table.take_departed();
            // Whether an early result had been given of what was restored, nobody knows: it is given again.
            match &mut self.fresh {
                Some(fresh) => fresh.all_left(pane, departed),
                None => Ok(()),
            }
        })?;
        if let Some(fresh) = &mut self.fresh {
            for (pane, table) in &self.tables {
                fresh.came(*pane, table.live());
            }
        }
        Ok(())
    }

    /// Keys of a pane may have gone to disk just now.
    fn settle(&mut self, pane: i64) -> Result<(), Failure> {
        match (&mut self.fresh, self.tables.get_mut(&pane)) {
            (Some(fresh), Some(table)) => fresh.left(pane, table.take_departed()),
            _ => Ok(()),
        }
    }

    fn open(&mut self, pane: i64, cut: u64) -> Result<&mut Table<Accumulators>, Failure> {
        let namespace = self.frames.start(pane);
        match self.tables.entry(pane) {
            std::collections::btree_map::Entry::Occupied(open) => Ok(open.into_mut()),
            std::collections::btree_map::Entry::Vacant(place) => {
                let table = Table::new(PANES, namespace, Accumulators::new(&self.shape)?, cut);
                let table = spilling(table, self.spill.as_ref());
                let is_told = self.fresh.is_some() && self.spill.is_some();
                Ok(place.insert(if is_told { table.noting_departures() } else { table }))
            }
        }
    }

    /// Folds a batch; gives the rows that came too late.
    pub(super) fn fold(&mut self, input: &Input) -> Result<Vec<Late>, Failure> {
        let mut lists = std::mem::take(&mut self.lists);
        lists.deal(&self.frames, &input.at);
        let mut late = Vec::new();
        let mut again = BTreeMap::new();
        for (pane, rows) in &mut lists.panes {
            self.refuse(*pane, rows, input, &mut late);
            if rows.is_empty() {
                continue;
            }
            let mut slots = std::mem::take(&mut self.slots);
            let cut = self.cut;
            let table = self.open(*pane, cut)?;
            table.slots(&input.keys, rows, &mut slots)?;
            input.content.fold(table.values_mut(), &slots, rows)?;
            self.settle(*pane)?;
            if let Some(fresh) = &mut self.fresh {
                fresh.came(*pane, slots.iter().copied());
            }
            self.note_again(*pane, &slots, &mut again);
            self.slots = slots;
        }
        self.latest = self.latest.max(input.at.iter().copied().max().unwrap_or(i64::MIN));
        self.lists = lists;
        again
            .into_iter()
            .for_each(|(watermark, touched)| self.fire_again(watermark, touched));
        Ok(late)
    }

    /// Takes the rows out of `rows` whose windows are all closed.
    fn refuse(&self, pane: i64, rows: &mut Vec<u32>, input: &Input, late: &mut Vec<Late>) {
        let last = self.frames.last_of(pane);
        if self.reached.is_uneven() {
            rows.retain(|row| {
                let group = self.groups.group(dataflow::key::hash(input.keys.row(*row as usize)));
                let by_ms = self.frames.late_by(last, self.reached.of(group));
                if by_ms >= 0 {
                    late.push(Late { row: *row, by_ms });
                }
                by_ms < 0
            });
            return;
        }
        let by_ms = self.frames.late_by(last, self.reached.watermark());
        if by_ms >= 0 {
            late.extend(rows.drain(..).map(|row| Late { row, by_ms }));
        }
    }

    /// Notes those slots whose windows had been complete already, by the time of their groups.
    fn note_again(&self, pane: i64, slots: &[u32], again: &mut BTreeMap<i64, Touched>) {
        let mut note = |watermark: i64, slots: &[u32]| {
            if pane < self.frames.complete(watermark) {
                let touched = again.entry(watermark).or_default();
                touched.entry(pane).or_default().extend(slots);
            }
        };
        match self.tables.get(&pane).filter(|_| self.reached.is_uneven()) {
            None => note(self.reached.watermark(), slots),
            Some(table) => slots
                .iter()
                .for_each(|slot| note(self.reached.of(table.group(*slot, &self.groups)), &[*slot])),
        }
    }

    /// Late rows that still count: their windows that had been complete fire for them again.
    fn fire_again(&mut self, watermark: i64, touched: Touched) {
        let complete = self.frames.complete(watermark);
        let ends = self.windows_of(&touched).into_iter();
        let open = ends.filter(|end| *end <= complete && !self.frames.is_closed(*end, watermark));
        self.queue(open.collect(), touched);
    }

    /// These windows fire for what was touched.
    fn queue(&mut self, ends: Vec<i64>, mut touched: Touched) {
        if self.frames.is_plain() {
            let slots = |end: &i64| touched.remove(&(end - 1)).map(|slots| (*end, Which::Slots(slots)));
            self.again.extend(ends.iter().filter_map(slots));
            return;
        }
        // Looking for a key in one pane may move the slots of others.
        let keys = touched.iter().filter_map(|(pane, slots)| {
            let table = self.tables.get(pane)?;
            Some((*pane, slots.iter().map(|slot| table.key(*slot)).collect()))
        });
        let keys: Arc<BTreeMap<i64, KeyRun>> = Arc::new(keys.collect());
        self.again
            .extend(ends.into_iter().map(|end| (end, Which::Keys(Arc::clone(&keys)))));
    }

    fn windows_of<T>(&self, touched: &BTreeMap<i64, T>) -> BTreeSet<i64> {
        touched
            .keys()
            .flat_map(|pane| pane + 1..=self.frames.last_of(*pane))
            .collect()
    }

    /// Time has come to here.
    pub(super) fn advance(&mut self, watermark: i64) {
        self.reached.advance(watermark);
    }

    /// Results of what has changed in windows that are not complete.
    pub(super) fn early(&mut self) -> Result<(), Failure> {
        let Some(fresh) = &mut self.fresh else { return Ok(()) };
        let Some(touched) = fresh.begin(&self.tables)? else {
            return Ok(());
        };
        let ends = self.windows_of(&touched).into_iter();
        let open = ends.filter(|end| *end > self.fired).collect();
        self.queue(open, touched);
        Ok(())
    }

    /// Goes on with early results of what is on disk; `false` where there is none.
    fn tell_away(&mut self) -> Result<bool, Failure> {
        let Some(keys) = self.fresh.as_mut().map(Fresh::next).transpose()?.flatten() else {
            return Ok(false);
        };
        let ends = self.windows_of(&keys).into_iter().filter(|end| *end > self.fired);
        let keys = Arc::new(keys);
        self.again.extend(ends.map(|end| (end, Which::Keys(Arc::clone(&keys)))));
        Ok(true)
    }

    /// Whether something has changed that early results would tell.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh.as_ref().is_some_and(|fresh| !fresh.is_empty())
    }

    /// When the next window will be complete.
    pub(super) fn next_end(&self) -> Option<i64> {
        self.next_window().map(|end| self.frames.start(end))
    }

    /// The next window with rows that has not fired.
    fn next_window(&self) -> Option<i64> {
        let next = self.fired.saturating_add(1);
        // Before anything has fired, no pane is too old.
        let begin = if self.fired == i64::MIN {
            i64::MIN
        } else {
            self.frames.first(next)
        };
        let (pane, _) = self.tables.range(begin..).next()?;
        // The first window that is left and has the pane.
        Some(next.max(pane + 1))
    }

    /// The next rows, if any are due.
    pub(super) fn pull(&mut self, results: &Results) -> Result<Option<RecordBatch>, Failure> {
        loop {
            if let Some(mut firing) = self.firing.take() {
                if self.refill(&mut firing)? {
                    let rows = self.rows(&mut firing, results)?;
                    self.firing = Some(firing);
                    return Ok(Some(rows));
                }
                continue;
            }
            if let Some((end, which)) = self.again.pop_front() {
                self.firing = Some(self.fire_some(end, which)?);
                continue;
            }
            if self.tell_away()? {
                continue;
            }
            let complete = self.frames.complete(self.reached.watermark());
            match self.next_window().filter(|end| *end <= complete) {
                Some(end) => {
                    self.fired = end;
                    self.firing = Some(self.fire(end)?);
                }
                None => {
                    self.fired = self.fired.max(complete);
                    self.purge();
                    return Ok(None);
                }
            }
        }
    }

    /// Goes on through the window's table until there is something to give; `false` at its end.
    fn refill(&mut self, firing: &mut Firing) -> Result<bool, Failure> {
        while firing.given == firing.slots.len() {
            firing.given = 0;
            let (Some(scan), table) = (&mut firing.scan, &mut firing.merged) else {
                return Ok(false);
            };
            let table = match table {
                Some(merged) => &mut **merged,
                None => self.tables.get_mut(&(firing.end - 1)).ok_or_else(pane_is_gone)?,
            };
            if !table.scan(scan, &mut firing.slots)? {
                return Ok(false);
            }
            if self.reached.is_uneven() {
                let last = self.frames.start(firing.end).saturating_sub(1);
                // The group's former owner had fired it.
                firing
                    .slots
                    .retain(|slot| self.reached.of(table.group(*slot, &self.groups)) < last);
            }
        }
        Ok(true)
    }

    fn rows(&self, firing: &mut Firing, results: &Results) -> Result<RecordBatch, Failure> {
        let left = &firing.slots[firing.given..];
        let slots = &left[..left.len().min(BATCH_ROWS_MAX)];
        let table = match &firing.merged {
            Some(merged) => &**merged,
            None => self.tables.get(&(firing.end - 1)).ok_or_else(pane_is_gone)?,
        };
        let bounds = self.frames.bounds(firing.end);
        let around = Around {
            time: bounds
                .is_none()
                .then_some(self.latest)
                .filter(|latest| *latest > i64::MIN),
            bounds: bounds.map_or(Bounds::None, |(start, end)| Bounds::Same(start, end)),
            ..Around::default()
        };
        let keys = slots.iter().map(|slot| table.key(*slot));
        let rows = results.rows(keys, |measure| table.values().finish(measure, slots), &around)?;
        firing.given += slots.len();
        Ok(rows)
    }

    /// A window fires for all its keys.
    fn fire(&mut self, end: i64) -> Result<Firing, Failure> {
        let merged = if self.frames.is_plain() {
            None
        } else {
            let mut merged = spilling(self.empty()?, self.spill.as_ref()).unrecorded();
            let (mut into, mut from) = (Vec::new(), Vec::new());
            for (_, table) in self.tables.range_mut(self.frames.first(end)..end) {
                let mut scan = Scan::default();
                while table.scan(&mut scan, &mut from)? {
                    merged.entries(from.iter().map(|slot| table.key(*slot)), &mut into)?;
                    let merge = Merge {
                        into: &into,
                        from: &from,
                    };
                    merged.values_mut().merge(merge, table.values())?;
                }
            }
            Some(Box::new(merged))
        };
        Ok(Firing {
            end,
            merged,
            scan: Some(Scan::default()),
            slots: Vec::new(),
            given: 0,
        })
    }

    /// A window fires for some keys.
    fn fire_some(&mut self, end: i64, which: Which) -> Result<Firing, Failure> {
        let panes = self.frames.first(end)..end;
        let (merged, slots) = match which {
            Which::Slots(slots) => (None, slots),
            Which::Keys(keys) => {
                let mut merged = self.empty()?;
                let mut slots = Vec::new();
                for (_, run) in keys.range(panes.clone()) {
                    merged.entries(run.iter(), &mut slots)?;
                }
                let wanted: Vec<u32> = merged.live().collect();
                for (pane, table) in self.tables.range_mut(panes) {
                    table.find_all(wanted.iter().map(|slot| merged.key(*slot)), &mut slots)?;
                    let found = wanted.iter().zip(&slots).filter(|(_, from)| **from != NONE);
                    let (into, from): (Vec<u32>, Vec<u32>) = found.unzip();
                    let merge = Merge {
                        into: &into,
                        from: &from,
                    };
                    merged.values_mut().merge(merge, table.values())?;
                    if let Some(fresh) = &mut self.fresh {
                        fresh.left(*pane, table.take_departed())?;
                    }
                }
                (Some(Box::new(merged)), wanted)
            }
        };
        let mut once = Slots::default();
        once.extend(slots);
        Ok(Firing {
            end,
            merged,
            scan: None,
            slots: once.into_list(),
            given: 0,
        })
    }

    /// A table to merge a window in. It is in no cut.
    fn empty(&self) -> Result<Table<Accumulators>, Failure> {
        Ok(Table::new(0, 0, Accumulators::new(&self.shape)?, 0))
    }

    /// Drops the panes whose windows are all closed. Those that had fired elsewhere wait for the others.
    fn purge(&mut self) {
        let watermark = self.reached.watermark();
        while let Some(pane) = self.tables.first_entry()
            && self.frames.is_gone(*pane.key(), watermark)
        {
            if let Some(fresh) = &mut self.fresh {
                fresh.forget(*pane.key());
            }
            self.dropped.push(self.frames.start(*pane.key()));
            pane.remove();
        }
    }

    pub(super) fn freeze(&mut self, cut: &mut Cut) {
        self.cut = cut.number() + 1;
        self.dropped.drain(..).for_each(|pane| cut.clear(PANES, pane));
        for (pane, table) in &mut self.tables {
            table.freeze(cut, &self.groups);
            if let Some(fresh) = &mut self.fresh
                && let Err(failure) = fresh.left(*pane, table.take_departed())
            {
                cut.fail(failure);
            }
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
