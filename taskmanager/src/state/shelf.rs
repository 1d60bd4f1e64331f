//! Where state files are: the folder of the job's state in the object store, and copies of them on this machine.
//!
//! A copy is never needed: what of it is missing or not as the snapshot says is read from the store. Where the store is a
//! folder of this machine, there are none. Who calls: keeper and restored, on the runtime for I/O. Must stay true: no byte
//! leaves here that was not checked against the snapshot.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dataflow::store::{Error, Local, Store, Upload};
use dataflow::time::Clock;
use dataflow::{Failure, Scope, crash};
use tokio::io::AsyncReadExt as _;

use super::format::{Corrupt, Head, Reference};

/// After an outcome that is not known, so long until the next try, twice as long until the one after that, and so on.
const BACK_OFF: Duration = Duration::from_millis(100);

/// So many tries, over about six seconds: then the job manager decides.
const TRIES: u32 = 7;

/// A store is asked for so many bytes at a time, unless one block is larger.
const PIECE_BYTES: u64 = 4 << 20;

/// A file of this machine is sent in pieces of this size.
const UPLOAD_BYTES: usize = 1 << 20;

/// A file of this size is made by one request; a larger one in pieces.
const WHOLE_BYTES: u64 = 8 << 20;

/// The state files of one job, as one subtask reads and writes them. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    store: Arc<dyn Store>,
    copies: Option<Arc<Local>>,
    clock: Arc<dyn Clock>,
    scope: Scope,
}

/// What becomes a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content<'a> {
    /// These bytes, one behind another.
    Parts(&'a [Bytes]),
    /// A file of this machine, of this length.
    File(&'a Path, u64),
}

/// A run of blocks that is read at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The blocks, by their places in the head, and where each is in the file.
    blocks: Vec<(usize, Range<u64>)>,
}

impl Shelf {
    /// The files in `store`. Copies are made below the folder `copies`, unless the store is itself a folder of this machine.
    pub(crate) fn new(store: Arc<dyn Store>, copies: Option<PathBuf>, clock: Arc<dyn Clock>, scope: Scope) -> Self {
        let copies = copies.filter(|_| store.local_root().is_none());
        Self {
            store,
            copies: copies.map(|folder| Arc::new(Local::open(folder))),
            clock,
            scope,
        }
    }

    /// Owns what reads and writes.
    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The head of a file.
    pub(super) async fn head(&self, file: &Reference) -> Result<Head, Failure> {
        let range = || 0..u64::from(file.head);
        if let Some(copies) = &self.copies
            && let Ok(bytes) = copies.read_range(&file.object, range()).await
            && let Ok(head) = Head::decode(&bytes, file)
        {
            return Ok(head);
        }
        let bytes = self.read(&file.object, range()).await?;
        Head::decode(&bytes, file).map_err(|corrupt| self.corrupt(&file.object, &corrupt))
    }

    /// The bytes of some blocks, one by one.
    pub(super) async fn piece(&self, file: &Reference, head: &Head, piece: &Piece) -> Result<Vec<Bytes>, Failure> {
        if let Some(copies) = &self.copies
            && let Ok(bytes) = copies.read_range(&file.object, piece.range()).await
            && let Ok(blocks) = piece.cut(head, &bytes)
        {
            return Ok(blocks);
        }
        let bytes = self.read(&file.object, piece.range()).await?;
        piece
            .cut(head, &bytes)
            .map_err(|corrupt| self.corrupt(&file.object, &corrupt))
    }

    async fn read(&self, object: &str, range: Range<u64>) -> Result<Bytes, Failure> {
        let read = || self.store.read_range(object, range.clone());
        match self.patiently(read).await {
            Err(Error::Missing { .. }) => Err(self.missing(object)),
            read => Ok(read?),
        }
    }

    /// Makes a file. Names are never used again.
    pub(super) async fn write(&self, object: &str, content: Content<'_>) -> Result<(), Failure> {
        crash::point("upload.before");
        match content {
            Content::Parts(parts) if content.length() <= WHOLE_BYTES => {
                self.create(object, parts.concat().into()).await?
            }
            Content::Parts(_) | Content::File(..) => {
                self.patiently(|| upload(&*self.store, object, content)).await?;
            }
        }
        crash::point("upload.after");
        if let Some(copies) = &self.copies
            && let Err(error) = upload(&**copies, object, content).await
        {
            tracing::warn!(%error, object, "no copy of a state file on this machine");
        }
        Ok(())
    }

    async fn create(&self, object: &str, whole: Bytes) -> Result<(), Failure> {
        let mut tried = false;
        let made = self.patiently(|| {
            let again = std::mem::replace(&mut tried, true);
            let whole = whole.clone();
            async move {
                match self.store.create(object, whole.clone()).await {
                    // It is not known what came of the first try: perhaps this.
                    Err(Error::Exists { .. }) if again && self.store.read(object).await? == whole => Ok(()),
                    made => made,
                }
            }
        });
        Ok(made.await?)
    }

    /// Makes a file that is read once at most, and so is worth no copy on this machine.
    pub(crate) async fn put(&self, object: &str, whole: Bytes) -> Result<(), Failure> {
        if whole.len() as u64 <= WHOLE_BYTES {
            return self.create(object, whole).await;
        }
        let parts = [whole];
        let content = Content::Parts(&parts);
        Ok(self.patiently(|| upload(&*self.store, object, content)).await?)
    }

    /// Reads a whole file of this length and checksum.
    pub(crate) async fn get(&self, object: &str, length: u64, crc: u32) -> Result<Bytes, Failure> {
        let bytes = match self.patiently(|| self.store.read(object)).await {
            Err(Error::Missing { .. }) => return Err(self.missing(object)),
            read => read?,
        };
        if bytes.len() as u64 == length && crc32fast::hash(&bytes) == crc {
            return Ok(bytes);
        }
        Err(Failure::fail(format!(
            "the state file `{object}` in {} is corrupt: it has {} bytes, {length} were written, and its checksum is not theirs",
            self.store.url(),
            bytes.len()
        ))
        .help(RESTORE_IT))
    }

    /// A file is not needed any more: its copy goes. The file itself goes when no snapshot names it, which is not known here.
    pub(super) async fn forget(&self, object: &str) {
        if let Some(copies) = &self.copies
            && let Err(error) = copies.delete(object).await
        {
            tracing::debug!(%error, object, "a copy of a state file stays");
        }
    }

    /// Tries again while it is not known what came of it.
    async fn patiently<T, F: Future<Output = Result<T, Error>>>(
        &self,
        mut work: impl FnMut() -> F,
    ) -> Result<T, Error> {
        let mut tries = 1;
        loop {
            match work().await {
                Err(Error::Unknown { .. } | Error::Full { .. }) if tries < TRIES => {
                    self.clock.sleep(BACK_OFF * 2_u32.pow(tries - 1)).await;
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn missing(&self, object: &str) -> Failure {
        Failure::fail(format!(
            "the state file `{object}` is missing in {}, and the checkpoint names it",
            self.store.url()
        ))
        .help(RESTORE_IT)
    }

    fn corrupt(&self, object: &str, corrupt: &Corrupt) -> Failure {
        Failure::fail(format!(
            "the state file `{object}` in {} is corrupt: {corrupt}",
            self.store.url()
        ))
        .help(RESTORE_IT)
    }
}

/// Makes a large object, piece by piece.
async fn upload(store: &dyn Store, object: &str, content: Content<'_>) -> Result<(), Error> {
    match store.head(object).await {
        // Uploads appear whole, and nobody else has this name: an earlier try has arrived after all.
        Ok(found) if found.size == content.length() => return Ok(()),
        Ok(_) => {
            return Err(Error::Exists {
                url: store.url().to_owned(),
                path: object.to_owned(),
            });
        }
        Err(Error::Missing { .. }) => {}
        Err(error) => return Err(error),
    }
    let mut upload = store.upload(object).await?;
    if let Err(error) = content.send(upload.as_mut()).await {
        upload.abort().await;
        return Err(error);
    }
    upload.finish().await
}

impl Content<'_> {
    fn length(self) -> u64 {
        match self {
            Self::Parts(parts) => parts.iter().map(|part| part.len() as u64).sum(),
            Self::File(_, length) => length,
        }
    }

    async fn send(self, upload: &mut dyn Upload) -> Result<(), Error> {
        match self {
            Self::Parts(parts) => {
                for part in parts {
                    upload.write(part.clone()).await?;
                }
            }
            Self::File(path, _) => {
                let unread = |error: std::io::Error| Error::Unknown {
                    url: "this machine".to_owned(),
                    path: path.display().to_string(),
                    source: Box::new(error),
                };
                let mut file = tokio::fs::File::open(path).await.map_err(unread)?;
                loop {
                    let mut piece = BytesMut::with_capacity(UPLOAD_BYTES);
                    while piece.len() < UPLOAD_BYTES && file.read_buf(&mut piece).await.map_err(unread)? > 0 {}
                    if piece.is_empty() {
                        break;
                    }
                    upload.write(piece.freeze()).await?;
                }
            }
        }
        Ok(())
    }
}

const RESTORE_IT: &str = "restore this object from a backup or an older version of the bucket, or begin again from a savepoint; \
     an older checkpoint is not taken by itself, for its rows were committed already and would be written twice";

impl Piece {
    /// The blocks of a file that hold some of these key groups, in pieces.
    pub(super) fn all(head: &Head, groups: Range<u32>) -> Vec<Self> {
        let mut pieces: Vec<Self> = Vec::new();
        for (index, bytes) in head.blocks_of(groups) {
            match pieces.last_mut() {
                Some(piece) if piece.range().end == bytes.start && bytes.end - piece.range().start <= PIECE_BYTES => {
                    piece.blocks.push((index, bytes));
                }
                _ => pieces.push(Self {
                    blocks: vec![(index, bytes)],
                }),
            }
        }
        pieces
    }

    fn range(&self) -> Range<u64> {
        let end = |place: Option<&(usize, Range<u64>)>| place.map_or(0..0, |(_, bytes)| bytes.clone());
        end(self.blocks.first()).start..end(self.blocks.last()).end
    }

    fn cut(&self, head: &Head, bytes: &Bytes) -> Result<Vec<Bytes>, Corrupt> {
        let begin = self.range().start;
        let cut = |(index, range): &(usize, Range<u64>)| {
            let place = |at: u64| usize::try_from(at - begin).unwrap_or(usize::MAX).min(bytes.len());
            let block = bytes.slice(place(range.start)..place(range.end));
            head.check(*index, &block)?;
            Ok(block)
        };
        self.blocks.iter().map(cut).collect()
    }
}
