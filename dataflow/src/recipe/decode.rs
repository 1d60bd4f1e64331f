//! Turns the bytes of records into columns, and only those that somebody reads.

use serde::{Deserialize, Serialize};

use super::source::Format;

/// Decodes `$raw`.
///
/// The node's output schema says which columns to make: user columns first (records as nested structs, pruned to
/// what is read), then those of `$raw`, `$split`, `$position` and `$time` that are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decode {
    /// How the bytes are read.
    pub format: Format,
}
