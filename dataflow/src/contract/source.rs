//! Sources: an enumerator that finds splits, at the job manager, and readers that read them, in subtasks.
//!
//! ```text
//!   Enumerator --discover--> splits --assign--> Reader --poll--> batches --> chain
//!                                                  \--snapshot--> splits at the last row handed out
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Framing, InvalidOptions};
use crate::error::Failure;
use crate::scope::Scope;
use crate::store::Stores;
use crate::time::Clock;

/// The source side of a connector.
#[async_trait]
pub trait SourceConnector: Send + Sync {
    /// The JSON Schema of its options, made from the options struct.
    fn schema(&self) -> Value;

    /// Checks options and says what the source yields. No I/O.
    ///
    /// # Errors
    /// Options that cannot work.
    fn plan(&self, options: &Value) -> Result<Shape, InvalidOptions>;

    /// Whether its rows' `$time` is their event time, and the rows of a split come in its order: they need no `eventTime`.
    fn is_timed(&self) -> bool {
        false
    }

    /// Looks at the world for the schema of a source whose [`Shape`] is [`Shape::Discovered`].
    ///
    /// # Errors
    /// Where the world cannot be reached or holds nothing to learn from.
    async fn discover_schema(&self, options: &Value, stores: Arc<dyn Stores>) -> Result<SchemaRef, Failure> {
        let (_, _) = (options, stores);
        Err(Failure::bug("this source has no schema to discover"))
    }

    /// The enumerator; `restored` is what [`Enumerator::snapshot`] gave in an earlier attempt.
    ///
    /// # Errors
    /// Options or a snapshot that cannot work.
    fn enumerator(
        &self,
        options: &Value,
        context: EnumeratorContext,
        restored: Option<Value>,
    ) -> Result<Box<dyn Enumerator>, Failure>;

    /// A reader of one subtask, without splits yet.
    ///
    /// # Errors
    /// Options that cannot work.
    fn reader(&self, options: &Value, context: ReaderContext) -> Result<Box<dyn Reader>, Failure>;
}

/// What a source yields, as far as the planner can know it.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Records as bytes in `$raw`, decoded by the `format:` beside the source.
    Bytes,
    /// Columns of this schema (reserved columns not among them).
    Columns(SchemaRef),
    /// Columns of a schema that [`SourceConnector::discover_schema`] finds, or that the document's format gives.
    ///
    /// A schema with the field `$raw` says that the stream is one of records as bytes.
    Discovered,
}

/// What an enumerator works with.
#[derive(Clone)]
pub struct EnumeratorContext {
    /// Opens object stores and local folders.
    pub stores: Arc<dyn Stores>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How many readers there are.
    pub parallelism: u32,
    /// Whether what is one sequence may be cut into splits that are read side by side.
    pub order: Order,
}

/// What the rows of a sequence, such as a file, are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// They are in the order of their event time, and somebody asks for it: a sequence is one split. If its halves were
    /// read at the same time, one of them would be ahead of time, and whatever was found in a later split would be late.
    Kept,
    /// Nobody asks for it.
    Free,
}

/// Finds the splits of a source. Lives at the job manager.
#[async_trait]
pub trait Enumerator: Send {
    /// Finds splits that were not reported before. Called again after `Discovery::next` for sources that watch.
    ///
    /// Cancel-safe: what was found but not returned is found again.
    ///
    /// # Errors
    /// Where the world cannot be reached (retry) or is not as the document says (fail).
    async fn discover(&mut self) -> Result<Discovery, Failure>;

    /// What it has reported so far, so that a later attempt reports only what is new.
    fn snapshot(&self) -> Value;
}

/// One answer of an enumerator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovery {
    /// New splits, in the order in which they should be read.
    pub splits: Vec<Split>,
    /// When to ask again; `None` when there will be no more: the source is bounded.
    pub next: Option<std::time::Duration>,
    /// The bytes of input in the new splits, where that is known: the base of progress and ETA.
    pub bytes: Option<u64>,
}

/// A part of a source that one reader reads, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Unique within the source and the same in every attempt; shown to people as where a record came from.
    pub id: String,
    /// What to read: fixed (a path with size and inode, a shard, a range of a generator).
    pub spec: Value,
    /// How far it was read: `Null` at the beginning. Whatever the reader needs to go on exactly there.
    pub position: Value,
}

/// What the splits of one reader are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// Nothing: they may be read one after another.
    Free,
    /// None may run further ahead of the slowest in event time than `maxDrift` says: they are read side by side, and
    /// [`Reader::hold`] says which are ahead.
    ByDrift,
}

/// So many splits one reader reads side by side at most. More that hold the same time are read when others are at their ends,
/// and are late then.
pub const SIDE_BY_SIDE_MAX: usize = 16;

/// What a reader works with.
#[derive(Clone)]
pub struct ReaderContext {
    /// Opens object stores and local folders.
    pub stores: Arc<dyn Stores>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Owns whatever the reader starts; on the runtime for I/O.
    pub scope: Scope,
    /// Wakes the subtask when a reader that had nothing has something again. Cheap; may be called at any time.
    pub waker: Waker,
    /// The columns to yield, in this order: user columns, then reserved ones.
    pub output: SchemaRef,
    /// How the bytes of a stream are cut into records, for connectors of [`Shape::Bytes`].
    pub framing: Framing,
    /// At most this many bytes may wait inside the reader.
    pub buffer_bytes: usize,
    /// Which subtask this is, and of how many.
    pub subtask: (u32, u32),
    /// Whether its splits are to be kept together in event time.
    pub alignment: Alignment,
}

/// Wakes a subtask that sleeps on its mailbox.
#[derive(Clone)]
pub struct Waker(Arc<dyn Fn() + Send + Sync>);

impl Waker {
    /// Wakes by calling `wake`.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// Wakes.
    pub fn wake(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}

/// Reads splits. Lives on a subtask's thread; never blocks on the network and never longer than a local read takes.
pub trait Reader: Send {
    /// Takes more splits, each from its position on. Called only when no barrier is in flight.
    ///
    /// # Errors
    /// Splits that this connector did not make.
    fn assign(&mut self, splits: Vec<Split>) -> Result<(), Failure>;

    /// There will be no more splits: when those it has are read, the reader is at its end.
    fn no_more_splits(&mut self);

    /// The next thing to do. A batch has at most `element::BATCH_ROWS_MAX` rows and aims at `BATCH_BYTES_TARGET`.
    ///
    /// # Errors
    /// What ends the attempt: the world failed (retry), or is not as the split says, such as a file that changed (fail).
    fn poll(&mut self) -> Result<Polled, Failure>;

    /// How many more splits it would read side by side with those it holds; 0 where it reads one after another, and is given
    /// more when it has none. While it has asked for them it is not polled: what comes may be older than all that is here.
    fn room(&self) -> usize {
        0
    }

    /// These of its splits have run too far ahead in event time, and all others have not: a reader that reads several at a time
    /// reads the others first. Who reads one at a time need not care; it is not polled while that one has to wait.
    fn hold(&mut self, ahead: &BTreeSet<String>) {
        let _ = ahead;
    }

    /// The splits it holds, each at the position after the last row that `poll` returned.
    ///
    /// A reader restored from these yields exactly the rows that were not returned, in the same order within a split.
    fn snapshot(&self) -> Vec<Split>;

    /// How far it has come, for people.
    fn progress(&self) -> Progress;
}

/// One answer of a reader.
#[derive(Clone, Debug)]
pub enum Polled {
    /// Rows, all of one split, in the order of their positions.
    Batch(RecordBatch),
    /// A split was read to its end; it is no longer in the snapshot.
    Finished(String),
    /// Nothing now: the waker will be called, or splits will be assigned.
    Wait,
    /// Every split is finished and there will be no more.
    End,
}

/// How far a reader has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of input read (of compressed input, compressed bytes).
    pub bytes_read: u64,
}
