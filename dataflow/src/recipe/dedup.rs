//! Keeps the first row of each key within a span of time.

use serde::{Deserialize, Serialize};

use super::window::Clocked;
use crate::expr::Path;

/// A row passes when no row of its key passed in the span before it; others are dropped and counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dedup {
    /// The key. The rows of one key come to one subtask.
    pub keys: Vec<Path>,
    /// How long a key is remembered after the row that passed.
    pub within_ms: u64,
    /// By whose clock.
    pub clock: Clocked,
}
