//! The text form of an execution graph: what `weir explain --stage execution` prints and goldens compare.

use std::fmt::Write as _;

use dataflow::id::SubtaskId;
use dataflow::recipe::Partition;

use super::graph::ExecutionGraph;

/// One line for each subtask, and below it one for each edge it sends over.
#[must_use]
pub fn explain(graph: &ExecutionGraph) -> String {
    let mut text = format!("execution graph of {}: {} subtasks\n", graph.name, graph.subtasks.len());
    for subtask in &graph.subtasks {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} of {}  {}", subtask.id, subtask.parallelism, subtask.name);
        for output in &subtask.outputs {
            let partition = partition_name(&output.partition);
            let _ = writeln!(text, "  {} {partition} -> {}", output.edge, names(&output.to));
        }
    }
    text
}

/// The partition's one word.
#[must_use]
pub(crate) fn partition_name(partition: &Partition) -> &'static str {
    match partition {
        Partition::Forward => "forward",
        Partition::Rebalance => "rebalance",
        Partition::Hash { .. } => "hash",
        Partition::Broadcast => "broadcast",
    }
}

fn names(subtasks: &[SubtaskId]) -> String {
    subtasks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
