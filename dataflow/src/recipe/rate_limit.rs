//! Lets so many rows through in a second.

use serde::{Deserialize, Serialize};

use crate::expr::Path;

/// A bucket of tokens for the stream, or one for each key. Without keys its rate is shared by the subtasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// The key that has a bucket of its own; none: the stream has one.
    pub keys: Vec<Path>,
    /// Rows a second.
    pub rows_per_second: f64,
    /// So many rows may pass at once after a quiet time.
    pub burst: u64,
    /// What happens to the others.
    pub excess: Excess,
}

/// What happens to rows above a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Excess {
    /// They wait, and the stream with them. Only without keys. Rows that wait are state.
    Wait,
    /// They are dropped, and counted.
    Drop,
}
