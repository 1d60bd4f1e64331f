//! What no sink reads, in however many steps, is left out; the person was warned when names were resolved.

use dataflow::recipe::Recipe;

use crate::logical::LogicalPlan;

pub(super) fn apply(plan: LogicalPlan) -> LogicalPlan {
    let mut read = vec![false; plan.nodes.len()];
    // Nodes stand behind their inputs, so one walk from the end reaches everything.
    for (index, node) in plan.nodes.iter().enumerate().rev() {
        if read[index] || matches!(node.recipe, Recipe::Sink(_)) {
            read[index] = true;
            node.inputs.iter().for_each(|input| read[input.node] = true);
        }
    }
    let gone: Vec<bool> = read.into_iter().map(|read| !read).collect();
    super::remove(plan, &gone)
}
