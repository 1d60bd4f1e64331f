//! An error as people and programs get it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An error, as RFC 9457 has it, with our code and help.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The HTTP status again.
    pub status: u16,
    /// A word for programs: `not-found`, `already-running`, `diagnostics`.
    pub code: String,
    /// What kind of problem.
    pub title: String,
    /// What is wrong; one sentence.
    pub detail: String,
    /// What part of the request is at fault, where one is: `path`, `query`, `body`, `header Host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What a person can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What is wrong in the document, as `weir validate -o json` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostics: Option<Value>,
    /// The same for people, with the lines of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<String>,
    /// The datastreams of the same text that were taken before this one was not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub submitted: Vec<String>,
}
