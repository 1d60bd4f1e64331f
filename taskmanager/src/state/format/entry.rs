//! Entries as bytes, one behind another.
//!
//! An entry: key group (2 bytes, big-endian) | state (1) | kind (1) | namespace (8, big-endian) | length of the key (4,
//! little-endian) | key | and where the kind is "put": length of the value (4) | value. Of "cleared", which says that
//! nothing older of a state and namespace counts, the key group is 0 and the key empty; it is only in streams of entries
//! that stand in a snapshot, before all others: files have it in their head.

/// There is no value any more.
const REMOVED: u8 = 0;
/// There is a value.
const PUT: u8 = 1;
/// A whole table is gone.
const CLEARED: u8 = 2;

/// Whose an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The key group of its key.
    pub group: u16,
    /// Which state of the operator, where it has several.
    pub state: u8,
    /// A pane's start, or 0: what the operator wants to find together.
    pub namespace: i64,
}

/// One entry of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Whose it is.
    pub place: Place,
    /// The key's canonical bytes.
    pub key: &'a [u8],
    /// The value; none where it was removed.
    pub value: Option<&'a [u8]>,
}

/// A table of which nothing older counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cleared {
    /// Which state.
    pub state: u8,
    /// Which of its namespaces.
    pub namespace: i64,
}

/// What stands in a stream of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// An entry.
    Entry(Entry<'a>),
    /// A table is gone.
    Cleared(Cleared),
}

/// Bytes that are not entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bytes that are not entries, {left} before their end")]
pub struct Malformed {
    /// Where, counted from the end.
    pub left: usize,
}

/// Reads entries.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
}

impl<'a> Entries<'a> {
    /// Of these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Item<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let malformed = Malformed { left: self.rest.len() };
        let item = item(&mut self.rest);
        if item.is_none() {
            self.rest = &[];
        }
        Some(item.ok_or(malformed))
    }
}

fn item<'a>(rest: &mut &'a [u8]) -> Option<Item<'a>> {
    let group = u16::from_be_bytes(take(rest, 2)?.try_into().ok()?);
    let [state, kind] = *take(rest, 2)? else { return None };
    let namespace = i64::from_be_bytes(take(rest, 8)?.try_into().ok()?);
    let key = sized(rest)?;
    let value = match kind {
        PUT => Some(sized(rest)?),
        REMOVED => None,
        CLEARED => return Some(Item::Cleared(Cleared { state, namespace })),
        _ => return None,
    };
    let place = Place {
        group,
        state,
        namespace,
    };
    Some(Item::Entry(Entry { place, key, value }))
}

fn sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(take(rest, 4)?.try_into().ok()?);
    take(rest, usize::try_from(length).ok()?)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

/// Whether an entry has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::state) enum Kind {
    Put,
    Removed,
}

/// Appends an entry up to its key; a put is followed by [`write_value`].
#[inline]
pub(in crate::state) fn write_head(out: &mut Vec<u8>, place: Place, kind: Kind, key: &[u8]) {
    let kind = match kind {
        Kind::Put => PUT,
        Kind::Removed => REMOVED,
    };
    let mut head = [0; 16];
    head[..2].copy_from_slice(&place.group.to_be_bytes());
    head[2] = place.state;
    head[3] = kind;
    head[4..12].copy_from_slice(&place.namespace.to_be_bytes());
    head[12..].copy_from_slice(&length(key.len()));
    out.reserve(head.len() + key.len());
    out.extend_from_slice(&head);
    out.extend_from_slice(key);
}

/// Appends the value of a put.
#[inline]
pub(in crate::state) fn write_value(out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    value(out);
    let length = length(out.len() - length_at - 4);
    out[length_at..length_at + 4].copy_from_slice(&length);
}

/// Appends that a table is gone.
pub(in crate::state) fn write_cleared(out: &mut Vec<u8>, cleared: Cleared) {
    out.extend([0, 0, cleared.state, CLEARED]);
    out.extend(cleared.namespace.to_be_bytes());
    out.extend([0; 4]);
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes)
        .expect("keys and values come from batches, which are far smaller than 4 GiB")
        .to_le_bytes()
}
