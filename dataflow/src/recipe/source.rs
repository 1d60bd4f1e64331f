//! Reads splits of a connector: what a `sources:` item becomes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A source, by the connector's name and its checked options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The connector's key in the document.
    pub connector: String,
    /// Its options, already checked against its JSON Schema.
    pub options: Value,
    /// The format of its records and that format's options; none where the connector yields columns itself.
    pub format: Option<Format>,
    /// Which of the columns it can yield are wanted; a connector that cannot prune ignores it.
    pub columns: Option<Vec<String>>,
}

/// A format by name, with its checked options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Format {
    /// The format's key in the document.
    pub name: String,
    /// Its options.
    pub options: Value,
}
