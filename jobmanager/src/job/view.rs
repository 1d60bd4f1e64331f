//! A job as people see it: its summary, and everything that is known of it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use dataflow::id::{EdgeId, SubtaskId};
use dataflow::recipe::{Recipe, Role};
use dataflow::tally::Tallies;
use serde::Deserialize;

use super::actor::Actor;
use super::deployment::{Deployment, Observed};
use super::history::{History, millis};
use super::{findings, times};
use crate::cluster::{Gauges, NodeGauges};
use crate::execution::partition_name;
use crate::rest::types::{
    Checkpoints, CurrentCheckpoint, Datastream, DeadLetters, Edge, Progress, Resources, State, Step, Subtask, Summary,
    Vertex,
};
use crate::store::Reached;

/// How many subtasks are named that a checkpoint waits for.
const NAMED_MAX: usize = 8;

/// The counts in a subtask's snapshot.
#[derive(Default, Deserialize)]
struct Counted {
    #[serde(default)]
    counts: Counts,
}

/// What one subtask has counted.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    bytes_read: u64,
    dead_letters: u64,
    /// Rows in and rows out, by step.
    steps: BTreeMap<String, (u64, u64)>,
    /// What became of the rows of each step.
    #[serde(default)]
    pub(super) tallies: Tallies,
}

impl Actor {
    /// Where it is in its life; an end counts once it is written down.
    fn visible_state(&self) -> State {
        match self.life.state() {
            over if self.concluded || !over.is_over() => over,
            State::Finished => State::Finishing,
            State::Stopped => State::Stopping,
            State::Cancelled => State::Cancelling,
            _ => State::Failing,
        }
    }

    /// Tells whoever watches how the job is.
    pub(super) fn publish(&mut self) {
        let state = self.visible_state();
        if state != self.state {
            self.say("INFO", format!("moved from {} to {state}", self.state));
            self.state = state;
            self.since = self.course.ended.unwrap_or_else(|| self.context.clock.wall());
            self.course.moved.insert(state, self.since);
        }
        let summary = self.summarize();
        self.remember(&summary);
        self.summary.send_if_modified(|known| {
            let changed = *known != summary;
            *known = summary;
            changed
        });
    }

    fn summarize(&self) -> Summary {
        let reason = self.life.reason();
        let trouble = self
            .record_trouble
            .as_ref()
            .map(|failure| format!("a checkpoint cannot be written: {}", failure.message));
        let help = self.record_trouble.as_ref().and_then(|failure| failure.help.clone());
        Summary {
            name: self.job.name.clone(),
            job: self.job.to_string(),
            state: self.state,
            reason: reason.map(|failure| failure.message.clone()).or(trouble),
            help: reason.map_or(help, |failure| failure.help.clone()),
            since_ms: self.since.0,
            started_ms: Some(self.course.begun.0),
            subtasks_running: self.deployment.as_ref().map_or(0, Deployment::running_count),
            subtasks: u32::try_from(self.execution.subtasks.len()).unwrap_or(u32::MAX),
            restarts: self.life.restarts(),
            epoch: self.coordinator.head().0,
            progress: self.progress(),
            contact: self
                .document
                .as_ref()
                .and_then(|document| document.graph.contact.clone()),
            watermark_ms: self.reached_time(),
            backlog_bytes: self.waiting(),
            missing: self.lost,
            last_checkpoint: self.history.last_checkpoint(),
        }
    }

    /// Rows and bytes of this life: what the head says, and what was counted since it was restored.
    pub(super) fn reached(&self) -> Reached {
        let mut reached = self.base();
        for (subtask, observed) in self.deployment.iter().flat_map(|deployment| &deployment.observed) {
            let gauges = &observed.now.1;
            let (rows_in, rows_out) = self.rows(*subtask, gauges);
            reached.rows_in += rows_in;
            reached.rows_out += rows_out;
            reached.bytes_read += gauges.source_bytes_read;
            reached.dead_letters += gauges.dead_letters;
        }
        reached
    }

    /// What is reached at a barrier: what the head says, and what the subtasks counted from there to the barrier.
    pub(super) fn reached_at(&self, snapshots: &BTreeMap<SubtaskId, Bytes>) -> Reached {
        let mut reached = self.base();
        for (subtask, snapshot) in snapshots {
            let own = self.counts(*subtask, &counted(snapshot));
            reached.rows_in += own.rows_in;
            reached.rows_out += own.rows_out;
            reached.bytes_read += own.bytes_read;
            reached.dead_letters += own.dead_letters;
        }
        reached
    }

    /// What a subtask has counted up to its snapshot.
    pub(super) fn counts(&self, subtask: SubtaskId, counts: &Counts) -> Reached {
        let nodes = counts.steps.iter().map(|(step, (records_in, records_out))| NodeGauges {
            step: step.clone(),
            records_in: *records_in,
            records_out: *records_out,
            ..NodeGauges::default()
        });
        let gauges = Gauges {
            nodes: nodes.collect(),
            ..Gauges::default()
        };
        let (rows_in, rows_out) = self.rows(subtask, &gauges);
        Reached {
            rows_in,
            rows_out,
            bytes_read: counts.bytes_read,
            dead_letters: counts.dead_letters,
        }
    }

    /// What was reached when the present deployment began.
    fn base(&self) -> Reached {
        match &self.deployment {
            Some(deployment) => deployment.reached,
            None => self.last_reached,
        }
    }

    /// Rows that a subtask took from its source, and rows that it handed to its sinks.
    fn rows(&self, subtask: SubtaskId, gauges: &Gauges) -> (u64, u64) {
        let vertex = self
            .document
            .iter()
            .flat_map(|document| &document.graph.vertices)
            .find(|vertex| vertex.id == subtask.vertex);
        let Some(vertex) = vertex else { return (0, 0) };
        let (mut rows_in, mut rows_out) = (0, 0);
        for node in &vertex.chain.nodes {
            let Some(counted) = gauges.nodes.iter().find(|counted| counted.step == node.name) else {
                continue;
            };
            match &node.recipe {
                Recipe::Source(_) => rows_in += counted.records_out,
                Recipe::Sink(sink) if sink.role != Role::DeadLetter => rows_out += counted.records_in,
                _ => {}
            }
        }
        (rows_in, rows_out)
    }

    fn progress(&self) -> Progress {
        let Reached {
            rows_in,
            rows_out,
            bytes_read,
            dead_letters,
        } = self.reached();
        let (mut rows_in_rate, mut rows_out_rate, mut bytes_rate) = (0.0, 0.0, 0.0);
        for (subtask, observed) in self.deployment.iter().flat_map(|deployment| &deployment.observed) {
            rows_in_rate += observed.rate(|gauges| self.rows(*subtask, gauges).0);
            rows_out_rate += observed.rate(|gauges| self.rows(*subtask, gauges).1);
            bytes_rate += observed.rate(|gauges| gauges.source_bytes_read);
        }
        let known = self
            .deployment
            .as_ref()
            .and_then(|deployment| deployment.sources.bytes());
        let bytes_total = known.or_else(|| {
            let sources = &self.head.as_ref()?.sources;
            sources
                .iter()
                .map(|source| source.bytes)
                .sum::<Option<u64>>()
                .filter(|bytes| *bytes > 0)
        });
        let share = match (bytes_total, self.life.state()) {
            (_, State::Finished) => Some(1.0),
            (Some(total), _) => Some((bytes_read as f64 / total as f64).min(1.0)),
            (None, _) => None,
        };
        let left = bytes_total.map(|total| total.saturating_sub(bytes_read) as f64);
        let eta_seconds = left.filter(|_| bytes_rate > 0.0).map(|left| left / bytes_rate);
        Progress {
            rows_in,
            rows_out,
            bytes_read,
            bytes_total,
            share,
            rows_in_rate,
            rows_out_rate,
            bytes_rate,
            eta_seconds,
            dead_letters,
        }
    }

    /// The share of the last interval that each subtask spent in one way.
    pub(super) fn shares(&self, time: fn(&Gauges) -> Duration) -> impl Iterator<Item = f64> {
        let observed = self
            .deployment
            .iter()
            .flat_map(|deployment| deployment.observed.values());
        observed.map(move |observed| busy_share(observed, time))
    }

    /// Everything that is known.
    pub(super) fn describe(&mut self) -> Datastream {
        self.publish();
        let graph = self.document.as_ref().map(|document| &document.graph);
        let generation = self.deployment.as_ref().map(|deployment| deployment.generation);
        let generation = generation
            .or_else(|| self.head.as_ref().map(|head| head.generation))
            .unwrap_or_default();
        let edges = graph.iter().flat_map(|graph| &graph.edges);
        let mut datastream = Datastream {
            summary: self.summarize(),
            moved_ms: self
                .course
                .moved
                .iter()
                .map(|(state, at)| (state.to_string(), at.0))
                .collect(),
            contact: graph.and_then(|graph| graph.contact.clone()),
            document: self
                .document
                .as_ref()
                .map(|document| document.text.clone())
                .unwrap_or_default(),
            generation: generation.to_string(),
            vertices: graph
                .iter()
                .flat_map(|graph| &graph.vertices)
                .map(|vertex| self.vertex(vertex))
                .collect(),
            edges: edges
                .map(|edge| Edge {
                    id: edge.id.to_string(),
                    from: edge.from.to_string(),
                    to: edge.to.to_string(),
                    partition: partition_name(&edge.partition).to_owned(),
                    rows_rate: self.edge_rate(edge.id),
                    backlog_bytes: self.backlog(edge.id),
                })
                .collect(),
            checkpoints: self.checkpoints(),
            exceptions: self.history.exceptions.iter().cloned().collect(),
            watermark: self.holder(),
            operations: self.operations.all(),
            dead_letters: self.dead_letters(),
            losses: self.losses(),
            resources: self.resources(),
            findings: Vec::new(),
        };
        datastream.findings = findings::find(&datastream, self.context.clock.wall());
        datastream
    }

    /// Rows a second that were handed to an edge; none where its senders say nothing of it.
    fn edge_rate(&self, edge: EdgeId) -> Option<f64> {
        let observed = self
            .deployment
            .iter()
            .flat_map(|deployment| deployment.observed.values());
        let mut senders = observed.filter(|one| one.now.1.edge(edge).is_some()).peekable();
        senders.peek()?;
        let rates = senders.map(|one| one.rate(|gauges| gauges.edge(edge).map_or(0, |edge| edge.rows)));
        Some(rates.sum())
    }

    /// Bytes that wait to be sent by any edge.
    fn waiting(&self) -> u64 {
        let deployments = self.deployment.iter();
        let observed = deployments.flat_map(|deployment| deployment.observed.values());
        let edges = observed.flat_map(|one| &one.now.1.edges);
        edges.map(|edge| edge.backlog_bytes).sum()
    }

    /// Bytes that wait to be sent by an edge, in all its senders.
    fn backlog(&self, edge: EdgeId) -> u64 {
        let observed = self
            .deployment
            .iter()
            .flat_map(|deployment| deployment.observed.values());
        let waiting = observed.filter_map(|one| one.now.1.edge(edge));
        waiting.map(|edge| edge.backlog_bytes).sum()
    }

    fn resources(&self) -> Option<Resources> {
        let deployment = self.deployment.as_ref()?;
        let rate = |count: fn(&Gauges) -> u64| deployment.observed.values().map(|observed| observed.rate(count)).sum();
        Some(Resources {
            cpu_cores: self.shares(|gauges| gauges.busy).sum(),
            memory_bytes: self.context.cluster.memory_of(&self.job),
            bytes_in_rate: rate(|gauges| gauges.bytes_in),
            bytes_out_rate: rate(|gauges| gauges.bytes_out),
        })
    }

    fn checkpoints(&self) -> Checkpoints {
        let now = self.context.clock.now();
        let current = self.coordinator.seen().map(|seen| CurrentCheckpoint {
            barrier: seen.barrier.to_string(),
            phase: seen.phase.to_owned(),
            waits_for: seen.waits_for.iter().take(NAMED_MAX).map(ToString::to_string).collect(),
            age_ms: millis(now.since(seen.triggered)),
        });
        let History {
            checkpoints,
            completed,
            aborted,
            ..
        } = &self.history;
        Checkpoints {
            completed: *completed,
            aborted: *aborted,
            current,
            history: checkpoints.iter().cloned().collect(),
        }
    }

    fn vertex(&self, vertex: &planner::job::Vertex) -> Vertex {
        let ids = (0..vertex.parallelism).map(|index| SubtaskId {
            vertex: vertex.id,
            index,
        });
        let mut steps: Vec<Step> = Vec::new();
        for node in &vertex.chain.nodes {
            if steps.iter().all(|step| step.name != node.name) {
                steps.push(Step {
                    name: node.name.clone(),
                    kind: node.recipe.name().to_owned(),
                    ..Step::default()
                });
            }
        }
        let observed = self.shown().into_iter().flat_map(|deployment| &deployment.observed);
        for counted in observed
            .filter(|(id, _)| id.vertex == vertex.id)
            .flat_map(|(_, observed)| &observed.now.1.nodes)
        {
            if let Some(step) = steps.iter_mut().find(|step| step.name == counted.step) {
                step.records_in += counted.records_in;
                step.records_out += counted.records_out;
                step.dropped += counted.dropped;
                step.dead += counted.dead;
                step.late += counted.late;
                step.strangers += counted.strangers;
            }
        }
        for step in &mut steps {
            let times = self.times(vertex.id, &step.name);
            (step.watermark_ms, step.held_by) = times::held(&times);
        }
        let subtasks = ids.map(|id| self.subtask(id)).collect();
        Vertex {
            id: vertex.id.to_string(),
            name: vertex.name.clone(),
            parallelism: vertex.parallelism,
            subtasks,
            steps,
        }
    }

    /// The deployment that people are shown: the present one, or the last.
    fn shown(&self) -> Option<&Deployment> {
        self.deployment.as_ref().or(self.past.as_ref())
    }

    pub(super) fn subtask(&self, id: SubtaskId) -> Subtask {
        let deployment = self.shown();
        let over = self.deployment.is_none();
        let seat = deployment.and_then(|deployment| deployment.seats.subtasks.get(&id));
        let attempt = deployment.and_then(|deployment| deployment.attempts.get(&id));
        let observed = deployment.and_then(|deployment| deployment.observed.get(&id));
        let none = Gauges::default();
        let gauges = observed.map_or(&none, |observed| &observed.now.1);
        let observed_now = observed.filter(|_| !over);
        let rate = |count: fn(&Gauges) -> u64| observed_now.map_or(0.0, |observed| observed.rate(count));
        let share = |time: fn(&Gauges) -> Duration| observed_now.map_or(0.0, |observed| busy_share(observed, time));
        // Counts that come late stretch all three: together they are one interval at most.
        let shares = [
            share(|gauges| gauges.busy),
            share(|gauges| gauges.backpressured),
            share(|gauges| gauges.idle),
        ];
        let whole = shares.iter().sum::<f64>().max(1.0);
        let [busy, backpressured, idle] = shares.map(|one| one / whole);
        Subtask {
            id: id.to_string(),
            task_manager: seat.map(|seat| seat.task_manager.clone()),
            state: match self.state {
                State::Finished => State::Finished.to_string(),
                _ => attempt.copied().unwrap_or_default().state().to_string(),
            },
            records_in: gauges.records_in,
            records_out: gauges.records_out,
            bytes_in: gauges.bytes_in,
            bytes_out: gauges.bytes_out,
            records_in_rate: rate(|gauges| gauges.records_in),
            records_out_rate: rate(|gauges| gauges.records_out),
            busy,
            backpressured,
            idle,
            waits_for: observed_now.map_or_else(String::new, |observed| observed.now.1.waits_for.clone()),
            waits_seconds: observed_now.map_or(0.0, |observed| observed.now.1.waits.as_secs_f64()),
        }
    }

    fn dead_letters(&self) -> Vec<DeadLetters> {
        let mut by_step: BTreeMap<&str, DeadLetters> = BTreeMap::new();
        let nodes = self
            .shown()
            .into_iter()
            .flat_map(|deployment| deployment.observed.values())
            .flat_map(|one| &one.now.1.nodes);
        for NodeGauges {
            step, dead, samples, ..
        } in nodes.filter(|node| node.dead > 0)
        {
            let empty = || DeadLetters {
                step: step.clone(),
                count: 0,
                samples: Vec::new(),
            };
            let letters = by_step.entry(step).or_insert_with(empty);
            letters.count += dead;
            let room = NAMED_MAX.saturating_sub(letters.samples.len());
            letters.samples.extend(samples.iter().take(room).cloned());
        }
        by_step.into_values().collect()
    }
}

/// The counts in a snapshot. They are for people: a snapshot without them is a good snapshot.
pub(super) fn counted(snapshot: &[u8]) -> Counts {
    let Counted { counts } = serde_json::from_slice(snapshot).unwrap_or_default();
    counts
}

/// The share of the last interval that a subtask spent in one way.
fn busy_share(observed: &Observed, time: fn(&Gauges) -> Duration) -> f64 {
    let micros = observed.rate(|gauges| u64::try_from(time(gauges).as_micros()).unwrap_or(u64::MAX));
    (micros / 1e6).clamp(0.0, 1.0)
}
