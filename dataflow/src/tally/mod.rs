//! What became of the rows of one step, by the minute of their time; and how old rows were, in a histogram.
//!
//! Enters: numbers of rows and their minutes, counted by a subtask. Leaves: sums over subtasks and attempts, a text for
//! snapshots and records. Must stay true: sums do not depend on how rows were cut into batches, dealt to subtasks or
//! interrupted; the newest [`MINUTES_KEPT`] minutes stand apart, all before them stand together. Not here: which minute a
//! row is of (task manager), what is missing (job manager).

mod account;
mod histogram;
mod text;
#[cfg(test)]
mod tests;

pub use account::{Account, Fate};
pub use histogram::{CELLS, Histogram};
pub use text::Unreadable;

use std::collections::{BTreeMap, VecDeque};

/// So many minutes stand apart, the newest ones.
pub const MINUTES_KEPT: i64 = 180;
/// Rows whose time is so many minutes ahead of the clock stand together: one wrong time must not push out all others.
pub const MINUTES_AHEAD: i64 = 24 * 60;
/// Milliseconds of a minute.
pub const MINUTE_MS: i64 = 60_000;

/// The minute of an instant, since the epoch.
#[must_use]
pub fn minute_of(time_ms: i64) -> i64 {
    time_ms.div_euclid(MINUTE_MS)
}

/// The rows of one step, by the minute of their time.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The minute of the first account of `apart`.
    first: i64,
    /// One for each minute up to the newest, [`MINUTES_KEPT`] at most.
    apart: VecDeque<Account>,
    older: Account,
    ahead: Account,
}

/// The tallies of many steps, by their names.
pub type Tallies = BTreeMap<String, Tally>;

/// What has changed in a tally: whole accounts, not differences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// By minute.
    pub minutes: Vec<(i64, Account)>,
    /// Of all minutes before those that stand apart.
    pub older: Account,
    /// Of all minutes that are too far ahead.
    pub ahead: Account,
}

/// Minutes without rows say nothing.
impl PartialEq for Tally {
    fn eq(&self, other: &Self) -> bool {
        (self.older, self.ahead) == (other.older, other.ahead) && self.minutes().eq(other.minutes())
    }
}

impl Eq for Tally {}

impl Tally {
    /// Rows of this minute; `now` is the minute of the clock.
    pub fn add(&mut self, minute: i64, now: i64, fate: Fate, rows: u64) {
        if rows == 0 {
            return;
        }
        let account = match minute > now.saturating_add(MINUTES_AHEAD) {
            true => &mut self.ahead,
            false => self.account(minute),
        };
        account.add(fate, rows);
    }

    /// The newest minute that stands apart.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        let minutes = i64::try_from(self.apart.len()).unwrap_or(MINUTES_KEPT);
        (minutes > 0).then(|| self.first.saturating_add(minutes - 1))
    }

    /// The minutes that stand apart and have rows, in order.
    pub fn minutes(&self) -> impl DoubleEndedIterator<Item = (i64, Account)> + '_ {
        let all = self.apart.iter().copied().enumerate();
        let dated = all.map(|(index, account)| (self.first.saturating_add(i64::try_from(index).unwrap_or(0)), account));
        dated.filter(|(_, account)| !account.is_empty())
    }

    /// The account of a minute that stands apart.
    #[must_use]
    pub fn minute(&self, minute: i64) -> Account {
        let index = usize::try_from(minute.saturating_sub(self.first)).ok();
        let account = index.and_then(|index| self.apart.get(index));
        account.copied().unwrap_or_default()
    }

    /// All minutes before those that stand apart.
    #[must_use]
    pub fn older(&self) -> Account {
        self.older
    }

    /// All minutes that are too far ahead of the clock.
    #[must_use]
    pub fn ahead(&self) -> Account {
        self.ahead
    }

    /// Everything.
    #[must_use]
    pub fn total(&self) -> Account {
        let all = self.apart.iter().chain([&self.older, &self.ahead]);
        all.fold(Account::default(), |sum, account| sum.and(*account))
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total().is_empty()
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        // The newest first: those that come to stand together then do so once.
        for (minute, account) in other.minutes().rev() {
            let sum = self.account(minute);
            *sum = sum.and(account);
        }
        self.older = self.older.and(other.older);
        self.ahead = self.ahead.and(other.ahead);
    }

    /// Takes away what was merged before.
    pub fn take_away(&mut self, other: &Self) {
        for (minute, account) in other.minutes() {
            let sum = self.account(minute);
            *sum = sum.without(account);
        }
        self.older = self.older.without(other.older);
        self.ahead = self.ahead.without(other.ahead);
    }

    /// What is to be said of it to somebody who knows `told`.
    #[must_use]
    pub fn said(&self, told: &Self) -> Changes {
        let changed = self
            .minutes()
            .filter(|(minute, account)| told.minute(*minute) != *account);
        Changes {
            minutes: changed.collect(),
            older: self.older,
            ahead: self.ahead,
        }
    }

    /// Hears what was said of the same tally elsewhere.
    pub fn hear(&mut self, changes: &Changes) {
        for (minute, account) in &changes.minutes {
            *self.account(*minute) = *account;
        }
        // Those that have come to stand together are in what was said.
        (self.older, self.ahead) = (changes.older, changes.ahead);
    }

    /// The account in which rows of a minute stand.
    fn account(&mut self, minute: i64) -> &mut Account {
        match self.newest() {
            Some(newest) if minute <= newest.saturating_sub(MINUTES_KEPT) => return &mut self.older,
            Some(newest) if minute <= newest => {
                while self.first > minute {
                    self.apart.push_front(Account::default());
                    self.first -= 1;
                }
            }
            Some(_) | None => self.reach(minute),
        }
        let index = usize::try_from(minute.saturating_sub(self.first)).unwrap_or(0);
        &mut self.apart[index]
    }

    /// Makes this minute the newest; those that are too old now come to stand together.
    fn reach(&mut self, minute: i64) {
        let first = minute.saturating_sub(MINUTES_KEPT).saturating_add(1);
        while self.first < first
            && let Some(account) = self.apart.pop_front()
        {
            self.older = self.older.and(account);
            self.first += 1;
        }
        if self.apart.is_empty() {
            self.first = minute;
        }
        while self.newest().is_none_or(|newest| newest < minute) {
            self.apart.push_back(Account::default());
        }
    }
}

/// Adds tallies of many steps to those of others.
pub fn merge(sums: &mut Tallies, others: &Tallies) {
    for (step, tally) in others {
        match sums.get_mut(step) {
            Some(sum) => sum.merge(tally),
            None => drop(sums.insert(step.clone(), tally.clone())),
        }
    }
}

/// Takes away tallies that were merged before.
pub fn take_away(sums: &mut Tallies, others: &Tallies) {
    for (step, tally) in others {
        if let Some(sum) = sums.get_mut(step) {
            sum.take_away(tally);
        }
    }
}
