//! Oracles: what came out, compared with what must have come out, by unique ids and without any part of the engine.
//!
//! The expected events come straight from the generator's bytes, one thread, no plan, no channel, no checkpoint;
//! the actual ones from the files that an outsider sees. Fields are found by searching the text, not by Weir's scanner.

mod changes;
mod compare;
mod counts;
mod expected;
mod line;
mod order;
mod outside;

pub use changes::{Ledger, compare_changes, expected_totals};
pub use compare::{Verdict, compare};
pub use counts::{Counted, Expected, Extent, Place, compare_counts, expected_counts, options};
pub use expected::generated;
pub use line::Line;
pub use order::{rows_out_of_order, sequences, windows_out_of_order};
pub use outside::read_folder;

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

/// What the oracle remembers of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// Its unique id: the 128 bits of `eventId`.
    pub id: u128,
    /// Its event time, in milliseconds since 1970.
    pub time: i64,
    /// A fingerprint of the whole record, so that a record with the right id and other bytes is found too.
    pub digest: u64,
}

/// Reads an event out of the bytes of a shop record, by searching for its fields. None for a record without them.
#[must_use]
pub fn event(record: &[u8]) -> Option<Event> {
    let id = field(record, br#""eventId":""#)?;
    let id = id.split(|byte| *byte == b'"').next()?;
    let digits: Vec<u8> = id.iter().copied().filter(|byte| *byte != b'-').collect();
    let id = u128::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?;
    let time = field(record, br#""eventTime":"#)?;
    let end = time.iter().position(|byte| !byte.is_ascii_digit())?;
    let time = std::str::from_utf8(&time[..end]).ok()?.parse().ok()?;
    Some(Event {
        id,
        time,
        digest: fingerprint(record),
    })
}

/// The event type of a shop record.
#[must_use]
pub fn event_type(record: &[u8]) -> Option<&str> {
    let value = field(record, br#""eventType":""#)?;
    std::str::from_utf8(value.split(|byte| *byte == b'"').next()?).ok()
}

/// The shop events that the generator makes with `options`, of the types in `kept`; of all types where it names none.
///
/// # Errors
/// When the options are not the generator's, or the stream does not end.
pub fn expected(options: &Value, kept: &[&str]) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    generated(options, &mut |record| {
        if kept.is_empty() || event_type(record).is_some_and(|kind| kept.contains(&kind)) {
            events.extend(event(record));
        }
    })?;
    Ok(events)
}

/// The shop events that an outsider sees below `folder`. A record that is none counts as an event that nobody expects.
///
/// # Errors
/// When a file cannot be read to its end.
pub fn visible(folder: &Path) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    read_folder(folder, &mut |record| {
        events.push(event(record).unwrap_or_else(|| Event {
            id: 0,
            time: 0,
            digest: fingerprint(record),
        }));
    })?;
    Ok(events)
}

/// What stands behind the first `needle`.
fn field<'a>(record: &'a [u8], needle: &[u8]) -> Option<&'a [u8]> {
    let at = memchr::memmem::find(record, needle)?;
    Some(&record[at + needle.len()..])
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): small, and nobody else's here.
fn fingerprint(record: &[u8]) -> u64 {
    record.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_found_in_the_text_of_a_record() {
        let record = br#"{"eventId":"00000000-0000-0000-0000-00000000000a","eventType":"LOGIN","eventTime":1700000000123,"payload":{}}"#;
        let event = event(record).unwrap();
        assert_eq!((event.id, event.time), (10, 1_700_000_000_123));
        assert_eq!(event_type(record), Some("LOGIN"));
        assert!(super::event(b"not json at all").is_none());
    }
}
