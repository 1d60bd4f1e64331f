//! The bytes of one file: from the disk directly, or from an object store through a task; decompressed on the way.
//!
//! ```text
//!   task: head, compare with the split -- File --------> read on the subtask's thread   (a folder of this machine)
//!                                      \- Bytes, Bytes … > a queue bounded in bytes     (an object store)
//! ```

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek as _, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Buf as _, Bytes};
use dataflow::Failure;
use dataflow::contract::ReaderContext;
use dataflow::store::{Error, Store, Stores};
use flate2::read::MultiGzDecoder;
use futures::StreamExt as _;

use super::options::Compression;
use super::split::Spec;
use crate::handoff::{Budget, Giver, Reservation, Taken, Taker, handoff};

/// Remote objects come in ranges of this size, or less where the budget is small.
const RANGE_BYTES_MAX: u64 = 4 << 20;
/// So many ranges of one object are under way at once.
const RANGES_AT_ONCE: usize = 4;
/// Compressed bytes are handed to the decompressor in pieces of this size.
const COMPRESSED_PIECE: usize = 256 << 10;

/// What the opening task hands over.
#[derive(Debug)]
enum Piece {
    File(File),
    Bytes(Bytes),
    Failed(Failure),
    /// Everything was read and the object is still what it was.
    Complete,
}

/// The bytes of a file as they are stored. Reading says `WouldBlock` while the task has nothing: the waker will be called.
#[derive(Debug)]
pub(super) struct Stored {
    spec: Arc<Spec>,
    pieces: Taker<Piece>,
    file: Option<(File, Option<SystemTime>)>,
    current: Bytes,
    /// Bytes up to the size that was found.
    left: u64,
    complete: bool,
    /// Bytes read so far.
    pub(super) read: u64,
}

impl Stored {
    /// Opens a file at the byte `from`, in a task.
    pub(super) fn open(spec: &Arc<Spec>, from: u64, context: &ReaderContext, budget: usize) -> Self {
        let (giver, pieces) = handoff(budget, context.waker.clone());
        let task = Opening {
            spec: Arc::clone(spec),
            from,
            stores: Arc::clone(&context.stores),
            budget,
        };
        context.scope.run(task.run(giver));
        let left = spec.size.saturating_sub(from);
        Self {
            spec: Arc::clone(spec),
            pieces,
            file: None,
            current: Bytes::new(),
            left,
            complete: false,
            read: 0,
        }
    }

    /// Waits for the task's next piece without blocking; false at the end of an object.
    fn next_piece(&mut self) -> io::Result<bool> {
        if self.complete {
            return Ok(false);
        }
        match self.pieces.try_take() {
            Taken::Item(Piece::File(file)) => {
                let modified = file.metadata().and_then(|metadata| metadata.modified()).ok();
                self.file = Some((file, modified));
            }
            Taken::Item(Piece::Bytes(bytes)) => self.current = bytes,
            Taken::Item(Piece::Failed(failure)) => return Err(io::Error::other(failure)),
            Taken::Item(Piece::Complete) if self.left > 0 => {
                return Err(io::Error::other(self.spec.changed("became shorter")));
            }
            Taken::Item(Piece::Complete) => self.complete = true,
            Taken::Nothing => return Err(ErrorKind::WouldBlock.into()),
            Taken::Ended => {
                return Err(io::Error::other(Failure::bug(format!(
                    "nobody reads `{}` any more",
                    self.spec.name()
                ))));
            }
        }
        Ok(!self.complete)
    }

    /// Appends at most `wanted` bytes without a detour.
    fn append(&mut self, out: &mut Vec<u8>, wanted: usize) -> io::Result<usize> {
        loop {
            if let Some((file, _)) = &self.file {
                // `take` keeps a file that has grown from being read beyond the size that was found.
                let count = file.take(self.left.min(wanted as u64)).read_to_end(out)?;
                return self.advance(count);
            }
            if self.current.has_remaining() {
                let count = self.current.len().min(wanted);
                out.extend_from_slice(&self.current[..count]);
                self.current.advance(count);
                return self.advance(count);
            }
            if !self.next_piece()? {
                return Ok(0);
            }
        }
    }

    fn advance(&mut self, count: usize) -> io::Result<usize> {
        self.left -= (count as u64).min(self.left);
        self.read += count as u64;
        if count == 0 && self.file.is_some() {
            self.check_file()?;
        }
        Ok(count)
    }

    /// At the end of a local file: it must still be what it was when it was opened.
    fn check_file(&self) -> io::Result<()> {
        let Some((file, modified)) = &self.file else {
            return Ok(());
        };
        let metadata = file.metadata()?;
        if self.left > 0 || metadata.len() < self.spec.size {
            return Err(io::Error::other(self.spec.changed("became shorter")));
        }
        if metadata.len() != self.spec.size || metadata.modified().ok() != *modified {
            return Err(io::Error::other(self.spec.changed("was written to")));
        }
        Ok(())
    }
}

impl Read for Stored {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some((file, _)) = &self.file {
                let count = file.take(self.left).read(out)?;
                return if out.is_empty() { Ok(0) } else { self.advance(count) };
            }
            if self.current.has_remaining() {
                let count = self.current.len().min(out.len());
                self.current.copy_to_slice(&mut out[..count]);
                return self.advance(count);
            }
            if !self.next_piece()? {
                return Ok(0);
            }
        }
    }
}

/// The content of a file: what is stored, decompressed.
pub(super) enum Content {
    Plain(Stored),
    Gzip(Box<MultiGzDecoder<Stored>>),
    Zstd(Box<zstd::Decoder<'static, BufReader<Stored>>>),
}

impl Content {
    /// Decompresses `stored` as its split says.
    pub(super) fn new(stored: Stored) -> Result<Self, Failure> {
        match stored.spec.compression {
            Compression::Auto | Compression::None => Ok(Self::Plain(stored)),
            Compression::Gzip => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(stored)))),
            Compression::Zstd => {
                let decoder = zstd::Decoder::with_buffer(BufReader::with_capacity(COMPRESSED_PIECE, stored));
                let decoder =
                    decoder.map_err(|error| Failure::retry("no memory for a zstd decoder").because(&error))?;
                Ok(Self::Zstd(Box::new(decoder)))
            }
        }
    }

    fn stored(&self) -> &Stored {
        match self {
            Self::Plain(stored) => stored,
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Zstd(decoder) => decoder.get_ref().get_ref(),
        }
    }

    /// Bytes read of what is stored.
    pub(super) fn bytes_read(&self) -> u64 {
        self.stored().read
    }

    /// Appends at most `wanted` bytes; none where there is nothing now, `Some(0)` at the end.
    pub(super) fn append(&mut self, out: &mut Vec<u8>, wanted: usize) -> Result<Option<usize>, Failure> {
        let before = out.len();
        let result = match self {
            Self::Plain(stored) => stored.append(out, wanted),
            Self::Gzip(decoder) => decoder.by_ref().take(wanted as u64).read_to_end(out),
            Self::Zstd(decoder) => decoder.by_ref().take(wanted as u64).read_to_end(out),
        };
        match result {
            Ok(count) => Ok(Some(count)),
            // What came before the interruption is in `out` already.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                Ok(Some(out.len() - before).filter(|count| *count > 0))
            }
            Err(error) => Err(self.failure(error)),
        }
    }

    /// The sentence for an error of the file or of its decompression.
    fn failure(&self, error: io::Error) -> Failure {
        let name = self.stored().spec.name();
        let error = match error.downcast::<Failure>() {
            Ok(failure) => return failure,
            Err(error) => error,
        };
        let form = match self {
            Self::Plain(_) => return Failure::retry(format!("`{name}` cannot be read")).because(&error),
            Self::Gzip(_) => "gzip",
            Self::Zstd(_) => "zstd",
        };
        if error.kind() == ErrorKind::UnexpectedEof {
            return Failure::fail(format!("`{name}` ends in the middle of its {form} data")).help(
                "the file is cut off: copy it anew and start with `--fresh`; the records before the cut have been read",
            );
        }
        Failure::fail(format!("`{name}` is not {form}, or is damaged"))
            .because(&error)
            .help("check the file, or say how it is compressed with `compression: none | gzip | zstd`")
    }
}

/// Opens a file and, where it is remote, fetches it.
struct Opening {
    spec: Arc<Spec>,
    from: u64,
    stores: Arc<dyn Stores>,
    budget: usize,
}

impl Opening {
    async fn run(self, giver: Giver<Piece>) {
        let outcome = self.fetch(&giver).await;
        let last = outcome.map_or_else(
            |failure| Some(Piece::Failed(failure)),
            |remote| remote.then_some(Piece::Complete),
        );
        if let (Some(piece), Some(reservation)) = (last, giver.reserve(0).await) {
            giver.send(piece, reservation).await;
        }
    }

    /// Hands over the file, or all its bytes; true where it was bytes.
    async fn fetch(&self, giver: &Giver<Piece>) -> Result<bool, Failure> {
        let store = self.stores.open(&self.spec.store)?;
        self.compare(store.as_ref()).await?;
        if let Some(root) = store.local_root() {
            let file = self.open_file(&root.join(&self.spec.path))?;
            if let Some(reservation) = giver.reserve(0).await {
                giver.send(Piece::File(file), reservation).await;
            }
            return Ok(false);
        }
        self.stream(&store, giver).await?;
        self.compare(store.as_ref()).await?;
        Ok(true)
    }

    /// The file must be the one that was found.
    async fn compare(&self, store: &dyn Store) -> Result<(), Failure> {
        let object = match store.head(&self.spec.path).await {
            Ok(object) => object,
            Err(Error::Missing { .. }) => return Err(self.spec.changed("was removed")),
            Err(error) => return Err(error.into()),
        };
        if object.size != self.spec.size || object.version != self.spec.version {
            return Err(self.spec.changed("changed"));
        }
        Ok(())
    }

    fn open_file(&self, path: &std::path::Path) -> Result<File, Failure> {
        let opened = File::open(path).and_then(|mut file| file.seek(SeekFrom::Start(self.from)).map(|_| file));
        opened.map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => Failure::fail(format!("no permission to read `{}`", self.spec.name()))
                .help("give the user that runs Weir the right to read it: `chmod o+r`"),
            ErrorKind::NotFound => self.spec.changed("was removed"),
            _ => Failure::retry(format!("`{}` cannot be opened", self.spec.name())).because(&error),
        })
    }

    /// Fetches ranges, a few at once, in order; never more than the budget is under way or waits.
    async fn stream(&self, store: &Arc<dyn Store>, giver: &Giver<Piece>) -> Result<(), Failure> {
        let step = (self.budget as u64 / 2).clamp(64 << 10, RANGE_BYTES_MAX);
        let count = self.spec.size.saturating_sub(self.from).div_ceil(step);
        let ranges = (0..count).map(|index| {
            let start = self.from + index * step;
            start..(start + step).min(self.spec.size)
        });
        // Each range waits for its room itself; the semaphore is fair, so the ranges get it in their order.
        let (spec, budget) = (Arc::clone(&self.spec), giver.budget());
        let fetched = futures::stream::iter(ranges)
            .map(move |range| fetch(Arc::clone(store), Arc::clone(&spec), budget.clone(), range));
        let mut fetched = std::pin::pin!(fetched.buffered(RANGES_AT_ONCE));
        while let Some(piece) = fetched.next().await {
            let Some((reservation, bytes)) = piece? else { break };
            if !giver.send(Piece::Bytes(bytes), reservation).await {
                break;
            }
        }
        Ok(())
    }
}

/// Fetches one range once there is room for it; none where the reader is gone.
async fn fetch(
    store: Arc<dyn Store>,
    spec: Arc<Spec>,
    budget: Budget,
    range: Range<u64>,
) -> Result<Option<(Reservation, Bytes)>, Error> {
    let bytes = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let Some(reservation) = budget.reserve(bytes).await else {
        return Ok(None);
    };
    let bytes = store.read_range(&spec.path, range).await?;
    Ok(Some((reservation, bytes)))
}
