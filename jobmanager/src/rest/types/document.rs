//! The documents of a datastream: what a text would do, the versions that ran, and what is between two of them.

use std::fmt;

use planner::verdict::{self, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Edge, Vertex};

/// What is known of a text before anybody submits it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// What is wrong in it, and what is odd, as `weir validate -o json` prints it.
    pub diagnostics: Value,
    /// The same for people, with the lines of the text.
    pub rendered: String,
    /// Its documents, in order; none where one of them has a mistake.
    pub documents: Vec<Reviewed>,
}

/// One document of a text, and what would come of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reviewed {
    /// The datastream's name.
    pub name: String,
    /// What would be done if it were applied.
    pub prospect: Prospect,
    /// The version that is in force now, where that is known.
    pub version: Option<u64>,
    /// Whether the state of every step can go on.
    pub possible: bool,
    /// What becomes of the state of each step that keeps something.
    pub verdicts: Vec<StepVerdict>,
    /// What is between the document in force and this one, where there is one and they differ.
    pub difference: Option<Difference>,
    /// The chains it would run as; nothing of them runs.
    pub vertices: Vec<Vertex>,
    /// The edges between them.
    pub edges: Vec<Edge>,
    /// The plan in words, as `weir plan` prints it.
    pub plan: String,
}

/// What would be done if a document were applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Prospect {
    /// Nothing of its name is known: it begins.
    Starts,
    /// It goes on where it was.
    Resumes,
    /// It runs, and is changed.
    Changes,
    /// It runs as this document says.
    Unchanged,
    /// It runs, and is stopped, as the document says.
    Stops,
    /// It is kept, and off as the document says.
    Off,
    /// It has finished: only a new life runs it again.
    Finished,
}

/// What becomes of the state of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepVerdict {
    /// The step, by its new name; one that is gone by its old one.
    pub step: String,
    /// What it is, such as `aggregate`.
    pub operator: String,
    /// The name it had before, where that is another.
    pub renamed_from: Option<String>,
    /// What becomes of its state.
    pub state: Fate,
    /// How it is migrated, or why it is refused.
    pub because: Vec<String>,
}

/// What becomes of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Fate {
    /// It is read as it is.
    Keeps,
    /// It is read, and brought to a new form.
    Migrates,
    /// The step is new.
    StartsEmpty,
    /// The step is gone, and its state with it.
    Drops,
    /// It would be read as something else.
    Refused,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keeps => "keeps",
            Self::Migrates => "migrates",
            Self::StartsEmpty => "starts empty",
            Self::Drops => "drops",
            Self::Refused => "refused",
        })
    }
}

impl From<&Verdict> for StepVerdict {
    fn from(verdict: &Verdict) -> Self {
        let (state, because) = match &verdict.state {
            verdict::State::Keeps => (Fate::Keeps, Vec::new()),
            verdict::State::Migrates(how) => (Fate::Migrates, how.clone()),
            verdict::State::StartsEmpty => (Fate::StartsEmpty, Vec::new()),
            verdict::State::Drops => (Fate::Drops, Vec::new()),
            verdict::State::Refused(why) => (Fate::Refused, vec![why.clone()]),
        };
        Self {
            step: verdict.step.clone(),
            operator: verdict.operator.to_owned(),
            renamed_from: verdict.renamed_from.clone(),
            state,
            because,
        }
    }
}

/// One document that a datastream has run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DocumentVersion {
    /// Its number; they have no gaps.
    pub number: u64,
    /// The job that ran it: `<name>@<life>`.
    pub job: String,
    /// Since when it was in force, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// Why it came into force.
    pub cause: Cause,
    /// How many lines it has.
    pub lines: u64,
    /// What became of the state of each step that keeps something.
    pub verdicts: Vec<StepVerdict>,
}

/// Why a document came into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// A life began with it.
    Begun,
    /// It was applied while another one ran.
    Changed,
    /// It was submitted in place of another one that had ended.
    Resumed,
    /// A job manager found it in force, and does not know since when.
    Found,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begun => "begun",
            Self::Changed => "changed",
            Self::Resumed => "resumed",
            Self::Found => "found",
        })
    }
}

/// What is between two documents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The number of the one before, where it is a version.
    pub from: Option<u64>,
    /// The number of the one after, where it is a version.
    pub to: Option<u64>,
    /// Lines that came.
    pub added: u64,
    /// Lines that went.
    pub removed: u64,
    /// The places that differ, each with three lines around it.
    pub hunks: Vec<Hunk>,
    /// The same as `diff -u` writes it.
    pub unified: String,
}

/// One place that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hunk {
    /// Its lines, those that went before those that came.
    pub lines: Vec<HunkLine>,
}

/// One line of a place that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HunkLine {
    /// Whether it is in both, or in one of them.
    pub change: LineChange,
    /// Its number before, from 1; none where it came.
    pub before: Option<u64>,
    /// Its number after, from 1; none where it went.
    pub after: Option<u64>,
    /// What it says, without its end.
    pub text: String,
}

/// Whether a line is in both documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LineChange {
    /// In both.
    Same,
    /// Only in the one after.
    Added,
    /// Only in the one before.
    Removed,
}
