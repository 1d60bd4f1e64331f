//! What stands in the way of a change: the step and the reason, which become a finding where its text is at hand.

use super::{HELP, Verdict, refusals};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, codes};
use crate::logical::Places;

/// Why a document cannot run instead of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blamed {
    /// Which mistake it is.
    pub code: Code,
    /// The operator; none where the document as a whole is meant.
    pub step: Option<String>,
    /// What is wrong; lower case, no full stop.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// The refusals among verdicts.
#[must_use]
pub fn blamed(verdicts: &[Verdict]) -> Vec<Blamed> {
    let of = |(verdict, why): (&Verdict, &str)| Blamed {
        code: codes::E0701,
        step: Some(verdict.step.clone()),
        message: format!("`{}` cannot go on with what it has kept: {why}", verdict.step),
        help: HELP.to_owned(),
    };
    refusals(verdicts).map(of).collect()
}

/// What stands in the way, as mistakes of the new document, each at its step.
#[must_use]
pub fn diagnostics(blamed: &[Blamed], places: &Places) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    for one in blamed {
        let span = places.of(one.step.as_deref());
        diagnostics.push(Diagnostic::new(one.code, span, one.message.as_str()).help(one.help.as_str()));
    }
    diagnostics
}
