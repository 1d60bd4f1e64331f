//! Recipes: what a step does, inert. A recipe travels inside a deployment; an operator is what comes alive from it.
//!
//! Enters: what the planner decided. Leaves: one versioned blob that only this crate encodes and decodes
//! (`docs/decisions/001-recipes-travel-as-one-blob.md`). Must stay true: same plan, same bytes.

mod chain;
mod decode;
mod drop;
mod filter;
mod partition;
mod sample;
mod select;
mod sink;
mod source;
mod unnest;

pub use chain::{Chain, InvalidChain, Node, Port, Target};
pub use decode::Decode;
pub use drop::Drop;
pub use filter::Filter;
pub use partition::Partition;
pub use sample::Sample;
pub use select::{Projection, Select};
pub use sink::{Role, Sink};
pub use source::{Format, Source};
pub use unnest::Unnest;

use serde::{Deserialize, Serialize};

/// What one operator does. A closed set: each has a runtime of the same name in the task manager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Recipe {
    /// Reads splits of a connector.
    Source(Source),
    /// Turns the bytes of records into columns.
    Decode(Decode),
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
    /// Hands rows to a connector, in two phases.
    Sink(Sink),
}

impl Recipe {
    /// The operator's one name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Source(_) => "source",
            Self::Decode(_) => "decode",
            Self::Filter(_) => "filter",
            Self::Select(_) => "select",
            Self::Drop(_) => "drop",
            Self::Unnest(_) => "unnest",
            Self::Sample(_) => "sample",
            Self::Sink(_) => "sink",
        }
    }
}
