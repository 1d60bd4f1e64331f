//! How a text becomes a job graph: handed in by `cli`, so that discovery of schemas and the connectors stay outside.

use std::sync::Arc;

use async_trait::async_trait;
use planner::diagnostic::Look;
use planner::job::JobGraph;
use planner::logical::Places;
use planner::verdict;
use serde_json::{Value, json};

use crate::restore::Refusal;

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

    /// Looks at a text that nobody submits: a planner that knows warnings says them too.
    async fn review(&self, text: &str) -> Looked {
        match self.plan(text).await {
            Ok(planned) => Looked {
                planned,
                ..Looked::default()
            },
            Err(Rejected {
                diagnostics, rendered, ..
            }) => Looked {
                diagnostics,
                rendered,
                planned: Vec::new(),
            },
        }
    }
}

/// What is found in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Looked {
    /// What is wrong or odd, as `weir validate -o json` prints it.
    pub diagnostics: Value,
    /// The same for people; empty where nothing was found.
    pub rendered: String,
    /// Its documents; none where one of them cannot run.
    pub planned: Vec<Planned>,
}

impl Default for Looked {
    fn default() -> Self {
        Self {
            diagnostics: json!({ "errors": 0, "warnings": 0, "findings": [] }),
            rendered: String::new(),
            planned: Vec::new(),
        }
    }
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
    /// The whole text that it came in, to be shown what is wrong in it.
    pub written: Arc<Written>,
}

/// A text as it was submitted, and where one of its documents stands in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// What messages call the text.
    pub file: String,
    /// The text.
    pub text: String,
    /// Where the items of the document stand in it.
    pub places: Places,
}

impl Written {
    /// Why the document is not taken, at its places; none where no word of it is the reason.
    #[must_use]
    pub fn shown(&self, refusal: &Refusal) -> Option<Box<Rejected>> {
        let found = verdict::diagnostics(&refusal.blamed, &self.places);
        (!found.is_empty()).then(|| {
            Box::new(Rejected {
                diagnostics: found.to_json(&self.file, &self.text),
                rendered: found.render(&self.file, &self.text, Look::Plain),
                summary: refusal.failure.message.clone(),
            })
        })
    }
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
