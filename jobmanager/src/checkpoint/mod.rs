//! Checkpoints: when a barrier goes out, when a record may be made, who owes commits.
//!
//! Enters: acknowledgements, outcomes of the store, the time. Leaves: what the job's shell is to do. Who calls: the
//! job's actor. Must stay true: one barrier in flight; a record only of all acknowledgements of one barrier; record
//! N+1 never before the commits of N are done. Not here: messages and the store.

mod commit;
mod coordinator;
mod event;
mod purpose;
mod timing;
#[cfg(test)]
mod tests;

pub use commit::{Commits, Heard};
pub use coordinator::{Coordinator, Seen};
pub use event::{Acknowledgement, Action, Event, Members};
pub use purpose::Purpose;
pub use timing::{Aligned, Config, Parts, Timing};
