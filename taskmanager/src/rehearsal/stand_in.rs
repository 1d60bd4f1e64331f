//! What stands in for the sources and sinks of a deployment.

use std::collections::BTreeMap;

use dataflow::recipe::Recipe;
use serde_json::json;

use super::collected::{self, Collected};
use super::given::{self, Given};
use crate::deploy::{Deployment, Plan};

/// What stands in for a source: its subtasks, and the rows that wait for each.
pub(super) struct Source {
    pub(super) rows: Given,
    pub(super) subtasks: Vec<usize>,
    /// Which subtask gets the next row.
    pub(super) turn: usize,
}

/// The steps of a subtask that are stood in for: its source, and its sinks by their nodes.
pub(super) fn named(plan: &Plan) -> (Option<String>, Vec<(usize, String)>) {
    let nodes = || plan.chain.nodes.iter().enumerate();
    let source = nodes().find(|(_, node)| matches!(node.recipe, Recipe::Source(_)));
    let sinks = nodes().filter(|(_, node)| matches!(node.recipe, Recipe::Sink(_)));
    (
        source.map(|(_, node)| node.name.clone()),
        sinks.map(|(index, node)| (index, node.name.clone())).collect(),
    )
}

/// Puts the stand-ins into the place of every source and sink, which are told apart by the names of their steps.
pub(super) fn stand_in(deployment: &mut Deployment) -> (BTreeMap<String, Given>, BTreeMap<String, Collected>) {
    let (mut rows, mut collected) = (BTreeMap::new(), BTreeMap::new());
    let nodes = deployment.subtasks.iter_mut().flat_map(|plan| &mut plan.chain.nodes);
    for node in nodes {
        match &mut node.recipe {
            Recipe::Source(source) => {
                given::NAME.clone_into(&mut source.connector);
                source.options = json!(node.name);
                rows.entry(node.name.clone()).or_default();
            }
            Recipe::Sink(sink) => {
                collected::NAME.clone_into(&mut sink.connector);
                sink.options = json!(node.name);
                collected.entry(node.name.clone()).or_default();
            }
            Recipe::Decode(_)
            | Recipe::EventTime(_)
            | Recipe::Filter(_)
            | Recipe::Select(_)
            | Recipe::Drop(_)
            | Recipe::Unnest(_)
            | Recipe::Sample(_)
            | Recipe::Dedup(_)
            | Recipe::Aggregate(_)
            | Recipe::TopN(_)
            | Recipe::Delay(_)
            | Recipe::RateLimit(_) => {}
        }
    }
    (rows, collected)
}
