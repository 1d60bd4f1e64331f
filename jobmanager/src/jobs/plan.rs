//! How a text becomes a job graph: handed in by `cli`, so that discovery of schemas and the connectors stay outside.

use async_trait::async_trait;
use planner::job::JobGraph;
use serde_json::Value;

/// Plans documents.
#[async_trait]
pub trait Plan: Send + Sync {
    /// Plans every document of a text.
    ///
    /// # Errors
    /// When any of them cannot run; nothing of the text is taken then.
    async fn plan(&self, text: &str) -> Result<Vec<Planned>, Rejected>;

    /// Plans one document anew, as if it said this number at `parallelism`.
    ///
    /// # Errors
    /// When it cannot run any more, or not so wide.
    async fn rescaled(&self, text: &str, parallelism: u32) -> Result<Vec<Planned>, Rejected>;
}

/// One planned document.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Its own text, as it was written.
    pub text: String,
    /// What it becomes.
    pub graph: JobGraph,
    /// Whether it shall run.
    pub desired: Desired,
}

/// What a document wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Desired {
    /// It shall run.
    On,
    /// It shall be known, and not run.
    Off,
}

/// A text that cannot run.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// What is wrong, as `weir validate -o json` prints it.
    pub diagnostics: Value,
    /// The same for people.
    pub rendered: String,
    /// One sentence, such as `3 mistakes`.
    pub summary: String,
}
