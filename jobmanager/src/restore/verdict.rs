//! Whether the state of one graph means the same in another.

use std::collections::BTreeSet;

use dataflow::Failure;
use dataflow::recipe::{Node, Recipe};
use planner::job::JobGraph;

use super::Hand;

/// Looks at every node that both graphs have and that keeps something.
///
/// # Errors
/// Where one of them does something else now.
pub fn compatible(old: &JobGraph, new: &JobGraph) -> Result<(), Failure> {
    compatible_but(&BTreeSet::new(), old, new)
}

/// The sinks of `new` that write somewhere else, or something else, than those of the same name in `old` did. Another job
/// takes nothing over from such a sink: what that one had open is the old job's.
#[must_use]
pub fn moved_sinks<'a>(old: &JobGraph, new: &'a JobGraph) -> BTreeSet<&'a str> {
    let known: Vec<&Node> = old.vertices.iter().flat_map(|vertex| &vertex.chain.nodes).collect();
    let moved = |node: &&'a Node| {
        let before = known.iter().find(|known| known.name == node.name);
        before.is_some_and(|before| before.recipe != node.recipe || before.input != node.input)
    };
    let nodes = new.vertices.iter().flat_map(|vertex| &vertex.chain.nodes);
    let sinks = nodes.filter(|node| matches!(node.recipe, Recipe::Sink(_)));
    sinks.filter(moved).map(|node| node.name.as_str()).collect()
}

/// As [`compatible`], without a look at these.
///
/// # Errors
/// Where one of the others does something else now.
pub fn compatible_but(without: &BTreeSet<&str>, old: &JobGraph, new: &JobGraph) -> Result<(), Failure> {
    let nodes = |graph: &JobGraph| -> Vec<Node> {
        let nodes = graph.vertices.iter().flat_map(|vertex| &vertex.chain.nodes);
        nodes
            .filter(|node| Hand::of(&node.recipe) != Hand::Nothing)
            .cloned()
            .collect()
    };
    let before = nodes(old);
    let mut kept = nodes(new)
        .into_iter()
        .filter(|node| !without.contains(node.name.as_str()));
    let changed = kept.find(|node| {
        let known = before.iter().find(|known| known.name == node.name);
        known
            .is_some_and(|known| known.recipe != node.recipe || (keeps_rows(&node.recipe) && known.input != node.input))
    });
    match changed {
        None => Ok(()),
        Some(node) => Err(Failure::fail(format!("`{}` keeps state, and what it does has changed", node.name)).help(
            "undo the change to go on where it was, give the step another name, give the datastream another `datastreamName`, or start anew with `--fresh`",
        )),
    }
}

/// Whether what it keeps are rows as they came, or files of such rows.
fn keeps_rows(recipe: &Recipe) -> bool {
    matches!(recipe, Recipe::TopN(_) | Recipe::Delay(_) | Recipe::Sink(_))
}
