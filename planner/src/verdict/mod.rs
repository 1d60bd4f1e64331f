//! What a change of a document does to what its steps have kept: told before anything is deployed.
//!
//! Enters: the job graph that runs and the one that is to run. Leaves: a [`Verdict`] for each step that keeps something.
//! Who calls: `weir plan`, and the job manager before it deploys: there is no other judge of what state means. Must stay true: pure; a step's name is its identity, `renamedFrom` carries it
//! over; where state could be read as something else than what was meant, the change is refused.

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use arrow_schema::{Field, Schema};
use dataflow::expr::{Path, field_type_name, find};
use dataflow::recipe::{Aggregate, EventTime, Excess, Function, Measure, Node, Phase, Recipe, TopN};
use serde::Serialize;

use crate::diagnostic::{Diagnostic, Diagnostics, codes};
use crate::job::JobGraph;
use crate::logical::LogicalPlan;
use rows::{Difference, of_rows, of_values, widens};

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

/// The refusals as mistakes of the new document, each at its step.
#[must_use]
pub fn diagnostics(verdicts: &[Verdict], plan: &LogicalPlan) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    for (verdict, why) in refusals(verdicts) {
        // An operator of a step has the step's name and a suffix; what has no place of its own stands for the document.
        let step = verdict.step.split('.').next().unwrap_or_default();
        let place = plan.places.get(&verdict.step).or_else(|| plan.places.get(step));
        let span = place.copied().unwrap_or_default();
        let message = format!("`{}` cannot go on with what it has kept: {why}", verdict.step);
        diagnostics.push(Diagnostic::new(codes::E0701, span, message).help(HELP));
    }
    diagnostics
}

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

/// What becomes of the state of a step that is there before and after.
fn step(old: &Node, new: &Node) -> State {
    let refused = |why: String| State::Refused(why);
    match (&old.recipe, &new.recipe) {
        (Recipe::Source(one), Recipe::Source(other)) if one.connector != other.connector => refused(format!(
            "it read `{}` and reads `{}`: its positions mean nothing there",
            one.connector, other.connector
        )),
        (Recipe::Source(one), Recipe::Source(other)) if one.options != other.options => refused(format!(
            "it read {} and reads {}: its positions may mean nothing there",
            one.options, other.options
        )),
        (Recipe::Sink(one), Recipe::Sink(other)) if one != other => State::Migrates(vec![
            "what it has prepared is published where it was meant to go, before it writes otherwise".to_owned(),
        ]),
        (Recipe::Source(_), Recipe::Source(_)) | (Recipe::Sink(_), Recipe::Sink(_)) => State::Keeps,
        (Recipe::EventTime(one), Recipe::EventTime(other)) => {
            let said = |time: &EventTime| time.field.as_ref().map(ToString::to_string).unwrap_or_default();
            let changed = first_change(&[("event time", said(one), said(other))]);
            changed.map_or(State::Keeps, State::Refused)
        }
        (Recipe::RateLimit(_), Recipe::RateLimit(_)) => settled(of_rows(&old.output, &new.output)),
        (Recipe::Dedup(one), Recipe::Dedup(other)) => {
            let keys = (keys(&one.keys, &old.input), keys(&other.keys, &new.input));
            let changed = first_change(&[
                ("key", keys.0, keys.1),
                ("clock", format!("{:?}", one.clock), format!("{:?}", other.clock)),
            ]);
            changed.map_or(State::Keeps, State::Refused)
        }
        (Recipe::Delay(one), Recipe::Delay(other)) => {
            let clocks = (format!("{:?}", one.clock), format!("{:?}", other.clock));
            match first_change(&[("clock", clocks.0, clocks.1)]) {
                Some(why) => State::Refused(why),
                None => settled(of_rows(&old.input, &new.input)),
            }
        }
        (Recipe::TopN(one), Recipe::TopN(other)) => top_n((one, old), (other, new)),
        (Recipe::Aggregate(one), Recipe::Aggregate(other)) => aggregate((one, old), (other, new)),
        (one, other) => refused(format!("it was a `{}` and is a `{}`", one.name(), other.name())),
    }
}

/// Keys with their types, as they would be said.
fn keys(paths: &[Path], input: &Schema) -> String {
    let key = |path: &Path| {
        let found = find(path, input);
        let data_type = found.map_or_else(|| "nothing".to_owned(), |field| field_type_name(&field));
        format!("{path} ({data_type})")
    };
    paths.iter().map(key).collect::<Vec<_>>().join(", ")
}

/// The first of these that is not what it was, in words.
fn first_change(parts: &[(&str, String, String)]) -> Option<String> {
    let changed = parts.iter().find(|(_, before, after)| before != after);
    changed.map(|(part, before, after)| {
        let said = |text: &str| {
            if text.is_empty() {
                "none".to_owned()
            } else {
                text.to_lowercase()
            }
        };
        match *part {
            "clock" => format!("it went by {} time and goes by {} time", said(before), said(after)),
            _ => format!("its {part} was {} and is {}", quoted(before), quoted(after)),
        }
    })
}

fn quoted(text: &str) -> String {
    if text.is_empty() {
        "none".to_owned()
    } else {
        format!("`{text}`")
    }
}

fn settled(difference: Difference) -> State {
    match difference {
        Difference::Wrong(why) => State::Refused(why),
        Difference::Migrates(how) if how.is_empty() => State::Keeps,
        Difference::Migrates(how) => State::Migrates(how),
    }
}

fn top_n((one, old): (&TopN, &Node), (other, new): (&TopN, &Node)) -> State {
    let order = |top_n: &TopN| {
        let parts = top_n
            .order
            .iter()
            .map(|order| format!("{} {:?}", order.path, order.direction));
        parts.collect::<Vec<_>>().join(", ")
    };
    let window = |top_n: &TopN| {
        let window = top_n.window.as_ref();
        window
            .map(|window| crate::explain::spans(&window.spans))
            .unwrap_or_default()
    };
    let given = |top_n: &TopN| format!("{:?}", top_n.emission);
    let changed = first_change(&[
        ("key", keys(&one.keys, &old.input), keys(&other.keys, &new.input)),
        ("order", order(one), order(other)),
        ("window", window(one), window(other)),
        ("way to give results", given(one), given(other)),
    ]);
    if let Some(why) = changed {
        return State::Refused(why);
    }
    let mut difference = of_rows(&old.input, &new.input);
    if let (Difference::Migrates(how), true) = (&mut difference, one.limit < other.limit) {
        how.push(format!(
            "only {} rows of a key were kept so far, not {}",
            one.limit, other.limit
        ));
    }
    settled(difference)
}

fn aggregate((one, old): (&Aggregate, &Node), (other, new): (&Aggregate, &Node)) -> State {
    let named_keys = |aggregate: &Aggregate, node: &Node| {
        let paths = aggregate
            .keys
            .iter()
            .filter_map(|key| Path::new(vec![key.name.clone()]).ok());
        keys(&paths.collect::<Vec<_>>(), &node.output)
    };
    let spans = |aggregate: &Aggregate| {
        let window = aggregate.window.as_ref();
        window
            .map(|window| crate::explain::spans(&window.spans))
            .unwrap_or_default()
    };
    let clock = |aggregate: &Aggregate| {
        let window = aggregate.window.as_ref();
        window.map(|window| format!("{:?}", window.clock)).unwrap_or_default()
    };
    let changed = first_change(&[
        ("key", named_keys(one, old), named_keys(other, new)),
        ("window", spans(one), spans(other)),
        ("clock", clock(one), clock(other)),
    ]);
    if let Some(why) = changed {
        return State::Refused(why);
    }
    let named = |measures: &[Measure], name: &str| measures.iter().find(|one| one.name == name).cloned();
    for measure in &other.measures {
        let Some(before) = named(&one.measures, &measure.name) else {
            continue;
        };
        if let Some(why) = folded_otherwise(&before, measure) {
            return State::Refused(why);
        }
    }
    let folded = |aggregate: &Aggregate, node: &Node| {
        let names: Vec<String> = aggregate.measures.iter().map(|measure| measure.name.clone()).collect();
        let fields = node.output.fields().iter().filter(|field| names.contains(field.name()));
        Schema::new(fields.cloned().collect::<Vec<_>>())
    };
    settled(of_values(&folded(one, old), &folded(other, new)))
}

/// Why what one measure has folded is of no use to the other.
fn folded_otherwise(before: &Measure, after: &Measure) -> Option<String> {
    let name = &after.name;
    let words = (crate::explain::measure(before), crate::explain::measure(after));
    if words.0 != words.1 {
        return Some(format!(
            "`{name}` was `{}` and is `{}`: a column that is folded otherwise needs another name",
            words.0, words.1
        ));
    }
    let field = |measure: &Measure| Some(Field::new(name, measure.argument_type.clone()?, true));
    let (Some(from), Some(to)) = (field(before), field(after)) else {
        return None;
    };
    let goes_on = match after.function {
        Function::Count => true,
        // These fold doubles, whatever they are given.
        Function::Stddev
        | Function::StddevPop
        | Function::Variance
        | Function::VariancePop
        | Function::ApproxPercentile(_) => to.data_type().is_numeric(),
        Function::CountDistinct
        | Function::Sum
        | Function::Min
        | Function::Max
        | Function::Avg
        | Function::First
        | Function::Last
        | Function::ApproxDistinct => widens(&from, &to),
    };
    let (from, to) = (field_type_name(&from), field_type_name(&to));
    (!goes_on).then(|| format!("`{name}` was {} of {from} and is of {to}", words.0))
}
