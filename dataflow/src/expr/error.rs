//! What is wrong with an expression, and where in its text.

use std::ops::Range;

use datafusion_common::DataFusionError;

/// A mistake in an expression, placed in its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What is wrong; lower case, no full stop.
    pub message: String,
    /// Which bytes of the text it is about; the whole text where no better place is known.
    pub range: Range<usize>,
    /// What to write instead, if known.
    pub help: Option<String>,
    /// Which kind of mistake it is.
    pub kind: Kind,
}

/// Kinds of mistakes; the planner has a diagnostic code for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The text is no SQL expression.
    Syntax,
    /// Too long, too deep, or made of too many parts.
    Limit,
    /// SQL, but not in an expression over one row: subqueries, aggregates, functions that answer differently each time.
    Refused,
    /// A function that does not exist.
    Function,
    /// A field that does not exist.
    Field,
    /// Types that do not go together.
    Type,
    /// An aggregate that is none, or with what it does not take.
    Aggregate,
}

impl Error {
    /// A mistake of `kind` at `range`.
    pub fn new(kind: Kind, range: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            range,
            help: None,
            kind,
        }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// DataFusion's message for a person: its first paragraph, without the prefixes that name DataFusion's stages.
#[must_use]
pub(super) fn sentence(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    let mut text = text.split("\n\n").next().unwrap_or_default().trim();
    // DataFusion nests its prefixes, so they are taken off until none is left.
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest.trim_start_matches([' ', '\n']);
    }
    let text = text.lines().next().unwrap_or_default().trim_end_matches(['.', ' ']);
    let text = text
        .split(" You might need to add explicit type casts")
        .next()
        .unwrap_or(text);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if letters.clone().next().is_some_and(char::is_lowercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

/// What DataFusion and Arrow put before their messages.
const PREFIXES: [&str; 14] = [
    "Error during planning:",
    "Execution error:",
    "Arrow error:",
    "Cast error:",
    "Compute error:",
    "Arithmetic overflow:",
    "Invalid argument error:",
    "Parser error:",
    "Schema error:",
    "SQL error:",
    "type_coercion",
    "caused by",
    "Optimizer rule 'simplify_expressions' failed",
    "This feature is not implemented:",
];

/// Of `candidates`, the one that was most likely meant by `name`, or none.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= 0.6)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

fn distance(left: &str, right: &str) -> f64 {
    let score = datafusion_common::utils::datafusion_strsim::normalized_levenshtein(left, right);
    // A name cut short or made longer is a common slip that edit distance alone judges too harshly.
    let (short, long) = if left.len() < right.len() {
        (left, right)
    } else {
        (right, left)
    };
    if short.len() >= 3 && long.starts_with(short) {
        score.max(0.75)
    } else {
        score
    }
}
