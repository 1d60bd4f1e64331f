//! Which subtask of the next vertex a row goes to.

use serde::{Deserialize, Serialize};

use crate::expr::Path;

/// How the rows of an edge are dealt out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Partition {
    /// Subtask i to subtask i. Both vertices have the same parallelism.
    Forward,
    /// Whole batches in turn.
    Rebalance,
    /// By the key group of the values at these paths: equal keys meet.
    Hash {
        /// The key, in this order.
        keys: Vec<Path>,
        /// How many key groups there are.
        max_parallelism: u32,
    },
    /// Every row to every subtask.
    Broadcast,
}
