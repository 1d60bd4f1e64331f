//! What only the job manager can measure of a job: its checkpoints, and how unevenly its subtasks work.

use dataflow::id::SubtaskId;
use dataflow::recipe::{Recipe, Role};

use super::actor::Actor;
use crate::rest::types::{Checkpoint, Subtask};

/// A job, as metrics show it beside its summary.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Checkpoints that were committed since this job manager took the job.
    pub completed: u64,
    /// Those that were given up by their barrier.
    pub aborted: u64,
    /// Those that could not be recorded.
    pub failed: u64,
    /// The last one that was committed.
    pub last: Option<Checkpoint>,
    /// Rows that are missing at its cut and that nobody left out on purpose; below 0 where there are more than came.
    pub lost: i64,
    /// Whether that is more than is borne.
    pub alarm: bool,
    /// How old rows were lately when they came to the sink that is worst: percentiles 50, 95 and 99, in milliseconds.
    pub ages_ms: [Option<i64>; 3],
    /// Its vertices.
    pub vertices: Vec<Vertex>,
}

/// How unevenly the subtasks of a vertex work.
#[derive(Clone, Debug, PartialEq)]
pub struct Vertex {
    /// The names of its steps.
    pub name: String,
    /// How many subtasks it has.
    pub parallelism: u32,
    /// Shares of the last interval at work: the most and the least.
    pub busy: (f64, f64),
    /// Shares of the last interval held up.
    pub backpressured: (f64, f64),
    /// Rows in a second.
    pub rate: (f64, f64),
}

impl Actor {
    /// How it is now.
    pub(super) fn measure(&self) -> Measured {
        let vertices = self.document.iter().flat_map(|document| &document.graph.vertices);
        let last = self.history.checkpoints.iter().find(|one| one.epoch.is_some());
        let losses = self.losses();
        Measured {
            completed: self.history.completed,
            aborted: self.history.aborted.saturating_sub(self.unrecorded),
            failed: self.unrecorded,
            last: last.cloned(),
            lost: losses.iter().map(|loss| loss.lost).sum(),
            alarm: losses.iter().any(|loss| loss.alarm),
            ages_ms: self.ages_at_sinks(),
            vertices: match self.deployment {
                Some(_) => vertices.map(|vertex| self.measure_vertex(vertex)).collect(),
                None => Vec::new(),
            },
        }
    }

    /// Of all sinks the oldest.
    fn ages_at_sinks(&self) -> [Option<i64>; 3] {
        let vertices = self.document.iter().flat_map(|document| &document.graph.vertices);
        let sinks = vertices.flat_map(|vertex| &vertex.chain.nodes);
        let sinks = sinks.filter(|node| matches!(&node.recipe, Recipe::Sink(sink) if sink.role != Role::DeadLetter));
        let ages = sinks.filter_map(|node| self.lags.newest(&node.name));
        ages.fold([None; 3], |oldest, ages| {
            [0, 1, 2].map(|index| oldest[index].max(ages[index]))
        })
    }

    fn measure_vertex(&self, vertex: &planner::job::Vertex) -> Vertex {
        let subtasks: Vec<Subtask> = (0..vertex.parallelism)
            .map(|index| SubtaskId {
                vertex: vertex.id,
                index,
            })
            .map(|id| self.subtask(id))
            .collect();
        Vertex {
            name: vertex.name.clone(),
            parallelism: vertex.parallelism,
            busy: extremes(&subtasks, |one| one.busy),
            backpressured: extremes(&subtasks, |one| one.backpressured),
            rate: extremes(&subtasks, |one| one.records_in_rate),
        }
    }
}

/// The most and the least.
fn extremes(subtasks: &[Subtask], value: fn(&Subtask) -> f64) -> (f64, f64) {
    let values = || subtasks.iter().map(value);
    let least = values().fold(f64::INFINITY, f64::min);
    (
        values().fold(0.0, f64::max),
        if least.is_finite() { least } else { 0.0 },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::findings::tests::subtask;

    #[test]
    fn skew_is_the_most_and_the_least_of_all_subtasks() {
        let one = |busy| Subtask {
            busy,
            ..subtask("sub-0.0")
        };
        assert_eq!(extremes(&[one(0.5), one(0.1), one(0.9)], |one| one.busy), (0.9, 0.1));
        assert_eq!(extremes(&[], |one| one.busy), (0.0, 0.0));
    }
}
