//! The life of one job: a machine that decides, and a task that does.
//!
//! ```text
//!   Event ──> Actor ──> Life, Coordinator, Assign (pure) ──> actions ──> task managers, store, enumerators
//! ```
//!
//! Enters: what task managers report, what the store answers, what people ask. Leaves: messages, records, a summary.
//! Who calls: `jobs`. Must stay true: the task never waits for the world; what takes time runs beside it and answers
//! with an event. Not here: any decision of the machines.

pub mod life;
mod event;
mod history;
mod operations;
mod sources;
mod deployment;
mod adopting;
mod deploying;
mod failing;
mod actor;
mod performing;
mod changing;
mod versions;
mod saving;
mod asking;
mod ending;
mod sweeping;
mod tapping;
mod view;
mod times;
mod series;
mod counting;
pub mod measure;
mod traces;
mod findings;
#[cfg(test)]
mod tests;

pub use actor::{Begin, Context, spawn};
pub use changing::Change;
pub use counting::LagAsked;
pub use event::{Ask, Event, Handle};
pub use measure::Measured;
pub use performing::LAST_FAILURE;
pub use saving::When;
