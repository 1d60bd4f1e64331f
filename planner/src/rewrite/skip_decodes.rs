//! A decode whose columns nobody reads and whose check was done, or is not wanted, is left out.

use dataflow::recipe::Recipe;

use crate::logical::{LogicalPlan, user};
use crate::operators::decode::UNCHECKED;

pub(super) fn apply(plan: LogicalPlan) -> LogicalPlan {
    let gone: Vec<bool> = plan
        .nodes
        .iter()
        .map(|node| {
            let Recipe::Decode(decode) = &node.recipe else {
                return false;
            };
            // What `unnest` gives was cut out of records that were checked.
            let checked = node
                .inputs
                .iter()
                .all(|input| matches!(plan.nodes[input.node].recipe, Recipe::Unnest(_)));
            let idle = user(&node.output).is_empty();
            idle && (checked || decode.format.name == UNCHECKED)
        })
        .collect();
    super::remove(plan, &gone)
}
