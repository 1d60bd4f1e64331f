//! The logical plan: names resolved, types known, nothing fused and nothing placed yet.
//!
//! Enters: a [`crate::spec::Spec`], the catalog, and the schemas that were discovered. Leaves: a [`LogicalPlan`], or
//! every mistake in the document. Who calls: [`plan`](crate::plan()). Must stay true: no I/O; an expression is bound to the
//! very schema its operator will see, or to one that only has more columns. Not here: which node shares a thread.
//!
//! ```text
//!   Spec --outline--> stages in order --observe--> types of open fields --bind--> LogicalPlan
//! ```

mod outline;
mod places;
mod scope;
mod fields;
mod input;
mod checked;
mod hidden;
mod test;
mod bind;

pub use bind::bind;
pub(crate) use bind::{Binder, Bound};
pub(crate) use checked::{Checked, CheckedAggregate};
pub(crate) use fields::{begins_with, holds, nested, prune, replace, rows, user, without};
pub(crate) use input::{Changing, Input, Origin, Stream, Untimed};
pub(crate) use outline::{Column, Kind, Measure, SinkItem, Stage};
pub use places::Places;
pub(crate) use scope::Scope;
pub use test::{sink_names, source_names};

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use dataflow::expr::Path;
use dataflow::recipe::{Phase, Port, Recipe, Sink};

use crate::job::Settings;

/// A datastream whose names and types are known.
#[derive(Clone, Debug, PartialEq)]
pub struct LogicalPlan {
    /// The datastream's name.
    pub name: String,
    /// Who is to be asked about it.
    pub contact: Option<String>,
    /// The operators, each behind the ones it reads.
    pub nodes: Vec<Node>,
    /// Where dead letters go, if the document says so.
    pub dead_letter: Option<Sink>,
    /// What holds for the whole job.
    pub settings: Settings,
    /// Where it stands in the text, and each source, step and sink.
    pub places: Places,
}

/// One operator of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The step's name.
    pub name: String,
    /// What it does.
    pub recipe: Recipe,
    /// What it reads.
    pub inputs: Vec<Outlet>,
    /// The key that its rows are dealt out by, if they are.
    pub key_by: Vec<Path>,
    /// How many subtasks.
    pub parallelism: u32,
    /// What leaves it: user columns, then reserved ones.
    pub output: SchemaRef,
    /// What it reads of its input.
    pub reads: Reads,
    /// Why the planner left it as it is where a person may wonder; lower case, no full stop.
    pub note: Option<String>,
}

/// One output of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outlet {
    /// The node, by index.
    pub node: usize,
    /// Which of its outputs.
    pub port: Port,
}

impl Outlet {
    /// The rows of a node.
    #[must_use]
    pub fn main(node: usize) -> Self {
        let port = Port::Main;
        Self { node, port }
    }
}

impl LogicalPlan {
    /// The schema of what leaves by an output: late rows are as they came.
    #[must_use]
    pub fn schema(&self, outlet: Outlet) -> SchemaRef {
        let node = &self.nodes[outlet.node];
        match outlet.port {
            Port::Late => self.input(node),
            Port::Main | Port::Dead => Arc::clone(&node.output),
        }
    }

    /// The schema of what reaches a node: all its inputs are alike.
    #[must_use]
    pub fn input(&self, node: &Node) -> SchemaRef {
        match node.inputs.first() {
            Some(input) => self.schema(*input),
            None => Arc::new(Schema::empty()),
        }
    }
}

/// What an operator reads of its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Columns and fields of the document, in order, each once.
    pub paths: Vec<Path>,
    /// Every column of the document.
    pub all: bool,
    /// Reserved columns.
    pub reserved: Vec<&'static str>,
}

impl Reads {
    /// Of these paths, in any order.
    #[must_use]
    pub fn of(paths: impl IntoIterator<Item = Path>) -> Self {
        let mut paths: Vec<Path> = paths.into_iter().collect();
        paths.sort();
        paths.dedup();
        Self {
            paths,
            ..Self::default()
        }
    }

    /// And of these reserved columns.
    #[must_use]
    pub fn and(mut self, reserved: &[&'static str]) -> Self {
        self.reserved.extend_from_slice(reserved);
        self
    }
}

impl Node {
    /// Whether rows can fail in it one by one.
    #[must_use]
    pub fn has_dead_letters(&self) -> bool {
        match &self.recipe {
            Recipe::Decode(_) | Recipe::Filter(_) | Recipe::Select(_) | Recipe::Unnest(_) => true,
            Recipe::Sink(sink) => sink.format.is_some(),
            // An argument can fail, and a row can come too late; the second half sees no rows.
            Recipe::Aggregate(aggregate) => aggregate.phase != Phase::Final,
            Recipe::Source(_)
            | Recipe::EventTime(_)
            | Recipe::Drop(_)
            | Recipe::Sample(_)
            | Recipe::Dedup(_)
            | Recipe::TopN(_)
            | Recipe::Delay(_)
            | Recipe::RateLimit(_) => false,
        }
    }
}
