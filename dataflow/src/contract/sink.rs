//! Sinks, in two phases: what is prepared at a barrier is durable without the writer; commit makes it visible, any number of times.
//!
//! ```text
//!   write* ── barrier ── prepare ──> committables + state (in the epoch's record)
//!                                         │ the record exists
//!                                         └──> commit (repeated after recovery, before the first row)
//! ```

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Browse, InvalidOptions};
use crate::element::Roll;
use crate::error::Failure;
use crate::id::{Epoch, JobId, SubtaskId};
use crate::store::Stores;
use crate::time::Clock;

/// The sink side of a connector.
pub trait SinkConnector: Send + Sync {
    /// The JSON Schema of its options, made from the options struct.
    fn schema(&self) -> Value;

    /// Checks options against the schema of the rows, and says which reserved columns it wants of them. No I/O.
    ///
    /// # Errors
    /// Options that cannot work.
    fn plan(&self, options: &Value, input: &SchemaRef) -> Result<Wants, InvalidOptions>;

    /// What looks into what it has written, where somebody can.
    fn browse(&self) -> Option<&dyn Browse> {
        None
    }

    /// A sink of one subtask. Its first calls are `commit` for every restored committable.
    ///
    /// # Errors
    /// Options that cannot work.
    fn sink(&self, options: &Value, context: SinkContext) -> Result<Box<dyn Sink>, Failure>;
}

/// What a sink wants of its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// The reserved columns it reads, of those in [`crate::element::columns`]; user columns it always gets all.
    /// `$kind` is among those of its input where rows are changes.
    pub reserved: Vec<String>,
    /// Paths it reads in a stream without a schema (partition columns), with their types, such as `("eventType", Utf8View)`.
    pub paths: Vec<(crate::expr::Path, arrow_schema::DataType)>,
    /// Whether rows reach it as lines of the `format:` beside it, `json` unless given: one column,
    /// [`crate::element::columns::LINE`], in place of all others. Rows that the format cannot write are dead letters.
    pub encoded: bool,
    /// Which kinds of rows it takes. Where it takes changes and wants [`crate::element::columns::KIND`], it is told which is which.
    pub kinds: Kinds,
}

/// Kinds of rows, as [`crate::element::columns::KIND`] tells them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kinds {
    /// New rows only: what was given stays as it is.
    #[default]
    Inserts,
    /// Also rows that take back or replace earlier ones.
    Changes,
}

/// What a sink works with.
#[derive(Clone)]
pub struct SinkContext {
    /// The job it belongs to.
    pub job: JobId,
    /// The datastream's step name of this sink.
    pub step: String,
    /// Which subtask it is.
    pub subtask: SubtaskId,
    /// A token unique to this attempt of this subtask: names with it in them are never used again.
    pub attempt: String,
    /// The head of the chain of epochs that was restored.
    pub epoch: Epoch,
    /// Opens object stores and local folders.
    pub stores: Arc<dyn Stores>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The schema of the rows, before they are encoded.
    pub input: SchemaRef,
    /// What the lines are, where [`Wants::encoded`].
    pub encoding: Option<Encoding>,
    /// What [`Prepared::state`] of the restored epoch held, of all subtasks of this sink that this one goes on for.
    pub restored: Vec<SinkState>,
}

/// How rows became lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The format's name.
    pub format: String,
    /// What comes before the first line of a file, if anything.
    pub header: Option<Vec<u8>>,
}

/// One subtask's end of a stream. Async: it runs behind a bounded queue of bytes, so a wait in it holds up its own input only.
#[async_trait]
pub trait Sink: Send {
    /// Takes rows. Nothing of them is visible to anybody outside.
    ///
    /// # Errors
    /// Retriable tries of its own are used up (retry), or it can never succeed (fail).
    async fn write(&mut self, batch: RecordBatch) -> Result<(), Failure>;

    /// Makes everything written so far durable without this writer, and says how to commit it.
    ///
    /// Rows that stay unpublished (a file that goes on) are in the state, as names of durable, immutable objects.
    /// Until a later `commit` says otherwise nobody knows whether a record covers it.
    ///
    /// # Errors
    /// As for `write`.
    async fn prepare(&mut self, cut: Cut) -> Result<Prepared, Failure>;

    /// Publishes what was prepared. Idempotent: the second time, also by another attempt, changes nothing.
    ///
    /// # Errors
    /// As for `write`. What is missing and cannot have been published before fails loudly.
    async fn commit(&mut self, committables: Vec<Committable>) -> Result<(), Failure>;
}

/// Where a checkpoint cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Whether all open files are closed.
    pub roll: Roll,
}

/// What is ready to be published, and what goes on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prepared {
    /// To be committed after the record; may be empty.
    pub committables: Vec<Committable>,
    /// What this sink needs to go on: restored by its next attempt.
    pub state: SinkState,
}

/// Something durable that one `commit` publishes: whatever the connector wrote, small.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Committable(pub Value);

/// What a sink goes on from; `Null` for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SinkState(pub Value);
