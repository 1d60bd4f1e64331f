//! Better plans of the same meaning: one file a rule, applied in the order of this list.
//!
//! Enters and leaves: a [`LogicalPlan`]. Must stay true: the rows that reach the sinks are the same ones. Filters next
//! to each other are not merged: metrics and dead letters name the step, and a step's name is its identity.

mod drop_unread;
mod pre_aggregate;
mod prune_columns;
mod skip_decodes;
mod skip_event_times;

use crate::logical::LogicalPlan;

/// Applies every rule once.
#[must_use]
pub fn rewrite(plan: LogicalPlan) -> LogicalPlan {
    let plan = drop_unread::apply(plan);
    let plan = prune_columns::apply(plan);
    let plan = skip_event_times::apply(plan);
    let plan = skip_decodes::apply(plan);
    pre_aggregate::apply(plan)
}

/// The plan without some of its nodes; who read one of them reads what it read.
fn remove(mut plan: LogicalPlan, gone: &[bool]) -> LogicalPlan {
    for index in 0..plan.nodes.len() {
        let inputs = std::mem::take(&mut plan.nodes[index].inputs);
        plan.nodes[index].inputs = inputs
            .into_iter()
            .flat_map(|input| {
                if gone[input.node] {
                    plan.nodes[input.node].inputs.clone()
                } else {
                    vec![input]
                }
            })
            .collect();
    }
    let mut places = Vec::with_capacity(gone.len());
    let mut next = 0;
    for gone in gone {
        places.push(next);
        next += usize::from(!gone);
    }
    let kept = plan
        .nodes
        .into_iter()
        .zip(gone)
        .filter(|(_, gone)| !**gone)
        .map(|(node, _)| node);
    plan.nodes = kept
        .map(|mut node| {
            node.inputs.iter_mut().for_each(|input| input.node = places[input.node]);
            node
        })
        .collect();
    plan
}
