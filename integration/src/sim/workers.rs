//! Task managers as processes: fences, subtasks, and the channels between them.

use std::collections::{BTreeMap, VecDeque};

use dataflow::Failure;
use dataflow::contract::{Committable, Prepared};
use dataflow::element::{Barrier, Roll};
use dataflow::id::{BarrierId, Generation, SubtaskId};
use proto::v1::{self, ToTaskManager, to_task_manager as to};
use taskmanager::task::life::{Happened, Status};
use taskmanager::{Fences, Tenure};

use super::blows::Who;
use super::chance::Chance;
use super::mutant::Mutant;
use super::profile::{Faults, MS, Moment, SECOND};
use super::stream::Stream;
use super::subtask::{Effect, Element, Occasion, Subtask, published, subtask_id};
use super::world::{ChannelKey, Event, TaskKey, Time, World};

/// How long a sender waits for a receiver that is not there yet, before it fails.
const WAIT_MAX: Time = 12 * SECOND;

/// One place of a task manager, and the process in it.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) slots: u32,
    pub(super) incarnation: u32,
    pub(super) session: Option<u64>,
    alive: bool,
    pub(super) fences: Fences,
    pub(super) tenure: Tenure,
    /// The term of the leader that was served last.
    pub(super) term: u64,
    /// Counts starts, and times when nothing ran: within one of them deployments only grow.
    pub(super) life: u64,
    pub(super) tasks: BTreeMap<(Generation, SubtaskId), Running>,
    dropped_before: u64,
}

/// A subtask, and what it waits for.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) subtask: Subtask,
    turn_due: bool,
    /// A sink does one thing after another.
    busy_until: Time,
    pub(super) gone: bool,
    /// Since when nobody leads it.
    pub(super) unclaimed: Option<Time>,
    /// The epoch that it was restored from, and the head when it was adopted last.
    pub(super) born_epoch: u64,
    pub(super) adopted_epoch: u64,
    /// Whom it obeyed before.
    pub(super) former: Option<Generation>,
    /// The highest barrier that was asked for.
    pub(super) asked: u64,
}

/// Elements on their way, in order.
#[derive(Debug, Default)]
pub(super) struct Channel {
    elements: VecDeque<Element>,
    last: Time,
    /// Since when its receiver is not there.
    waits: Option<Time>,
}

impl Worker {
    /// Task managers with slots enough for the datastream, and few more.
    pub(super) fn some(faults: &Faults, stream: &Stream, chance: &mut Chance) -> Vec<Self> {
        let count = faults.workers;
        let least = match faults.roomy {
            true => stream.slots(),
            false => stream.slots().div_ceil(u32::try_from(count).unwrap_or(1)),
        };
        let one = |_| Self {
            slots: least + u32::try_from(chance.below(2)).unwrap_or(0),
            incarnation: 0,
            session: None,
            alive: false,
            fences: Fences::default(),
            tenure: Tenure::default(),
            term: 0,
            life: 0,
            tasks: BTreeMap::new(),
            dropped_before: 0,
        };
        (0..count).map(one).collect()
    }

    pub(super) fn is_alive(&self, incarnation: Option<u32>) -> bool {
        self.alive && incarnation.is_none_or(|incarnation| incarnation == self.incarnation)
    }

    pub(super) fn wants_session(&self, incarnation: u32) -> bool {
        self.is_alive(Some(incarnation)) && self.session.is_none()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped_before + self.fences.dropped()
    }
}

/// The generation of a fence.
pub(super) fn generation(fence: &v1::Fence) -> Generation {
    Generation {
        term: fence.term,
        deployment: fence.deployment,
    }
}

impl World {
    pub(super) fn start_worker(&mut self, slot: usize) {
        let inherits = self.is_mutant(Mutant::IncarnationUnchecked);
        let worker = &mut self.workers[slot];
        if worker.alive {
            return;
        }
        worker.alive = true;
        worker.incarnation += 1;
        worker.life += 1;
        worker.dropped_before += worker.fences.dropped();
        worker.fences = Fences::default();
        worker.tenure = Tenure::default();
        let incarnation = worker.incarnation;
        self.trace.note(self.now, "worker", &[slot as u64]);
        self.trace.say(self.now, || format!("tm-{slot}-{incarnation} starts"));
        if inherits && let Some(session) = worker.session {
            return self.inherit_session(session, incarnation);
        }
        worker.session = None;
        self.post(0, Event::Attach(slot, incarnation));
    }

    pub(super) fn kill_worker(&mut self, slot: usize, back: u64) {
        let worker = &mut self.workers[slot];
        if !std::mem::take(&mut worker.alive) {
            return;
        }
        self.fault_count += 1;
        self.trace.note(self.now, "kill worker", &[slot as u64]);
        self.trace
            .say(self.now, || format!("tm-{slot}-{} dies", worker.incarnation));
        let keys: Vec<TaskKey> = self.keys_of(slot);
        keys.into_iter().for_each(|key| self.leave(key));
        if !self.is_mutant(Mutant::IncarnationUnchecked)
            && let Some(session) = self.workers[slot].session
        {
            self.lose_session(session, 0..=10 * SECOND);
        }
        self.post(back, Event::StartWorker(slot));
    }

    pub(super) fn keys_of(&self, slot: usize) -> Vec<TaskKey> {
        let worker = &self.workers[slot];
        let key = |(generation, subtask): &(Generation, SubtaskId)| TaskKey {
            slot,
            incarnation: worker.incarnation,
            generation: *generation,
            subtask: *subtask,
        };
        worker.tasks.keys().map(key).collect()
    }

    /// Does what a message says.
    pub(super) fn obey(&mut self, slot: usize, message: ToTaskManager) {
        let now = self.instant();
        let Some(message) = message.message else { return };
        self.trace.note(self.now, "obeys", &[slot as u64]);
        let met = match message {
            to::Message::Deploy(deploy) => return self.deploy(slot, deploy),
            to::Message::Cancel(v1::Cancel { fence, subtasks, .. }) => {
                let some: Vec<SubtaskId> = subtasks.iter().map(|one| subtask_id(Some(one))).collect();
                let mut keys = self.meant(slot, fence.as_ref());
                keys.retain(|key| some.is_empty() || some.contains(&key.subtask));
                keys.iter().for_each(|key| self.cancel(*key));
                !keys.is_empty()
            }
            to::Message::Drain(v1::Drain { fence }) => self.tell(slot, fence.as_ref(), |task| task.drain()),
            // Nothing waits in the channels of this world: a barrier finds nothing to overtake.
            to::Message::Trigger(v1::Trigger {
                fence, overtake: true, ..
            }) => !self.meant(slot, fence.as_ref()).is_empty(),
            to::Message::Trigger(v1::Trigger { fence, barrier, .. }) => {
                let counter = barrier.map_or(0, |barrier| barrier.counter);
                self.asked_for(slot, fence.as_ref(), counter);
                let (asked, of) = (
                    barrier.unwrap_or_default(),
                    fence.as_ref().map(generation).unwrap_or_default(),
                );
                let barrier = Barrier {
                    id: BarrierId {
                        generation: of,
                        counter: asked.counter,
                    },
                    roll: if asked.roll_all { Roll::All } else { Roll::Keep },
                };
                self.tell(slot, fence.as_ref(), |task| task.trigger(barrier, now))
            }
            to::Message::Commit(v1::Commit { fence, epoch, counter }) => {
                self.tell(slot, fence.as_ref(), |task| task.commit(epoch, counter))
            }
            to::Message::Adopt(adopt) => self.adopt(slot, adopt),
            to::Message::Recorded(v1::Recorded {
                fence, r#final: true, ..
            }) => self.tell(slot, fence.as_ref(), |task| task.happened(Happened::Released)),
            to::Message::AssignSplits(assign) => {
                let key = self.reader(slot, &assign);
                key.is_some_and(|key| self.act(key, |task| task.assign(&assign)))
            }
            to::Message::Recorded(_)
            | to::Message::Registered(_)
            | to::Message::Refused(_)
            | to::Message::Bound(_)
            | to::Message::Tap(_)
            | to::Message::Untap(_) => {
                return;
            }
        };
        self.workers[slot].fences.met(met);
    }

    fn tell(&mut self, slot: usize, fence: Option<&v1::Fence>, what: impl Fn(&mut Subtask) -> Vec<Effect>) -> bool {
        let keys = self.meant(slot, fence);
        for key in &keys {
            self.act(*key, &what);
        }
        !keys.is_empty()
    }

    fn deploy(&mut self, slot: usize, deploy: v1::Deploy) {
        let Some(fence) = deploy.fence else { return };
        let Ok(job) = fence.job.parse() else { return };
        let own = format!("tm-{slot}-{}", self.workers[slot].incarnation);
        if deploy.incarnation != own && !self.is_mutant(Mutant::IncarnationUnchecked) {
            self.workers[slot].fences.met(false);
            return;
        }
        if self.is_mutant(Mutant::AnyDeployment) {
            self.workers[slot].fences.forget();
        }
        let of = generation(&fence);
        if !self.workers[slot].fences.admit(&job, of) {
            return;
        }
        let life = (slot as u64) << 32 | self.workers[slot].life;
        self.audit.admit(life, of);
        self.trace.say(self.now, || {
            format!("tm-{slot} deploys {of} from epoch {}", deploy.epoch)
        });
        for key in self.keys_of(slot) {
            // Those who were told to obey this very deployment run on beside it.
            let stays = self
                .running(key)
                .is_some_and(|running| generation(&running.subtask.fence) == of);
            if !stays {
                self.cancel(key);
            }
        }
        self.workers[slot].tenure = Tenure::default();
        let serving = self.workers[slot].term;
        let _ = self.workers[slot].tenure.serves(serving, 0);
        let incarnation = self.workers[slot].incarnation;
        for plan in deploy.subtasks {
            let subtask = subtask_id(plan.subtask.as_ref());
            match Subtask::build(plan, &fence, self.run.mutant) {
                Ok(built) => {
                    let running = Running {
                        subtask: built,
                        turn_due: false,
                        busy_until: 0,
                        gone: false,
                        unclaimed: None,
                        born_epoch: deploy.epoch,
                        adopted_epoch: 0,
                        former: None,
                        asked: 0,
                    };
                    if self.workers[slot].tasks.insert((of, subtask), running).is_some() {
                        self.audit
                            .violated(|| format!("tm-{slot} runs {subtask} of {of} twice"));
                    }
                }
                Err(failure) => self
                    .audit
                    .violated(|| format!("{subtask} cannot be restored: {failure}")),
            }
            let key = TaskKey {
                slot,
                incarnation,
                generation: of,
                subtask,
            };
            self.act(key, Subtask::restore);
        }
    }

    pub(super) fn cancel(&mut self, key: TaskKey) {
        let talks = self.is_mutant(Mutant::GoneButTalking);
        let slow = self.chance.happens(50);
        let after = self.chance.within(&if slow { MS..=5 * SECOND } else { MS..=20 * MS });
        let Some(running) = self.running(key) else { return };
        if std::mem::replace(&mut running.gone, true) {
            return;
        }
        let gone = running.subtask.status(Status::Cancelled);
        if !talks {
            running.subtask.happened(Happened::Cancel);
            self.leave(key);
            return self.post(after, Event::Say(key.slot, key.incarnation, Box::new(gone)));
        }
        self.say(key.slot, key.incarnation, gone);
        self.post(3 * SECOND, Event::Silence(key));
    }

    pub(super) fn running(&mut self, key: TaskKey) -> Option<&mut Running> {
        let worker = self.workers.get_mut(key.slot)?;
        let alive = worker.is_alive(Some(key.incarnation));
        worker.tasks.get_mut(&(key.generation, key.subtask)).filter(|_| alive)
    }

    /// A subtask, if it is there, does something; what it wants of the world is done.
    pub(super) fn act(&mut self, key: TaskKey, what: impl FnOnce(&mut Subtask) -> Vec<Effect>) -> bool {
        let Some(running) = self.running(key) else { return false };
        let effects = what(&mut running.subtask);
        for effect in effects {
            self.perform(key, effect);
        }
        true
    }

    fn perform(&mut self, key: TaskKey, effect: Effect) {
        match effect {
            Effect::Say(message) => self.say(key.slot, key.incarnation, message),
            Effect::Send(to, element) => self.send(key, to, element),
            Effect::Again => {
                let after = self.chance.within(&self.faults.row_delay);
                let due = self
                    .running(key)
                    .map(|running| std::mem::replace(&mut running.turn_due, true));
                if due == Some(false) {
                    self.post(after, Event::Turn(key));
                }
            }
            Effect::Prepare(counter, prepared) => {
                let slow = std::mem::take(&mut self.moments.slow_prepare);
                let after = self.sink_time(key, slow);
                self.post(after, Event::Prepared(key, counter, prepared));
            }
            Effect::Commit(committables, occasion) => {
                let slow = std::mem::take(&mut self.moments.slow_commit);
                let after = self.sink_time(key, slow);
                self.post(after, Event::Committing(key, committables, occasion));
            }
            Effect::Leave => self.leave(key),
        }
    }

    /// When the sink of a subtask has done one thing more.
    fn sink_time(&mut self, key: TaskKey, slow: u64) -> Time {
        let takes = self.chance.within(&self.faults.io_delay) + slow;
        let now = self.now;
        let Some(running) = self.running(key) else { return takes };
        running.busy_until = running.busy_until.max(now) + takes;
        running.busy_until - now
    }

    pub(super) fn turn(&mut self, key: TaskKey) {
        let (now, stream) = (self.instant(), self.stream.clone());
        if let Some(running) = self.running(key) {
            running.turn_due = false;
        }
        self.act(key, |task| {
            let mut effects = task.turn(&stream, now);
            effects.extend(task.work(now));
            effects
        });
    }

    pub(super) fn prepared(&mut self, key: TaskKey, counter: u64, prepared: Prepared) {
        let now = self.instant();
        self.act(key, |task| task.prepared(counter, prepared, now));
    }

    /// The sink publishes; whether its subtask hears of it is another matter.
    pub(super) fn committing(&mut self, key: TaskKey, committables: Vec<Committable>, occasion: Occasion) {
        // The process is gone, and its sink with it.
        if !self.workers[key.slot].is_alive(Some(key.incarnation)) {
            return;
        }
        let fails = self.chance.happens(self.faults.commit);
        let fails_first = self.chance.happens(500);
        if !(fails && fails_first) {
            for committable in &committables {
                let (recorded, rows) = published(committable);
                let name = if self.is_mutant(Mutant::CommitterInName) {
                    format!("{recorded} by {}", key.generation)
                } else {
                    recorded.clone()
                };
                self.trace.note(self.now, "publish", &[rows.len() as u64]);
                self.trace
                    .say(self.now, || format!("{name} is published: {} rows", rows.len()));
                self.audit.publish(name, &recorded, rows);
            }
            self.moment(Moment::Published, Who::worker(key.slot));
        }
        if fails {
            self.fault_count += 1;
            self.fail_task(key, "the sink fails");
        } else {
            self.post(MS, Event::Committed(key, occasion));
        }
    }

    pub(super) fn fail_task(&mut self, key: TaskKey, why: &str) {
        self.act(key, |task| task.happened(Happened::Failed(Failure::retry(why))));
    }

    pub(super) fn peer_lost(&mut self, key: TaskKey) {
        if self
            .running(key)
            .is_some_and(|running| running.subtask.needs_neighbours())
        {
            self.fail_task(key, "a neighbour is gone");
        }
    }

    /// A subtask is gone; its neighbours notice.
    pub(super) fn leave(&mut self, key: TaskKey) {
        let Some(worker) = self.workers.get_mut(key.slot) else {
            return;
        };
        let Some(left) = worker.tasks.remove(&(key.generation, key.subtask)) else {
            return;
        };
        let neighbours = left.subtask.inputs.iter().chain(&left.subtask.outputs);
        let neighbours: Vec<_> = neighbours.filter_map(|peer| neighbour(peer, key.generation)).collect();
        for neighbour in neighbours {
            let after = self.chance.within(&(MS..=500 * MS));
            self.post(after, Event::PeerLost(neighbour));
        }
    }

    fn send(&mut self, key: TaskKey, to: usize, element: Element) {
        let delay = self.chance.within(&self.faults.wire_delay);
        let Some(peer) = self
            .running(key)
            .and_then(|running| running.subtask.outputs.get(to).cloned())
        else {
            return;
        };
        let channel_key = ChannelKey {
            from: key,
            to: subtask_id(peer.subtask.as_ref()),
        };
        let channel = self.channels.entry(channel_key).or_default();
        channel.elements.push_back(element);
        channel.last = channel.last.max(self.now + delay);
        let after = channel.last - self.now;
        self.post(after, Event::Carry(channel_key));
    }

    /// The next element of a channel comes to its receiver, once that is there.
    pub(super) fn carry(&mut self, key: ChannelKey) {
        let now = self.instant();
        let inherits = self.is_mutant(Mutant::IncarnationUnchecked);
        let Some(sender) = self.running(key.from) else {
            // Who sent it is gone; whoever was to take it will hear of that.
            return;
        };
        let peer = sender
            .subtask
            .outputs
            .iter()
            .find(|peer| subtask_id(peer.subtask.as_ref()) == key.to);
        let Some(mut receiver) = peer.and_then(|peer| neighbour(peer, key.from.generation)) else {
            return;
        };
        if inherits {
            receiver.incarnation = self.workers[receiver.slot].incarnation;
        }
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        let from = key.from.subtask;
        let inputs = |running: &Running| {
            let mut inputs = running.subtask.inputs.iter();
            inputs.position(|peer| subtask_id(peer.subtask.as_ref()) == from)
        };
        let worker = &self.workers[receiver.slot];
        let there = worker.tasks.get(&(receiver.generation, receiver.subtask));
        let index = there
            .filter(|_| worker.is_alive(Some(receiver.incarnation)))
            .and_then(inputs);
        let Some(index) = index else {
            let since = *channel.waits.get_or_insert(self.now);
            if self.now < since + WAIT_MAX {
                self.post(20 * MS, Event::Carry(key));
            } else {
                self.fail_task(key.from, "its neighbour has never come");
            }
            return;
        };
        channel.waits = None;
        if let Some(element) = channel.elements.pop_front() {
            self.act(receiver, |task| task.receive(index, element, now));
        }
    }
}

/// The subtask at the other end of a channel.
fn neighbour(peer: &v1::Peer, generation: Generation) -> Option<TaskKey> {
    let mut parts = peer.incarnation.split('-').skip(1);
    Some(TaskKey {
        slot: parts.next()?.parse().ok()?,
        incarnation: parts.next()?.parse().ok()?,
        generation,
        subtask: subtask_id(peer.subtask.as_ref()),
    })
}
