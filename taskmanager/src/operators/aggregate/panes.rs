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
use super::input::{Input, Slots};
use super::reached::Reached;
use super::results::{Around, Bounds, Results};
use crate::operators::late::Late;
use crate::state::{Cut, KeyGroups, Restored, Table};

/// The state of panes, among an aggregate's.
const PANES: u8 = 1;

/// Which slots of which panes: keys whose windows fire though others of them do not.
type Touched = BTreeMap<i64, Vec<u32>>;

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
    again: VecDeque<(i64, Arc<Touched>)>,
    firing: Option<Firing>,
    /// What has changed since the last early results; none where there are none.
    fresh: Option<Fresh>,
    latest: i64,
    cut: u64,
    lists: Lists,
    slots: Vec<u32>,
}

/// A window that is giving its rows.
struct Firing {
    /// Where it is: in its only pane, or merged.
    source: Source,
    bounds: Option<(i64, i64)>,
    slots: Vec<u32>,
    given: usize,
}

enum Source {
    Pane(i64),
    Merged(Box<Table<Accumulators>>),
}

/// Slots that have changed, each once.
#[derive(Default)]
struct Fresh(BTreeMap<i64, Slots>);

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
    pub(super) fn new(frames: Frames, shape: &Arc<Shape>, groups: &KeyGroups, past: Past) -> Self {
        let Past { reached, latest } = past;
        Self {
            fired: frames.complete(reached.watermark()),
            frames,
            shape: Arc::clone(shape),
            groups: groups.clone(),
            tables: BTreeMap::new(),
            reached,
            again: VecDeque::new(),
            firing: None,
            fresh: None,
            latest,
            cut: 1,
            lists: Lists::default(),
            slots: Vec::new(),
        }
    }

    /// Early results are wanted.
    pub(super) fn with_early(mut self) -> Self {
        self.fresh = Some(Fresh::default());
        self
    }

    pub(super) fn restore(&mut self, restored: &Restored) -> Result<(), Failure> {
        let groups = self.groups.clone();
        restored.each(&groups, |entry| {
            let pane = self.frames.pane(entry.place.namespace);
            if entry.place.state != PANES || self.frames.is_gone(pane, self.reached.of(entry.place.group)) {
                return Ok(());
            }
            self.open(pane, 0)?.restore(entry.key, entry.value, &groups)
        })?;
        // Whether an early result had been given of what was restored, nobody knows: it is given again.
        if let Some(fresh) = &mut self.fresh {
            for (pane, table) in &self.tables {
                fresh.0.entry(*pane).or_default().extend(table.live());
            }
        }
        Ok(())
    }

    fn open(&mut self, pane: i64, cut: u64) -> Result<&mut Table<Accumulators>, Failure> {
        let namespace = self.frames.start(pane);
        match self.tables.entry(pane) {
            std::collections::btree_map::Entry::Occupied(open) => Ok(open.into_mut()),
            std::collections::btree_map::Entry::Vacant(place) => {
                Ok(place.insert(Table::new(PANES, namespace, Accumulators::new(&self.shape)?, cut)))
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
            if let Some(fresh) = &mut self.fresh {
                fresh.0.entry(*pane).or_default().extend(slots.iter().copied());
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
        let ends = self.windows_of(&touched);
        let touched = Arc::new(touched);
        for end in ends.into_iter().filter(|end| *end <= complete) {
            if !self.frames.is_closed(end, watermark) {
                self.again.push_back((end, Arc::clone(&touched)));
            }
        }
    }

    fn windows_of(&self, touched: &Touched) -> BTreeSet<i64> {
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
    pub(super) fn early(&mut self) {
        let Some(fresh) = &mut self.fresh else { return };
        let touched = std::mem::take(&mut fresh.0);
        let touched: Touched = touched
            .into_iter()
            .map(|(pane, slots)| (pane, slots.into_list()))
            .collect();
        let ends = self.windows_of(&touched);
        let touched = Arc::new(touched);
        let fired = self.fired;
        let open = ends.into_iter().filter(|end| *end > fired);
        self.again.extend(open.map(|end| (end, Arc::clone(&touched))));
    }

    /// Whether something has changed that early results would tell.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh.as_ref().is_some_and(|fresh| !fresh.0.is_empty())
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
            if let Some(firing) = &mut self.firing {
                let left = &firing.slots[firing.given..];
                if !left.is_empty() {
                    let slots = &left[..left.len().min(BATCH_ROWS_MAX)];
                    let table = match &firing.source {
                        Source::Pane(pane) => self.tables.get(pane),
                        Source::Merged(table) => Some(&**table),
                    };
                    let table = table.ok_or_else(|| Failure::bug("a window fires whose pane is gone"))?;
                    let around = Around {
                        bounds: firing.bounds,
                        time: firing
                            .bounds
                            .is_none()
                            .then_some(self.latest)
                            .filter(|latest| *latest > i64::MIN),
                        ..Around::default()
                    };
                    let keys = slots.iter().map(|slot| table.key(*slot));
                    let rows = results.rows(keys, |measure| table.values().finish(measure, slots), &around)?;
                    firing.given += slots.len();
                    return Ok(Some(rows));
                }
                self.firing = None;
            }
            if let Some((end, touched)) = self.again.pop_front() {
                self.firing = Some(self.fire(end, Some(&touched))?);
                continue;
            }
            let complete = self.frames.complete(self.reached.watermark());
            match self.next_window().filter(|end| *end <= complete) {
                Some(end) => {
                    self.fired = end;
                    self.firing = Some(self.fire(end, None)?);
                }
                None => {
                    self.fired = self.fired.max(complete);
                    self.purge();
                    return Ok(None);
                }
            }
        }
    }

    fn fire(&mut self, end: i64, touched: Option<&Touched>) -> Result<Firing, Failure> {
        let bounds = self.frames.bounds(end);
        let (source, mut slots) = if self.frames.is_plain() {
            let pane = end - 1;
            let mut slots: Vec<u32> = match (touched, self.tables.get(&pane)) {
                (Some(touched), _) => touched.get(&pane).cloned().unwrap_or_default(),
                (None, Some(table)) => table.live().collect(),
                (None, None) => Vec::new(),
            };
            if touched.is_some() {
                slots.sort_unstable();
                slots.dedup();
            }
            (Source::Pane(pane), slots)
        } else {
            let merged = self.merged(end, touched)?;
            let slots = merged.live().collect();
            (Source::Merged(Box::new(merged)), slots)
        };
        if touched.is_none() && self.reached.is_uneven() {
            let table = match &source {
                Source::Pane(pane) => self.tables.get(pane),
                Source::Merged(table) => Some(&**table),
            };
            let last = self.frames.start(end).saturating_sub(1);
            // The group's former owner had fired it.
            slots.retain(|slot| table.is_none_or(|table| self.reached.of(table.group(*slot, &self.groups)) < last));
        }
        Ok(Firing {
            source,
            bounds,
            slots,
            given: 0,
        })
    }

    /// A window's panes in one table: all keys, or those that were touched.
    fn merged(&mut self, end: i64, touched: Option<&Touched>) -> Result<Table<Accumulators>, Failure> {
        let mut merged = Table::new(0, 0, Accumulators::new(&self.shape)?, 0);
        let panes = self.frames.first(end)..end;
        if let Some(touched) = touched {
            for (pane, slots) in touched.range(panes.clone()) {
                let Some(table) = self.tables.get(pane) else { continue };
                for slot in slots {
                    merged.entry(table.key(*slot))?;
                }
            }
        }
        let wanted: Vec<u32> = merged.live().collect();
        for (_, table) in self.tables.range_mut(panes) {
            let (mut into, mut from) = (Vec::new(), Vec::new());
            if touched.is_some() {
                for slot in &wanted {
                    if let Some(found) = table.find(merged.key(*slot))? {
                        into.push(*slot);
                        from.push(found);
                    }
                }
            } else {
                from.extend(table.live());
                for slot in &from {
                    into.push(merged.entry(table.key(*slot))?);
                }
            }
            merged.values_mut().merge(
                Merge {
                    into: &into,
                    from: &from,
                },
                table.values(),
            )?;
        }
        Ok(merged)
    }

    /// Drops the panes whose windows are all closed. Those that had fired elsewhere wait for the others.
    fn purge(&mut self) {
        let watermark = self.reached.watermark();
        while let Some(pane) = self.tables.first_entry()
            && self.frames.is_gone(*pane.key(), watermark)
        {
            if let Some(fresh) = &mut self.fresh {
                fresh.0.remove(pane.key());
            }
            pane.remove();
        }
    }

    pub(super) fn freeze(&mut self, cut: &mut Cut) {
        self.cut = cut.number() + 1;
        self.tables
            .values_mut()
            .for_each(|table| table.freeze(cut, &self.groups));
    }

    /// What is known of time.
    pub(super) fn past(&self) -> Past {
        Past {
            reached: self.reached.clone(),
            latest: self.latest,
        }
    }
}
