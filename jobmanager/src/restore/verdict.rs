//! Whether the state of one graph means the same in another.

use dataflow::Failure;
use dataflow::recipe::{Node, Recipe};
use planner::job::JobGraph;

use super::Hand;

/// Looks at every node that both graphs have and that keeps something.
///
/// # Errors
/// Where one of them does something else now.
pub fn compatible(old: &JobGraph, new: &JobGraph) -> Result<(), Failure> {
    let nodes = |graph: &JobGraph| -> Vec<Node> {
        let nodes = graph.vertices.iter().flat_map(|vertex| &vertex.chain.nodes);
        nodes
            .filter(|node| Hand::of(&node.recipe) != Hand::Nothing)
            .cloned()
            .collect()
    };
    let before = nodes(old);
    let changed = nodes(new).into_iter().find(|node| {
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
