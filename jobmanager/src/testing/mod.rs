//! For tests: a job manager on a store in memory, a toy source, and a task manager that speaks the wire by script.
//! For the simulator of `integration`: sessions without a wire, and mutants of the protocol.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod toy;
#[cfg(feature = "testing")]
mod link;
#[cfg(feature = "testing")]
mod mutant;

#[cfg(test)]
pub(crate) use bench::{Bench, planned};
#[cfg(test)]
pub(crate) use fake::Fake;
#[cfg(feature = "testing")]
pub use link::{Link, start};
#[cfg(feature = "testing")]
pub(crate) use mutant::is_planted;
#[cfg(feature = "testing")]
pub use mutant::{Mutant, plant};
#[cfg(test)]
pub(crate) use toy::toys;
