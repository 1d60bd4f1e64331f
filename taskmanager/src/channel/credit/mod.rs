//! Credit: how many bytes a channel may have on its way. Two pure machines, one at each end, and the pool between channels.
//!
//! ```text
//!   Window (sender)                                   Grants (receiver)
//!   granted ── sent = credit      <── total ──        granted ── consumed = outstanding
//!      Asked ─> Send(credit) | Blocked                   Received, Consumed ─> Grant(total)
//!      Granted(total) ─> Wake                            Closed ─> everything back to the pool
//! ```
//!
//! Counters count from the opening of the channel and only grow, so that a grant that is lost, repeated or late does no
//! harm. Outstanding bytes (granted and not yet consumed) are memory that is promised: [`EXCLUSIVE`] of each channel's
//! own, the rest leased from the [`Pool`].
//! Must stay true: with everything consumed a sender has at least [`EXCLUSIVE`] of credit, which is enough to send any
//! row; so no state is without a way out, whatever the pool has left.

mod grants;
mod pool;
mod window;
#[cfg(test)]
mod tests;

pub use grants::{Grant, Grants, GrantsEvent};
pub use pool::Pool;
pub use window::{Window, WindowAction, WindowEvent};

use std::time::Duration;

use dataflow::element::Batch;

/// Bytes that every channel may always have on its way.
pub const EXCLUSIVE: u64 = 64 << 10;

/// A sender does not cut a batch into pieces smaller than this, so that credit in crumbs makes no crumbs.
pub const QUANTUM: u64 = EXCLUSIVE / 4;

/// What a batch costs beside its rows, so that rows without bytes are bounded too.
pub const BATCH_OVERHEAD: u64 = 256;

/// What is on its way should be consumed within this time: more credit than that only makes barriers wait.
pub const DRAIN_TARGET: Duration = Duration::from_millis(500);

/// Whatever the measured pace, this much may be on its way if the pool has it: one whole batch.
pub const BURST: u64 = dataflow::element::BATCH_BYTES_TARGET as u64 + BATCH_OVERHEAD;

/// After this long without a backlog at the sender a channel gives its floating credit back as it is consumed.
pub const HOLD: Duration = Duration::from_secs(1);

/// What a batch costs in credit, at both ends.
#[must_use]
pub fn cost(batch: &Batch) -> u64 {
    batch.bytes() as u64 + BATCH_OVERHEAD
}
