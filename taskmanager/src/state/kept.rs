//! What a snapshot says of a node's state, and how a node goes on from what several subtasks left.
//!
//! ```text
//!   {"cuts": [{"object": "gen-1.2/att-1.2.3.0/1-17.cut", "bytes": …, "head": …, "entries": …, "crc": …, "groups": [0, 512]},
//!             {"inline": "<base64>", "crc": …, "groups": [0, 512]}],
//!    "note": …}
//! ```
//!
//! Each cut says which key groups of it count. A subtask that takes over a part of another one's keys goes on from the same
//! cut as the others who do; without this, a later restore would read keys of one of them from before they were another's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dataflow::Failure;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::format::Reference;
use super::restored::Source;
use super::shelf::Shelf;
use super::{KeyGroups, Restored};

/// What a snapshot says of a node's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// Cuts, older ones first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cuts: Vec<KeptCut>,
    /// The newest note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<Value>,
    /// Bytes of files that were written for it. Not for the snapshot.
    #[serde(skip)]
    pub(crate) written: u64,
}

/// Where a cut's bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum KeptCut {
    /// In a file.
    File(Reference),
    /// Here: small ones.
    Inline(Inline),
}

/// A cut that travels in the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inline {
    /// Its entries, in base64.
    inline: String,
    /// The crc32 of its entries.
    crc: u32,
    /// The key groups that count.
    groups: [u32; 2],
}

impl Inline {
    /// A cut of these bytes, of which these key groups count.
    pub(super) fn new(bytes: &[u8], groups: [u32; 2]) -> Self {
        Self {
            inline: STANDARD.encode(bytes),
            crc: crc32fast::hash(bytes),
            groups,
        }
    }

    /// The key groups that count.
    pub(super) fn groups(&self) -> [u32; 2] {
        self.groups
    }

    /// How long it is in the snapshot.
    pub(super) fn length(&self) -> usize {
        self.inline.len()
    }

    /// Its entries.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, Failure> {
        let bytes = STANDARD.decode(&self.inline).map_err(|error| {
            Failure::fail("a part of the state in the snapshot cannot be read: it is not base64").because(&error)
        })?;
        match crc32fast::hash(&bytes) {
            found if found == self.crc => Ok(bytes),
            found => Err(Failure::fail(format!(
                "a part of the state in the snapshot is corrupt: it has the checksum {found:08x}, and {:08x} was written",
                self.crc
            ))),
        }
    }
}

impl KeptCut {
    /// The key groups that count.
    pub(super) fn groups(&self) -> [u32; 2] {
        match self {
            Self::File(file) => file.groups,
            Self::Inline(inline) => inline.groups,
        }
    }

    /// The same for those of its key groups that are also in `owned`, if there are any.
    fn narrowed(mut self, owned: [u32; 2]) -> Option<Self> {
        let groups = match &mut self {
            Self::File(file) => &mut file.groups,
            Self::Inline(inline) => &mut inline.groups,
        };
        *groups = [groups[0].max(owned[0]), groups[1].min(owned[1])];
        (groups[0] < groups[1]).then_some(self)
    }
}

impl Kept {
    /// The bytes of all files that it names.
    pub(crate) fn file_bytes(&self) -> u64 {
        let files = self.cuts.iter().map(|cut| match cut {
            KeptCut::File(file) => file.bytes,
            KeptCut::Inline(_) => 0,
        });
        files.sum()
    }

    /// What a subtask with these key groups goes on from, where this is what several subtasks kept of one node: the entries,
    /// and the cuts that its own snapshots will name.
    ///
    /// # Errors
    /// Cuts that cannot be read, or none to read them from.
    pub(crate) fn restore(
        parts: Vec<Self>,
        shelf: Option<&Shelf>,
        groups: &KeyGroups,
    ) -> Result<(Restored, Vec<KeptCut>), Failure> {
        let owned = [groups.owned.start, groups.owned.end];
        let (mut notes, mut cuts) = (Vec::new(), Vec::new());
        for part in parts {
            notes.extend(part.note);
            cuts.extend(part.cuts.into_iter().filter_map(|cut| cut.narrowed(owned)));
        }
        let source = |cut: &KeptCut| {
            let [start, end] = cut.groups();
            Ok(match cut {
                KeptCut::Inline(inline) => Source::inline(inline.bytes()?.into(), start..end),
                KeptCut::File(file) => {
                    let shelf = shelf.cloned().ok_or_else(|| {
                        Failure::bug(format!(
                            "the state file `{}` is to be read, and no folder of state was deployed",
                            file.object
                        ))
                    })?;
                    Source::file(shelf, file.clone())
                }
            })
        };
        let sources = cuts.iter().map(source).collect::<Result<_, Failure>>()?;
        Ok((Restored { cuts: sources, notes }, cuts))
    }
}

/// The names of all objects that a node's value in a snapshot refers to, in the folder of the job's state: what garbage
/// collection must leave. Of any other node, such as a source or a sink, none.
#[must_use]
pub fn objects(value: &Value) -> Vec<&str> {
    let cuts = value.get("cuts").and_then(Value::as_array).into_iter().flatten();
    cuts.filter_map(|cut| cut.get("object")?.as_str()).collect()
}
