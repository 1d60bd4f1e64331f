//! One subtask of a simulated task manager: the real machines of its life, its barriers and its alignment, around a reader
//! that counts up positions or a sink that counts keys. What is done here in calls is done by `task/run.rs` on a thread.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use dataflow::Failure;
use dataflow::contract::{Committable, Prepared, SinkState, Split};
use dataflow::element::{Barrier, Roll};
use dataflow::id::{SubtaskId, VertexId};
use dataflow::time::Instant;
use proto::v1::{self, from_task_manager::Message};
use serde_json::{Value, json};
use taskmanager::checkpoint::{Acknowledgement, Acknowledgements, Finished, SinkSnapshot, Snapshot, Triggered};
use taskmanager::gate::align::{AlignAction, AlignEvent, Alignment};
use taskmanager::task::life::{Happened, Life, Status};

use super::chance::Chance;
use super::mutant::Mutant;
use super::stream::{COUNT, EVENTS, OUT, Stream, flow_of, split_number, step_of};

/// A row: where it comes from, its key, and the how-many-eth of its key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) split: u64,
    pub(super) position: u64,
    pub(super) key: u64,
    pub(super) count: u64,
}

impl Row {
    fn value(self) -> Value {
        json!([self.split, self.position, self.key, self.count])
    }

    fn read(value: &Value) -> Option<Self> {
        let number = |index: usize| value.get(index).and_then(Value::as_u64);
        Some(Self {
            split: number(0)?,
            position: number(1)?,
            key: number(2)?,
            count: number(3)?,
        })
    }
}

/// The name of a committable, and its rows.
pub(super) fn published(committable: &Committable) -> (String, Vec<Row>) {
    let name = committable.0["name"].as_str().unwrap_or_default().to_owned();
    (name, rows(&committable.0["rows"]))
}

fn rows(value: &Value) -> Vec<Row> {
    value.as_array().into_iter().flatten().filter_map(Row::read).collect()
}

/// What flows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Element {
    Row(Row),
    Barrier(Barrier),
    End,
}

/// Why a sink commits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Occasion {
    Restored,
    Recorded(u64),
}

/// What a subtask wants of the world.
#[derive(Debug)]
pub(super) enum Effect {
    Say(Message),
    /// To the how-many-eth subtask behind it.
    Send(usize, Element),
    Prepare(u64, Prepared),
    Commit(Vec<Committable>, Occasion),
    /// A turn.
    Again,
    /// Nothing any more.
    Leave,
}

/// What a reader has to say to its subtask, and what it holds.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "what was said to a reader")]
struct Reader {
    splits: Vec<Split>,
    asked: bool,
    last: bool,
    drained: bool,
    finished: Finished,
}

#[derive(Debug)]
struct Counter {
    alignment: Alignment,
    inbox: Vec<VecDeque<Element>>,
    counts: BTreeMap<u64, u64>,
    open: Vec<Row>,
    made: u64,
}

#[derive(Debug)]
enum Side {
    Source(Reader),
    Sink(Box<Counter>),
}

/// One subtask at work.
#[derive(Debug)]
pub(super) struct Subtask {
    pub(super) id: SubtaskId,
    pub(super) outputs: Vec<v1::Peer>,
    pub(super) inputs: Vec<v1::Peer>,
    pub(super) attempt: String,
    pub(super) fence: v1::Fence,
    life: Life,
    barriers: Acknowledgements,
    side: Side,
    triggered: Triggered,
    ending: bool,
    restored: Vec<Committable>,
    mutant: Option<Mutant>,
    /// What each barrier prepared, for the mutant that forgets the others.
    prepared: BTreeMap<u64, Vec<Committable>>,
}

/// The subtask a message names.
pub(super) fn subtask_id(subtask: Option<&v1::Subtask>) -> SubtaskId {
    let v1::Subtask { vertex, index } = subtask.copied().unwrap_or_default();
    SubtaskId {
        vertex: VertexId(vertex),
        index,
    }
}

impl Subtask {
    /// As its deployment says.
    ///
    /// # Errors
    /// Where its snapshot is not one.
    pub(super) fn build(
        plan: v1::SubtaskDeployment,
        fence: &v1::Fence,
        mutant: Option<Mutant>,
    ) -> Result<Self, Failure> {
        let id = subtask_id(plan.subtask.as_ref());
        let part = plan.restored.first().map(|part| Snapshot::decode(&part.snapshot));
        let snapshot = part.transpose()?.unwrap_or_default();
        let outputs: Vec<_> = plan.outputs.into_iter().flat_map(|edge| edge.peers).collect();
        let inputs: Vec<_> = plan.inputs.into_iter().flat_map(|edge| edge.peers).collect();
        let flow = flow_of(id.vertex);
        let sink = snapshot.node::<SinkSnapshot>(&step_of(OUT, flow))?.unwrap_or_default();
        let side = if inputs.is_empty() {
            Side::Source(Reader {
                splits: snapshot.node(&step_of(EVENTS, flow))?.unwrap_or_default(),
                ..Reader::default()
            })
        } else {
            let pair = |pair: &Value| Some((pair.get(0)?.as_u64()?, pair.get(1)?.as_u64()?));
            let counts = snapshot.nodes.get(&step_of(COUNT, flow)).and_then(Value::as_array);
            Side::Sink(Box::new(Counter {
                alignment: Alignment::new(inputs.len()),
                inbox: vec![VecDeque::new(); inputs.len()],
                counts: counts.into_iter().flatten().filter_map(pair).collect(),
                open: rows(&sink.state.0),
                made: 0,
            }))
        };
        let sinks = matches!(side, Side::Sink(_)).then(|| (0, step_of(OUT, flow)));
        Ok(Self {
            id,
            outputs,
            inputs,
            attempt: plan.attempt,
            fence: fence.clone(),
            life: Life::Restoring,
            barriers: Acknowledgements::new(sinks.into_iter(), std::iter::empty()),
            side,
            triggered: Triggered::default(),
            ending: false,
            restored: sink.committables,
            mutant,
            prepared: BTreeMap::new(),
        })
    }

    /// Whether a neighbour's death is its own.
    pub(super) fn needs_neighbours(&self) -> bool {
        matches!(self.life, Life::Restoring | Life::Running)
    }

    /// Begins: what was restored is committed again.
    pub(super) fn restore(&mut self) -> Vec<Effect> {
        let restored = std::mem::take(&mut self.restored);
        if restored.is_empty() || self.mutant == Some(Mutant::NoRepeat) {
            return self.happened(Happened::Restored);
        }
        vec![Effect::Commit(restored, Occasion::Restored)]
    }

    /// Its life moves.
    pub(super) fn happened(&mut self, happened: Happened) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(status) = self.life.on(happened) {
            effects.push(Effect::Say(self.status(status)));
        }
        effects.push(if self.life.is_over() {
            Effect::Leave
        } else {
            Effect::Again
        });
        effects
    }

    pub(super) fn status(&self, status: Status) -> Message {
        let (state, failure) = match status {
            Status::Running => (v1::State::Running, None),
            Status::Ended => (v1::State::Ended, None),
            Status::Cancelled => (v1::State::Cancelled, None),
            Status::Failed(failure) => {
                let disposition = format!("{:?}", failure.disposition).to_lowercase();
                let failure = v1::Failure {
                    disposition,
                    message: failure.message,
                    help: String::new(),
                };
                (v1::State::Failed, Some(failure))
            }
        };
        Message::Status(v1::SubtaskStatus {
            fence: Some(self.fence.clone()),
            subtask: self.named(),
            attempt: self.attempt.clone(),
            state: state.into(),
            failure,
        })
    }

    fn named(&self) -> Option<v1::Subtask> {
        Some(v1::Subtask {
            vertex: self.id.vertex.0,
            index: self.id.index,
        })
    }

    /// A barrier is asked for. Only an ended subtask answers by itself.
    pub(super) fn trigger(&mut self, barrier: Barrier, now: Instant) -> Vec<Effect> {
        if self.life == Life::Ended {
            return self.checkpoint(barrier, Duration::ZERO, now);
        }
        self.triggered.ask(barrier);
        vec![Effect::Again]
    }

    /// More splits.
    pub(super) fn assign(&mut self, message: &v1::AssignSplits) -> Vec<Effect> {
        if let Side::Source(reader) = &mut self.side {
            reader.asked = false;
            let splits = message
                .splits
                .iter()
                .filter_map(|split| serde_json::from_slice(split).ok());
            reader.splits.extend(splits);
            reader.last |= message.no_more;
        }
        vec![Effect::Again]
    }

    /// The input is to end.
    pub(super) fn drain(&mut self) -> Vec<Effect> {
        if let Side::Source(reader) = &mut self.side {
            reader.drained = true;
        }
        vec![Effect::Again]
    }

    /// One step of a source.
    pub(super) fn turn(&mut self, stream: &Stream, now: Instant) -> Vec<Effect> {
        if self.life != Life::Running {
            return Vec::new();
        }
        if self.ending {
            return self.end(now);
        }
        let Side::Source(reader) = &mut self.side else {
            return Vec::new();
        };
        if let Some(barrier) = self.triggered.take() {
            let mut effects = self.checkpoint(barrier, Duration::ZERO, now);
            effects.push(Effect::Again);
            return effects;
        }
        let Some(split) = reader.splits.first_mut().filter(|_| !reader.drained) else {
            if reader.last || reader.drained {
                return self.begin_end();
            }
            if std::mem::replace(&mut reader.asked, true) {
                return Vec::new();
            }
            return vec![Effect::Say(Message::SplitsWanted(v1::SplitsWanted {
                fence: Some(self.fence.clone()),
                subtask: self.named(),
                attempt: self.attempt.clone(),
            }))];
        };
        let (number, position) = (split_number(&split.id), split.position.as_u64().unwrap_or(0));
        if split.spec.as_u64().is_some_and(|rows| position < rows) {
            split.position = json!(position + 1);
            // Splits take turns, so that many are open at a barrier.
            reader.splits.rotate_left(1);
            let key = stream.key(number, position);
            let row = Row {
                split: number,
                position,
                key,
                count: 0,
            };
            let to = usize::try_from(key % self.outputs.len().max(1) as u64).unwrap_or(0);
            return vec![Effect::Send(to, Element::Row(row)), Effect::Again];
        }
        let split = reader.splits.remove(0).id;
        reader.finished.add(self.barriers.latest(), split.clone());
        let finished = Message::SplitFinished(v1::SplitFinished {
            fence: Some(self.fence.clone()),
            subtask: self.named(),
            attempt: self.attempt.clone(),
            split,
        });
        vec![Effect::Say(finished), Effect::Again]
    }

    fn broadcast(&self, element: Element) -> Vec<Effect> {
        (0..self.outputs.len()).map(|to| Effect::Send(to, element)).collect()
    }

    fn begin_end(&mut self) -> Vec<Effect> {
        self.ending = true;
        let mut effects = self.broadcast(Element::End);
        effects.push(Effect::Again);
        effects
    }

    fn end(&mut self, now: Instant) -> Vec<Effect> {
        let mut effects = self.happened(Happened::InputEnded);
        if let Some(barrier) = self.triggered.take() {
            effects.extend(self.checkpoint(barrier, Duration::ZERO, now));
        }
        effects
    }

    /// Elements have come to a sink.
    pub(super) fn receive(&mut self, channel: usize, element: Element, now: Instant) -> Vec<Effect> {
        if let Side::Sink(counter) = &mut self.side {
            counter.inbox[channel].push_back(element);
        }
        self.work(now)
    }

    /// Takes what may be taken of what has come.
    pub(super) fn work(&mut self, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        while self.life == Life::Running && !self.ending {
            let Side::Sink(counter) = &mut self.side else { break };
            let ready = |channel: &usize| {
                let open = !counter.alignment.is_blocked(*channel) && !counter.alignment.has_ended(*channel);
                open && !counter.inbox[*channel].is_empty()
            };
            let Some(channel) = (0..counter.inbox.len()).find(ready) else {
                break;
            };
            let Some(element) = counter.inbox[channel].pop_front() else {
                break;
            };
            let action = match element {
                Element::Row(row) => {
                    counter.count(row);
                    continue;
                }
                Element::Barrier(barrier) if self.mutant == Some(Mutant::Unaligned) => AlignAction::Aligned {
                    barrier,
                    duration: Duration::ZERO,
                },
                Element::Barrier(barrier) => counter.alignment.on(AlignEvent::Barrier { channel, barrier }, now),
                Element::End => counter.alignment.on(AlignEvent::End { channel }, now),
            };
            match action {
                AlignAction::Aligned { barrier, duration } => effects.extend(self.checkpoint(barrier, duration, now)),
                AlignAction::End => {
                    self.ending = true;
                    effects.extend(self.end(now));
                }
                AlignAction::None => {}
            }
        }
        effects
    }

    /// The barrier passes: on to the neighbours, then into the snapshot.
    fn checkpoint(&mut self, barrier: Barrier, alignment: Duration, now: Instant) -> Vec<Effect> {
        let counter = barrier.id.counter;
        self.triggered.passed(counter);
        if self.barriers.has_seen(counter) {
            return Vec::new();
        }
        let mut effects = if self.ending {
            Vec::new()
        } else {
            self.broadcast(Element::Barrier(barrier))
        };
        let (mut snapshot, flow) = (Snapshot::default(), flow_of(self.id.vertex));
        let prepared = match &mut self.side {
            Side::Source(reader) => {
                if !reader.splits.is_empty() {
                    let splits = serde_json::to_value(&reader.splits).unwrap_or_default();
                    snapshot.nodes.insert(step_of(EVENTS, flow), splits);
                }
                None
            }
            Side::Sink(sink) => {
                let counts: Vec<_> = sink.counts.iter().map(|(key, count)| json!([key, count])).collect();
                snapshot.nodes.insert(step_of(COUNT, flow), Value::Array(counts));
                Some(sink.prepare(&self.attempt, barrier))
            }
        };
        if let Some(done) = self.barriers.begin(counter, snapshot, alignment, now) {
            effects.push(Effect::Say(self.acknowledged(&done)));
        }
        effects.extend(prepared.map(|prepared| Effect::Prepare(counter, prepared)));
        effects
    }

    fn acknowledged(&self, done: &Acknowledgement) -> Message {
        Message::Acknowledge(v1::Acknowledge {
            fence: Some(self.fence.clone()),
            subtask: self.named(),
            attempt: self.attempt.clone(),
            counter: done.counter,
            snapshot: Bytes::from(done.snapshot.encode()),
            alignment_us: 0,
            prepare_us: 0,
            overtook_bytes: None,
            sync_us: 0,
            state_bytes: 0,
            written_bytes: 0,
        })
    }

    /// The sink is ready for a barrier.
    pub(super) fn prepared(&mut self, counter: u64, prepared: Prepared, now: Instant) -> Vec<Effect> {
        let own = prepared.committables.clone();
        let Some(mut done) = self.barriers.prepared(0, counter, prepared, now) else {
            return Vec::new();
        };
        if self.mutant == Some(Mutant::AbortedDropped) {
            if let Some(node) = done.snapshot.nodes.get_mut(&step_of(OUT, flow_of(self.id.vertex))) {
                node["committables"] = json!(own);
            }
            self.prepared.insert(counter, own);
        }
        vec![Effect::Say(self.acknowledged(&done))]
    }

    /// Where it is in its life.
    pub(super) fn life(&self) -> Life {
        self.life
    }

    /// Obeys another leader from here on, and says how it stands.
    pub(super) fn adopt(&mut self, anew: v1::Fence, counter: u64) -> Vec<Effect> {
        self.fence = anew;
        let state = match self.life {
            Life::Ended => v1::State::Ended,
            Life::Running => v1::State::Running,
            Life::Restoring | Life::Over => v1::State::Unspecified,
        };
        let mut stand = v1::Adopted {
            fence: Some(self.fence.clone()),
            subtask: self.named(),
            attempt: self.attempt.clone(),
            state: state.into(),
            counter: counter.max(self.barriers.latest()),
            ..v1::Adopted::default()
        };
        if let Side::Source(reader) = &self.side {
            stand.held = reader.splits.iter().map(|split| split.id.clone()).collect();
            stand.finished = reader.finished.splits().map(str::to_owned).collect();
            stand.wants_splits = reader.asked;
        }
        vec![Effect::Say(Message::Adopted(stand))]
    }

    /// A record covers a barrier.
    pub(super) fn commit(&mut self, epoch: u64, counter: u64) -> Vec<Effect> {
        if let Side::Source(reader) = &mut self.side {
            reader.finished.recorded(counter);
        }
        let orders = self.barriers.commit(epoch, counter);
        let mut effects = Vec::new();
        if orders.is_empty() || self.mutant == Some(Mutant::CommitSaidEarly) {
            effects.push(Effect::Say(self.committed_message(epoch)));
        }
        for (_, committables) in orders {
            let forgetful = self.mutant == Some(Mutant::AbortedDropped);
            let own = self.prepared.remove(&counter).filter(|_| forgetful);
            effects.push(Effect::Commit(own.unwrap_or(committables), Occasion::Recorded(epoch)));
        }
        effects
    }

    /// The sink has committed.
    pub(super) fn committed(&mut self, occasion: Occasion, now: Instant) -> Vec<Effect> {
        match occasion {
            Occasion::Restored => {
                let mut effects = self.happened(Happened::Restored);
                effects.extend(self.work(now));
                effects
            }
            Occasion::Recorded(epoch) if self.barriers.committed(0, epoch) => {
                vec![Effect::Say(self.committed_message(epoch))]
            }
            Occasion::Recorded(_) => Vec::new(),
        }
    }

    fn committed_message(&self, epoch: u64) -> Message {
        Message::Committed(v1::Committed {
            fence: Some(self.fence.clone()),
            subtask: self.named(),
            attempt: self.attempt.clone(),
            epoch,
        })
    }
}

impl Counter {
    fn count(&mut self, row: Row) {
        let count = self.counts.entry(row.key).or_default();
        *count += 1;
        self.open.push(Row { count: *count, ..row });
    }

    /// A file goes on over some barriers: what is open is then state, and no committable.
    fn prepare(&mut self, attempt: &str, barrier: Barrier) -> Prepared {
        let rolls = barrier.roll == Roll::All || Chance::of(barrier.id.counter ^ self.open.len() as u64).happens(600);
        if !rolls || self.open.is_empty() {
            let open = self.open.iter().map(|row| row.value()).collect();
            let state = SinkState(if self.open.is_empty() {
                Value::Null
            } else {
                Value::Array(open)
            });
            return Prepared {
                committables: Vec::new(),
                state,
            };
        }
        self.made += 1;
        let rows: Vec<_> = std::mem::take(&mut self.open).into_iter().map(Row::value).collect();
        let committable = Committable(json!({ "name": format!("{attempt}/{}", self.made), "rows": rows }));
        Prepared {
            committables: vec![committable],
            state: SinkState::default(),
        }
    }
}
