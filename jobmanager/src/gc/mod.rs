//! Takes away what nobody needs any more: old records of a chain, and state files that no record names.
//!
//! ```text
//!   records there are ── less the newest, the first, those with a document in force, those that a search for the head asks for ──> go
//!   state files there are ── less what the records name that stay ── of fenced attempts, or named by records that go ──> go
//! ```
//!
//! Enters: the chain and the folder of state files of one job. Leaves: what is garbage, and less of it. Who calls: the job's
//! actor every minute, `weir state gc`. Must stay true: what a record that stays names is never touched; a file that no
//! record names yet goes only if whoever made it can make no record any more; nothing waits for it; when a record that
//! stays cannot be read, nothing goes. Not here: savepoints, which have copies of their own.

mod difference;
mod sweep;
#[cfg(test)]
mod tests;

pub use difference::{Garbage, Named, Seen, difference, retained};
pub use sweep::{Mode, Plot, sweep};
