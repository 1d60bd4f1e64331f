//! The cycles that count, by what was done, and how long it took to commit again.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::strike::{Company, Role, Strike};

/// All of them.
#[derive(Debug, Default)]
pub struct Tally(BTreeMap<Strike, Vec<Duration>>);

impl Tally {
    /// One more.
    pub(super) fn add(&mut self, strike: Strike, took: Duration) {
        self.0.entry(strike).or_default().push(took);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.values().map(|all| all.len() as u64).sum()
    }

    fn line(f: &mut fmt::Formatter<'_>, title: &str, mut took: Vec<Duration>) -> fmt::Result {
        took.sort_unstable();
        let (Some(longest), Some(middle)) = (took.last(), took.get(took.len() / 2)) else {
            return Ok(());
        };
        let (count, middle, longest) = (took.len(), middle.as_millis(), longest.as_millis());
        writeln!(f, "{title:<48}{count:>8}{middle:>10}{longest:>10}")
    }
}

/// Who died.
fn kind(strike: Strike) -> &'static str {
    match strike {
        Strike::Random(_, Company::Both) | Strike::Point(_, _, Company::Both) => "both",
        Strike::Random(Role::TaskManager, _) | Strike::Point(Role::TaskManager, ..) => "task manager",
        Strike::Random(Role::JobManager, _) | Strike::Point(Role::JobManager, ..) => "job manager",
        Strike::Frozen(_) => "frozen, and thawed",
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<48}{:>8}{:>10}{:>10}", "", "cycles", "p50 ms", "max ms")?;
        let mut kinds: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
        for (strike, took) in &self.0 {
            Self::line(f, &strike.to_string(), took.clone())?;
            kinds.entry(kind(*strike)).or_default().extend(took);
        }
        for (kind, took) in kinds {
            Self::line(f, &format!("all: {kind}"), took)?;
        }
        Self::line(f, "all", self.0.values().flatten().copied().collect())
    }
}
