//! Reads one slice from beginning to end, window by window, in a task: at most one window is being read while another waits.

use std::collections::BTreeMap;
use std::sync::Arc;

use dataflow::Failure;
use dataflow::element::row_bytes;
use dataflow::store::{Error, Store, Stores};

use super::partitions::partitions;
use super::split::{Entry, Place, Slice, overlap};
use super::times::{self, Range};
use super::window::{OpenFile, Sorted, Wanted, sort};
use crate::columnar::Parquet;
use crate::handoff::Giver;

/// Unopened files are taken to be this many times as large in memory.
const EXPANSION: u64 = 3;
/// A window is planned for this part of the budget, as estimates err.
const PLANNED_PART: u64 = 2;

/// What the task hands over.
pub(super) enum Piece {
    Rows(Sorted),
    Failed(Failure),
    Complete,
}

/// Reads one slice.
pub(super) struct Merge {
    pub(super) slice: Slice,
    pub(super) place: Option<Place>,
    pub(super) stores: Arc<dyn Stores>,
    pub(super) wanted: Wanted,
    /// Bytes of rows of one window.
    pub(super) budget: usize,
}

impl Merge {
    /// Hands over all rows from the place on.
    pub(super) async fn run(self, giver: Giver<Piece>) {
        let last = match self.merge(&giver).await {
            Ok(()) => Piece::Complete,
            Err(failure) => Piece::Failed(failure),
        };
        if let Some(reservation) = giver.reserve(0).await {
            giver.send(last, reservation).await;
        }
    }

    async fn merge(&self, giver: &Giver<Piece>) -> Result<(), Failure> {
        let store = self.stores.open(&self.slice.store)?;
        let mut open = BTreeMap::new();
        let mut cursor = self.place.map_or(self.slice.from, |place| place.time);
        let mut skip = self.place.map_or(0, |place| place.rows_of_time);
        while let Some(start) = self.next_start(cursor).filter(|start| *start < self.slice.to) {
            cursor = cursor.max(start);
            self.turn_over(&store, &mut open, cursor).await?;
            let mut end = self.plan(&open, cursor);
            let read = loop {
                self.open_in(&store, &mut open, (cursor, end)).await?;
                match self.read(&open, cursor, end).await? {
                    Some(read) => break read,
                    // One moment cannot be cut: what happened in it is read whatever it weighs.
                    None => end = cursor + (end.saturating_sub(cursor) / 2).max(1),
                }
            };
            for sorted in sort(&read)? {
                if !hand_over(giver, without_first(sorted, &mut skip)).await {
                    return Ok(());
                }
            }
            cursor = end;
        }
        Ok(())
    }

    /// The first moment from `cursor` on at which there may be rows.
    fn next_start(&self, cursor: i64) -> Option<i64> {
        let ahead = self
            .slice
            .files
            .iter()
            .filter(|file| file.range().overlaps(cursor, self.slice.to));
        ahead.map(|file| file.min.max(cursor)).min()
    }

    /// Closes the files whose time has passed and opens those whose time has come.
    async fn turn_over(
        &self,
        store: &Arc<dyn Store>,
        open: &mut BTreeMap<usize, OpenFile>,
        cursor: i64,
    ) -> Result<(), Failure> {
        open.retain(|index, _| self.slice.files[*index].max >= cursor);
        self.open_in(store, open, (cursor, cursor.saturating_add(1))).await
    }

    /// Opens the files that reach into a window.
    async fn open_in(
        &self,
        store: &Arc<dyn Store>,
        open: &mut BTreeMap<usize, OpenFile>,
        window: (i64, i64),
    ) -> Result<(), Failure> {
        for (index, entry) in self.slice.files.iter().enumerate() {
            if entry.range().overlaps(window.0, window.1) && !open.contains_key(&index) {
                open.insert(index, self.open(store, entry).await?);
            }
        }
        Ok(())
    }

    async fn open(&self, store: &Arc<dyn Store>, entry: &Entry) -> Result<OpenFile, Failure> {
        let path = &entry.object.path;
        let changed = || {
            Failure::fail(format!(
                "`{}/{path}` changed or was removed after it was found",
                self.slice.store.trim_end_matches('/')
            ))
            .help("an archive may not be rewritten while it is replayed; start the replay anew with `--fresh`")
        };
        match store.head(path).await {
            Ok(object) if object == entry.object => {}
            Ok(_) | Err(Error::Missing { .. }) => return Err(changed()),
            Err(error) => return Err(error.into()),
        }
        let parquet = Parquet::open(Arc::clone(store), &entry.object).await?;
        let known = times::row_groups(&parquet, &self.wanted.time_column)?;
        let groups = known.into_iter().map(|known| known.from(self.slice.origin)).collect();
        Ok(OpenFile {
            parquet,
            groups,
            partitions: partitions(path),
        })
    }

    /// The end of a window from `cursor` on that holds about the planned bytes.
    fn plan(&self, open: &BTreeMap<usize, OpenFile>, cursor: i64) -> i64 {
        let mut weights: Vec<(Range, u64)> = open.values().flat_map(|file| file.weights(&self.wanted)).collect();
        let unopened = self
            .slice
            .files
            .iter()
            .enumerate()
            .filter(|(index, _)| !open.contains_key(index));
        weights.extend(unopened.map(|(_, file)| (file.range(), file.object.size.saturating_mul(EXPANSION))));
        let planned = self.budget as f64 / PLANNED_PART as f64;
        let weight = |end: i64| -> f64 {
            weights
                .iter()
                .map(|(range, bytes)| *bytes as f64 * overlap(*range, cursor, end))
                .sum()
        };
        let (mut low, mut high) = (cursor.saturating_add(1), self.slice.to);
        // The longest window that is not too heavy, by halving the range it ends in.
        while low < high {
            let middle = low + (high.saturating_sub(low) / 2).max(1);
            if weight(middle) <= planned {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low.min(self.slice.to)
    }

    /// Everything in `from..to`, in the order of files; none where it is too much.
    async fn read(&self, open: &BTreeMap<usize, OpenFile>, from: i64, to: i64) -> Result<Option<Vec<Sorted>>, Failure> {
        let mut left = if to.saturating_sub(from) <= 1 {
            usize::MAX
        } else {
            self.budget
        };
        let mut all = Vec::new();
        for file in open.values() {
            match file.read(&self.wanted, from, to, &mut left).await? {
                Some(read) => all.extend(read),
                None => return Ok(None),
            }
        }
        Ok(Some(all))
    }
}

/// Leaves out the first rows, which were returned before.
fn without_first(sorted: Sorted, skip: &mut u64) -> Sorted {
    let count = sorted.times.len().min(usize::try_from(*skip).unwrap_or(usize::MAX));
    *skip -= count as u64;
    let left = sorted.times.len() - count;
    Sorted {
        rows: sorted.rows.slice(count, left),
        times: sorted.times.slice(count, left),
    }
}

/// False where the reader is gone.
async fn hand_over(giver: &Giver<Piece>, sorted: Sorted) -> bool {
    if sorted.times.is_empty() {
        return true;
    }
    let Some(reservation) = giver.reserve(row_bytes(&sorted.rows)).await else {
        return false;
    };
    giver.send(Piece::Rows(sorted), reservation).await
}
