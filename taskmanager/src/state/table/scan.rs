//! Shows all keys of a table, a part at a time, whether they are in memory or on disk.

use dataflow::Failure;
use dataflow::key;

use super::{OnDisk, Role, Table, Values};

/// So many keys of memory are shown at once.
const MEMORY_KEYS: usize = 4096;
/// So many of disk, which take room in memory as long as they are shown.
const DISK_KEYS: usize = 1024;

/// How far a table was shown.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    at: At,
    shown: Vec<u32>,
}

#[derive(Debug)]
enum At {
    Memory(usize),
    /// Behind this key.
    Disk(Option<Vec<u8>>),
    End,
}

impl Default for At {
    fn default() -> Self {
        Self::Memory(0)
    }
}

impl<V: Values> Table<V> {
    /// The slots of the next part of all keys; `false` when there are no more. They are given until the next call, and may
    /// be removed; to change a value, ask for [`Table::slots`] of its key. Until the end, nothing else is asked of the table.
    ///
    /// # Errors
    /// State that cannot be read.
    pub(crate) fn scan(&mut self, scan: &mut Scan, out: &mut Vec<u32>) -> Result<bool, Failure> {
        out.clear();
        for slot in std::mem::take(&mut scan.shown) {
            if self
                .slots
                .get(slot as usize)
                .is_some_and(|slot| slot.role == Role::Shown)
            {
                self.release(slot);
            }
        }
        if let At::Memory(next) = scan.at {
            let mut end = next;
            for slot in &self.slots[next.min(self.slots.len())..] {
                if out.len() == MEMORY_KEYS {
                    break;
                }
                if slot.role == Role::Live {
                    out.push(u32::try_from(end).unwrap_or(u32::MAX));
                }
                end += 1;
            }
            if !out.is_empty() {
                scan.at = At::Memory(end);
                return Ok(true);
            }
            scan.at = At::Disk(None);
        }
        while let At::Disk(after) = &scan.at {
            let stopped = self.show_disk(after.as_deref(), out)?;
            scan.at = stopped.map_or(At::End, |key| At::Disk(Some(key)));
            if !out.is_empty() {
                scan.shown.clone_from(out);
                return Ok(true);
            }
        }
        self.compact();
        Ok(false)
    }

    fn show_disk(&mut self, after: Option<&[u8]>, out: &mut Vec<u32>) -> Result<Option<Vec<u8>>, Failure> {
        let Some(spilled) = self.spilled.as_ref() else {
            return Ok(None);
        };
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let stopped = spilled.each(after, |key, value| {
            if self.seek(key::hash(key), key).is_none() && !spilled.is_buried(key) {
                bytes.extend_from_slice(key);
                let key_end = bytes.len();
                bytes.extend_from_slice(value);
                ends.push((key_end, bytes.len()));
            }
            ends.len() < DISK_KEYS
        })?;
        let mut begin = 0;
        for (key_end, end) in ends {
            let key = &bytes[begin..key_end];
            let slot = self.insert(key::hash(key), key, Role::Shown, OnDisk::Same);
            self.values.grow(self.slots.len());
            self.values.decode(slot, &bytes[key_end..end])?;
            out.push(slot);
            begin = end;
        }
        Ok(stopped)
    }
}
