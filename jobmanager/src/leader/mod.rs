//! Who leads: one job manager at a time acts on a state folder.
//!
//! Enters: the claims in the folder, a lock, the answer of whoever claimed last. Leaves: a term, or an error that
//! names the other one. Who calls: the start of the job manager. Must stay true: no two leaders share a term. Not
//! here: safety, which rests on the chains (create-if-absent and fences) and never on this.

mod claim;
mod dial;
mod term;
#[cfg(test)]
mod tests;

#[cfg(feature = "testing")]
pub(crate) use claim::claim_asking;
pub use claim::{Candidate, Error, Leadership, claim, standby};
pub use dial::Asker;
pub use term::{Action, Answer, Claim, Election, Event, Lock};
