//! Recipes: what a step does, inert. A recipe travels inside a deployment; an operator is what comes alive from it.
//!
//! Enters: what the planner decided. Leaves: one versioned blob that only this crate encodes and decodes
//! (`docs/decisions/001-recipes-travel-as-one-blob.md`). Must stay true: same plan, same bytes.

mod aggregate;
mod chain;
mod decode;
mod dedup;
mod delay;
mod drop;
mod event_time;
mod filter;
mod partition;
mod rate_limit;
mod sample;
mod select;
mod sink;
mod source;
mod top_n;
mod unnest;
mod window;

pub use aggregate::{Aggregate, Function, GroupKey, Measure, Phase};
pub use chain::{Chain, InvalidChain, Node, Port, Target};
pub use decode::Decode;
pub use dedup::Dedup;
pub use delay::Delay;
pub use drop::Drop;
pub use event_time::EventTime;
pub use filter::Filter;
pub use partition::Partition;
pub use rate_limit::{Excess, RateLimit};
pub use sample::Sample;
pub use select::{Projection, Select};
pub use sink::{Role, Sink};
pub use source::{Format, Source};
pub use top_n::{Direction, Emission, Order, Ties, TopN};
pub use unnest::Unnest;
pub use window::{Clocked, Origin, Spans, Window};

use serde::{Deserialize, Serialize};

/// What one operator does. A closed set: each has a runtime of the same name in the task manager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Recipe {
    /// Reads splits of a connector.
    Source(Source),
    /// Turns the bytes of records into columns.
    Decode(Decode),
    /// Gives rows their event time, and says how far it has come.
    EventTime(EventTime),
    /// Keeps the rows for which an expression is true.
    Filter(Filter),
    /// Computes the columns of the output.
    Select(Select),
    /// Removes columns.
    Drop(Drop),
    /// Makes one row of each element of a list.
    Unnest(Unnest),
    /// Keeps a share of the rows.
    Sample(Sample),
    /// Keeps the first row of each key within a span of time.
    Dedup(Dedup),
    /// Folds the rows of each key, in windows or for ever.
    Aggregate(Aggregate),
    /// Keeps the best rows of each key.
    TopN(TopN),
    /// Holds rows back for a while.
    Delay(Delay),
    /// Lets so many rows through in a second.
    RateLimit(RateLimit),
    /// Hands rows to a connector, in two phases.
    Sink(Sink),
}

impl Recipe {
    /// Whether each row that comes in goes on as one row, or is said to be left out, late or dead, before the next batch.
    #[must_use]
    pub fn carries_row_by_row(&self) -> bool {
        match self {
            Self::Source(_)
            | Self::Decode(_)
            | Self::EventTime(_)
            | Self::Filter(_)
            | Self::Select(_)
            | Self::Drop(_)
            | Self::Sample(_)
            | Self::Dedup(_)
            | Self::Sink(_) => true,
            Self::RateLimit(limit) => limit.excess == Excess::Drop,
            Self::Unnest(_) | Self::Aggregate(_) | Self::TopN(_) | Self::Delay(_) => false,
        }
    }

    /// The operator's one name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Source(_) => "source",
            Self::Decode(_) => "decode",
            Self::EventTime(_) => "event_time",
            Self::Filter(_) => "filter",
            Self::Select(_) => "select",
            Self::Drop(_) => "drop",
            Self::Unnest(_) => "unnest",
            Self::Sample(_) => "sample",
            Self::Dedup(_) => "dedup",
            Self::Aggregate(_) => "aggregate",
            Self::TopN(_) => "top_n",
            Self::Delay(_) => "delay",
            Self::RateLimit(_) => "rate_limit",
            Self::Sink(_) => "sink",
        }
    }
}
