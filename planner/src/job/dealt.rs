//! By which key the rows of a node lie apart already, so that a step by the same key needs no shuffle.

use dataflow::expr::Path;
use dataflow::recipe::{Aggregate, Port, Recipe, Select};

use crate::logical::{LogicalPlan, Node, Outlet, begins_with};

/// The key by which the rows of an output are dealt out over the subtasks of its node, as paths of those rows.
pub(crate) fn dealt(plan: &LogicalPlan, outlet: Outlet) -> Option<Vec<Path>> {
    let node = &plan.nodes[outlet.node];
    let before = if node.key_by.is_empty() {
        match node.inputs.as_slice() {
            [input] if plan.nodes[input.node].parallelism == node.parallelism => dealt(plan, *input)?,
            _ => return None,
        }
    } else {
        node.key_by.clone()
    };
    match outlet.port {
        Port::Main => behind(node, before),
        // Late rows are as they came.
        Port::Late => Some(before),
        Port::Dead => None,
    }
}

/// The same key among what a node gives; none where it is not there any more.
fn behind(node: &Node, key: Vec<Path>) -> Option<Vec<Path>> {
    match &node.recipe {
        Recipe::Select(select) => key.iter().map(|path| selected(select, path)).collect(),
        Recipe::Aggregate(aggregate) => key.iter().map(|path| folded(aggregate, path)).collect(),
        // The list gives way to its elements.
        Recipe::Unnest(unnest) if key.iter().any(|path| begins_with(path, &unnest.path)) => None,
        Recipe::Source(_) | Recipe::Sink(_) => None,
        Recipe::Decode(_)
        | Recipe::EventTime(_)
        | Recipe::Filter(_)
        | Recipe::Drop(_)
        | Recipe::Unnest(_)
        | Recipe::Sample(_)
        | Recipe::Dedup(_)
        | Recipe::TopN(_)
        | Recipe::Delay(_)
        | Recipe::RateLimit(_) => Some(key),
    }
}

/// A column that is nothing but this field.
fn selected(select: &Select, path: &Path) -> Option<Path> {
    let copies = |sql: &str| sql.trim().parse::<Path>().is_ok_and(|copied| copied == *path);
    let copy = select.projections.iter().find(|one| copies(&one.expression.sql))?;
    Path::new(vec![copy.name.clone()]).ok()
}

fn folded(aggregate: &Aggregate, path: &Path) -> Option<Path> {
    let key = aggregate.keys.iter().find(|key| key.path == *path)?;
    Path::new(vec![key.name.clone()]).ok()
}
