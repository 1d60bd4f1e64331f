//! What a node goes on from: the cuts of a snapshot, oldest first, and the notes of those who wrote them.

use bytes::Bytes;
use dataflow::Failure;
use serde_json::Value;

use super::KeyGroups;
use super::cut::{PUT, Place, REMOVED};

/// The state of one node at the restored epoch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Restored {
    /// Cuts, each as [`super::Cut`] wrote it, older ones first.
    pub(crate) cuts: Vec<Bytes>,
    /// The newest note of each subtask whose state this one takes over.
    pub(crate) notes: Vec<Value>,
}

/// One entry of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// Whose it is.
    pub(crate) place: Place,
    /// The key's canonical bytes.
    pub(crate) key: &'a [u8],
    /// The value; none where it was removed.
    pub(crate) value: Option<&'a [u8]>,
}

impl Restored {
    /// Hands over every entry whose key group is owned, older ones first: the last word on a key counts.
    ///
    /// # Errors
    /// Bytes that are not a cut, and those of `take`.
    pub(crate) fn each(
        &self,
        groups: &KeyGroups,
        mut take: impl FnMut(Entry<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for cut in &self.cuts {
            let mut rest = &cut[..];
            while !rest.is_empty() {
                let entry = entry(&mut rest).ok_or_else(malformed)?;
                if groups.owns(entry.place.group) {
                    take(entry)?;
                }
            }
        }
        Ok(())
    }
}

fn malformed() -> Failure {
    Failure::fail("a part of the state cannot be read: its bytes are not entries")
}

fn entry<'a>(rest: &mut &'a [u8]) -> Option<Entry<'a>> {
    let group = u16::from_be_bytes(take(rest, 2)?.try_into().ok()?);
    let [state, kind] = *take(rest, 2)? else { return None };
    let namespace = i64::from_be_bytes(take(rest, 8)?.try_into().ok()?);
    let key = sized(rest)?;
    let value = match kind {
        PUT => Some(sized(rest)?),
        REMOVED => None,
        _ => return None,
    };
    let place = Place {
        group,
        state,
        namespace,
    };
    Some(Entry { place, key, value })
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

#[cfg(test)]
mod tests {
    use super::super::Cut;
    use super::*;

    fn groups() -> KeyGroups {
        KeyGroups {
            max_parallelism: 8,
            owned: 0..4,
        }
    }

    fn place(group: u16) -> Place {
        Place {
            group,
            state: 3,
            namespace: -60_000,
        }
    }

    #[test]
    fn what_was_cut_is_read_again_but_for_foreign_groups() {
        let mut cut = Cut::new(1);
        cut.put(place(1), b"a", |out| out.extend(b"one"));
        cut.remove(place(2), b"");
        cut.put(place(5), b"foreign", |out| out.push(1));
        assert_eq!(cut.entries(), 3);
        let (bytes, _) = cut.into_parts();
        let restored = Restored {
            cuts: vec![bytes.into()],
            notes: vec![],
        };
        let mut seen = Vec::new();
        let read = restored.each(&groups(), |entry| {
            seen.push((entry.place, entry.key.to_vec(), entry.value.map(<[u8]>::to_vec)));
            Ok(())
        });
        assert_eq!(read, Ok(()));
        let expected = [
            (place(1), b"a".to_vec(), Some(b"one".to_vec())),
            (place(2), Vec::new(), None),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn bytes_that_end_early_are_refused() {
        let mut cut = Cut::new(1);
        cut.put(place(1), b"key", |out| out.extend(b"value"));
        let (bytes, _) = cut.into_parts();
        for end in 1..bytes.len() {
            let restored = Restored {
                cuts: vec![Bytes::copy_from_slice(&bytes[..end])],
                notes: vec![],
            };
            assert!(restored.each(&groups(), |_| Ok(())).is_err(), "{end}");
        }
    }
}
