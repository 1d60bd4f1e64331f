//! The source side of `file`: finds files, cuts them into splits, reads lines or Parquet.
//!
//! Enters: a path, folder, pattern or URL. Leaves: records as views into read buffers, or columns.
//! Must stay true: a file is read as it was found (path, size, version), a change is an error; a position is a byte of the
//! decompressed content (lines) or a row (Parquet), so a restored split goes on exactly.

mod columns;
mod enumerator;
mod input;
mod lines;
pub(crate) mod location;
mod options;
mod reader;
#[expect(
    clippy::module_inception,
    reason = "the source of the connector is its `source.rs`, as in every connector"
)]
mod source;
mod split;
#[cfg(test)]
mod tests;

pub use options::{Compression, Options, Records, Watch};
pub use source::FileSource;
