//! What is done to whom: a function of a seed and a number. Pure.

use std::fmt;

use crate::sim::chance::{Chance, scattered};

/// Whose process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// One of the task managers.
    TaskManager,
    /// The job manager.
    JobManager,
}

/// Whether the other role's process is killed in the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Company {
    /// It lives.
    Alone,
    /// It dies too.
    Both,
}

/// One blow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strike {
    /// `kill -9` at any moment.
    Random(Role, Company),
    /// Death at a crash point.
    Point(Role, &'static str, Company),
    /// Standing still for longer than anybody waits, then going on as if nothing had been.
    Frozen(Role),
}

/// Points of a task manager, in the order in which a checkpoint, and then a restart, comes to them.
const TASKMANAGER: [&str; 12] = [
    "align.before",
    "align.after",
    "snapshot.before",
    "snapshot.after",
    "upload.before",
    "upload.after",
    "prepare.after",
    "commit.before",
    "commit.between",
    "commit.after",
    "restore.before",
    "restore.after",
];

/// Points of the job manager.
const JOBMANAGER: [&str; 8] = [
    "trigger.after",
    "record.before",
    "record.after",
    "told.after",
    "done.before",
    "fence.before",
    "fence.after",
    "deploy.after",
];

/// Points at which both die.
const SHARED: [(Role, &str); 8] = [
    (Role::TaskManager, "snapshot.after"),
    (Role::TaskManager, "upload.after"),
    (Role::TaskManager, "prepare.after"),
    (Role::TaskManager, "commit.between"),
    (Role::JobManager, "record.before"),
    (Role::JobManager, "record.after"),
    (Role::JobManager, "told.after"),
    (Role::JobManager, "done.before"),
];

/// How often each kind without a point is in the deck.
const RANDOM_EACH: usize = 4;

/// Every strike there is; dealt out like cards, so that each comes as often as any other.
fn deck() -> Vec<Strike> {
    use Company::{Alone, Both};
    use Role::{JobManager, TaskManager};
    let mut deck = vec![Strike::Frozen(TaskManager), Strike::Frozen(JobManager)];
    for _ in 0..RANDOM_EACH {
        deck.extend(
            [(TaskManager, Alone), (JobManager, Alone), (TaskManager, Both)]
                .map(|(role, company)| Strike::Random(role, company)),
        );
    }
    deck.extend(TASKMANAGER.map(|point| Strike::Point(TaskManager, point, Alone)));
    deck.extend(JOBMANAGER.map(|point| Strike::Point(JobManager, point, Alone)));
    deck.extend(SHARED.map(|(role, point)| Strike::Point(role, point, Both)));
    deck
}

/// The names of all crash points.
pub fn points() -> impl Iterator<Item = &'static str> {
    TASKMANAGER.into_iter().chain(JOBMANAGER)
}

impl Strike {
    /// The strike of a number, and the chance that decides the rest: whom, and when.
    #[must_use]
    pub(crate) fn of(seed: u64, number: u64) -> (Self, Chance) {
        let mut cards = deck();
        let size = cards.len() as u64;
        let mut shuffle = Chance::of(scattered(seed ^ scattered(number / size)));
        for last in (1..cards.len()).rev() {
            let other = usize::try_from(shuffle.below(last as u64 + 1)).unwrap_or(last);
            cards.swap(last, other);
        }
        let place = usize::try_from(number % size).unwrap_or(0);
        (cards[place], Chance::of(scattered(seed).wrapping_add(number)))
    }

    /// Whether any title has this in it.
    #[must_use]
    pub fn is_any_like(part: &str) -> bool {
        deck().iter().any(|strike| strike.to_string().contains(part))
    }

    /// Whether the job manager dies.
    pub(super) fn takes_jobmanager(self) -> bool {
        match self {
            Self::Random(role, company) | Self::Point(role, _, company) => {
                role == Role::JobManager || company == Company::Both
            }
            Self::Frozen(_) => false,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TaskManager => "task manager",
            Self::JobManager => "job manager",
        })
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random(role, Company::Alone) => write!(f, "{role} at random"),
            Self::Random(_, Company::Both) => f.write_str("both at random"),
            Self::Point(role, point, Company::Alone) => write!(f, "{role} at {point}"),
            Self::Point(role, point, Company::Both) => write!(f, "both as the {role} is at {point}"),
            Self::Frozen(role) => write!(f, "{role} frozen"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_deck_has_every_strike_and_another_order() {
        let size = deck().len() as u64;
        let dealt = |seed: u64, deck: u64| -> Vec<Strike> {
            let numbers = deck * size..(deck + 1) * size;
            numbers.map(|number| Strike::of(seed, number).0).collect()
        };
        let all: BTreeSet<Strike> = deck().into_iter().collect();
        assert_eq!(dealt(1, 0).into_iter().collect::<BTreeSet<_>>(), all);
        assert_eq!(dealt(1, 4).into_iter().collect::<BTreeSet<_>>(), all);
        assert_ne!(dealt(1, 0), dealt(1, 1));
        assert_ne!(dealt(1, 0), dealt(2, 0));
        assert_eq!(dealt(1, 0), dealt(1, 0));
    }
}
