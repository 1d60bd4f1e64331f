//! What became of a datastream's rows at each step, minute by minute, how old they were, and what is missing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lag and loss of a datastream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lag {
    /// This moment by the job manager's clock, in milliseconds since 1970 UTC.
    pub now_ms: i64,
    /// The times of the lines of `ages`, in milliseconds since 1970 UTC; a line is over the two seconds before it.
    pub at_ms: Vec<i64>,
    /// Its steps, in the order of the graph.
    pub steps: Vec<StepLag>,
    /// What is missing.
    pub loss: LossView,
    /// What is missing between the two steps that were asked for.
    #[serde(default)]
    pub between: Option<Between>,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepLag {
    /// Its name in the document.
    pub name: String,
    /// What it does: `source`, `filter`, `sink` …
    pub kind: String,
    /// `vtx-<n>`.
    pub vertex: String,
    /// Whether its rows come with their event time; else they count by their arrival.
    pub timed: bool,
    /// All its rows in this life of the datastream.
    pub total: Fates,
    /// Of those, the ones of minutes that are too old to stand apart.
    pub older: Fates,
    /// And those that are more than a day ahead of the clock.
    pub ahead: Fates,
    /// By minute, the oldest first.
    pub minutes: Vec<MinuteFates>,
    /// How old a sample of its rows was, lately; none where rows have no time. Of each batch eight rows are looked at.
    #[serde(default)]
    pub ages: Option<StepAges>,
}

/// Rows that came to a step, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fates {
    /// Rows that came in.
    pub rows_in: u64,
    /// Rows that went on.
    pub rows_out: u64,
    /// Rows that were left out on purpose.
    pub filtered: u64,
    /// Rows that came after their time.
    pub late: u64,
    /// Rows that the step could not take.
    pub dead: u64,
}

/// The rows of one minute of event time, or else of arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MinuteFates {
    /// When it began, in milliseconds since 1970 UTC.
    pub minute_ms: i64,
    /// Its rows.
    #[serde(flatten)]
    pub fates: Fates,
}

/// How old rows were at a step, by the clock less their time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepAges {
    /// When they came: at a sink, from end to end.
    pub came: Ages,
    /// When they left; the difference is how long the step took.
    pub left: Ages,
}

/// Percentiles over time, one for each of `atMs`, in milliseconds; none where no row came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ages {
    /// Half of the rows were no older.
    pub p50_ms: Vec<Option<i64>>,
    /// 95 of a hundred were not.
    pub p95_ms: Vec<Option<i64>>,
    /// 99 of a hundred were not.
    pub p99_ms: Vec<Option<i64>>,
}

/// What is missing of a datastream's rows, at the cut of its newest checkpoint that was aligned: nothing is on its way there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LossView {
    /// The number of that checkpoint.
    pub epoch: u64,
    /// When it was made, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// Above this share of a minute's rows there is an alarm.
    pub alarm_share: f64,
    /// So long a minute must be over before, in milliseconds.
    pub settle_ms: i64,
    /// Whether there is a newer one that cannot be judged by: its barrier overtook rows, which are neither here nor there.
    pub overtaken: bool,
    /// Points where the numbers differ, in the order of the graph, bounded; empty while nothing is missing.
    pub points: Vec<Loss>,
}

/// A point of the graph where fewer rows, or more, are accounted for than came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Loss {
    /// The step.
    pub step: String,
    /// Whether in the step, or on the way to it.
    pub at: Where,
    /// Rows that came to the point.
    pub rows: u64,
    /// How many of them are missing; below zero where there are more behind it than came.
    pub lost: i64,
    /// The minutes where numbers differ, where both sides count by the same time.
    pub minutes: Vec<LossMinute>,
    /// Whether that is more than the share that is borne.
    pub alarm: bool,
}

/// Where rows are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Where {
    /// They came to the step, and it says nothing of them.
    Step,
    /// The steps before it have given them, and they did not come.
    Before,
}

/// A minute with a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LossMinute {
    /// When it began, in milliseconds since 1970 UTC.
    pub minute_ms: i64,
    /// Rows that came to the point.
    pub rows: u64,
    /// How many of them are missing; below zero where there are more.
    pub lost: i64,
}

/// What is missing between two steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Between {
    /// From the input of this step.
    pub from: String,
    /// To the output of that.
    pub to: String,
    /// The sum over all points on the way.
    pub lost: i64,
}
