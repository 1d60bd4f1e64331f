//! What must survive a job manager, as numbered objects that are made once and never changed.
//!
//! ```text
//!   leader/term-<T>.json           who led          datastreams/ledger/<K>.json    what is wished of every datastream
//!   jobs/<name>@<life>/epochs/<N>.record   the chain of epochs          …/hint     where its head was, only a hint
//!   datastreams/versions/<name>/<N>.json   the documents that were in force, for people
//! ```
//!
//! Enters: records and wishes. Leaves: whether they are ours. Must stay true: numbers have no gaps; an object is made by
//! create-if-absent; every error of the store means "unknown" and is answered by reading back and comparing; nothing
//! depends on listing. Not here: what a record means.

mod chain;
mod error;
mod hint;
mod ledger;
mod numbered;
mod record;
mod seal;
mod versions;
#[cfg(test)]
pub(crate) mod tests;

pub use chain::{Appended, Chain};
pub use error::Error;
pub use ledger::{Entry, Ledger, Standing};
pub use numbered::{Created, Numbered, search};
pub use record::{
    Amendment, Document, Kind, Origin, Reached, Record, SourceSnapshot, SubtaskSnapshot, Tallied, splits_held,
};
pub use seal::{open, seal};
pub use versions::{Entered, Version, Versions};
