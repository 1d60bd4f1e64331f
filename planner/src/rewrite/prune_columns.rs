//! Columns that nobody downstream reads are not carried, and not even decoded: fields of records one by one, reserved
//! columns too, and those that a source of columns can leave out when it reads. The bytes that rows came as go as far as
//! the last step that may have to write them into a dead letter, and only where the document says where those go.
//!
//! A walk from the sinks to the sources gathers what each node must give. Nodes that one other node reads together
//! must give the same, so the walk is repeated until nothing changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{Fields, Schema};
use dataflow::element::columns;
use dataflow::expr::Path;
use dataflow::recipe::{Port, Recipe, TopN};

use crate::logical::{LogicalPlan, Node, Outlet, begins_with, holds, prune, user};
use crate::operators::aggregate::{WINDOW_END, WINDOW_START};

/// What a node must give.
#[derive(Clone, Default, PartialEq)]
struct Wanted {
    paths: BTreeSet<Path>,
    reserved: BTreeSet<&'static str>,
}

impl Wanted {
    fn add(&mut self, other: &Self) {
        self.paths.extend(other.paths.iter().cloned());
        self.reserved.extend(&other.reserved);
    }
}

pub(super) fn apply(mut plan: LogicalPlan) -> LogicalPlan {
    agree(&mut plan);
    let mut wanted: Vec<Wanted> = plan.nodes.iter().map(wants_itself).collect();
    loop {
        let before = wanted.clone();
        for index in (0..plan.nodes.len()).rev() {
            let node = &plan.nodes[index];
            let mut of_input = reads(&plan, node, &wanted[index]);
            // Late rows are as they came: what is wanted of them is wanted of what the aggregate reads.
            let givers: Vec<usize> = node.inputs.iter().flat_map(|input| givers(&plan, *input)).collect();
            givers.iter().for_each(|giver| of_input.add(&wanted[*giver]));
            of_input.reserved.retain(|name| all_have(&plan, &givers, name));
            givers.iter().for_each(|giver| wanted[*giver].add(&of_input));
        }
        if before == wanted {
            break;
        }
    }
    for (node, wanted) in plan.nodes.iter_mut().zip(&wanted) {
        narrow(node, wanted);
    }
    plan
}

/// Splits that are read side by side need the time, whoever else asks for it.
fn wants_itself(node: &Node) -> Wanted {
    let mut wanted = Wanted::default();
    if matches!(&node.recipe, Recipe::EventTime(event_time) if event_time.max_drift_ms.is_some()) {
        wanted.reserved.insert(columns::TIME);
    }
    wanted
}

/// Rows that one node reads together have the bytes they came as beside them all, or none of them has.
fn agree(plan: &mut LogicalPlan) {
    loop {
        let has = |index: &usize| holds(&plan.nodes[*index].output, columns::ORIGIN);
        let mut without = BTreeSet::new();
        for (index, node) in plan.nodes.iter().enumerate() {
            let givers: Vec<usize> = node.inputs.iter().flat_map(|input| givers(plan, *input)).collect();
            if !givers.iter().all(has) {
                without.extend(givers.iter().copied().filter(|giver| has(giver)));
            }
            let from_nothing = |giver: &usize| columns::original(&plan.nodes[*giver].output).is_none();
            if has(&index) && givers.iter().any(from_nothing) {
                without.insert(index);
            }
        }
        if without.is_empty() {
            return;
        }
        for index in without {
            let output = &mut plan.nodes[index].output;
            let kept = output.fields().iter().filter(|field| field.name() != columns::ORIGIN);
            *output = Arc::new(Schema::new(kept.cloned().collect::<Fields>()));
        }
    }
}

/// The nodes whose rows leave by an output.
fn givers(plan: &LogicalPlan, outlet: Outlet) -> Vec<usize> {
    match outlet.port {
        Port::Late => {
            let inputs = plan.nodes[outlet.node].inputs.iter();
            inputs.flat_map(|input| givers(plan, *input)).collect()
        }
        Port::Main | Port::Dead => vec![outlet.node],
    }
}

/// Rows that meet are alike: what only some of them carry is carried by none. Bytes are always there, or never wanted.
fn all_have(plan: &LogicalPlan, givers: &[usize], name: &str) -> bool {
    let schemas = givers.iter().map(|giver| &plan.nodes[*giver].output);
    let have = schemas.filter(|schema| holds(schema, name)).count();
    have == 0 || have == givers.len()
}

/// What a node must be given, so that it can do its work and give what is wanted of it.
fn reads(plan: &LogicalPlan, node: &Node, wanted: &Wanted) -> Wanted {
    let mut reads = Wanted::default();
    reads.paths.extend(node.reads.paths.iter().chain(&node.key_by).cloned());
    reads.reserved.extend(&node.reads.reserved);
    if node.reads.all {
        let schemas = node
            .inputs
            .iter()
            .flat_map(|input| user(&plan.schema(*input)).iter().cloned().collect::<Vec<_>>());
        reads
            .paths
            .extend(schemas.filter_map(|field| Path::new(vec![field.name().clone()]).ok()));
    }
    if plan.dead_letter.is_some() && node.has_dead_letters() {
        reads
            .reserved
            .extend([columns::ORIGIN, columns::SPLIT, columns::POSITION]);
    }
    let given = |name: &&str| node.inputs.iter().all(|input| holds(&plan.schema(*input), name));
    match &node.recipe {
        Recipe::Source(_) => {}
        // Records that are written as they are cannot fail.
        Recipe::Sink(_) if given(&columns::RAW) => {
            reads.reserved.remove(columns::ORIGIN);
        }
        Recipe::Sink(_) => {}
        Recipe::Filter(_)
        | Recipe::Sample(_)
        | Recipe::Drop(_)
        | Recipe::Delay(_)
        | Recipe::RateLimit(_)
        | Recipe::Dedup(_) => reads.add(wanted),
        // What it gives is made anew; the time of a result follows from its window.
        Recipe::Aggregate(_) => {}
        Recipe::TopN(top_n) => {
            let kept = wanted
                .paths
                .iter()
                .filter(|path| Some(path.column()) != top_n.rank.as_deref() && !makes(top_n, path));
            reads.paths.extend(kept.cloned());
            reads
                .reserved
                .extend(wanted.reserved.iter().filter(|name| **name == columns::TIME));
        }
        Recipe::Decode(_) => reads.reserved.extend(&wanted.reserved),
        // Without anybody who wants to know the time it is left out, and reads nothing of its own.
        Recipe::EventTime(_) if !wanted.reserved.contains(columns::TIME) => return wanted.clone(),
        Recipe::EventTime(_) => reads.add(wanted),
        Recipe::Select(_) => reads
            .reserved
            .extend(wanted.reserved.iter().filter(|name| **name != columns::RAW)),
        Recipe::Unnest(unnest) => {
            let kept = wanted.paths.iter().filter(|path| !begins_with(path, &unnest.path));
            reads.paths.extend(kept.cloned());
            reads.reserved.extend(&wanted.reserved);
        }
    }
    if reads.reserved.remove(columns::ORIGIN) {
        let origin = [columns::ORIGIN, columns::RAW].into_iter().find(given);
        reads.reserved.extend(origin);
    }
    reads
}

/// Whether a column is the bound of a window that is made there.
fn makes(top_n: &TopN, path: &Path) -> bool {
    top_n.window.is_some() && matches!(path.column(), WINDOW_START | WINDOW_END)
}

fn narrow(node: &mut Node, wanted: &Wanted) {
    let mut paths: Vec<Path> = wanted.paths.iter().cloned().collect();
    match &mut node.recipe {
        Recipe::Source(source) => {
            // Connectors leave out columns, not fields inside them.
            paths = paths
                .iter()
                .filter_map(|path| Path::new(vec![path.column().to_owned()]).ok())
                .collect();
            if let Some(columns) = &mut source.columns {
                columns.retain(|column| paths.iter().any(|path| path.column() == column));
            }
        }
        // Every projection is computed: a step does what it says.
        Recipe::Select(_) => paths = columns_of(node),
        Recipe::Aggregate(_) => paths = columns_of(node),
        Recipe::TopN(top_n) => paths.extend(top_n.rank.iter().filter_map(|rank| Path::new(vec![rank.clone()]).ok())),
        Recipe::Decode(_)
        | Recipe::EventTime(_)
        | Recipe::Filter(_)
        | Recipe::Sample(_)
        | Recipe::Drop(_)
        | Recipe::Unnest(_)
        | Recipe::Dedup(_)
        | Recipe::Delay(_)
        | Recipe::RateLimit(_)
        | Recipe::Sink(_) => {}
    }
    let kept = prune(&user(&node.output), &paths);
    let reserved = node
        .output
        .fields()
        .iter()
        // Changes without their kind would be other rows.
        .filter(|field| field.name() == columns::KIND || wanted.reserved.contains(field.name().as_str()));
    let fields: Fields = kept
        .iter()
        .chain(reserved.filter(|field| columns::is_reserved(field.name())))
        .cloned()
        .collect();
    node.output = Arc::new(Schema::new(fields));
}

/// Every column that a node gives.
fn columns_of(node: &Node) -> Vec<Path> {
    let names = user(&node.output);
    let paths = names
        .iter()
        .filter_map(|field| Path::new(vec![field.name().clone()]).ok());
    paths.collect()
}
