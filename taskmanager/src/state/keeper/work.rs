//! The worker's side of a keeper: decides where each cut goes, and writes files.

use bytes::Bytes;
use dataflow::Failure;

use super::super::Cut;
use super::super::cut::Chunk;
use super::super::format::{Block, Head, Reference};
use super::super::kept::{Inline, Kept, KeptCut};
use super::super::shelf::{Content, Shelf};
use super::super::spill::Early;
use super::list::List;
use super::{Home, pair};

/// A cut of fewer bytes stays in the snapshot.
const INLINE_BELOW: usize = 32 * 1024;

/// Where there are no files, a node's state in the snapshot is at most so large: the record that holds it stays below a MiB.
const WITHOUT_FILES_MAX: usize = 256 * 1024;

/// What keeps a node's cuts.
#[derive(Debug)]
pub(in crate::state) struct Work {
    home: Home,
    list: List,
    /// How many files were written or tried.
    files: u64,
    /// Bytes of files that were written since the last snapshot.
    written: u64,
}

impl Work {
    /// Goes on from what was restored.
    pub(in crate::state) fn new(home: Home, restored: Vec<KeptCut>) -> Self {
        Self {
            home,
            list: List::new(restored),
            files: 0,
            written: 0,
        }
    }

    /// The cuts.
    pub(super) fn list(&self) -> &List {
        &self.list
    }

    /// The next cut, yet empty.
    #[cfg(test)]
    pub(in crate::state) fn begin(&self, number: u64, room: usize) -> Cut {
        Cut::new(number).under(super::Pressure {
            crowded: self.list.is_crowded(),
            oldest: self.list.oldest(),
            room,
        })
    }

    /// Makes a cut durable: what the snapshot says then, of all that are needed.
    pub(in crate::state) async fn keep(&mut self, mut cut: Cut) -> Result<Kept, Failure> {
        let (number, needed_from) = (cut.number(), cut.needed_from());
        let note = cut.take_note();
        for early in cut.take_early() {
            let kept = self.write_early(&early).await?;
            self.list.push(number, kept);
        }
        if !cut.is_empty() {
            let small = cut.len() < INLINE_BELOW || self.home.shelf.is_none();
            let kept = if small {
                let (bytes, _) = cut.into_parts();
                KeptCut::Inline(Inline::new(&bytes, pair(&self.home.groups.owned)))
            } else {
                self.write(cut, pair(&self.home.groups.owned)).await?
            };
            self.list.push(number, kept);
        }
        for left in self.list.leave(needed_from) {
            if let (KeptCut::File(file), Some(shelf)) = (left, &self.home.shelf) {
                shelf.forget(&file.object).await;
            }
        }
        self.settle().await?;
        Ok(Kept {
            cuts: self.list.all(),
            note,
            written: std::mem::take(&mut self.written),
        })
    }

    /// Small cuts that have become too many for a snapshot become files.
    async fn settle(&mut self) -> Result<(), Failure> {
        // From the end, so that the places of the others stay.
        for run in self.list.runs().into_iter().rev() {
            if self.home.shelf.is_none() {
                return self.without_files();
            }
            let KeptCut::Inline(first) = &self.list.all()[run.start] else {
                return Err(Failure::bug("a file among the cuts of a snapshot"));
            };
            let groups = first.groups();
            let file = self.write(self.list.merged(run.clone())?, groups).await?;
            self.list.replace(run, file);
        }
        Ok(())
    }

    fn without_files(&self) -> Result<(), Failure> {
        let length = |cut: KeptCut| match cut {
            KeptCut::Inline(inline) => inline.length(),
            KeptCut::File(_) => 0,
        };
        let sum: usize = self.list.all().into_iter().map(length).sum();
        if sum <= WITHOUT_FILES_MAX {
            return Ok(());
        }
        Err(Failure::fail(format!(
            "{sum} bytes of state do not fit into a snapshot, and no folder for state files was deployed"
        )))
    }

    async fn write(&mut self, cut: Cut, groups: [u32; 2]) -> Result<KeptCut, Failure> {
        let (head, encoded, blocks) = file(cut);
        let file = reference(self.name(), &head, &encoded, groups);
        let parts: Vec<Bytes> = [Bytes::from(encoded)].into_iter().chain(blocks).collect();
        self.shelf()?.write(&file.object, Content::Parts(&parts)).await?;
        self.written += file.bytes;
        Ok(KeptCut::File(file))
    }

    /// What was cut early is a file already, on this machine.
    async fn write_early(&mut self, early: &Early) -> Result<KeptCut, Failure> {
        let (head, encoded) = early.head();
        let file = reference(self.name(), head, encoded, pair(&self.home.groups.owned));
        let content = Content::File(early.path(), file.bytes);
        self.shelf()?.write(&file.object, content).await?;
        self.written += file.bytes;
        Ok(KeptCut::File(file))
    }

    fn name(&mut self) -> String {
        self.files += 1;
        format!("{}-{}.cut", self.home.prefix, self.files)
    }

    fn shelf(&self) -> Result<&Shelf, Failure> {
        let shelf = self.home.shelf.as_ref();
        shelf.ok_or_else(|| {
            Failure::fail("the state does not fit into memory, and no folder for state files was deployed")
        })
    }
}

/// A cut as a file: its head, the bytes of that, and the blocks.
pub(in crate::state) fn file(cut: Cut) -> (Head, Vec<u8>, Vec<Bytes>) {
    let (blocks, cleared) = cut.into_blocks();
    let block = |(bucket, chunk): &(u32, Chunk)| Block {
        bucket: *bucket,
        bytes: u32::try_from(chunk.bytes.len()).expect("a block is a little larger than one entry at most"),
        entries: chunk.entries,
        crc: crc32fast::hash(&chunk.bytes),
    };
    let head = Head {
        blocks: blocks.iter().map(block).collect(),
        cleared,
    };
    let encoded = head.encode();
    let blocks = blocks.into_iter().map(|(_, chunk)| Bytes::from(chunk.bytes)).collect();
    (head, encoded, blocks)
}

fn reference(object: String, head: &Head, encoded: &[u8], groups: [u32; 2]) -> Reference {
    Reference {
        object,
        bytes: head.file_length(),
        head: u32::try_from(encoded.len()).expect("a head is far smaller than its blocks"),
        entries: head.entries(),
        crc: head.file_crc(encoded),
        groups,
    }
}
