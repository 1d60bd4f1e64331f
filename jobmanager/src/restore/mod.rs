//! What subtasks go on from: the snapshots that the subtasks of one graph left, for those of another.
//!
//! ```text
//!   record (what each old subtask left) ── by the names of steps ──> parts for each new subtask, sources, what nobody takes
//! ```
//!
//! Enters: a record, and the graph that is to run. Leaves: a [`Restoration`]. Who calls: the job's actor before every
//! deployment; `jobs`, before it takes a changed document. Must stay true: names are identity; splits, and what a sink
//! left, go to exactly one subtask; keyed state goes to everybody who owns one of its key groups, and is read there by key
//! group; event times go to everybody. Not here: what a state means.

mod estate;
mod hand;
mod refusal;
mod restoration;
mod verdict;
#[cfg(test)]
mod tests;

pub use hand::Hand;
pub use refusal::Refusal;
pub use restoration::{Part, Restoration};
pub use verdict::{compatible, fits, moved_sinks};

use std::collections::{BTreeMap, BTreeSet};

use dataflow::Failure;
use dataflow::recipe::Node;
use planner::diagnostic::codes;
use planner::job::{JobGraph, Vertex};

use crate::store::{Record, SourceSnapshot};
use estate::{Estate, Left, kind};
use restoration::Deal;

/// What happens to state that no step takes over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dropping {
    /// It keeps the graph from running.
    #[default]
    Refused,
    /// It is left behind, as somebody has said.
    Allowed,
}

/// What the subtasks of `new` go on from.
///
/// # Errors
/// Where the record is not whole, the key groups are others, or there is state that nobody takes over.
pub fn restore(head: &Record, new: &JobGraph, dropping: Dropping) -> Result<Restoration, Failure> {
    deal(head, new, dropping).map_err(|refusal| refusal.failure)
}

/// As [`restore`], with the steps that stand in the way.
fn deal(head: &Record, new: &JobGraph, dropping: Dropping) -> Result<Restoration, Refusal> {
    match &head.taken_from {
        Some(old) if is_reshaped(old, new) => hand_over(head, old, new, dropping),
        Some(_) | None => Ok(Restoration::own(head, new)),
    }
}

/// Whether what the subtasks of one graph left has to be dealt out anew for those of the other.
#[must_use]
pub fn is_reshaped(old: &JobGraph, new: &JobGraph) -> bool {
    let shape = |vertex: &Vertex| {
        let nodes = vertex.chain.nodes.iter();
        let nodes = nodes.map(|node| (node.name.clone(), kind(&node.recipe).to_owned()));
        (vertex.id, vertex.parallelism, nodes.collect::<Vec<_>>())
    };
    let (before, after) = (old.vertices.iter().map(shape), new.vertices.iter().map(shape));
    old.settings.max_parallelism != new.settings.max_parallelism || !before.eq(after)
}

fn hand_over(head: &Record, old: &JobGraph, new: &JobGraph, dropping: Dropping) -> Result<Restoration, Refusal> {
    let (before, after) = (old.settings.max_parallelism, new.settings.max_parallelism);
    if before != after {
        return Err(Refusal::of(
            codes::E0704,
            None,
            &format!("`maxParallelism` was {before} and is to be {after}"),
            "it says how many key groups there are, and is fixed for the life of a datastream: put the old number back",
        ));
    }
    if head.has_overtaken()? {
        return Err(overtaken(head).into());
    }
    let estate = Estate::of(head, old)?;
    let heritage = heritage(&estate, new);
    let mut dealt = Deal::default();
    let mut taken = BTreeSet::new();
    for vertex in &new.vertices {
        for node in &vertex.chain.nodes {
            let Some(left) = heritage.get(node.name.as_str()).and_then(|name| estate.left(name)) else {
                continue;
            };
            if !left.fits(node) {
                continue;
            }
            taken.insert(left.name());
            give(&mut dealt, (vertex, node), left, after)?;
            let source = head.source(left.name()).map(|source| SourceSnapshot {
                step: node.name.clone(),
                ..source.clone()
            });
            dealt.sources.extend(source);
        }
    }
    let dropped = estate.dropped(&taken, &head.sources);
    if let Some(name) = dropped
        .iter()
        .find(|name| estate.left(name).is_some_and(Left::owes_commits))
    {
        return Err(Refusal::of(
            codes::E0702,
            Some(name),
            &format!("`{name}` has prepared output that nobody would publish without it"),
            "let the datastream stop with `weir stop` before the step is taken out, so that everything is published",
        ));
    }
    match (dropping, dropped.is_empty()) {
        (Dropping::Allowed, _) | (Dropping::Refused, true) => Ok(dealt.finish(dropped)),
        (Dropping::Refused, false) => {
            let names: Vec<_> = dropped.iter().map(|name| format!("`{name}`")).collect();
            Err(Refusal::of(
                codes::E0703,
                None,
                &format!("no step takes over the state of {}", names.join(", ")),
                "keep the names of steps, say `renamedFrom: OLD-NAME` in the new one, leave the state behind with `--allow-dropped-state`, or start anew with `--fresh`",
            ))
        }
    }
}

/// Why what was on its way in a record cannot go on in another graph, or in more or fewer subtasks.
fn overtaken(head: &Record) -> Failure {
    Failure::fail(format!(
        "{} is an unaligned checkpoint: it holds rows that were on their way between steps, and these fit no other graph or parallelism",
        head.epoch
    ))
    .help("let the datastream run on with its document as it was; a change of a running datastream, `weir rescale` and `weir savepoint` wait for an aligned checkpoint of their own")
}

/// Deals out what one node left, in the manner of its kind.
fn give(deal: &mut Deal, (vertex, node): (&Vertex, &Node), left: &Left<'_>, groups: u32) -> Result<(), Failure> {
    let (before, after) = (left.vertex.parallelism, vertex.parallelism);
    let hand = Hand::of(&node.recipe);
    if hand == Hand::Splits && before != after {
        // One by one, so that every reader has its share; what was being read is read on before anything new.
        let mut readers = (0..after).cycle();
        for (index, splits) in left.splits()? {
            for split in splits {
                let reader = readers.next().unwrap_or_default();
                deal.split((vertex.id, reader), left.testator(index), &node.name, split);
            }
        }
        return Ok(());
    }
    for (index, value) in &left.values {
        for heir in hand.heirs(*index, before, after, groups) {
            deal.value((vertex.id, heir), left.testator(*index), &node.name, value);
        }
    }
    Ok(())
}

/// Which old node each new one follows: the one of its name, unless a step says what it was called before.
fn heritage<'a>(estate: &Estate<'_>, new: &'a JobGraph) -> BTreeMap<&'a str, String> {
    let nodes = || new.vertices.iter().flat_map(|vertex| &vertex.chain.nodes);
    let renamed = |name: &str| {
        // A step may be made of several nodes: `events`, `events.decode`, `events.eventTime`.
        let (step, part) = name.find('.').map_or((name, ""), |dot| name.split_at(dot));
        let before = new.settings.renamed.get(step)?;
        Some(format!("{before}{part}"))
    };
    let mut heritage = BTreeMap::new();
    let mut claimed = BTreeSet::new();
    // A document may keep `renamedFrom` for ever: it counts only until the state has moved.
    for node in nodes().filter(|node| estate.left(&node.name).is_none()) {
        if let Some(before) = renamed(&node.name).filter(|before| estate.left(before).is_some()) {
            claimed.insert(before.clone());
            heritage.insert(node.name.as_str(), before);
        }
    }
    for node in nodes().filter(|node| estate.left(&node.name).is_some() && !claimed.contains(&node.name)) {
        heritage.insert(node.name.as_str(), node.name.clone());
    }
    heritage
}
