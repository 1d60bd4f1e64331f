//! A split of an archive: a slice of event time, and the files that reach into it.

use chrono::DateTime;
use dataflow::Failure;
use dataflow::contract::Split;
use dataflow::store::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::times::Range;

/// A file, as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) object: Object,
    /// The lowest and highest event time in it.
    pub(super) min: i64,
    pub(super) max: i64,
}

impl Entry {
    pub(super) fn range(&self) -> Range {
        Range {
            min: self.min,
            max: self.max,
        }
    }
}

/// What to read; fixed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slice {
    /// What opens the store.
    pub(super) store: String,
    /// Rows from this event time on …
    pub(super) from: i64,
    /// … and before this one.
    pub(super) to: i64,
    /// Where the whole replay begins: its pace counts from there, and rows without event time belong there.
    pub(super) origin: i64,
    /// The share of this slice in the bytes of the files, for progress.
    pub(super) bytes: u64,
    /// The files, in an order that settles the order of rows of one moment.
    pub(super) files: Vec<Entry>,
}

/// How far a slice was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The event time of the last row that was returned.
    pub(super) time: i64,
    /// How many rows of that moment were returned.
    pub(super) rows_of_time: u64,
    /// How many rows were returned in all.
    pub(super) rows: u64,
}

impl Slice {
    /// The split, at its beginning.
    pub(super) fn split(&self) -> Split {
        let spec = serde_json::to_value(self).expect("strings and numbers are JSON");
        Split {
            id: format!("{}/{}", moment(self.from), moment(self.to)),
            spec,
            position: Value::Null,
        }
    }

    /// The slice and the place of a split that was made here.
    pub(super) fn read(split: &Split) -> Result<(Self, Option<Place>), Failure> {
        let foreign = |error: serde_json::Error| {
            Failure::bug(format!("the split `{}` was not made by the archive source", split.id)).because(&error)
        };
        let slice = serde_json::from_value(split.spec.clone()).map_err(foreign)?;
        let place = serde_json::from_value(split.position.clone()).map_err(foreign)?;
        Ok((slice, place))
    }
}

/// A moment for people; the ends of time are open.
fn moment(instant: i64) -> String {
    let moment = DateTime::from_timestamp_millis(instant)
        .filter(|_| (-62_135_596_800_000..=253_402_300_799_999).contains(&instant));
    moment.map_or_else(
        || "..".to_owned(),
        |moment| moment.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
    )
}

/// Cuts a range of time into slices of equal length, each with the files that reach into it.
pub(super) fn slices(store: &str, files: &[Entry], range: Range, count: u32) -> Vec<Slice> {
    let (from, to) = (i128::from(range.min), i128::from(range.max) + 1);
    let count = i128::from(count).clamp(1, (to - from).max(1));
    let bound = |index: i128| i64::try_from(from + (to - from) * index / count).unwrap_or(i64::MAX);
    let slices = (0..count).map(|index| {
        let (start, end) = (bound(index), bound(index + 1));
        let files: Vec<Entry> = files
            .iter()
            .filter(|file| file.range().overlaps(start, end))
            .cloned()
            .collect();
        let bytes = files.iter().map(|file| share(file, start, end)).sum();
        Slice {
            store: store.to_owned(),
            from: start,
            to: end,
            origin: range.min,
            bytes,
            files,
        }
    });
    slices.filter(|slice| !slice.files.is_empty()).collect()
}

/// The bytes of a file that lie in a part of its time, were they evenly spread.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, between 0 and the size"
)]
fn share(file: &Entry, from: i64, to: i64) -> u64 {
    (file.object.size as f64 * overlap(file.range(), from, to)) as u64
}

/// Which part of a range, from 0 to 1, lies in `from..to`.
pub(super) fn overlap(range: Range, from: i64, to: i64) -> f64 {
    let (min, max) = (range.min as f64, range.max as f64 + 1.0);
    let inside = max.min(to as f64) - min.max(from as f64);
    (inside / (max - min).max(1.0)).clamp(0.0, 1.0)
}
