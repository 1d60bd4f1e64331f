//! Failures as they cross the border of a task: what went wrong, and what to do about it.

use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What the job manager does about a failure. It decides from this alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// The world hiccuped: restart with back-off.
    Retry,
    /// The job or its data is wrong: stop and tell the person.
    Fail,
    /// An invariant broke: fail the job loudly, keep the process.
    Bug,
}

/// A failure at the border of a task: a sentence for a person, what to do next, and the disposition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What the job manager does about it.
    pub disposition: Disposition,
    /// What happened, with the names of things; lower case, no full stop; causes joined by `: `.
    pub message: String,
    /// What a person can do about it, if anything is known.
    pub help: Option<String>,
}

impl Failure {
    /// The world hiccuped; trying again may succeed.
    pub fn retry(message: impl Into<String>) -> Self {
        Self {
            disposition: Disposition::Retry,
            message: message.into(),
            help: None,
        }
    }

    /// The job or its data is wrong; trying again cannot succeed.
    pub fn fail(message: impl Into<String>) -> Self {
        Self {
            disposition: Disposition::Fail,
            message: message.into(),
            help: None,
        }
    }

    /// An invariant of Weir broke.
    pub fn bug(message: impl Into<String>) -> Self {
        Self {
            disposition: Disposition::Bug,
            message: message.into(),
            help: None,
        }
    }

    /// Adds what a person can do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Appends the chain of causes of `error`, joined by `: `.
    #[must_use]
    pub fn because(mut self, error: &(dyn StdError + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            // Many crates repeat their source in their own text; a chain says each thing once.
            if !self.message.ends_with(&text) {
                self.message.push_str(": ");
                self.message.push_str(&text);
            }
            cause = error.source();
        }
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl StdError for Failure {}
