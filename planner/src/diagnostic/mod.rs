//! What a person wrote wrong: a code, a place, what is wrong, and what to write instead.
//!
//! Enters: findings of every stage of walk two. Leaves: text for people ([`Diagnostics::render`]) and JSON for
//! editors and scripts ([`Diagnostics::to_json`]). Must stay true: one mistake never hides another, each code has
//! a page under `docs/errors/`, and the number of findings kept is bounded.

pub mod codes;
mod render;

pub use codes::{Code, page, pages};
pub use render::{Look, Position};

use serde::Serialize;

use crate::spec::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document can't run.
    Error,
    /// It can run, but probably not as meant.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Which mistake it is.
    pub code: Code,
    /// Where.
    pub span: Span,
    /// What is wrong; lower case, no full stop.
    pub message: String,
    /// What the marked characters are, beside the mark.
    pub label: Option<String>,
    /// Other places that explain it, each with its label.
    pub also: Vec<(Span, String)>,
    /// What to do.
    pub help: Vec<String>,
    /// What was probably meant: replaces the marked characters.
    pub suggestion: Option<String>,
}

impl Diagnostic {
    /// A finding; its code says whether it is an error or a warning.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            span,
            message: message.into(),
            label: None,
            also: Vec::new(),
            help: Vec::new(),
            suggestion: None,
        }
    }

    /// How bad it is, by its code.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// Says beside the mark what the marked characters are.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Marks another place.
    #[must_use]
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.also.push((span, label.into()));
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Suggests the candidate nearest to what was written, if one is near.
    #[must_use]
    pub fn did_you_mean<'a>(mut self, written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        self.suggestion = nearest(written, candidates).map(str::to_owned);
        self
    }
}

/// Words longer than this are no slip of the pen, and comparing them costs their lengths multiplied.
const NEAR_LENGTH_MAX: usize = 64;

/// The candidate that was probably meant.
#[must_use]
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.chars().count() > NEAR_LENGTH_MAX {
        return None;
    }
    let plain = |word: &str| word.to_lowercase().replace(['-', '_', ' '], "");
    let (lower, distance_max) = (plain(written), 1.max(written.chars().count() / 3));
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= NEAR_LENGTH_MAX && *candidate != written)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= distance_max && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// At most this many findings are kept of one file; the rest are counted.
const KEPT_MAX: usize = 200;

/// All findings of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    kept: Vec<Diagnostic>,
    dropped: usize,
    errors: usize,
}

impl Diagnostics {
    /// Adds a finding; the same one twice is one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.kept.contains(&diagnostic) {
            return;
        }
        self.errors += usize::from(diagnostic.severity() == Severity::Error);
        if self.kept.len() < KEPT_MAX {
            self.kept.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// Adds all findings of another stage.
    pub fn extend(&mut self, other: Self) {
        self.errors += other.errors
            - other
                .kept
                .iter()
                .filter(|one| one.severity() == Severity::Error)
                .count();
        self.dropped += other.dropped;
        other.kept.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// Whether anything can't run.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many errors were found, those that were not kept among them.
    #[must_use]
    pub fn error_count(&self) -> usize {
        self.errors
    }

    /// How many warnings were found and kept.
    #[must_use]
    pub fn warning_count(&self) -> usize {
        self.kept
            .iter()
            .filter(|one| one.severity() == Severity::Warning)
            .count()
    }

    /// How many findings were not kept.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The findings kept, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.kept.iter()
    }
}
