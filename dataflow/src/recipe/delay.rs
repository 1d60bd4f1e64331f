//! Holds rows back for a while.

use serde::{Deserialize, Serialize};

/// A row leaves when so much time has passed since it came (or since its event time, by watermarks).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delay {
    /// How long.
    pub by_ms: u64,
    /// By whose clock.
    pub clock: super::window::Clocked,
}
