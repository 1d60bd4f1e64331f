//! Windowed counts, computed anew from the generator's events: a set of seen ids, and a map from company and minute to a number.
//!
//! What came too late for its window stands in a folder of its own. Which rows those are depends on how the subtasks ran;
//! that every event is either counted or among them, once, does not.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{event, field, generated, read_folder};

/// How long the windows are, in milliseconds.
const WINDOW_MS: i64 = 60_000;

/// An event that is further behind the newest one than this is one that the generator made late on purpose: it makes
/// those a minute late at least, and keeps the others, and copies of them, within a few seconds.
const LATE_MS: i64 = 30_000;

/// Which row of the result: a company, and the start of a window.
pub type Place = (i64, i64);

/// What there must be.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Events of each company and minute, each id once.
    pub counts: BTreeMap<Place, u64>,
    /// The ids of those that may have come too late.
    pub late: HashSet<u128>,
    /// How many records the generator made, copies among them.
    pub generated: u64,
}

/// Which windows are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of them.
    Whole,
    /// Those that are there: the datastream began from a savepoint, and another one gave the windows before it.
    Rest,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many windows there must be.
    pub expected: usize,
    /// How many events are in them.
    pub events: u64,
    /// How many events were found, counted or late.
    pub found: u64,
    /// How many of those came too late for their window.
    pub late: u64,
    /// Windows that are not there.
    pub missing: usize,
    /// Windows that are there more often than once.
    pub duplicated: usize,
    /// Windows, and late rows, that nobody expects.
    pub foreign: usize,
    /// Windows with another count.
    pub wrong: usize,
    /// Events that nobody counted.
    pub uncounted: u64,
    /// Events that were counted more often than once.
    pub recounted: u64,
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
pub fn expected_counts(options: &Value) -> Result<Expected> {
    let mut options = options.clone();
    // In one split the events come in the order of their making, which says which of them are late.
    options["splits"] = 1.into();
    let (mut seen, mut expected, mut newest) = (HashSet::new(), Expected::default(), i64::MIN);
    generated(&options, &mut |record| {
        expected.generated += 1;
        let (Some(event), Some(company)) = (event(record), number(record, br#""companyId":"#)) else {
            return;
        };
        newest = newest.max(event.time);
        if newest - event.time > LATE_MS {
            expected.late.insert(event.id);
        }
        if seen.insert(event.id) {
            *expected.counts.entry(place(company, event.time)).or_default() += 1;
        }
    })?;
    Ok(expected)
}

fn place(company: i64, time: i64) -> Place {
    (company, time.div_euclid(WINDOW_MS) * WINDOW_MS)
}

/// What is below the folders.
#[derive(Default)]
struct Found {
    rows: BTreeMap<Place, Vec<u64>>,
    late: BTreeMap<Place, u64>,
    /// Late rows that cannot be: of events in time, or there already.
    impossible: usize,
}

/// Compares them with the rows below `counts`: `companyId`, `starttime` in milliseconds, `events`; and with the late rows
/// below `late`: `eventId`, `companyId`, `eventTime`.
///
/// # Errors
/// When a file cannot be read to its end, or a row is not one of these.
pub fn compare_counts(expected: &Expected, counts: &Path, late: Option<&Path>, extent: Extent) -> Result<Counted> {
    let mut found = Found::default();
    read_counts(counts, &mut found)?;
    if let Some(folder) = late {
        read_late(folder, expected, &mut found)?;
    }
    Ok(judge(expected, found, extent))
}

fn judge(expected: &Expected, mut found: Found, extent: Extent) -> Counted {
    let mut counted = Counted {
        foreign: found.impossible,
        ..Counted::default()
    };
    for (place, events) in &expected.counts {
        let (rows, late) = (found.rows.remove(place), found.late.remove(place).unwrap_or(0));
        if rows.is_none() && extent == Extent::Rest {
            continue;
        }
        let rows = rows.unwrap_or_default();
        let sum = rows.iter().sum::<u64>() + late;
        counted.expected += 1;
        counted.events += events;
        counted.found += sum;
        counted.late += late;
        counted.uncounted += events.saturating_sub(sum);
        counted.recounted += sum.saturating_sub(*events);
        // A window whose events all came too late was never there.
        match rows.as_slice() {
            [] if late == *events => {}
            [] => counted.missing += 1,
            [first, again @ ..] => {
                counted.duplicated += again.len();
                counted.wrong += usize::from(first + late != *events);
            }
        }
    }
    counted.foreign += found.rows.len() + found.late.len();
    counted
}

fn read_counts(folder: &Path, found: &mut Found) -> Result<()> {
    let mut bad = None;
    read_folder(folder, &mut |record| match row(record) {
        Some((place, events)) => found.rows.entry(place).or_default().push(events),
        None => bad = Some(String::from_utf8_lossy(record).into_owned()),
    })?;
    ensure!(bad.is_none(), "a row that is no count: {}", bad.unwrap_or_default());
    Ok(())
}

fn read_late(folder: &Path, expected: &Expected, found: &mut Found) -> Result<()> {
    let (mut seen, mut bad) = (HashSet::new(), None);
    read_folder(folder, &mut |record| {
        let (Some(event), Some(company)) = (event(record), number(record, br#""companyId":"#)) else {
            bad = Some(String::from_utf8_lossy(record).into_owned());
            return;
        };
        if expected.late.contains(&event.id) && seen.insert(event.id) {
            *found.late.entry(place(company, event.time)).or_default() += 1;
        } else {
            found.impossible += 1;
        }
    })?;
    ensure!(
        bad.is_none(),
        "a late row that is no event: {}",
        bad.unwrap_or_default()
    );
    Ok(())
}

fn row(record: &[u8]) -> Option<(Place, u64)> {
    let row: Value = serde_json::from_slice(record).ok()?;
    let place = (row.get("companyId")?.as_i64()?, row.get("starttime")?.as_i64()?);
    Some((place, row.get("events")?.as_u64()?))
}

pub(super) fn number(record: &[u8], needle: &[u8]) -> Option<i64> {
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
    use std::fs;

    use serde_json::json;

    use super::*;

    const FOUR: [&str; 4] = [
        r#"{"companyId":1,"starttime":0,"events":3}"#,
        r#"{"companyId":1,"starttime":60000,"events":4}"#,
        r#"{"companyId":1,"starttime":60000,"events":4}"#,
        r#"{"companyId":9,"starttime":0,"events":1}"#,
    ];

    fn folder(lines: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("part.json"), format!("{}\n", lines.join("\n"))).unwrap();
        folder
    }

    fn expected(counts: &[(Place, u64)], late: &[u128]) -> Expected {
        Expected {
            counts: counts.iter().copied().collect(),
            late: late.iter().copied().collect(),
            generated: 0,
        }
    }

    #[test]
    fn each_kind_of_difference_is_counted() {
        let counts = folder(&FOUR);
        let expected = expected(&[((1, 0), 2), ((1, 60_000), 4), ((2, 0), 1)], &[]);
        let found = compare_counts(&expected, counts.path(), None, Extent::Whole).unwrap();
        let wanted = Counted {
            expected: 3,
            events: 7,
            found: 11,
            late: 0,
            missing: 1,
            duplicated: 1,
            foreign: 1,
            wrong: 1,
            uncounted: 1,
            recounted: 5,
        };
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_began_from_a_savepoint_owes_only_the_windows_it_gave() {
        let counts = folder(&FOUR[..1]);
        let expected = expected(&[((1, 0), 3), ((1, 60_000), 4)], &[]);
        let found = compare_counts(&expected, counts.path(), None, Extent::Rest).unwrap();
        assert!(found.is_exact() && found.expected == 1, "{found:?}");
        let found = compare_counts(&expected, counts.path(), None, Extent::Whole).unwrap();
        assert_eq!((found.missing, found.uncounted), (1, 4));
    }

    fn late(id: u8, company: u8, time: i64) -> String {
        format!(
            r#"{{"eventId":"00000000-0000-0000-0000-0000000000{id:02x}","companyId":{company},"eventTime":{time}}}"#
        )
    }

    #[test]
    fn an_event_is_counted_or_late_and_never_both_or_neither() {
        let counts = folder(&FOUR[..1]);
        let rows = [
            late(1, 1, 59_999),
            late(2, 2, 60_000),
            late(2, 2, 60_000),
            late(3, 1, 1),
        ];
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let expected = expected(&[((1, 0), 4), ((2, 60_000), 1)], &[1, 2]);
        let of = |rows: &[&str]| {
            let late = folder(rows);
            compare_counts(&expected, counts.path(), Some(late.path()), Extent::Whole).unwrap()
        };
        let found = of(&rows[..2]);
        assert!(found.is_exact() && found.late == 2 && found.found == 5, "{found:?}");
        // The same late row twice, and one of an event that was in time.
        assert_eq!(of(&rows[..3]).foreign, 1);
        assert_eq!(of(&rows).foreign, 2);
        assert_eq!(of(&rows[..1]).missing, 1);
        assert_eq!(of(&rows[1..2]).wrong, 1);
    }

    #[test]
    fn late_events_are_known_by_the_order_of_their_making() {
        let options = json!({"events": "shop", "count": 60_000, "seed": 3, "rate": 500, "late": 0.01, "duplicates": 0.1, "splits": 4});
        let expected = expected_counts(&options).unwrap();
        let unique: u64 = expected.counts.values().sum();
        assert_eq!(expected.generated, 60_000);
        assert!((53_000..55_000).contains(&unique), "{unique}");
        assert!((400..700).contains(&expected.late.len()), "{}", expected.late.len());
    }
}
