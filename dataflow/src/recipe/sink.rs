//! Hands rows to a connector, in two phases.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::source::Format;

/// A sink, by the connector's name and its checked options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sink {
    /// The connector's key in the document.
    pub connector: String,
    /// Its options, already checked against its JSON Schema.
    pub options: Value,
    /// How rows become bytes, where the connector wants bytes.
    pub format: Option<Format>,
    /// What the rows are for.
    pub role: Role,
}

/// Which key of the document asked for the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// An item of `sinks:`.
    Sink,
    /// `archive:`.
    Archive,
    /// `deadLetter:`.
    DeadLetter,
}
