//! Why what a graph left cannot be that of another one, and which steps stand in the way.

use dataflow::Failure;
use planner::diagnostic::Code;
use planner::verdict::Blamed;

/// A change that is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why, in one sentence, and what to do.
    pub failure: Failure,
    /// What stands in the way, by steps: to be shown in the document. Empty where no word of the document is the reason.
    pub blamed: Vec<Blamed>,
}

impl Refusal {
    /// One mistake, of one step or of the document as a whole.
    pub(super) fn of(code: Code, step: Option<&str>, message: &str, help: &str) -> Self {
        Self {
            failure: Failure::fail(format!("[{}] {message}", code.as_str())).help(help),
            blamed: vec![Blamed {
                code,
                step: step.map(str::to_owned),
                message: message.to_owned(),
                help: help.to_owned(),
            }],
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            blamed: Vec::new(),
        }
    }
}
