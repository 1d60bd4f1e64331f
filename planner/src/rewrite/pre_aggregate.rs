//! An aggregate in front of which rows are dealt out is parted where that can be done: the first half folds the rows of a
//! subtask before they are sent, so that a hot key sends one row of many and burdens nobody alone.
//!
//! Whether it spares anything depends on the keys, which nobody knows here: the first half sees for itself, and passes rows
//! on as they are where it does not. So it is done wherever it can be right and several subtasks are there to be spared.
//! The second half has the step's name and state. Where it cannot be done, the plan says why.

use std::sync::Arc;

use arrow_schema::{FieldRef, Fields, Schema};
use dataflow::element::columns;
use dataflow::expr::Path;
use dataflow::recipe::{Aggregate, Clocked, GroupKey, Phase, Port, Recipe, Spans};

use crate::job::dealt;
use crate::logical::{LogicalPlan, Node, Outlet, Reads};

/// What the first half is called, behind the name of its step.
const FIRST_HALF: &str = "partial";

/// Whether an aggregate is parted.
enum Parting {
    Done,
    /// No rows are dealt out in front of it, or one subtask gives them to one.
    Idle,
    /// It cannot be: why.
    Hindered(String),
}

pub(super) fn apply(mut plan: LogicalPlan) -> LogicalPlan {
    let mut parted: Vec<Option<Aggregate>> = Vec::with_capacity(plan.nodes.len());
    for index in 0..plan.nodes.len() {
        let Recipe::Aggregate(aggregate) = &plan.nodes[index].recipe else {
            parted.push(None);
            continue;
        };
        let aggregate = aggregate.clone();
        match parting(&plan, index, &aggregate) {
            Parting::Done => parted.push(Some(aggregate)),
            Parting::Idle => parted.push(None),
            Parting::Hindered(why) => {
                parted.push(None);
                plan.nodes[index].note = Some(format!("rows are not folded before they are dealt out: {why}"));
            }
        }
    }
    part(plan, parted)
}

/// Whether rows go to other subtasks in front of it, of which there are several on one side at least.
fn is_dealt_out(plan: &LogicalPlan, node: &Node) -> bool {
    let givers = || node.inputs.iter().map(|input| plan.nodes[input.node].parallelism);
    let several = node.parallelism > 1 || givers().any(|parallelism| parallelism > 1);
    let lies_apart = match node.inputs.as_slice() {
        [input] if givers().all(|parallelism| parallelism == node.parallelism) => {
            node.key_by.is_empty() || dealt(plan, *input).is_some_and(|key| key == node.key_by)
        }
        _ => false,
    };
    several && !lies_apart
}

fn parting(plan: &LogicalPlan, index: usize, aggregate: &Aggregate) -> Parting {
    if !is_dealt_out(plan, &plan.nodes[index]) {
        return Parting::Idle;
    }
    let hindered = |why: &str| Parting::Hindered(why.to_owned());
    if let Some(one) = aggregate.measures.iter().find(|one| !one.function.is_mergeable()) {
        let (name, fold) = (&one.name, crate::explain::measure(one));
        return Parting::Hindered(format!("parts of `{name}`, {fold}, cannot be folded together"));
    }
    let Some(window) = &aggregate.window else {
        return Parting::Done;
    };
    match (&window.spans, window.clock) {
        (Spans::Session { .. }, _) => hindered("what one session is shows only where all rows of a key meet"),
        (Spans::Global, _) => Parting::Done,
        (_, Clocked::Processing) => hindered("its windows go by the clock of who gives the results"),
        _ if takes_late_rows(plan, index) => hindered("somebody takes its late rows one by one"),
        _ => Parting::Done,
    }
}

/// Whether late rows have to be there as they came: dead letters hold them whole.
fn takes_late_rows(plan: &LogicalPlan, index: usize) -> bool {
    let late = Outlet {
        node: index,
        port: Port::Late,
    };
    plan.dead_letter.is_some() || plan.nodes.iter().any(|node| node.inputs.contains(&late))
}

/// The plan with those aggregates in two halves.
fn part(plan: LogicalPlan, parted: Vec<Option<Aggregate>>) -> LogicalPlan {
    let mut nodes: Vec<Node> = Vec::with_capacity(plan.nodes.len());
    let mut places = Vec::with_capacity(plan.nodes.len());
    for (mut node, aggregate) in plan.nodes.into_iter().zip(parted) {
        node.inputs.iter_mut().for_each(|input| input.node = places[input.node]);
        if let Some(aggregate) = aggregate {
            let output = between(&node, &aggregate);
            let count = node.inputs.len();
            let first = nodes.len();
            for (number, input) in (1..).zip(&node.inputs) {
                let number = if count == 1 { String::new() } else { number.to_string() };
                nodes.push(Node {
                    name: format!("{}.{FIRST_HALF}{number}", node.name),
                    recipe: Recipe::Aggregate(Aggregate {
                        phase: Phase::Partial,
                        ..aggregate.clone()
                    }),
                    inputs: vec![*input],
                    key_by: Vec::new(),
                    parallelism: nodes[input.node].parallelism,
                    output: Arc::clone(&output),
                    reads: node.reads.clone(),
                    note: None,
                });
            }
            node.inputs = (first..nodes.len()).map(Outlet::main).collect();
            second_half(&mut node, aggregate);
        }
        places.push(nodes.len());
        nodes.push(node);
    }
    LogicalPlan { nodes, ..plan }
}

/// Makes the second half of what was the whole.
fn second_half(node: &mut Node, aggregate: Aggregate) {
    let named = |key: &GroupKey| Path::new(vec![key.name.clone()]).ok();
    let by = |path: &Path| aggregate.keys.iter().find(|key| key.path == *path).and_then(named);
    node.key_by = node.key_by.iter().filter_map(by).collect();
    node.reads = Reads::of(node.key_by.iter().cloned()).and(&[columns::PANE, columns::STATE]);
    let keys = aggregate.keys.iter().filter_map(|key| {
        let (name, path) = (key.name.clone(), named(key)?);
        Some(GroupKey { name, path })
    });
    node.recipe = Recipe::Aggregate(Aggregate {
        keys: keys.collect(),
        phase: Phase::Final,
        ..aggregate
    });
}

/// The rows between the two halves.
fn between(node: &Node, aggregate: &Aggregate) -> Arc<Schema> {
    let is_key = |field: &&FieldRef| aggregate.keys.iter().any(|key| key.name == *field.name());
    let mut fields: Vec<FieldRef> = node.output.fields().iter().filter(is_key).cloned().collect();
    fields.extend([columns::pane(), columns::state()]);
    let values = aggregate.values().into_iter().enumerate();
    fields.extend(values.map(|(place, (_, data_type))| columns::value(place, data_type)));
    Arc::new(Schema::new(Fields::from(fields)))
}
