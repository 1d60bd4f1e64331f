//! A run of a datastream that is over: from a submission to an end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Summary;

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PastRun {
    /// Its number; it grows from run to run of a name.
    pub number: u64,
    /// How it was at its end.
    pub summary: Summary,
}
