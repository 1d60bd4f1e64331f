//! The book of one node: its tally, and the ages of its rows. Written by its thread, read by heartbeats.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, RecordBatch};
use dataflow::contract::BadRecord;
use dataflow::element::Watermark;
use dataflow::tally::{Changes, Fate, Histogram, Tally, minute_of};
use parking_lot::Mutex;

use super::sample::Sample;
use super::spread::{Spread, values};
use super::times;

/// What is counted of one node.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    tally: Tally,
    /// What the job manager knows of it.
    told: Tally,
    /// Whether anything was counted since. Heartbeats come with every acknowledgement of any subtask, milliseconds apart.
    touched: bool,
    ages: Ages,
    /// The minute of the clock.
    now: i64,
    /// The minute of all rows of the batch that was pushed last.
    whole: Option<i64>,
    /// Its rows that nothing was said of yet, by minute, where they are of several.
    rest: Vec<(i64, u64)>,
    /// Rows that have come in and whose time is not known before they leave.
    untimed: u64,
}

/// How old rows were, in milliseconds, when they came to a node and when they left it.
#[derive(Debug, Default)]
pub(crate) struct Ages {
    /// When they came.
    pub(crate) came: Histogram,
    /// When they left.
    pub(crate) left: Histogram,
}

/// How much is said of a tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// What has changed since it was said last.
    Changes,
    /// All of it: to whoever may not have heard what came before.
    Everything,
}

/// Which rows of a batch.
#[derive(Clone, Copy)]
pub(crate) enum Which<'a> {
    /// All of these, in a batch of their own.
    All(&'a RecordBatch),
    /// Those that are named.
    Bad(&'a RecordBatch, &'a [BadRecord]),
}

impl Book {
    /// What was counted so far.
    pub(crate) fn tally(&self) -> Tally {
        let mut state = self.0.lock();
        // Nothing is under way when a snapshot asks: what has not left by now is missing.
        let (now, untimed) = (state.latest(), std::mem::take(&mut state.untimed));
        state.count(now, Fate::In, untimed);
        state.tally.clone()
    }

    /// What was counted since this was asked last, or everything; and the ages of the rows since then.
    pub(crate) fn say(&self, told: Told) -> (Changes, Ages) {
        let mut state = self.0.lock();
        if told == Told::Everything {
            state.told = Tally::default();
        } else if !state.touched {
            let changes = Changes {
                minutes: Vec::new(),
                older: state.tally.older(),
                ahead: state.tally.ahead(),
            };
            return (changes, std::mem::take(&mut state.ages));
        }
        let changes = state.tally.said(&state.told);
        state.told.hear(&changes);
        state.touched = false;
        (changes, std::mem::take(&mut state.ages))
    }

    /// Rows with times come in.
    pub(super) fn entered(&self, spread: &Spread, wall: i64) {
        let mut state = self.0.lock();
        state.begin(wall);
        state.whole = spread.whole();
        for (minute, rows) in spread.minutes() {
            state.count(*minute, Fate::In, *rows);
        }
        if state.whole.is_none() {
            state.rest.extend_from_slice(spread.minutes());
        }
    }

    /// Rows come in that are given another time here.
    pub(super) fn to_be_retimed(&self, rows: u64, wall: i64) {
        let mut state = self.0.lock();
        state.begin(wall);
        state.whole = None;
        state.untimed += rows;
    }

    /// Rows without times come in.
    pub(super) fn arrived(&self, rows: u64, wall: i64) {
        let mut state = self.0.lock();
        state.begin(wall);
        let now = state.now;
        state.whole = Some(now);
        state.count(now, Fate::In, rows);
    }

    /// Rows with times go on.
    pub(super) fn left(&self, spread: &Spread, wall: i64) {
        let mut state = self.0.lock();
        state.now = minute_of(wall);
        for (minute, rows) in spread.minutes() {
            let came = state.untimed.min(*rows);
            state.untimed -= came;
            state.count(*minute, Fate::In, came);
            state.count(*minute, Fate::Out, *rows);
        }
    }

    /// So many rows of the batch that was pushed last go on, without their times.
    pub(crate) fn passed(&self, rows: u64) {
        self.0.lock().pass(rows);
    }

    /// Rows that no row of the input became go on, without times: of the minute to which time has come in what came in.
    pub(super) fn gave(&self, rows: u64, reached: Option<Watermark>, wall: i64) {
        let mut state = self.0.lock();
        state.now = minute_of(wall);
        let latest = state.latest();
        let minute = reached.map_or(latest, |reached| minute_of(reached.0).min(latest));
        state.count(minute, Fate::Out, rows);
    }

    /// So old were rows when they came.
    pub(super) fn came(&self, sample: &Sample, wall: i64) {
        sample.add_to(&mut self.0.lock().ages.came, wall);
    }

    /// So old were rows when they left.
    pub(super) fn went(&self, sample: &Sample, wall: i64) {
        sample.add_to(&mut self.0.lock().ages.left, wall);
    }

    /// Rows of the batch that was pushed last are left out.
    pub(crate) fn tell(&self, fate: Fate, rows: Which<'_>) {
        let mut state = self.0.lock();
        match state.whole {
            Some(minute) => state.count(minute, fate, rows.count()),
            None => {
                for (minute, rows) in rows.minutes(state.now) {
                    state.settle(minute, fate, rows);
                }
            }
        }
    }

    /// So many rows that nobody can name are left out.
    pub(crate) fn tell_of(&self, fate: Fate, rows: u64) {
        let mut state = self.0.lock();
        let minute = state.whole.unwrap_or(state.now);
        state.count(minute, fate, rows);
    }

    /// Of the rows of `input`, those that are neither kept nor failed were left out on purpose: so many.
    pub(crate) fn leave_out(&self, rows: u64, input: &RecordBatch, kept: &RecordBatch, failed: &[BadRecord]) {
        let mut state = self.0.lock();
        if let Some(minute) = state.whole {
            return state.count(minute, Fate::Filtered, rows);
        }
        let now = state.now;
        let mut left_out = Which::All(input).minutes(now);
        for others in [Which::All(kept), Which::Bad(input, failed)] {
            for (minute, rows) in others.minutes(now) {
                let count = left_out.entry(minute).or_default();
                *count = count.saturating_sub(rows);
            }
        }
        for (minute, rows) in left_out {
            state.settle(minute, Fate::Filtered, rows);
        }
    }
}

impl Which<'_> {
    fn count(&self) -> u64 {
        match self {
            Self::All(rows) => rows.num_rows() as u64,
            Self::Bad(_, bad) => bad.len() as u64,
        }
    }

    fn minutes(&self, now: i64) -> BTreeMap<i64, u64> {
        let (Self::All(rows) | Self::Bad(rows, _)) = self;
        let Some(column) = times(rows) else {
            return BTreeMap::from([(now, self.count())]);
        };
        match self {
            Self::All(_) => {
                let mut spread = Spread::default();
                spread.fill(column, now);
                spread.minutes().iter().copied().collect()
            }
            Self::Bad(_, bad) => {
                let mut minutes: BTreeMap<i64, u64> = BTreeMap::new();
                for bad in *bad {
                    *minutes.entry(minute_at(column, bad.row).unwrap_or(now)).or_default() += 1;
                }
                minutes
            }
        }
    }
}

fn minute_at(times: &ArrayRef, row: usize) -> Option<i64> {
    let times = values(times).filter(|times| row < times.len() && times.is_valid(row))?;
    Some(minute_of(times.value(row)))
}

impl State {
    fn begin(&mut self, wall: i64) {
        self.now = minute_of(wall);
        self.rest.clear();
    }

    /// The newest minute of what came in; that of the clock before anything did.
    fn latest(&self) -> i64 {
        self.tally.newest().unwrap_or(self.now)
    }

    fn count(&mut self, minute: i64, fate: Fate, rows: u64) {
        self.touched = true;
        self.tally.add(minute, self.now, fate, rows);
    }

    /// Counts rows of a batch of several minutes that are left out.
    fn settle(&mut self, minute: i64, fate: Fate, rows: u64) {
        self.count(minute, fate, rows);
        if let Some((_, left)) = self.rest.iter_mut().find(|(other, _)| *other == minute) {
            *left = left.saturating_sub(rows);
        }
    }

    /// Counts rows that go on without their times. Of a batch of several minutes those go on of which nothing else was
    /// said; where they are fewer than that, the sum is right and the minute is one of the batch's.
    fn pass(&mut self, rows: u64) {
        if let Some(minute) = self.whole {
            return self.count(minute, Fate::Out, rows);
        }
        let mut left = rows;
        for index in 0..self.rest.len() {
            let (minute, there) = self.rest[index];
            let some = there.min(left);
            self.rest[index].1 -= some;
            left -= some;
            self.count(minute, Fate::Out, some);
        }
        self.count(self.now, Fate::Out, left);
    }
}
