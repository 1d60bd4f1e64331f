//! Time that nobody asks for is not kept: an `event_time` whose `$time` was pruned is left out.

use dataflow::element::columns;
use dataflow::recipe::Recipe;

use crate::logical::{LogicalPlan, holds};

pub(super) fn apply(plan: LogicalPlan) -> LogicalPlan {
    let gone: Vec<bool> = plan
        .nodes
        .iter()
        .map(|node| matches!(node.recipe, Recipe::EventTime(_)) && !holds(&node.output, columns::TIME))
        .collect();
    super::remove(plan, &gone)
}
