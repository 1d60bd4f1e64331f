//! Toys for this crate's tests: operators from rows to rows, a format, a source and a sink that can be stopped and broken.

mod footing;
mod format;
mod harness;
mod script;
mod rig;
mod toys;

pub(crate) use footing::Footing;
pub(crate) use format::Json;
pub(crate) use harness::{check, open, picture, run, typed};
pub(crate) use script::{Compare, Step, Trial};
pub(crate) use toys::{NoStores, OneFolder, Toys};
