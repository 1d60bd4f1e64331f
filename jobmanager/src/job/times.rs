//! How far event time has come, and who holds it up.

use dataflow::id::{SubtaskId, VertexId};
use dataflow::recipe::{Recipe, Role};

use super::actor::Actor;
use crate::rest::types::Holder;

/// How far time has come in each subtask of a step; none where nothing was said of it.
pub(super) type Times = Vec<(SubtaskId, Option<i64>)>;

/// The lowest time of a step, and whose it is, where others have come further.
pub(super) fn held(times: &[(SubtaskId, Option<i64>)]) -> (Option<i64>, Option<String>) {
    let Some((lowest, time)) = times.iter().min_by_key(|(_, time)| *time) else {
        return (None, None);
    };
    let behind = times.iter().any(|(_, other)| other > time);
    (*time, behind.then(|| lowest.to_string()))
}

impl Actor {
    /// The lowest event time that the sinks have come to; none where one of them knows of none.
    pub(super) fn reached_time(&self) -> Option<i64> {
        let vertices = self.document.iter().flat_map(|document| &document.graph.vertices);
        let sinks = vertices.flat_map(|vertex| {
            let nodes = vertex.chain.nodes.iter();
            let sinks =
                nodes.filter(|node| matches!(&node.recipe, Recipe::Sink(sink) if sink.role != Role::DeadLetter));
            sinks.map(move |node| (vertex.id, node.name.as_str()))
        });
        let times = sinks.flat_map(|(vertex, step)| self.times(vertex, step));
        let lowest = times.map(|(_, time)| time).min().flatten();
        // The end of all input is no time that anybody knows.
        lowest.filter(|time| *time < i64::MAX)
    }

    pub(super) fn times(&self, vertex: VertexId, step: &str) -> Times {
        let Some(deployment) = &self.deployment else {
            return Times::new();
        };
        let observed = deployment.observed.iter().filter(|(id, _)| id.vertex == vertex);
        let time = observed.filter_map(|(id, observed)| {
            let nodes = &observed.now.1.nodes;
            let node = nodes.iter().find(|node| node.step == step)?;
            Some((*id, node.watermark_ms))
        });
        time.collect()
    }

    /// Who holds the watermark: time begins at the steps that give it, so whoever is lowest there holds up everybody.
    pub(super) fn holder(&self) -> Option<Holder> {
        let vertices = self.document.iter().flat_map(|document| &document.graph.vertices);
        let givers = vertices.flat_map(|vertex| {
            let nodes = vertex.chain.nodes.iter();
            let givers = nodes.filter(|node| matches!(node.recipe, Recipe::EventTime(_)));
            givers.map(move |node| (vertex.id, node.name.as_str()))
        });
        let all = givers.flat_map(|(vertex, step)| {
            let times = self.times(vertex, step);
            times.into_iter().map(move |(id, time)| (step, id, time))
        });
        let all: Vec<_> = all.collect();
        let (step, id, time) = all.iter().min_by_key(|(_, _, time)| *time)?;
        let furthest = all.iter().filter_map(|(_, _, time)| *time).max();
        let ahead_ms = match (furthest, time) {
            (Some(furthest), Some(time)) => furthest.saturating_sub(*time),
            (Some(_) | None, Some(_) | None) => 0,
        };
        let seats = self.deployment.as_ref().map(|deployment| &deployment.seats.subtasks);
        Some(Holder {
            step: (*step).to_owned(),
            subtask: id.to_string(),
            task_manager: seats
                .and_then(|seats| seats.get(id))
                .map(|seat| seat.task_manager.clone()),
            watermark_ms: *time,
            ahead_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(index: u32) -> SubtaskId {
        SubtaskId {
            vertex: VertexId(0),
            index,
        }
    }

    #[test]
    fn whoever_is_furthest_back_holds_the_step_up_and_silence_is_before_all_time() {
        assert_eq!(held(&[]), (None, None));
        assert_eq!(held(&[(id(0), Some(7)), (id(1), Some(7))]), (Some(7), None));
        assert_eq!(
            held(&[(id(0), Some(7)), (id(1), Some(-3))]),
            (Some(-3), Some("sub-0.1".to_owned()))
        );
        assert_eq!(
            held(&[(id(0), None), (id(1), Some(5))]),
            (None, Some("sub-0.0".to_owned()))
        );
    }
}
