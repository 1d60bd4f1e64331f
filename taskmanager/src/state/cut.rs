//! What one node's state has changed up to a barrier, as bytes: entries one behind another, in any order.
//!
//! An entry: key group (2 bytes, big-endian) | state (1) | kind (1: put or removed) | namespace (8, big-endian) |
//! length of the key (4, little-endian) | key | and of a put: length of the value (4) | value.

use serde_json::Value;

/// An entry holds a value.
pub(super) const PUT: u8 = 1;
/// An entry says that there is no value any more.
pub(super) const REMOVED: u8 = 0;

/// What is written at one barrier.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    number: u64,
    bytes: Vec<u8>,
    entries: u64,
    needed_from: Option<u64>,
    note: Option<Value>,
}

/// Whose an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The key group of its key.
    pub(crate) group: u16,
    /// Which state of the operator, where it has several.
    pub(crate) state: u8,
    /// A pane's start, or 0: what the operator wants to find together.
    pub(crate) namespace: i64,
}

impl Cut {
    /// The cut of this number; they count the barriers of one attempt from 1, and 0 is what it was restored from.
    pub(crate) fn new(number: u64) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    /// Its number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// A key has this value.
    pub(crate) fn put(&mut self, place: Place, key: &[u8], value: impl FnOnce(&mut Vec<u8>)) {
        self.head(place, PUT, key);
        let length_at = self.bytes.len();
        self.bytes.extend([0; 4]);
        value(&mut self.bytes);
        let length = length(self.bytes.len() - length_at - 4);
        self.bytes[length_at..length_at + 4].copy_from_slice(&length);
    }

    /// A key has no value any more.
    pub(crate) fn remove(&mut self, place: Place, key: &[u8]) {
        self.head(place, REMOVED, key);
    }

    fn head(&mut self, place: Place, kind: u8, key: &[u8]) {
        self.entries += 1;
        self.bytes.extend(place.group.to_be_bytes());
        self.bytes.extend([place.state, kind]);
        self.bytes.extend(place.namespace.to_be_bytes());
        self.bytes.extend(length(key.len()));
        self.bytes.extend(key);
    }

    /// Something small that is written whole each time; a restored operator gets that of every subtask whose keys it has.
    pub(crate) fn note(&mut self, note: Value) {
        self.note = Some(note);
    }

    /// Cuts before this number hold nothing that is not in later ones, as far as one table is concerned.
    pub(crate) fn need_from(&mut self, number: u64) {
        self.needed_from = Some(self.needed_from.map_or(number, |other| other.min(number)));
    }

    /// The first cut that is still needed; without any table, none before this one.
    pub(crate) fn needed_from(&self) -> u64 {
        self.needed_from.unwrap_or(self.number)
    }

    /// How many bytes of entries there are.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How many entries.
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    /// The entries, and the note.
    pub(crate) fn into_parts(self) -> (Vec<u8>, Option<Value>) {
        (self.bytes, self.note)
    }
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes)
        .expect("keys and values come from batches, which are far smaller than 4 GiB")
        .to_le_bytes()
}
