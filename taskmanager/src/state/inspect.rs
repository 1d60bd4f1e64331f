//! Reads the state of a checkpoint without running anything: for `weir state`.
//!
//! Enters: what a record says of a step in one subtask, and the store with the job's state files. Leaves: what there is, what
//! is wrong with it, and entries by key. Files are read and checked as a restore does it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use dataflow::store::Store;
use dataflow::time::Clock;
use dataflow::{Failure, Scope};
use serde::Deserialize as _;
use serde_json::Value;

use super::format::{Entries, Reference};
use super::kept::{Kept, KeptCut};
use super::shelf::{Piece, Shelf};
use super::{KeyGroups, Restored};
use crate::overtaken::{self, Stowed};

/// What one subtask kept of one step.
#[derive(Clone, Debug)]
pub struct StepState {
    kept: Kept,
}

/// One cut, as the snapshot names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutInfo {
    /// The object's name; none where it stands in the snapshot.
    pub object: Option<String>,
    /// Its length.
    pub bytes: u64,
    /// How many entries it holds.
    pub entries: u64,
    /// The key groups that count.
    pub groups: [u32; 2],
}

/// One key, as it was at the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// Which state of the operator.
    pub state: u8,
    /// Which pane, or 0.
    pub namespace: i64,
    /// The key as a person writes it, its parts joined by `,`.
    pub key: String,
    /// Its value, as the operator wrote it.
    pub value: Vec<u8>,
}

impl StepState {
    /// Of what stands in a snapshot; none where that is not of a step with keyed state.
    #[must_use]
    pub fn parse(value: &Value) -> Option<Self> {
        let kept = Kept::deserialize(value).ok()?;
        (!kept.cuts.is_empty() || kept.note.is_some()).then_some(Self { kept })
    }

    /// Its cuts, older ones first.
    ///
    /// # Errors
    /// One in the snapshot that cannot be read.
    pub fn cuts(&self) -> Result<Vec<CutInfo>, Failure> {
        let info = |cut: &KeptCut| {
            Ok(match cut {
                KeptCut::File(Reference {
                    object,
                    bytes,
                    entries,
                    groups,
                    ..
                }) => CutInfo {
                    object: Some(object.clone()),
                    bytes: *bytes,
                    entries: *entries,
                    groups: *groups,
                },
                KeptCut::Inline(inline) => {
                    let bytes = inline.bytes()?;
                    CutInfo {
                        object: None,
                        bytes: bytes.len() as u64,
                        entries: Entries::new(&bytes).count() as u64,
                        groups: inline.groups(),
                    }
                }
            })
        };
        self.kept.cuts.iter().map(info).collect()
    }

    /// Its note, if it has one.
    #[must_use]
    pub fn note(&self) -> Option<&Value> {
        self.kept.note.as_ref()
    }

    /// Reads all of every cut and checks it: what is wrong with each that is not as it was written. Of files only those that
    /// `wanted` asks for, by their names.
    pub async fn verify(
        &self,
        files: &Files,
        mut wanted: impl FnMut(&str) -> bool,
    ) -> Vec<(CutInfo, Result<(), Failure>)> {
        let mut found = Vec::new();
        let infos = match self.cuts() {
            Ok(infos) => infos,
            Err(failure) => {
                let nothing = CutInfo {
                    object: None,
                    bytes: 0,
                    entries: 0,
                    groups: [0, 0],
                };
                return vec![(nothing, Err(failure))];
            }
        };
        for (cut, info) in self.kept.cuts.iter().zip(infos) {
            if info.object.as_deref().is_some_and(|object| !wanted(object)) {
                continue;
            }
            let outcome = match cut {
                KeptCut::File(file) => files.verify(file).await,
                KeptCut::Inline(inline) => inline.bytes().and_then(|bytes| {
                    let wrong = Entries::new(&bytes).find_map(Result::err);
                    wrong.map_or(Ok(()), |error| {
                        Err(Failure::fail("a cut in the snapshot cannot be read").because(&error))
                    })
                }),
            };
            found.push((info, outcome));
        }
        found
    }

    /// Every key that `wanted` asks for, by its text, as it was at the checkpoint. Waits: not for a thread of the runtime.
    ///
    /// # Errors
    /// Files that are missing or not as they were written.
    pub fn find(&self, files: &Files, wanted: impl Fn(&str) -> bool) -> Result<Vec<Held>, Failure> {
        let groups = KeyGroups {
            max_parallelism: u32::MAX,
            owned: 0..u32::MAX,
        };
        let (restored, _): (Restored, _) = Kept::restore(vec![self.kept.clone()], Some(&files.shelf), &groups)?;
        let mut held = BTreeMap::new();
        restored.each(&groups, |entry| {
            let key = shown(entry.key);
            if wanted(&key) {
                let place = (entry.place.state, entry.place.namespace, key);
                match entry.value {
                    Some(value) => held.insert(place, value.to_vec()),
                    None => held.remove(&place),
                };
            }
            Ok(())
        })?;
        let held = held.into_iter().map(|((state, namespace, key), value)| Held {
            state,
            namespace,
            key,
            value,
        });
        Ok(held.collect())
    }
}

/// The state files of one job.
#[derive(Clone, Debug)]
pub struct Files {
    shelf: Shelf,
}

impl Files {
    /// In this store, whose root is the folder of the job's state.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, scope: Scope) -> Self {
        Self {
            shelf: Shelf::new(store, None, clock, scope),
        }
    }

    /// What a barrier overtook in one subtask, read and checked, one line for each place: `edge-1 from 0: 3 batches, 120 rows`.
    ///
    /// # Errors
    /// The object is missing or not as it was written.
    pub async fn overtaken(&self, stowed: &Stowed) -> Result<Vec<String>, Failure> {
        overtaken::inspect(&self.shelf, stowed).await
    }

    async fn verify(&self, file: &Reference) -> Result<(), Failure> {
        let head = self.shelf.head(file).await?;
        for piece in Piece::all(&head, 0..u32::MAX) {
            self.shelf.piece(file, &head, &piece).await?;
        }
        Ok(())
    }
}

/// The canonical bytes of a key as a person writes its values; what is no value is shown in hexadecimal.
#[must_use]
pub fn shown(key: &[u8]) -> String {
    let mut rest = key;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        match part(&mut rest) {
            Some(part) => parts.push(part),
            None => {
                let mut text = "0x".to_owned();
                for byte in rest {
                    let _ = write!(text, "{byte:02x}");
                }
                parts.push(text);
                break;
            }
        }
    }
    parts.join(",")
}

/// One value, where it is of a kind that a person writes; see `dataflow::key` for the bytes.
fn part(rest: &mut &[u8]) -> Option<String> {
    let (tag, mut bytes) = rest.split_first()?;
    let text = match tag {
        0x00 => "null".to_owned(),
        0x08 => (*take::<1>(&mut bytes)? == [1]).to_string(),
        0x10 | 0x48..=0x4b => (u64::from_be_bytes(*take(&mut bytes)?) ^ (1 << 63))
            .cast_signed()
            .to_string(),
        0x11 => u64::from_be_bytes(*take(&mut bytes)?).to_string(),
        0x30 => {
            let mut text = Vec::new();
            loop {
                match *bytes {
                    [0, 0xff, ..] => {
                        text.push(0);
                        bytes = &bytes[2..];
                    }
                    [0, ..] => break bytes = &bytes[1..],
                    [byte, ..] => {
                        text.push(byte);
                        bytes = &bytes[1..];
                    }
                    [] => return None,
                }
            }
            String::from_utf8(text).ok()?
        }
        _ => return None,
    };
    *rest = bytes;
    Some(text)
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::super::testing::keys;
    use super::*;

    #[test]
    fn keys_are_shown_as_they_are_written() {
        let names = ["a".to_owned(), "b\0c".to_owned(), String::new()];
        let keys = keys(&names);
        assert_eq!(shown(&[keys.row(0), keys.row(1)].concat()), "a,b\0c");
        assert_eq!(shown(keys.row(2)), "");
        assert_eq!(shown(&[0x10, 0x80, 0, 0, 0, 0, 0, 0, 7, 0x08, 1, 0]), "7,true,null");
        assert_eq!(shown(&[0x10, 1, 2]), "0x100102");
        assert_eq!(shown(&[0x30, b'a']), "0x3061");
    }
}
