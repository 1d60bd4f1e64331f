//! What is asked of a datastream: the bodies of requests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How wide a datastream is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rescale {
    /// How many subtasks its steps have, but for those that say so themselves.
    pub parallelism: u32,
}

/// How a datastream is to be stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stop {
    /// Whether time runs out first: windows fire, and the datastream is finished for good.
    #[serde(default)]
    pub drain: bool,
    /// The label under which its last checkpoint is kept.
    #[serde(default)]
    pub savepoint: Option<String>,
}

/// Under which name a checkpoint is to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavepointRequest {
    /// The label; one made of the datastream's name and the time, where there is none.
    #[serde(default)]
    pub label: Option<String>,
}
