//! What an unaligned barrier overtook: rows on their way, and what was said about time between them, as part of the snapshot.
//!
//! ```text
//!   gate, outputs, sinks' queues ── passed ──> Stow, on the runtime for I/O ──> one object ──> Notice: stowed
//!   snapshot: {"overtaken": {"object": "gen-1.2/att-1.2.3.0/overtaken-sub-3.0-17", "bytes": …, "crc": …, "rows": …}}
//!   restore:  the object ──> to the front of the same channels and queues, in their order
//! ```
//!
//! Enters: elements that stay where they are, and go on behind the barrier. Leaves: an object, and its name for the snapshot.
//! Who calls: the subtask's loop, and whoever builds it. Must stay true: what was passed is bounded by the budgets of the
//! channels and queues it waits in; it goes back to the place it was passed at, before anything new. So it is of use only to
//! the same subtask of the same graph: the job manager hands it to nobody else. Not here: when a barrier overtakes (task).

mod format;

use std::fmt;

use bytes::Bytes;
use dataflow::element::Element;
use dataflow::id::EdgeId;
use dataflow::{Failure, Scope};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::state::Shelf;
use crate::task::mailbox::Mail;
use crate::writer::Notice;

/// Where elements were when a barrier passed them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Place {
    /// They had come by an edge and were not yet taken.
    Inlet {
        /// The edge.
        edge: EdgeId,
        /// The index of the subtask that sent them.
        from: u32,
    },
    /// They waited for credit.
    Outlet {
        /// The edge.
        edge: EdgeId,
        /// The index of the subtask that they were meant for.
        to: u32,
    },
    /// They waited for a sink.
    Sink {
        /// Its step.
        step: String,
    },
}

/// What was passed at one place, in its order: rows, watermarks, idleness.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    /// Where.
    pub(crate) place: Place,
    /// What.
    pub(crate) elements: Vec<Element>,
}

/// What a snapshot says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stowed {
    /// The object, in the folder of the job's state.
    pub object: String,
    /// Its length.
    pub bytes: u64,
    /// The crc32 of its bytes.
    pub crc: u32,
    /// How many rows it holds.
    pub rows: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inlet { edge, from } => write!(f, "{edge} from {from}"),
            Self::Outlet { edge, to } => write!(f, "{edge} to {to}"),
            Self::Sink { step } => write!(f, "sink {step}"),
        }
    }
}

/// Bytes of rows in it.
pub(crate) fn row_bytes(passed: &[Passed]) -> u64 {
    let elements = passed.iter().flat_map(|passed| &passed.elements);
    let bytes = elements.map(|element| match element {
        Element::Batch(batch) => batch.bytes() as u64,
        Element::Watermark(_) | Element::Barrier(_) | Element::Idle | Element::End => 0,
    });
    bytes.sum()
}

/// Makes objects of what one subtask's barriers pass.
#[derive(Clone, Debug)]
pub(crate) struct Stow {
    shelf: Shelf,
    /// The beginning of every name: generation, attempt and subtask, which together never come again.
    prefix: String,
    scope: Scope,
    mail: Mail,
}

impl Stow {
    /// Into this folder, under names that begin with this.
    pub(crate) fn new(shelf: Shelf, prefix: String, scope: Scope, mail: Mail) -> Self {
        Self {
            shelf,
            prefix,
            scope,
            mail,
        }
    }

    /// Makes an object of what the barrier `counter` passed, while data flows; the answer comes as a notice.
    pub(crate) fn keep(&self, counter: u64, passed: Vec<Passed>) {
        let (shelf, mail, last) = (self.shelf.clone(), self.mail.clone(), self.mail.clone());
        let object = format!("{}-{counter}", self.prefix);
        let work = async move {
            let (bytes, rows) = format::encode(&passed)?;
            // The rows go on meanwhile: their memory is not held for longer than it takes to write them down.
            drop(passed);
            let stowed = Stowed {
                object,
                bytes: bytes.len() as u64,
                crc: crc32fast::hash(&bytes),
                rows,
            };
            shelf.put(&stowed.object, Bytes::from(bytes)).await?;
            Ok::<_, Failure>(stowed)
        };
        self.scope.spawn(work, move |outcome| match outcome {
            Ok(None) => {}
            Ok(Some(Ok(stowed))) => mail.notice(0, Notice::Stowed { counter, stowed }),
            Ok(Some(Err(failure))) | Err(failure) => last.notice(0, Notice::Failed(failure)),
        });
    }
}

/// Reads what a restored barrier had passed. Waits for the store: to be called where a thread may wait.
///
/// # Errors
/// The object is missing or not as it was written.
pub(crate) fn restore(stowed: &Stowed, shelf: &Shelf, scope: &Scope) -> Result<Vec<Passed>, Failure> {
    let (done, answer) = oneshot::channel();
    let (shelf, stowed) = (shelf.clone(), stowed.clone());
    scope.run(async move {
        // Who waits may have gone with its scope.
        let _ = done.send(read(&shelf, &stowed).await);
    });
    answer
        .blocking_recv()
        .unwrap_or_else(|_| Err(Failure::retry("cancelled while it was restored")))
}

/// Reads and checks it.
///
/// # Errors
/// As for [`restore`].
async fn read(shelf: &Shelf, stowed: &Stowed) -> Result<Vec<Passed>, Failure> {
    let bytes = shelf.get(&stowed.object, stowed.bytes, stowed.crc).await?;
    format::decode(&bytes)
}

/// What is in an object, one line for each place: `edge-1 from 0: 3 batches, 120 rows`.
///
/// # Errors
/// The object is missing or not as it was written.
pub(crate) async fn inspect(shelf: &Shelf, stowed: &Stowed) -> Result<Vec<String>, Failure> {
    let line = |passed: &Passed| {
        let rows = passed.elements.iter().filter_map(|element| match element {
            Element::Batch(batch) => Some(batch.row_count()),
            Element::Watermark(_) | Element::Barrier(_) | Element::Idle | Element::End => None,
        });
        let (batches, rows) = rows.fold((0, 0), |(batches, sum), rows| (batches + 1, sum + rows));
        format!("{}: {batches} batches, {rows} rows", passed.place)
    };
    Ok(read(shelf, stowed).await?.iter().map(line).collect())
}
