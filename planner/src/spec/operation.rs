//! What a step does: its operation as types, each value with its place.

use std::time::Duration;

use dataflow::expr::Path;
use dataflow::recipe::{self, Clocked, Direction, Excess, Ties};

use super::{Spanned, Text};

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// `filter: "expression"`.
    Filter(Text),
    /// `select: { name: "expression" }` or `select: [path, "expression AS name"]`; never empty.
    Select(Vec<Projection>),
    /// `drop: [path]`; never empty.
    Drop(Vec<Spanned<Path>>),
    /// `unnest: path`.
    Unnest(Spanned<Path>),
    /// `route: { branch: "condition", else: branch }`.
    Route {
        /// The branches in the order in which they are tried; never empty.
        branches: Vec<Branch>,
        /// The branch of what no condition takes; without it such rows are dropped and counted.
        otherwise: Option<Spanned<String>>,
    },
    /// `union: [a, b]`; the inputs are those of the step.
    Union,
    /// `sample: 0.1` or `sample: { share: 0.1, by: path, seed: 7 }`.
    Sample {
        /// The share to keep, from 0 to 1.
        share: Spanned<f64>,
        /// The key to sample by.
        by: Option<Spanned<Path>>,
        /// Another seed keeps other rows; 0 unless given.
        seed: u64,
    },
    /// `dedup: { key, within }`.
    Dedup(Dedup),
    /// `aggregate: { name: "function(argument)" }`, with `window` beside it.
    Aggregate(Aggregate),
    /// `topN: { orderBy, limit, rank }`; its key is the step's.
    TopN(TopN),
    /// `delay: 10m` or `delay: { by: 10m, time: processing }`.
    Delay(Delay),
    /// `rateLimit: 1000` or `rateLimit: { perSecond, burst, excess }`; its key is the step's.
    RateLimit(RateLimit),
    /// Something was wrong with it, and a diagnostic says so: whoever reads it can't be judged.
    Broken,
}

/// A `dedup`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dedup {
    /// `key`; never empty.
    pub keys: Vec<Spanned<Path>>,
    /// `within`.
    pub within: Spanned<Duration>,
    /// `time`.
    pub time: Option<Spanned<Clocked>>,
}

/// An `aggregate`.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The columns that are folded, in order; never empty.
    pub measures: Vec<Measure>,
    /// `window`, and the place of that key.
    pub window: Option<Spanned<recipe::Window>>,
}

/// One column of an `aggregate`.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Its name, unique in the aggregate.
    pub name: Spanned<String>,
    /// How rows are folded: `sum(payload.total)`.
    pub aggregate: Text,
}

/// A `topN`.
#[derive(Clone, Debug, PartialEq)]
pub struct TopN {
    /// `orderBy`; never empty.
    pub order: Vec<Spanned<(Path, Direction)>>,
    /// `limit`.
    pub limit: u64,
    /// `rank`: the column of a row's place.
    pub rank: Option<Spanned<String>>,
    /// `ties`.
    pub ties: Spanned<Ties>,
    /// `window`, beside it: a tumbling one by event time, given once.
    pub window: Option<Spanned<recipe::Window>>,
}

/// A `delay`.
#[derive(Clone, Debug, PartialEq)]
pub struct Delay {
    /// `by`.
    pub by: Spanned<Duration>,
    /// `time`.
    pub time: Option<Spanned<Clocked>>,
}

/// A `rateLimit`.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimit {
    /// `perSecond`.
    pub per_second: f64,
    /// `burst`; a second's worth unless given.
    pub burst: u64,
    /// `excess`.
    pub excess: Option<Spanned<Excess>>,
}

/// One column of a `select`.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// Its name, unique in the select.
    pub name: Spanned<String>,
    /// How it is computed.
    pub expression: Text,
}

/// One branch of a `route`.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// Its name, unique in the route.
    pub name: Spanned<String>,
    /// Which rows it takes, of those that no earlier branch took.
    pub condition: Text,
}
