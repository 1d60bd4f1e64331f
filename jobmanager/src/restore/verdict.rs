//! Whether the state of one graph means the same in another.

use std::collections::BTreeSet;

use dataflow::Failure;
use dataflow::recipe::{Node, Recipe};
use planner::job::JobGraph;

use super::estate::Estate;
use super::{Hand, overtaken};
use crate::store::Record;

/// Looks at every node that both graphs have and that keeps something.
///
/// A sink that has left nothing, because its files were closed and published, may do anything from now on.
///
/// # Errors
/// Where one of them does something else now, or the record cannot be read.
pub fn compatible(head: &Record, in_force: &JobGraph, new: &JobGraph) -> Result<(), Failure> {
    let old = head.snapshots_of(in_force);
    if (&old.vertices, &old.edges) != (&new.vertices, &new.edges) && head.has_overtaken()? {
        return Err(overtaken(head));
    }
    let estate = Estate::of(head, old)?;
    let left = estate.names();
    let before = keepers(in_force, &left);
    let changed = keepers(new, &left).into_iter().find(|node| {
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

/// The nodes whose state has a meaning.
fn keepers<'a>(graph: &'a JobGraph, left: &BTreeSet<&str>) -> Vec<&'a Node> {
    let nodes = graph.vertices.iter().flat_map(|vertex| &vertex.chain.nodes);
    let keeps = |node: &&Node| match Hand::of(&node.recipe) {
        Hand::Nothing => false,
        Hand::Whole => left.contains(node.name.as_str()),
        Hand::Keyed | Hand::Times | Hand::Splits => true,
    };
    nodes.filter(keeps).collect()
}

/// Whether what it keeps are rows as they came, or files of such rows.
fn keeps_rows(recipe: &Recipe) -> bool {
    matches!(recipe, Recipe::TopN(_) | Recipe::Delay(_) | Recipe::Sink(_))
}
