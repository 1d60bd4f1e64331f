//! Channels: one ordered, bounded stream of elements from one subtask to another.
//!
//! ```text
//!   Outlet ── waiting ──> [window] ──── local: the batch itself ────> [queue, grants] ──> Inlet
//!   (sender's thread)        ^      ──── network: frames ──────────>       │        (receiver's thread)
//!                            └───────────── credit, in total ──────────────┘
//! ```
//!
//! Enters: elements, by [`Outlet::send`]. Leaves: the same in the same order, by [`Inlet::take`].
//! Who calls: `partition::Output` on the sender's thread, `gate::Gate` on the receiver's; neither call ever blocks.
//! Wakes: the sender's [`Waker`] when credit came after it was short of it, the receiver's when an element came after
//! `take` gave none, and both when the channel fails. A waker is called on a foreign thread, with no lock held.
//! Must stay true: bytes on their way and in the queue stay within what was granted, except for one row that is larger
//! than the exclusive window; nothing is lost, doubled or reordered; after `End` nothing follows.
//! Life: an [`Outlet`] dropped before it sent `End`, or an [`Inlet`] dropped before it took it, fails the other end with
//! a failure to be retried. So report a subtask's own failure before its channels are dropped, or the neighbour's
//! complaint arrives first.
//! Not here: who gets which row (`partition`), in which order inputs are read (`gate`), the wire (`network`).

mod compact;
pub mod credit;
mod inlet;
mod intake;
mod local;
mod outlet;
mod slice;
#[cfg(test)]
pub(crate) mod tests;

pub use compact::compact;
pub use inlet::Inlet;
pub use local::local;
pub use outlet::Outlet;

pub(crate) use compact::compact_for_wire;
pub(crate) use intake::{Fill, Intake, Item, Upstream, push_merged};
pub(crate) use local::sender_gone;
pub(crate) use outlet::{Ended, Link};

use std::fmt;
use std::sync::Arc;

use dataflow::contract::Waker;
use dataflow::id::{EdgeId, Generation, JobId, SubtaskId};
use dataflow::time::Clock;
use parking_lot::Mutex;

use credit::Pool;

/// Which channel: from one subtask to another along one edge, in one generation of one job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChannelId {
    /// The job.
    pub job: JobId,
    /// The deployment it belongs to; channels of different generations never meet.
    pub generation: Generation,
    /// The edge.
    pub edge: EdgeId,
    /// Who sends.
    pub from: SubtaskId,
    /// Who receives.
    pub to: SubtaskId,
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {} to {}", self.edge, self.from, self.to)
    }
}

/// The floating part of the memory for input, shared by all channels into one task manager (or one job on it).
#[derive(Clone, Debug)]
pub struct SharedPool(pub(crate) Arc<Mutex<Pool>>);

impl SharedPool {
    /// A pool of `bytes`. Each channel has [`credit::EXCLUSIVE`] bytes beside it.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self(Arc::new(Mutex::new(Pool::new(bytes))))
    }

    /// Bytes that channels hold of it now.
    #[must_use]
    pub fn leased(&self) -> u64 {
        self.0.lock().leased()
    }
}

/// What the receiving end of a channel works with.
#[derive(Clone, Debug)]
pub struct Receiving {
    /// Where floating credit comes from.
    pub pool: SharedPool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Wakes the receiving subtask.
    pub waker: Waker,
}
