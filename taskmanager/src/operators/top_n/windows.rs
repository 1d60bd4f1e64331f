//! The best rows of each window, given when it is complete: a table for each end, dropped whole.

use std::collections::{BTreeMap, VecDeque};

use arrow::array::RecordBatch;
use dataflow::Failure;
use dataflow::element::columns;
use dataflow::key;

use super::super::aggregate::Reached;
use super::super::late::Late;
use super::lists::{Limit, Lists};
use super::output::{Bounds, Given, Output};
use super::{Input, LISTS, next_rows, spilling};
use crate::operators::Ground;
use crate::state::{Cut, KeyGroups, Scan, Spill, Table};

/// Windows that are not complete, and the one that is giving its rows.
pub(super) struct Windows {
    limit: Limit,
    groups: KeyGroups,
    spill: Option<Spill>,
    windows: BTreeMap<i64, Table<Lists>>,
    reached: Reached,
    firing: Option<Firing>,
    /// Windows that were dropped since the last cut.
    dropped: Vec<i64>,
    cut: u64,
    slots: Vec<u32>,
}

struct Firing {
    end: i64,
    scan: Scan,
    given: VecDeque<Given>,
}

impl Windows {
    pub(super) fn restore(
        (limit, output): (Limit, &Output),
        reached: Reached,
        ground: &Ground<'_>,
    ) -> Result<Self, Failure> {
        let mut windows = Self {
            limit,
            groups: ground.groups.clone(),
            spill: ground.spill.cloned(),
            windows: BTreeMap::new(),
            reached,
            firing: None,
            dropped: Vec::new(),
            cut: 1,
            slots: Vec::new(),
        };
        ground.restored.each(&ground.groups, |entry| {
            let end = entry.place.namespace;
            // Its group's former owner had given it.
            if entry.place.state != LISTS || late_by(end, windows.reached.of(entry.place.group)) >= 0 {
                return Ok(());
            }
            let groups = windows.groups.clone();
            windows.open(end, 0, output).restore(entry.key, entry.value, &groups)
        })?;
        Ok(windows)
    }

    fn open(&mut self, end: i64, cut: u64, output: &Output) -> &mut Table<Lists> {
        let (limit, spill) = (self.limit, self.spill.as_ref());
        self.windows.entry(end).or_insert_with(|| {
            let lists = Lists::new(output.rows(), limit);
            spilling(Table::new(LISTS, end, lists, cut), spill)
        })
    }

    /// Takes a batch whose rows are of the windows with these ends; gives those that came too late.
    pub(super) fn take(&mut self, input: &Input, ends: &[i64], output: &Output) -> Result<Vec<Late>, Failure> {
        let (mut late, mut of) = (Vec::new(), BTreeMap::<i64, Vec<u32>>::new());
        for (row, end) in (0_u32..).zip(ends) {
            let by_ms = late_by(*end, self.reached_by(input, row));
            if by_ms >= 0 {
                late.push(Late { row, by_ms });
            } else {
                of.entry(*end).or_default().push(row);
            }
        }
        let mut slots = std::mem::take(&mut self.slots);
        for (end, rows) in of {
            let cut = self.cut;
            let table = self.open(end, cut, output);
            table.values_mut().tidy();
            let rows = input.contenders(table, rows, &mut slots)?;
            input.insert(table, &rows, &slots)?;
        }
        self.slots = slots;
        Ok(late)
    }

    fn reached_by(&self, input: &Input, row: u32) -> i64 {
        if self.reached.is_uneven() {
            let hash = key::hash(input.keys.row(row as usize));
            return self.reached.of(self.groups.group(hash));
        }
        self.reached.watermark()
    }

    /// Time has come to here.
    pub(super) fn advance(&mut self, watermark: i64) {
        self.reached.advance(watermark);
    }

    /// The next rows of the windows that are complete, first those that end first.
    pub(super) fn pull(
        &mut self,
        output: &Output,
        bounds: impl Fn(i64) -> Bounds,
    ) -> Result<Option<RecordBatch>, Failure> {
        loop {
            let Some(firing) = &mut self.firing else {
                let first = self.windows.first_key_value().map(|(end, _)| *end);
                let complete = |end: &i64| late_by(*end, self.reached.watermark()) >= 0;
                let Some(end) = first.filter(complete) else {
                    return Ok(None);
                };
                self.firing = Some(Firing {
                    end,
                    scan: Scan::default(),
                    given: VecDeque::new(),
                });
                continue;
            };
            let table = self.windows.get_mut(&firing.end);
            let table = table.ok_or_else(|| Failure::bug("a window gives its rows and is gone"))?;
            if !firing.given.is_empty() {
                let given = next_rows(&mut firing.given);
                return output.make(table.values(), &given, bounds(firing.end)).map(Some);
            }
            if table.scan(&mut firing.scan, &mut self.slots)? {
                for slot in &self.slots {
                    let entries = table.values().list(*slot).entries();
                    let ranks = table.values().ranks(entries);
                    let given = entries.iter().zip(ranks).map(|(entry, rank)| Given {
                        entry: *entry,
                        rank,
                        kind: columns::INSERT,
                    });
                    firing.given.extend(given);
                }
                continue;
            }
            self.windows.remove(&firing.end);
            self.dropped.push(firing.end);
            self.firing = None;
        }
    }

    pub(super) fn freeze(&mut self, cut: &mut Cut) {
        self.cut = cut.number() + 1;
        self.dropped.drain(..).for_each(|end| cut.clear(LISTS, end));
        self.windows
            .values_mut()
            .for_each(|table| table.freeze(cut, &self.groups));
    }

    /// How far time has come.
    pub(super) fn reached(&self) -> &Reached {
        &self.reached
    }
}

/// How long ago a window was complete; negative where it is not.
fn late_by(end: i64, watermark: i64) -> i64 {
    if watermark == i64::MAX {
        return 0;
    }
    watermark.saturating_sub(end.saturating_sub(1))
}
