//! The sources of a deployment: who reads what, and what their enumerators have said.

use std::collections::{BTreeMap, BTreeSet};

use dataflow::Failure;
use dataflow::id::SubtaskId;
use serde_json::Value;

use crate::execution::ExecutionGraph;
use crate::restore::Restoration;
use crate::source::{Action, Assign, Event, Found, Restored};
use crate::store::SourceSnapshot;

/// All sources of a job, by step name.
#[derive(Debug, Default)]
pub(super) struct Sources {
    by_step: BTreeMap<String, Source>,
    step_of: BTreeMap<SubtaskId, String>,
}

#[derive(Debug)]
struct Source {
    assign: Assign,
    snapshot: Value,
    bytes: Option<u64>,
}

impl Sources {
    /// Goes on from what was restored.
    pub(super) fn restore(graph: &ExecutionGraph, restoration: &Restoration) -> Result<Self, Failure> {
        let mut sources = Self::default();
        let mut readers: BTreeMap<String, BTreeSet<SubtaskId>> = BTreeMap::new();
        for subtask in &graph.subtasks {
            let Some(step) = &subtask.source else { continue };
            readers.entry(step.clone()).or_default().insert(subtask.id);
            sources.step_of.insert(subtask.id, step.clone());
        }
        for (step, readers) in readers {
            let mut restored = Restored::default();
            for reader in &readers {
                restored.held.insert(*reader, restoration.splits(*reader, &step)?);
            }
            let (mut snapshot, mut bytes) = (Value::Null, Some(0));
            if let Some(source) = restoration.sources.iter().find(|source| source.step == step) {
                restored.unassigned.clone_from(&source.unassigned);
                restored.complete = source.complete;
                restored.finished = source.finished;
                (snapshot, bytes) = (source.snapshot.clone(), source.bytes);
            }
            sources.by_step.insert(
                step,
                Source {
                    assign: Assign::new(readers, restored),
                    snapshot,
                    bytes,
                },
            );
        }
        Ok(sources)
    }

    /// The sources whose enumerators still have something to say, with the snapshots they go on from.
    pub(super) fn unfinished(&self) -> Vec<(String, Option<Value>)> {
        let open = self.by_step.iter().filter(|(_, source)| !source.assign.is_complete());
        open.map(|(step, source)| {
            (
                step.clone(),
                Some(source.snapshot.clone()).filter(|value| !value.is_null()),
            )
        })
        .collect()
    }

    /// How many readers a source has.
    pub(super) fn parallelism(&self, step: &str) -> u32 {
        u32::try_from(self.step_of.values().filter(|other| *other == step).count()).unwrap_or(u32::MAX)
    }

    /// For the record: must be taken while the barrier is in flight, when nothing moves.
    pub(super) fn snapshots(&self) -> Vec<SourceSnapshot> {
        let one = |(step, source): (&String, &Source)| SourceSnapshot {
            step: step.clone(),
            snapshot: source.snapshot.clone(),
            unassigned: source.assign.unassigned().cloned().collect(),
            complete: source.assign.is_complete(),
            finished: source.assign.finished(),
            bytes: source.bytes,
        };
        self.by_step.iter().map(one).collect()
    }

    /// An enumerator has found something. Its splits and its snapshot are taken in together.
    pub(super) fn found(&mut self, step: &str, found: Found) -> Vec<Action> {
        let Some(source) = self.by_step.get_mut(step) else {
            return Vec::new();
        };
        source.snapshot = found.snapshot;
        source.bytes = match (source.bytes, found.bytes) {
            (Some(sum), Some(more)) => Some(sum.saturating_add(more)),
            // Nothing new changes nothing about what is known.
            (sum, None) if found.splits.is_empty() => sum,
            (Some(_), None) | (None, _) => None,
        };
        source.assign.on(Event::Discovered {
            splits: found.splits,
            complete: found.complete,
        })
    }

    /// A reader says something.
    pub(super) fn reader(&mut self, subtask: SubtaskId, event: Event) -> Vec<Action> {
        let step = self.step_of.get(&subtask);
        let source = step.and_then(|step| self.by_step.get_mut(step));
        source.map_or_else(Vec::new, |source| source.assign.on(event))
    }

    /// A reader that is adopted says what it holds, what it has read since the head, and whether it waits for more.
    #[expect(clippy::fn_params_excessive_bools, reason = "what its reader says of itself")]
    pub(super) fn adopt(&mut self, subtask: SubtaskId, held: Vec<String>, finished: Vec<String>, wants: bool) {
        let step = self.step_of.get(&subtask);
        if let Some(source) = step.and_then(|step| self.by_step.get_mut(step)) {
            source.assign.adopt(subtask, held, finished);
            if wants {
                let actions = source.assign.on(Event::Wanted(subtask));
                debug_assert!(actions.is_empty(), "nothing moves before all have answered");
            }
        }
    }

    /// A barrier goes out, or is over.
    pub(super) fn barrier(&mut self, event: &Event) -> Vec<Action> {
        self.by_step
            .values_mut()
            .flat_map(|source| source.assign.on(event.clone()))
            .collect()
    }

    /// Bytes of input there are, where every source knows.
    pub(super) fn bytes(&self) -> Option<u64> {
        let known: Option<Vec<u64>> = self.by_step.values().map(|source| source.bytes).collect();
        known
            .map(|known| known.into_iter().fold(0, u64::saturating_add))
            .filter(|bytes| *bytes > 0)
    }
}
