//! What a change of a document does to what its steps have kept: told before anything is deployed.
//!
//! Enters: the job graph that runs and the one that is to run. Leaves: a [`Verdict`] for each step that keeps something.
//! Who calls: `weir plan`, and the job manager before it deploys: there is no other judge of what state means. Must stay
//! true: pure; a step's name is its identity, `renamedFrom` carries it over; where state could be read as something else
//! than what was meant, the change is refused.

mod blamed;
mod rows;
mod step;

pub use blamed::{Blamed, blamed, diagnostics};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use dataflow::recipe::{Excess, Node, Phase, Recipe};
use serde::Serialize;

use crate::job::JobGraph;
use step::step;

/// What becomes of the state of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The step, by its new name; one that is gone by its old one.
    pub step: String,
    /// What it is, such as `aggregate`.
    pub operator: &'static str,
    /// The name it had before, where that is another.
    pub renamed_from: Option<String>,
    /// What becomes of its state.
    pub state: State,
}

/// What becomes of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "verdict", content = "because")]
pub enum State {
    /// It is read as it is.
    Keeps,
    /// It is read, and brought to a new form: how.
    Migrates(Vec<String>),
    /// The step is new.
    StartsEmpty,
    /// The step is gone, and its state with it.
    Drops,
    /// It would be read as something else: why. The step needs another name, or its old form.
    Refused(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.renamed_from.as_ref();
        let before = before.map(|name| format!(", `{name}` before")).unwrap_or_default();
        write!(f, "{} ({}{before}): ", self.step, self.operator)?;
        match &self.state {
            State::Keeps => write!(f, "keeps its state"),
            State::Migrates(how) => write!(f, "migrates its state: {}", how.join("; ")),
            State::StartsEmpty => write!(f, "starts empty"),
            State::Drops => write!(f, "is gone, and its state with it"),
            State::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

/// Whether every step can go on: nothing is refused.
#[must_use]
pub fn is_possible(verdicts: &[Verdict]) -> bool {
    refusals(verdicts).next().is_none()
}

/// The steps that cannot go on, each with the reason.
pub fn refusals(verdicts: &[Verdict]) -> impl Iterator<Item = (&Verdict, &str)> {
    verdicts.iter().filter_map(|one| match &one.state {
        State::Refused(why) => Some((one, why.as_str())),
        State::Keeps | State::Migrates(_) | State::StartsEmpty | State::Drops => None,
    })
}

/// What a person does about a step that cannot go on.
pub const HELP: &str = "undo the change, or give the step another name: then it starts empty, and the old state is dropped where `--allow-dropped-state` says so";

/// Compares the graph that runs with the one that is to run. New steps come in their order, those that are gone last.
#[must_use]
pub fn compare(old: &JobGraph, new: &JobGraph) -> Vec<Verdict> {
    let (before, after) = (keeping(old), keeping(new));
    let by_name: BTreeMap<&str, &Node> = before.iter().map(|node| (node.name.as_str(), *node)).collect();
    let groups = (old.settings.max_parallelism, new.settings.max_parallelism);
    let mut carried: BTreeSet<String> = BTreeSet::new();
    let mut verdicts = Vec::new();
    for node in &after {
        // A document may keep `renamedFrom` for ever: it counts only until the state has moved.
        let name = if by_name.contains_key(node.name.as_str()) {
            node.name.clone()
        } else {
            former(&node.name, &new.settings.renamed)
        };
        let renamed_from = (name != node.name).then(|| name.clone());
        let still_there = renamed_from.is_some() && after.iter().any(|other| other.name == name);
        let state = match by_name.get(name.as_str()) {
            None => State::StartsEmpty,
            Some(_) if still_there || !carried.insert(name.clone()) => State::Refused(format!(
                "`{name}` is there too, and only one of them can have its state"
            )),
            Some(_) if groups.0 != groups.1 && is_keyed(&node.recipe) => State::Refused(format!(
                "`maxParallelism` was {} and is {}: it is fixed for the life of a datastream",
                groups.0, groups.1
            )),
            Some(former) => step(former, node),
        };
        verdicts.push(Verdict {
            step: node.name.clone(),
            operator: node.recipe.name(),
            renamed_from: renamed_from.filter(|_| state != State::StartsEmpty),
            state,
        });
    }
    let gone = before.iter().filter(|node| !carried.contains(&node.name));
    let gone = gone.filter(|node| !after.iter().any(|other| other.name == node.name));
    verdicts.extend(gone.map(|node| Verdict {
        step: node.name.clone(),
        operator: node.recipe.name(),
        renamed_from: None,
        state: State::Drops,
    }));
    verdicts
}

/// The operators that keep something over a checkpoint, in the order of the graph.
fn keeping(graph: &JobGraph) -> Vec<&Node> {
    let nodes = graph.vertices.iter().flat_map(|vertex| &vertex.chain.nodes);
    nodes.filter(|node| keeps(&node.recipe)).collect()
}

fn keeps(recipe: &Recipe) -> bool {
    match recipe {
        Recipe::Source(_) | Recipe::EventTime(_) | Recipe::Sink(_) => true,
        Recipe::Dedup(_) | Recipe::TopN(_) | Recipe::Delay(_) => true,
        Recipe::Aggregate(aggregate) => aggregate.phase != Phase::Partial,
        Recipe::Decode(_)
        | Recipe::Filter(_)
        | Recipe::Select(_)
        | Recipe::Drop(_)
        | Recipe::Unnest(_)
        | Recipe::Sample(_) => false,
        // Rows that wait for their turn.
        Recipe::RateLimit(limit) => limit.excess == Excess::Wait,
    }
}

/// Whether its state is parted by key groups.
fn is_keyed(recipe: &Recipe) -> bool {
    matches!(recipe, Recipe::Dedup(_) | Recipe::Aggregate(_) | Recipe::TopN(_))
}

/// What a node was called: an operator of a step has the step's name and a suffix.
fn former(name: &str, renamed: &BTreeMap<String, String>) -> String {
    let carried = |(new, old): (&String, &String)| {
        let suffix = name.strip_prefix(new.as_str())?;
        (suffix.is_empty() || suffix.starts_with('.')).then(|| format!("{old}{suffix}"))
    };
    // The longest name is meant where one goes on as another begins.
    let found = renamed.iter().rev().find_map(carried);
    found.unwrap_or_else(|| name.to_owned())
}
