//! Partition folders: what a path says about the rows of a file before anybody opens it.

use chrono::NaiveDate;

use super::options::Replay;
use crate::parquet::layout::{PARTITION_DATE, PARTITION_HOUR, PARTITION_NULL};

const HOUR_MS: i64 = 3_600_000;

/// The `key=value` folders of a path, outermost first, values decoded; none for a null.
pub(super) fn partitions(path: &str) -> Vec<(String, Option<String>)> {
    let Some((folders, _)) = path.rsplit_once('/') else {
        return Vec::new();
    };
    let pairs = folders.split('/').filter_map(|folder| folder.split_once('='));
    pairs
        .map(|(key, value)| (decoded(key), (value != PARTITION_NULL).then(|| decoded(value))))
        .collect()
}

/// Undoes `%3D` and its like; a percent sign that begins no code stands for itself.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether a file under these folders can hold a row that the replay wants.
pub(super) fn wanted(partitions: &[(String, Option<String>)], replay: &Replay) -> bool {
    let value = |key: &str| {
        partitions
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_deref())
    };
    if let (Some(types), Some(folder)) = (&replay.types, value(&replay.type_column))
        && !folder.is_some_and(|folder| types.iter().any(|wanted| wanted == folder))
    {
        return false;
    }
    let Some((start, end)) = value(PARTITION_DATE)
        .flatten()
        .and_then(|date| span(date, value(PARTITION_HOUR).flatten()))
    else {
        return true;
    };
    replay.from.is_none_or(|from| end > from) && replay.to.is_none_or(|to| start < to)
}

/// The time that a day, or an hour of it, covers.
fn span(date: &str, hour: Option<&str>) -> Option<(i64, i64)> {
    let day = date
        .parse::<NaiveDate>()
        .ok()?
        .and_hms_opt(0, 0, 0)?
        .and_utc()
        .timestamp_millis();
    let hour = hour
        .and_then(|hour| hour.parse::<i64>().ok())
        .filter(|hour| (0..24).contains(hour));
    Some(hour.map_or((day, day + 24 * HOUR_MS), |hour| {
        (day + hour * HOUR_MS, day + (hour + 1) * HOUR_MS)
    }))
}
