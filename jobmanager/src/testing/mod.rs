//! For tests: a job manager on a store in memory, a toy source, and a task manager that speaks the wire by script.

mod bench;
mod fake;
mod toy;

pub(crate) use bench::{Bench, planned};
pub(crate) use fake::Fake;
pub(crate) use toy::toys;
