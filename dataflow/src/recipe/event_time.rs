//! Gives rows their event time, and says how far time has come in each split.

use serde::{Deserialize, Serialize};

use crate::expr::Path;

/// Fills `$time` and sends watermarks: the latest time of each split less the disorder, the minimum over active splits.
///
/// Stands in the chain of its source, behind the decoder, because it must see the splits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventTime {
    /// The path whose value becomes `$time`, or the source's own where that is NULL; without a path `$time` is the source's own.
    pub field: Option<Path>,
    /// So far behind the latest row of its split a row may come and still be in time.
    pub max_out_of_orderness_ms: u64,
    /// A split without rows for so long holds nobody up; none: it holds them up for ever.
    pub idle_timeout_ms: Option<u64>,
    /// A split that is so far ahead of the slowest one waits; none: it does not.
    #[serde(default)]
    pub max_drift_ms: Option<u64>,
}
