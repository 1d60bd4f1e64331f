//! What tests of every crate share: the contract suites that each implementation runs, and tables as pictures.

pub mod afar;
pub mod format;
pub mod sink;
pub mod source;
pub mod store;
