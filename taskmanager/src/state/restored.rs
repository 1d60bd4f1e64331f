//! What a node goes on from: the cuts of a snapshot, oldest first, and the notes of those who wrote them.
//!
//! Files are read on the runtime for I/O, some pieces ahead of the thread that takes their entries, in the order of the
//! cuts: so memory holds a few pieces and not the state.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use dataflow::Failure;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use tokio::sync::mpsc;

use super::KeyGroups;
use super::format::{Cleared, Entries, Entry, Head, Item, Reference};
use super::shelf::{Piece, Shelf};

/// So many heads are read at a time.
const HEADS_AHEAD: usize = 16;

/// So many pieces are read at a time; as many blocks as two more hold may wait.
const PIECES_AHEAD: usize = 4;

/// The state of one node at the restored epoch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Restored {
    /// Cuts, older ones first.
    pub(crate) cuts: Vec<Source>,
    /// The newest note of each subtask whose state this one takes over.
    pub(crate) notes: Vec<Value>,
}

/// Where a cut is read from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    groups: Range<u32>,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Here(Bytes),
    File(Shelf, Arc<Reference>),
}

impl Source {
    /// A stream of entries, of which these key groups count.
    pub(super) fn inline(bytes: Bytes, groups: Range<u32>) -> Self {
        Self {
            groups,
            place: Place::Here(bytes),
        }
    }

    /// A file.
    pub(super) fn file(shelf: Shelf, file: Reference) -> Self {
        Self {
            groups: file.groups[0]..file.groups[1],
            place: Place::File(shelf, Arc::new(file)),
        }
    }
}

#[cfg(test)]
impl Source {
    /// Of the same entries, only those of these key groups count.
    pub(crate) fn limited(self, groups: Range<u32>) -> Self {
        let groups = self.groups.start.max(groups.start)..self.groups.end.min(groups.end);
        Self { groups, ..self }
    }
}

/// A stream of entries, of which all count.
impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
    }
}

impl From<Bytes> for Source {
    fn from(bytes: Bytes) -> Self {
        Self::inline(bytes, 0..u32::MAX)
    }
}

impl Restored {
    /// Hands over every entry whose key group is owned, older ones first: the last word on a key counts. Entries of a table
    /// that was cleared later do not come.
    ///
    /// Waits for the store: to be called where a thread may wait.
    ///
    /// # Errors
    /// Files that are missing or not as they were written, and those of `take`.
    pub(crate) fn each(
        &self,
        groups: &KeyGroups,
        mut take: impl FnMut(Entry<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut files = Files::begin(&self.cuts, groups)?;
        let gone = self.gone(files.as_mut())?;
        for (index, source) in self.cuts.iter().enumerate() {
            let mut entries = |bytes: &[u8]| {
                for item in Entries::new(bytes) {
                    let item = item.map_err(|error| malformed(&source.place).because(&error))?;
                    let Item::Entry(entry) = item else { continue };
                    let group = entry.place.group;
                    if groups.owns(group) && source.groups.contains(&u32::from(group)) && !gone.counts(index, &entry) {
                        take(entry)?;
                    }
                }
                Ok::<_, Failure>(())
            };
            match (&source.place, files.as_mut()) {
                (Place::Here(bytes), _) => entries(bytes)?,
                (Place::File(..), Some(files)) => {
                    while let Some(blocks) = files.next(index)? {
                        blocks.iter().try_for_each(|block| entries(block))?;
                    }
                }
                (Place::File(..), None) => {}
            }
        }
        Ok(())
    }

    /// Which tables were cleared, and by which cut the last time.
    fn gone(&self, files: Option<&mut Files>) -> Result<Gone, Failure> {
        let mut gone = Gone::default();
        for (index, source) in self.cuts.iter().enumerate() {
            let Place::Here(bytes) = &source.place else { continue };
            for item in Entries::new(bytes) {
                match item {
                    Ok(Item::Cleared(cleared)) => gone.add(index, cleared, &source.groups),
                    Ok(Item::Entry(_)) => break,
                    Err(error) => return Err(malformed(&source.place).because(&error)),
                }
            }
        }
        if let Some(files) = files {
            for (index, cleared) in files.cleared()? {
                for cleared in cleared {
                    gone.add(index, cleared, &self.cuts[index].groups);
                }
            }
        }
        Ok(gone)
    }
}

fn malformed(place: &Place) -> Failure {
    match place {
        Place::Here(_) => Failure::fail("a part of the state in the snapshot cannot be read"),
        Place::File(_, file) => Failure::fail(format!("the state file `{}` cannot be read", file.object)),
    }
}

/// The tables that were cleared: in which cut, and of which key groups that counts.
#[derive(Debug, Default)]
struct Gone(HashMap<Cleared, Vec<(usize, Range<u32>)>>);

impl Gone {
    fn add(&mut self, index: usize, cleared: Cleared, groups: &Range<u32>) {
        self.0.entry(cleared).or_default().push((index, groups.clone()));
    }

    /// Whether an entry of this cut is of a table that a later one cleared.
    fn counts(&self, index: usize, entry: &Entry<'_>) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let place = entry.place;
        let cleared = Cleared {
            state: place.state,
            namespace: place.namespace,
        };
        let later = self.0.get(&cleared).into_iter().flatten();
        later
            .into_iter()
            .any(|(by, groups)| *by > index && groups.contains(&u32::from(place.group)))
    }
}

/// Files that are being read, in their order.
struct Files {
    read: mpsc::Receiver<Result<Read, Failure>>,
}

enum Read {
    /// The tables that each file clears, by the place of the file's cut: the first that comes.
    Cleared(Vec<(usize, Vec<Cleared>)>),
    /// Some blocks of the next file.
    Blocks(Vec<Bytes>),
    /// Those were all of the cut at this place.
    End(usize),
}

impl Files {
    /// Begins to read those of the cuts that are files, if any is.
    fn begin(cuts: &[Source], groups: &KeyGroups) -> Result<Option<Self>, Failure> {
        let mut files = Vec::new();
        let mut shelf = None;
        for (index, source) in cuts.iter().enumerate() {
            if let Place::File(its, file) = &source.place {
                shelf = Some(its);
                let wanted = source.groups.start.max(groups.owned.start)..source.groups.end.min(groups.owned.end);
                files.push((index, Arc::clone(file), wanted));
            }
        }
        let Some(shelf) = shelf.cloned() else { return Ok(None) };
        let (sender, read) = mpsc::channel(2);
        let last = sender.clone();
        let scope = shelf.scope().clone();
        scope.spawn(
            async move {
                if let Err(failure) = read_all(&shelf, files, &sender).await {
                    let _ = sender.send(Err(failure)).await;
                }
            },
            move |outcome| {
                if let Err(failure) = outcome {
                    let _ = last.try_send(Err(failure));
                }
            },
        );
        Ok(Some(Self { read }))
    }

    fn take(&mut self) -> Result<Read, Failure> {
        self.read
            .blocking_recv()
            .unwrap_or_else(|| Err(Failure::retry("cancelled while its state was read")))
    }

    fn cleared(&mut self) -> Result<Vec<(usize, Vec<Cleared>)>, Failure> {
        match self.take()? {
            Read::Cleared(cleared) => Ok(cleared),
            Read::Blocks(_) | Read::End(_) => Err(out_of_order()),
        }
    }

    /// The next blocks of the file of the cut at this place, which is the next one.
    fn next(&mut self, index: usize) -> Result<Option<Vec<Bytes>>, Failure> {
        match self.take()? {
            Read::Blocks(blocks) => Ok(Some(blocks)),
            Read::End(of) if of == index => Ok(None),
            Read::End(_) | Read::Cleared(_) => Err(out_of_order()),
        }
    }
}

fn out_of_order() -> Failure {
    Failure::bug("state files are read out of order")
}

type Wanted = (usize, Arc<Reference>, Range<u32>);

async fn read_all(shelf: &Shelf, files: Vec<Wanted>, to: &mpsc::Sender<Result<Read, Failure>>) -> Result<(), Failure> {
    let heads = futures::stream::iter(files).map(|(index, file, groups)| async move {
        let head = shelf.head(&file).await?;
        Ok::<_, Failure>((index, file, groups, Arc::new(head)))
    });
    let heads: Vec<_> = heads.buffered(HEADS_AHEAD).try_collect().await?;
    let cleared = heads.iter().map(|(index, .., head)| (*index, head.cleared.clone()));
    let _ = to.send(Ok(Read::Cleared(cleared.collect()))).await;
    let pieces = heads
        .into_iter()
        .flat_map(|(index, file, groups, head)| pieces(index, &file, groups, &head));
    let read = futures::stream::iter(pieces).map(|(index, piece)| async move {
        match piece {
            None => Ok(Read::End(index)),
            Some((file, head, piece)) => shelf.piece(&file, &head, &piece).await.map(Read::Blocks),
        }
    });
    let mut read = std::pin::pin!(read.buffered(PIECES_AHEAD));
    while let Some(read) = read.next().await {
        // Nobody reads any more where something else was wrong.
        if to.send(Ok(read?)).await.is_err() {
            break;
        }
    }
    Ok(())
}

type Part = (usize, Option<(Arc<Reference>, Arc<Head>, Piece)>);

/// What is to be read of a file, and a mark for its end.
fn pieces(index: usize, file: &Arc<Reference>, groups: Range<u32>, head: &Arc<Head>) -> Vec<Part> {
    let pieces = Piece::all(head, groups).into_iter();
    let pieces = pieces.map(|piece| (index, Some((Arc::clone(file), Arc::clone(head), piece))));
    pieces.chain([(index, None)]).collect()
}
