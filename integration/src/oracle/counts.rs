//! Windowed counts, computed anew from the generator's events: a set of seen ids, and a map from company and minute to a number.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{event, field, generated, read_folder};

/// How long the windows are, in milliseconds.
const WINDOW_MS: i64 = 60_000;

/// Which row of the result: a company, and the start of a window.
pub type Place = (i64, i64);

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many windows there must be.
    pub expected: usize,
    /// How many events are in them.
    pub events: u64,
    /// Windows that are not there.
    pub missing: usize,
    /// Windows that are there more often than once.
    pub duplicated: usize,
    /// Windows that nobody expects.
    pub foreign: usize,
    /// Windows with another count.
    pub wrong: usize,
}

impl Counted {
    /// Whether everything is as it must be.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.missing + self.duplicated + self.foreign + self.wrong == 0
    }
}

/// The counts of the events that the generator makes, each id once, by company and minute of event time.
///
/// # Errors
/// When the options are not the generator's, or the stream does not end.
pub fn expected_counts(options: &Value) -> Result<BTreeMap<Place, u64>> {
    let (mut seen, mut counts) = (HashSet::new(), BTreeMap::new());
    generated(options, &mut |record| {
        let (Some(event), Some(company)) = (event(record), number(record, br#""companyId":"#)) else {
            return;
        };
        if seen.insert(event.id) {
            *counts
                .entry((company, event.time.div_euclid(WINDOW_MS) * WINDOW_MS))
                .or_default() += 1;
        }
    })?;
    Ok(counts)
}

/// Compares them with the rows below `folder`: `companyId`, `starttime` in milliseconds, `events`.
///
/// # Errors
/// When a file cannot be read to its end, or a row is not one of these.
pub fn compare_counts(expected: &BTreeMap<Place, u64>, folder: &Path) -> Result<Counted> {
    let mut rows: BTreeMap<Place, Vec<u64>> = BTreeMap::new();
    let mut bad = None;
    read_folder(folder, &mut |record| match row(record) {
        Some((place, events)) => rows.entry(place).or_default().push(events),
        None => bad = Some(String::from_utf8_lossy(record).into_owned()),
    })?;
    anyhow::ensure!(bad.is_none(), "a row that is no count: {}", bad.unwrap_or_default());
    let mut counted = Counted {
        expected: expected.len(),
        events: expected.values().sum(),
        ..Counted::default()
    };
    for (place, events) in expected {
        match rows.remove(place).as_deref() {
            None | Some([]) => counted.missing += 1,
            Some([found, again @ ..]) => {
                counted.duplicated += again.len();
                counted.wrong += usize::from(found != events);
            }
        }
    }
    counted.foreign = rows.len();
    Ok(counted)
}

fn row(record: &[u8]) -> Option<(Place, u64)> {
    let row: Value = serde_json::from_slice(record).ok()?;
    let place = (row.get("companyId")?.as_i64()?, row.get("starttime")?.as_i64()?);
    Some((place, row.get("events")?.as_u64()?))
}

fn number(record: &[u8], needle: &[u8]) -> Option<i64> {
    let text = field(record, needle)?;
    let end = text.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&text[..end]).ok()?.parse().ok()
}

/// Reads the generator's options.
///
/// # Errors
/// Text that is not JSON.
pub fn options(text: &str) -> Result<Value> {
    serde_json::from_str(text).context("--generator is not JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_difference_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let lines = [
            r#"{"companyId":1,"starttime":0,"events":3}"#,
            r#"{"companyId":1,"starttime":60000,"events":4}"#,
            r#"{"companyId":1,"starttime":60000,"events":4}"#,
            r#"{"companyId":9,"starttime":0,"events":1}"#,
        ];
        std::fs::write(folder.path().join("part.json"), format!("{}\n", lines.join("\n"))).unwrap();
        let expected = BTreeMap::from([((1, 0), 2), ((1, 60_000), 4), ((2, 0), 1)]);
        let found = compare_counts(&expected, folder.path()).unwrap();
        let wanted = Counted {
            expected: 3,
            events: 7,
            missing: 1,
            duplicated: 1,
            foreign: 1,
            wrong: 1,
        };
        assert_eq!(found, wanted);
    }
}
