//! Which member of an object is wanted: the names of a record's columns, ready to be compared with bytes.

use arrow::datatypes::DataType;

use super::text;
use super::walk::Walk;
use crate::format::column::{Column, Values};

/// The wanted members of a record, and those inside them.
pub(super) struct Names {
    names: Vec<Name>,
    /// Of each member, what is wanted inside.
    inner: Vec<Self>,
    /// Whether any of them must not be absent.
    pub(super) has_required: bool,
}

struct Name {
    /// With the closing quote, so that no longer name begins alike.
    quoted: Vec<u8>,
    /// Its first eight bytes, or all and zeros.
    start: u64,
    /// Which bits of `start` count.
    mask: u64,
}

impl Names {
    /// The names of these columns.
    pub(super) fn new(columns: &[Column]) -> Self {
        Self {
            names: columns.iter().map(|column| Name::new(column.name())).collect(),
            inner: columns.iter().map(|column| Self::inside(&column.values)).collect(),
            has_required: columns.iter().any(|column| !column.field.is_nullable()),
        }
    }

    fn inside(values: &Values) -> Self {
        match values {
            Values::Record(members) => Self::new(members),
            // A list of lists of records: the levels between have no names.
            Values::List { item, .. } if matches!(item.field.data_type(), DataType::Struct(_) | DataType::List(_)) => {
                Self::inside(&item.values)
            }
            _ => Self::new(&[]),
        }
    }

    /// What is wanted inside the member of this number.
    pub(super) fn inner(&self, index: usize) -> &Self {
        &self.inner[index]
    }

    /// Which member the name is that begins at `at`. `guess` is where it is likely found: members tend to come in one order.
    #[inline]
    pub(super) fn find(&self, walk: &Walk<'_>, at: usize, guess: usize) -> Option<usize> {
        let here = &walk.bytes()[at..];
        let start = u64::from_le_bytes(*here.first_chunk().expect("the padding is longer"));
        let (before, after) = self.names.split_at(guess.min(self.names.len()));
        let is = |name: &Name| {
            (start ^ name.start) & name.mask == 0 && (name.quoted.len() <= 8 || here.starts_with(&name.quoted))
        };
        let found = after.iter().position(is).map(|index| index + before.len());
        let found = found.or_else(|| before.iter().position(is));
        if walk.escapes && found.is_none() {
            self.find_escaped(here)
        } else {
            found
        }
    }

    /// A name may be written with escapes: then it is compared as what it means.
    #[cold]
    fn find_escaped(&self, here: &[u8]) -> Option<usize> {
        let name = text::contents(here);
        memchr::memchr(b'\\', name)?;
        let mut plain = Vec::new();
        text::unescape(name, &mut plain);
        plain.push(b'"');
        self.names.iter().position(|name| name.quoted == plain)
    }
}

impl Name {
    fn new(name: &str) -> Self {
        let mut quoted = name.as_bytes().to_vec();
        quoted.push(b'"');
        let mut start = [0; 8];
        let mut mask = [0; 8];
        for (at, byte) in quoted.iter().take(8).enumerate() {
            start[at] = *byte;
            mask[at] = 0xff;
        }
        Self {
            quoted,
            start: u64::from_le_bytes(start),
            mask: u64::from_le_bytes(mask),
        }
    }
}
