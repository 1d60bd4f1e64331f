//! Keeps a share of the rows, the same ones on every run.

use serde::{Deserialize, Serialize};

use crate::expr::Path;

/// Keeps a row when a hash falls under the share: of the value at `by`, or else of the row's source split and position.
///
/// So a replay, a restart and another parallelism keep the same rows; with `by`, all rows of one key or none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The share of rows (or of keys) to keep, from 0 to 1.
    pub share: f64,
    /// The key to sample by.
    pub by: Option<Path>,
    /// Another seed keeps other rows.
    pub seed: u64,
}
