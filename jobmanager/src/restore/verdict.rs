//! Whether what one graph left can be that of another: the planner's verdict, and what sinks have under way.

use std::collections::BTreeSet;

use dataflow::Failure;
use dataflow::recipe::{Node, Recipe};
use planner::diagnostic::codes;
use planner::job::JobGraph;
use planner::verdict::{self, HELP};

use super::estate::Estate;
use super::refusal::Refusal;
use super::{Dropping, deal, overtaken};
use crate::store::Record;

/// Asks the planner what becomes of the state of each step, and looks at what the record holds of sinks that change.
///
/// A sink that has left nothing, because its files were closed and published, may do anything from now on.
///
/// # Errors
/// Where a step would read its state as something else, or the record cannot be read.
pub fn compatible(head: &Record, in_force: &JobGraph, new: &JobGraph) -> Result<(), Refusal> {
    let of = head.snapshots_of(in_force);
    if (&of.vertices, &of.edges) != (&new.vertices, &new.edges) && head.has_overtaken()? {
        return Err(overtaken(head).into());
    }
    let verdicts = verdict::compare(of, new);
    let refused: Vec<String> = verdict::refusals(&verdicts)
        .map(|(verdict, why)| format!("`{}`: {why}", verdict.step))
        .collect();
    if !refused.is_empty() {
        let failure = Failure::fail(format!("[E0701] {}", refused.join("; "))).help(format!(
            "{HELP}; or give the datastream another `datastreamName`, or start anew with `--fresh`"
        ));
        let blamed = verdict::blamed(&verdicts);
        return Err(Refusal { failure, blamed });
    }
    let estate = Estate::of(head, of)?;
    let left = estate.names();
    match moved_sinks(of, new).into_iter().find(|name| left.contains(name)) {
        None => Ok(()),
        Some(name) => Err(Refusal::of(
            codes::E0702,
            Some(name),
            &format!(
                "`{name}` writes otherwise now, and has output under way that was meant for where it wrote before"
            ),
            "undo the change, let it run, and stop it with `weir stop`, so that everything is published; give the step another name; or start anew with `--fresh`",
        )),
    }
}

/// Whether what a record holds can be that of another graph: what becomes of each step, and whether all of it is taken over.
///
/// # Errors
/// As for [`compatible`] and [`restore`](super::restore).
pub fn fits(head: &Record, in_force: &JobGraph, new: &JobGraph, dropping: Dropping) -> Result<(), Refusal> {
    compatible(head, in_force, new)?;
    deal(head, new, dropping).map(drop)
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
