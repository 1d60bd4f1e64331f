//! The text form of each stage: stable, so that goldens compare it, and made for people.

mod recipe;

use std::fmt::Write;

use arrow_schema::Schema;
use dataflow::expr::field_type_name;
use dataflow::recipe::{Partition, Port, Target};

pub(crate) use recipe::{measure, spans};
use recipe::{recipe, sink};

use crate::job::{JobGraph, LossAlarm, Restart, Settings};
use crate::logical::LogicalPlan;

/// The text of a logical plan.
#[must_use]
pub fn logical(plan: &LogicalPlan) -> String {
    let mut out = head(&plan.name, plan.contact.as_deref(), &plan.settings);
    for node in &plan.nodes {
        let inputs: Vec<String> = node
            .inputs
            .iter()
            .map(|input| format!("{}{}", plan.nodes[input.node].name, port(input.port)))
            .collect();
        let from = if inputs.is_empty() {
            String::new()
        } else {
            format!(" <- {}", inputs.join(", "))
        };
        line(&mut out, 1, &format!("{} (x{}){from}", node.name, node.parallelism));
        if !node.key_by.is_empty() {
            let keys: Vec<String> = node.key_by.iter().map(ToString::to_string).collect();
            line(&mut out, 2, &format!("keyBy {}", keys.join(", ")));
        }
        recipe(&mut out, 2, &node.recipe);
        if let Some(note) = &node.note {
            line(&mut out, 2, note);
        }
        columns(&mut out, 2, &node.output);
    }
    if let Some(dead_letter) = &plan.dead_letter {
        line(&mut out, 1, "dead letters");
        sink(&mut out, 2, dead_letter);
    }
    out
}

/// The text of a job graph.
#[must_use]
pub fn job(graph: &JobGraph) -> String {
    let mut out = head(&graph.name, graph.contact.as_deref(), &graph.settings);
    for vertex in &graph.vertices {
        line(
            &mut out,
            1,
            &format!("{} (x{}): {}", vertex.id, vertex.parallelism, vertex.name),
        );
        for (index, node) in vertex.chain.nodes.iter().enumerate() {
            line(
                &mut out,
                2,
                &format!("[{index}] {}{}", node.name, targets(&node.targets)),
            );
            recipe(&mut out, 3, &node.recipe);
            columns(&mut out, 3, &node.output);
        }
    }
    for edge in &graph.edges {
        line(
            &mut out,
            1,
            &format!(
                "{}: {} -> {} {}",
                edge.id,
                edge.from,
                edge.to,
                partition(&edge.partition)
            ),
        );
    }
    out
}

fn line(out: &mut String, depth: usize, text: &str) {
    // Expressions may span lines; the text form has one line for each thing.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let _ = writeln!(out, "{:indent$}{text}", "", indent = depth * 2);
}

fn head(name: &str, contact: Option<&str>, settings: &Settings) -> String {
    let mut out = String::new();
    let contact = contact.map(|contact| format!(" ({contact})")).unwrap_or_default();
    line(&mut out, 0, &format!("datastream {name}{contact}"));
    let memory = settings
        .memory_bytes
        .map(|bytes| format!(", memory {bytes} B"))
        .unwrap_or_default();
    let restart = match &settings.restart {
        Restart::Never => "never".to_owned(),
        Restart::Fixed { attempts, delay } => format!("{attempts} times after {delay:?}"),
        Restart::Exponential {
            first,
            longest,
            quiet,
            attempts,
        } => {
            let times = attempts
                .map(|attempts| format!(", {attempts} times"))
                .unwrap_or_default();
            format!("after {first:?} to {longest:?}, anew after {quiet:?}{times}")
        }
    };
    // The default goes without saying.
    let aligned = match settings.aligned_timeout {
        timeout if timeout == Settings::default().aligned_timeout => String::new(),
        None => " always aligned".to_owned(),
        Some(timeout) => format!(" aligned within {timeout:?}"),
    };
    let alarm = match settings.loss_alarm {
        alarm if alarm == LossAlarm::default() => String::new(),
        LossAlarm { above, settle } => format!(", alarm above {above} lost, {settle:?} after a minute"),
    };
    line(
        &mut out,
        1,
        &format!(
            "{} key groups, checkpoint every {:?}{aligned}, buffers wait {:?}{memory}, restart {restart}{alarm}",
            settings.max_parallelism, settings.checkpoint_interval, settings.buffer_timeout
        ),
    );
    if !settings.hidden.is_empty() {
        let paths: Vec<String> = settings.hidden.paths().iter().map(ToString::to_string).collect();
        line(&mut out, 1, &format!("nobody is shown {}", paths.join(", ")));
    }
    out
}

fn columns(out: &mut String, depth: usize, schema: &Schema) {
    if schema.fields().is_empty() {
        return;
    }
    let shown = |field: &std::sync::Arc<arrow_schema::Field>| {
        if dataflow::element::columns::is_reserved(field.name()) {
            field.name().clone()
        } else {
            format!("{}: {}", field.name(), field_type_name(field))
        }
    };
    let fields: Vec<String> = schema.fields().iter().map(shown).collect();
    line(out, depth, &format!("-> {}", fields.join(", ")));
}

fn targets(targets: &[(Port, Target)]) -> String {
    let shown: Vec<String> = targets
        .iter()
        .map(|(port, target)| {
            let port = match port {
                Port::Main => "",
                Port::Late => "late rows ",
                Port::Dead => "dead letters ",
            };
            match target {
                Target::Node(index) => format!("{port}[{index}]"),
                Target::Edge(edge) => format!("{port}{edge}"),
            }
        })
        .collect();
    if shown.is_empty() {
        String::new()
    } else {
        format!(" -> {}", shown.join(", "))
    }
}

/// What stands behind the name of a node that is read by another output than that of its rows.
fn port(port: Port) -> &'static str {
    match port {
        Port::Main => "",
        Port::Late => ".late",
        Port::Dead => ".dead",
    }
}

fn partition(partition: &Partition) -> String {
    match partition {
        Partition::Forward => "forward".to_owned(),
        Partition::Rebalance => "rebalance".to_owned(),
        Partition::Broadcast => "broadcast".to_owned(),
        Partition::Hash { keys, max_parallelism } => {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            format!("hash by {} in {max_parallelism} groups", keys.join(", "))
        }
    }
}
