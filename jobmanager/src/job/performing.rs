//! Performs what the machines decide: messages, records, enumerators, words for people.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use dataflow::id::{BarrierId, Epoch, SubtaskId, VertexId};
use dataflow::recipe::Recipe;
use dataflow::{Failure, crash, trace};

use super::actor::Actor;
use super::event::Event;
use super::history::{Blame, Place, Then};
use super::life;
use super::traces::Part;
use crate::checkpoint::{self, Purpose, Timing};
use crate::cluster::Logged;
use crate::deploy::Order;
use crate::rest::types::State;
use crate::source::{self, Drift};
use crate::store::{Error, Kind, Record, SubtaskSnapshot};

/// The target of the log line of a failure that ends its job. Who waits for the job's end is shown it there.
pub const LAST_FAILURE: &str = "jobmanager::failure";

/// The hint is written this often: a probe over so few records is cheaper than a write for each.
const HINT_EVERY: u64 = 16;

impl Actor {
    /// Takes the life one event on.
    pub(super) fn step(&mut self, event: life::Event) {
        for action in self.life.on(event, self.context.clock.now()) {
            match action {
                life::Action::Place => self.place(),
                life::Action::Deploy => self.deploy(),
                life::Action::Arm => self.arm(),
                life::Action::TakeLastCheckpoint => self.coordinate(checkpoint::Event::StopAsked),
                life::Action::TakeChangeCheckpoint => self.coordinate(checkpoint::Event::ChangeAsked),
                life::Action::Amend => self.amend(),
                life::Action::TakeDown(reason) => self.take_down(&reason),
                life::Action::TakeDownPart(reason) => self.take_down_part(&reason),
                life::Action::Abandon => self.abandon(),
                life::Action::Answered(failure, answer) => self.answered(&failure, answer),
                life::Action::Conclude(end) => self.conclude(end),
            }
        }
    }

    fn arm(&mut self) {
        let Some(deployment) = &mut self.deployment else { return };
        let (generation, members, ended) = (
            deployment.generation,
            deployment.members(&self.execution),
            deployment.ended(),
        );
        let head = self.coordinator.head();
        match self.arm_adopted() {
            Some(adopted) => {
                self.coordinate(adopted);
                // What was discovered and never recorded is discovered again.
                if let Err(failure) = self.start_enumerators() {
                    return self.fail(failure, Blame::default());
                }
            }
            None => self.coordinate(checkpoint::Event::Running {
                generation,
                head,
                members,
            }),
        }
        ended
            .into_iter()
            .for_each(|subtask| self.coordinate(checkpoint::Event::Ended(subtask)));
        self.mending.clear();
        self.thaw();
        if self.drain {
            self.send_drain();
        }
        if let Some(failed_at) = self.failed_at.take() {
            self.history.recovered(self.context.clock.now().since(failed_at));
        }
        self.traces.runs();
        if self.life.state() == State::Running {
            self.end_change(Ok(()));
        }
        self.say("INFO", format!("all subtasks run from {head}"));
    }

    fn answered(&mut self, failure: &Failure, answer: String) {
        let now = self.context.clock.now();
        self.failed_at.get_or_insert(now);
        let text = format!("{}; {answer}", failure.message);
        match self.life.state() {
            State::Failing | State::Failed => {
                tracing::error!(target: LAST_FAILURE, job = %self.job, "{text}");
                self.history.line(self.context.clock.wall(), "ERROR", text);
            }
            _ => self.say("ERROR", text),
        }
        let blame = std::mem::take(&mut self.blame);
        let then = Then {
            at: self.context.clock.wall(),
            epoch: self.coordinator.head(),
            restarts: self.life.restarts(),
        };
        self.traces.fails(&self.job, &failure.message);
        self.history.exception(failure, answer, blame, then);
    }

    /// Takes the coordinator one event on.
    pub(super) fn coordinate(&mut self, event: checkpoint::Event) {
        for action in self.coordinator.on(event, self.context.clock.now()) {
            match action {
                checkpoint::Action::Trigger { barrier, purpose } => self.trigger(barrier, purpose),
                checkpoint::Action::Overtake { barrier, purpose } => self.broadcast(&Order::Overtake {
                    counter: barrier.counter,
                    roll: purpose.roll(),
                }),
                checkpoint::Action::Aborted {
                    barrier,
                    reason,
                    timing,
                } => {
                    self.say("WARN", format!("{barrier} is given up: {reason}"));
                    self.traces.ends(Err(&reason));
                    self.history
                        .checkpoint(barrier, (timing, self.context.clock.wall()), 0, Err(reason));
                    self.thaw();
                }
                checkpoint::Action::Record {
                    epoch,
                    barrier,
                    purpose,
                    snapshots,
                } => {
                    self.record(epoch, barrier, purpose, &snapshots);
                }
                checkpoint::Action::Commit { epoch, barrier } => {
                    self.thaw();
                    self.traces.comes_to(Part::Commit, &self.job, epoch);
                    self.broadcast(&Order::Commit {
                        epoch,
                        counter: barrier.counter,
                    });
                    crash::point("told.after");
                }
                checkpoint::Action::Done {
                    epoch,
                    barrier,
                    purpose,
                    timing,
                } => self.done(epoch, barrier, purpose, timing),
                checkpoint::Action::Settled(epoch) => self.say("INFO", format!("the head of the chain is {epoch}")),
                checkpoint::Action::CommitsOverdue(epoch) => {
                    let failure = Failure::retry(format!("the commits of {epoch} take too long"));
                    self.fail(failure, Blame::default());
                }
            }
        }
    }

    fn trigger(&mut self, barrier: BarrierId, purpose: Purpose) {
        // Assignments sent before stand before the trigger in the task managers' queues, and so in their snapshots.
        if let Some(deployment) = &mut self.deployment {
            let actions = deployment.sources.barrier(&source::Event::BarrierOut);
            debug_assert!(actions.is_empty(), "nothing moves while a barrier is in flight");
        }
        self.traces.triggers(&self.job, barrier);
        self.broadcast(&Order::Trigger {
            counter: barrier.counter,
            roll: purpose.roll(),
        });
        crash::point("trigger.after");
    }

    fn record(&mut self, epoch: Epoch, barrier: BarrierId, purpose: Purpose, snapshots: &BTreeMap<SubtaskId, Bytes>) {
        let record = match self.compose(epoch, barrier, purpose, snapshots) {
            Ok(record) => record,
            Err(failure) => {
                self.unrecorded += 1;
                self.coordinate(checkpoint::Event::Unrecordable(epoch, failure.message.clone()));
                return self.fail(failure, Blame::default());
            }
        };
        let bytes = match self.chain.encode(&record) {
            Ok(bytes) => bytes,
            Err(error) => {
                let failure = error.failure();
                self.unrecorded += 1;
                self.coordinate(checkpoint::Event::Unrecordable(epoch, failure.message.clone()));
                return self.fail(failure, Blame::default());
            }
        };
        self.record_bytes = bytes.len() as u64;
        self.traces.comes_to(Part::Record, &self.job, epoch);
        let (chain, own, record) = (self.chain.clone(), self.own.clone(), Box::new(record));
        // In the job's scope, not the deployment's: its outcome must be known before anybody is restored.
        self.context.scope.run(async move {
            let trouble = own.clone();
            let trouble = move |error: &Error| {
                // Only for people; the next one says the same.
                let _ = trouble.try_send(Event::RecordTrouble(epoch, error.failure()));
            };
            crash::point("record.before");
            let outcome = chain.append_until_known(epoch, bytes, trouble).await;
            crash::point("record.after");
            // The job is there as long as it runs.
            let _ = own.send(Event::Recorded { record, outcome }).await;
        });
    }

    fn compose(
        &self,
        epoch: Epoch,
        barrier: BarrierId,
        purpose: Purpose,
        snapshots: &BTreeMap<SubtaskId, Bytes>,
    ) -> Result<Record, Failure> {
        let (Some(head), Some(deployment)) = (&self.head, &self.deployment) else {
            return Err(Failure::bug("a record without a head or a deployment"));
        };
        let parts = snapshots.iter().map(|(id, bytes)| SubtaskSnapshot::new(*id, bytes));
        Ok(Record {
            job: self.job.clone(),
            epoch,
            generation: barrier.generation,
            counter: barrier.counter,
            kind: Kind::Checkpoint,
            last: purpose == Purpose::Final,
            at: self.context.clock.wall(),
            document_in: head.document_in,
            document: None,
            taken_from: None,
            copy_of: None,
            subtasks: parts.collect::<Result<_, _>>()?,
            sources: deployment.sources.snapshots(),
            reached: self.reached_at(snapshots),
            tallied: self.tallies_at(snapshots),
            exceptions: self.history.recorded(),
        })
    }

    fn done(&mut self, epoch: Epoch, barrier: BarrierId, purpose: Purpose, timing: Timing) {
        crash::point("done.before");
        self.broadcast(&Order::Recorded {
            epoch,
            last: purpose == Purpose::Final,
        });
        self.judge_by(&timing);
        self.traces.ends(Ok(self.record_bytes));
        self.history.checkpoint(
            barrier,
            (timing, self.context.clock.wall()),
            self.record_bytes,
            Ok(epoch),
        );
        if epoch.0.is_multiple_of(HINT_EVERY) {
            let chain = self.chain.clone();
            self.context.scope.run(async move { chain.hint(epoch).await });
        }
        self.save(epoch, purpose);
        self.step(life::Event::Committed(purpose));
    }

    /// Splits may move again.
    fn thaw(&mut self) {
        let actions = self
            .deployment
            .as_mut()
            .map(|deployment| deployment.sources.barrier(&source::Event::BarrierOver));
        self.assign(actions.unwrap_or_default());
    }

    /// Sends splits to their readers.
    pub(super) fn assign(&self, actions: Vec<source::Action>) {
        // Who goes down reads nothing more; what is not sent stays unassigned in the record.
        let Some(deployment) = self.deployment.as_ref().filter(|_| !self.life.is_going_down()) else {
            return;
        };
        for source::Action::Assign {
            subtask,
            splits,
            no_more,
        } in actions
        {
            let Some(seat) = deployment.seats.subtasks.get(&subtask) else {
                continue;
            };
            let message = Order::Assign {
                subtask,
                splits,
                no_more,
            }
            .message(&self.job, deployment.generation);
            self.context.cluster.send(seat, message);
        }
    }

    /// A reader of a source with `maxDrift` has come to here; the others are told how far they may go, if that has changed.
    pub(super) fn keep_together(&mut self, reader: SubtaskId, reached_ms: Option<i64>) {
        let Some(most) = self.max_drift(reader.vertex) else {
            return;
        };
        let Some(deployment) = &mut self.deployment else { return };
        let drift = deployment
            .drifts
            .entry(reader.vertex)
            .or_insert_with(|| Drift::new(most));
        let Some(bound) = drift.on(reader, reached_ms) else {
            return;
        };
        let readers = deployment
            .seats
            .subtasks
            .iter()
            .filter(|(id, _)| id.vertex == reader.vertex);
        for (subtask, seat) in readers {
            let order = Order::Bound {
                subtask: *subtask,
                bound,
            };
            let message = order.message(&self.job, deployment.generation);
            self.context.cluster.send(seat, message);
        }
    }

    fn max_drift(&self, vertex: VertexId) -> Option<Duration> {
        let vertices = self.document.iter().flat_map(|document| &document.graph.vertices);
        let nodes = vertices
            .filter(|found| found.id == vertex)
            .flat_map(|found| &found.chain.nodes);
        let most = nodes.filter_map(|node| match &node.recipe {
            Recipe::EventTime(event_time) => event_time.max_drift_ms,
            _ => None,
        });
        most.map(Duration::from_millis).min()
    }

    pub(super) fn send_drain(&self) {
        if self.life.state() == State::Running {
            self.broadcast(&Order::Drain);
        }
    }

    pub(super) fn broadcast(&self, order: &Order) {
        let Some(deployment) = &self.deployment else { return };
        let mut message = order.message(&self.job, deployment.generation);
        if let Order::Trigger { .. } | Order::Commit { .. } = order {
            message.traceparent = trace::written(self.traces.of_checkpoint());
        }
        for seat in deployment.task_managers() {
            self.context.cluster.send(&seat, message.clone());
        }
    }

    /// A line for `weir logs`, and for the log of this process.
    pub(super) fn say(&mut self, level: &str, text: String) {
        let epoch = self.coordinator.head().0;
        let traceparent = self.traces.now().map(|context| context.to_string());
        let traceparent = traceparent.as_deref();
        match level {
            "ERROR" => tracing::error!(job = %self.job, epoch, traceparent, "{text}"),
            "WARN" => tracing::warn!(job = %self.job, epoch, traceparent, "{text}"),
            _ => tracing::info!(job = %self.job, epoch, traceparent, "{text}"),
        }
        self.history.line(self.context.clock.wall(), level, text);
    }

    /// A line of a task manager. Those of attempts that are over are kept: they may say why.
    pub(super) fn logged(&mut self, task_manager: String, logged: Logged) {
        let place = logged.speaker.as_ref().map(|(subtask, attempt)| {
            let known = self.execution.subtasks.iter().find(|known| known.id == *subtask);
            let current = self
                .deployment
                .as_ref()
                .and_then(|deployment| deployment.attempt_of(*subtask));
            Place {
                vertex: known.map(|known| known.name.clone()),
                over: current.as_ref() != Some(attempt),
            }
        });
        self.history.told(task_manager, logged, place);
    }
}
