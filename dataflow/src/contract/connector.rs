//! A connector as the registry lists it: a name, its options, and what it can do.

use serde::Serialize;
use serde_json::Value;

use super::{SinkConnector, SourceConnector};

/// One place where streams begin or end.
pub trait Connector: Send + Sync {
    /// Its key in the document, in camel case: `file`, `kinesisStream`.
    fn name(&self) -> &'static str;

    /// What it is and does, for `weir explain` and for the documentation.
    fn describe(&self) -> Description;

    /// The source side, if it has one.
    fn source(&self) -> Option<&dyn SourceConnector> {
        None
    }

    /// The sink side, if it has one.
    fn sink(&self) -> Option<&dyn SinkConnector> {
        None
    }
}

/// What a connector says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// One sentence.
    pub summary: &'static str,
    /// What its sink promises, if it has one.
    pub guarantee: Option<Guarantee>,
    /// Documents that use it; each is planned by a test.
    pub examples: &'static [Example],
}

/// A document that shows a connector at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// What it shows.
    pub title: &'static str,
    /// The text of a whole datastream document.
    pub document: &'static str,
}

/// What a sink promises after a crash at any point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Guarantee {
    /// Every row once.
    ExactlyOnce,
    /// Every row, some perhaps twice.
    AtLeastOnce,
}

/// An option that its JSON Schema allows but that cannot work: the planner shows it at its place in the document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidOptions {
    /// JSON pointer below the component, such as `/path`; empty for the whole component.
    pub pointer: String,
    /// What is wrong; lower case, no full stop.
    pub message: String,
    /// What to write instead, if known.
    pub help: Option<String>,
}

/// Reads options that were already checked against their JSON Schema.
///
/// # Errors
/// Where the schema allows what the type does not: the place is the whole component.
pub fn options<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, InvalidOptions> {
    serde_json::from_value(value.clone()).map_err(|error| InvalidOptions {
        pointer: String::new(),
        message: error.to_string(),
        help: None,
    })
}
