//! The ledger of running counts: what each key's changes say, one behind another, and what they come to.
//!
//! A change says what the count was and what it is. So a reader who follows one key sees every change that is missing, there
//! twice or in the wrong place: what it was is then not what the one before said it is.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::counts::number;
use super::generated;
use super::order::json_in_order;

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// How many events there must be in all counts together.
    pub expected: u64,
    /// How many there are.
    pub found: u64,
    /// Events that no count has in it.
    pub uncounted: u64,
    /// Events that are in a count once more.
    pub recounted: u64,
    /// Changes that do not go on from the one before.
    pub broken: u64,
}

impl Ledger {
    /// Whether everything is as it must be.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.uncounted + self.recounted + self.broken == 0
    }
}

/// How many events of each company the generator makes, copies among them.
///
/// # Errors
/// When the options are not the generator's, or the stream does not end.
pub fn expected_totals(options: &Value) -> Result<BTreeMap<i64, u64>> {
    let mut totals = BTreeMap::new();
    generated(options, &mut |record| {
        if let Some(company) = number(record, br#""companyId":"#) {
            *totals.entry(company).or_default() += 1;
        }
    })?;
    Ok(totals)
}

/// Follows the changes below `folder`: `{"before":{"companyId":…,"n":…},"after":{…},"op":…}`.
///
/// # Errors
/// When a file cannot be read to its end.
pub fn compare_changes(expected: &BTreeMap<i64, u64>, folder: &Path) -> Result<Ledger> {
    let mut reached: BTreeMap<i64, u64> = BTreeMap::new();
    let mut ledger = Ledger::default();
    json_in_order(folder, &mut |_, change| {
        let (before, after) = (&change["before"], &change["after"]);
        let (Some(company), Some(count)) = (after["companyId"].as_i64(), after["n"].as_u64()) else {
            ledger.broken += 1;
            return;
        };
        let known = reached.insert(company, count);
        let goes_on = before["n"].as_u64() == known && known < Some(count);
        ledger.broken += u64::from(!goes_on);
    })?;
    for (company, expected) in expected {
        let found = reached.remove(company).unwrap_or(0);
        ledger.expected += expected;
        ledger.found += found;
        ledger.uncounted += expected.saturating_sub(found);
        ledger.recounted += found.saturating_sub(*expected);
    }
    // Counts of companies that there are not.
    let foreign: u64 = reached.values().sum();
    ledger.found += foreign;
    ledger.recounted += foreign;
    Ok(ledger)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn ledger(changes: &[(u64, u64)]) -> Ledger {
        let folder = tempfile::tempdir().unwrap();
        let lines = changes.iter().map(|(before, after)| match before {
            0 => format!("{{\"before\":null,\"after\":{{\"companyId\":7,\"n\":{after}}},\"op\":\"c\"}}\n"),
            _ => format!(
                "{{\"before\":{{\"companyId\":7,\"n\":{before}}},\"after\":{{\"companyId\":7,\"n\":{after}}},\"op\":\"u\"}}\n"
            ),
        });
        fs::write(folder.path().join("part-0-1-a.jsonl"), lines.collect::<String>()).unwrap();
        compare_changes(&BTreeMap::from([(7, 9)]), folder.path()).unwrap()
    }

    #[test]
    fn changes_that_go_on_from_each_other_to_the_whole_count_are_exact() {
        assert!(ledger(&[(0, 2), (2, 3), (3, 9)]).is_exact());
    }

    #[test]
    fn a_change_that_is_missing_or_twice_or_in_the_wrong_place_breaks_the_chain() {
        assert_eq!(ledger(&[(0, 2), (3, 9)]).broken, 1);
        assert_eq!(ledger(&[(0, 2), (2, 3), (2, 3), (3, 9)]).broken, 1);
        assert_eq!(ledger(&[(0, 2), (3, 9), (2, 3)]).broken, 2);
    }

    #[test]
    fn a_count_that_ends_elsewhere_is_found() {
        assert_eq!(ledger(&[(0, 2), (2, 8)]).uncounted, 1);
        assert_eq!(ledger(&[(0, 2), (2, 11)]).recounted, 2);
    }
}
