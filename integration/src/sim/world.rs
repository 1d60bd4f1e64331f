//! A whole cluster in one thread: events in the order of a virtual time, and one runtime on which the real job managers run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use dataflow::contract::{Committable, Prepared};
use dataflow::id::{Generation, SubtaskId};
use dataflow::store::Error as StoreError;
use dataflow::time::Instant;
use jobmanager::leader::Answer;
use proto::v1::{FromTaskManager, ToTaskManager, from_task_manager};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::audit::Audit;
use super::blows::{Moments, Who};
use super::chance::Chance;
use super::desk::{Client, Desk, Reply, Stored, What};
use super::managers::Manager;
use super::mutant::Mutant;
use super::network::Session;
use super::profile::{Blow, Faults, MS, Profile, SECOND};
use super::stream::Stream;
use super::subtask::Occasion;
use super::trace::{Telling, Trace};
use super::workers::{Channel, Worker};

/// Microseconds since the world began.
pub(super) type Time = u64;

/// After the last fault the job must finish within so long: a lease, two sessions that break without a sign, and a restart.
const PATIENCE: Time = 300 * SECOND;

/// No run has more events than this, however stuck it is.
const EVENTS_MAX: u64 = 400_000;

/// One subtask of one start of a task manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TaskKey {
    pub(super) slot: usize,
    pub(super) incarnation: u32,
    pub(super) generation: Generation,
    pub(super) subtask: SubtaskId,
}

/// One channel, by its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChannelKey {
    pub(super) from: TaskKey,
    pub(super) to: SubtaskId,
}

/// Whether a message is the one that was sent, or comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Post {
    First,
    Again,
}

/// What happens at a moment of virtual time.
#[derive(Debug)]
pub(super) enum Event {
    StartManager(usize),
    Resume(Client),
    Submit(Client),
    Apply(Applied),
    Answer(Client, Reply, Result<Stored, StoreError>),
    Wake(Client, oneshot::Sender<()>),
    Dialed(Client, oneshot::Sender<Answer>, Answer),
    ManagerSees(u64),
    ToManager(u64, Box<FromTaskManager>, Post),
    StartWorker(usize),
    Attach(usize, u32),
    WorkerSees(u64),
    ToWorker(u64, Box<ToTaskManager>, Post),
    Say(usize, u32, Box<from_task_manager::Message>),
    Turn(TaskKey),
    Carry(ChannelKey),
    Prepared(TaskKey, u64, Prepared),
    Committing(TaskKey, Vec<Committable>, Occasion),
    Committed(TaskKey, Occasion),
    PeerLost(TaskKey),
    Silence(TaskKey),
    Lease(usize, u32),
    LeaseOver(usize, u32),
    Mischief,
    Blow(Blow, Who),
    Heal,
}

/// A request as it reaches the store; without a reply where its sender has given up on it.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) client: Client,
    pub(super) path: String,
    pub(super) what: What,
    pub(super) reply: Option<Reply>,
    /// Whether the sender hears what came of it.
    pub(super) heard: Heard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Truly,
    Unknown,
}

/// What is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// The kind of world.
    pub profile: Profile,
    /// The rule that is broken, if any.
    pub mutant: Option<Mutant>,
    /// Whether its lines are kept.
    pub telling: Telling,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The rule that was broken.
    pub violation: Option<String>,
    /// One number for everything that happened.
    pub hash: u64,
    /// How many events there were.
    pub events: u64,
    /// How many faults.
    pub faults: u64,
    /// How many blows that were aimed at a moment met somebody.
    pub struck: u64,
    /// How many records were made.
    pub records: u64,
    /// How often a task manager's subtasks were adopted.
    pub adopted: u64,
    /// Messages that the job managers dropped because they came from somebody who is no more.
    pub dropped_by_managers: u64,
    /// Messages that the task managers dropped because they met nobody.
    pub dropped_by_workers: u64,
    /// Virtual microseconds.
    pub lasted: u64,
    /// What happened, where it was to be told.
    pub lines: Vec<String>,
}

/// A simulated cluster.
pub(super) struct World {
    pub(super) run: Run,
    pub(super) now: Time,
    queue: BTreeMap<(Time, u64), Event>,
    posted: u64,
    pub(super) chance: Chance,
    pub(super) faults: Faults,
    pub(super) fault_count: u64,
    pub(super) healed: bool,
    pub(super) stream: Arc<Stream>,
    pub(super) runtime: Runtime,
    pub(super) desk: Arc<Desk>,
    pub(super) objects: BTreeMap<String, Bytes>,
    pub(super) managers: BTreeMap<Client, Manager>,
    pub(super) clients: Client,
    pub(super) highest_term: u64,
    pub(super) openers: BTreeSet<Client>,
    pub(super) workers: Vec<Worker>,
    pub(super) channels: BTreeMap<ChannelKey, Channel>,
    pub(super) sessions: BTreeMap<u64, Session>,
    pub(super) moments: Moments,
    pub(super) adopted: u64,
    pub(super) dropped_by_managers: u64,
    pub(super) audit: Audit,
    pub(super) trace: Trace,
}

impl World {
    /// A world whose processes are about to start.
    pub(super) fn new(run: Run, runtime: Runtime) -> Self {
        let mut chance = Chance::of(run.seed);
        let stream = Stream::draw(run.profile, &mut chance);
        let faults = Faults::draw(run.profile, &mut chance);
        let workers = Worker::some(&faults, &stream, &mut chance);
        let mut world = Self {
            run,
            now: 0,
            queue: BTreeMap::new(),
            posted: 0,
            chance,
            fault_count: 0,
            healed: false,
            stream: Arc::new(stream),
            runtime,
            desk: Arc::default(),
            objects: BTreeMap::new(),
            managers: BTreeMap::new(),
            clients: 0,
            highest_term: 0,
            openers: BTreeSet::new(),
            workers,
            channels: BTreeMap::new(),
            sessions: BTreeMap::new(),
            moments: Moments::default(),
            adopted: 0,
            dropped_by_managers: 0,
            audit: Audit::default(),
            trace: Trace::new(run.telling),
            faults,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        // An hour of a clock that began before: subtraction does not saturate.
        self.now = 3_600 * SECOND;
        let (managers, workers) = (self.faults.managers, self.faults.workers);
        // Where nothing fails the others come when one of them leads; elsewhere they race.
        let apart = match self.run.profile {
            Profile::Quiet | Profile::Clean => 3 * SECOND,
            _ => 300 * MS,
        };
        (0..managers).for_each(|slot| self.post(slot as u64 * apart, Event::StartManager(slot)));
        (0..workers).for_each(|slot| self.post(slot as u64 * 10 * MS, Event::StartWorker(slot)));
        self.post(self.faults.heal, Event::Heal);
        if let Some(pause) = self.faults.mischief.clone() {
            let first = self.chance.within(&pause);
            self.post(first, Event::Mischief);
        }
    }

    /// Something will happen after so long.
    pub(super) fn post(&mut self, after: Time, event: Event) {
        self.posted += 1;
        self.queue.insert((self.now + after, self.posted), event);
    }

    pub(super) fn instant(&self) -> Instant {
        Instant::from_start(std::time::Duration::from_micros(self.now))
    }

    pub(super) fn is_mutant(&self, mutant: Mutant) -> bool {
        self.run.mutant == Some(mutant)
    }

    /// Lets everything happen, until the job has finished or a rule is broken.
    pub(super) fn play(mut self) -> Outcome {
        let start = self.now;
        let end = start + self.faults.heal + PATIENCE;
        let mut events = 0;
        while let Some(((at, _), event)) = self.queue.pop_first() {
            events += 1;
            let stuck = at > end || events > EVENTS_MAX;
            // To ask for each event would take longer than the event.
            if (stuck || events % 16 == 0) && self.has_finished() {
                break;
            }
            if stuck {
                let how = self.standing();
                self.audit
                    .violated(|| format!("the job does not finish although nothing fails any more: {how}"));
            }
            if self.audit.violation().is_some() {
                break;
            }
            self.now = at;
            self.desk.set(at);
            self.happen(event);
            self.settle();
        }
        self.count_dropped();
        Outcome {
            violation: self.audit.violation().map(str::to_owned),
            hash: self.trace.hash(),
            events,
            faults: self.fault_count,
            struck: self.moments.struck,
            records: self.audit.records(),
            adopted: self.adopted,
            dropped_by_managers: self.dropped_by_managers,
            dropped_by_workers: self.workers.iter().map(Worker::dropped).sum(),
            lasted: self.now - start,
            lines: self.trace.into_lines(),
        }
    }

    fn happen(&mut self, event: Event) {
        let Some(event) = self.held(event) else { return };
        match event {
            Event::StartManager(slot) => self.start_manager(slot),
            Event::Resume(client) => self.resume(client),
            Event::Submit(client) => self.submit(client),
            Event::Apply(applied) => self.apply(applied),
            // Who asked may be gone.
            Event::Answer(_, reply, answer) => drop(reply.send(answer)),
            Event::Wake(_, reply) => drop(reply.send(())),
            Event::Dialed(_, reply, answer) => drop(reply.send(answer)),
            Event::ManagerSees(session) => self.manager_sees(session),
            Event::ToManager(session, message, post) => self.to_manager(session, *message, post),
            Event::StartWorker(slot) => self.start_worker(slot),
            Event::Attach(slot, incarnation) => self.attach(slot, incarnation),
            Event::WorkerSees(session) => self.worker_sees(session),
            Event::ToWorker(session, message, post) => self.to_worker(session, *message, post),
            Event::Say(slot, incarnation, message) => self.say(slot, incarnation, *message),
            Event::Turn(key) => self.turn(key),
            Event::Carry(key) => self.carry(key),
            Event::Prepared(key, counter, prepared) => self.prepared(key, counter, prepared),
            Event::Committing(key, committables, occasion) => self.committing(key, committables, occasion),
            Event::Committed(key, occasion) => {
                let now = self.instant();
                self.act(key, |task| task.committed(occasion, now));
            }
            Event::PeerLost(key) => self.peer_lost(key),
            Event::Silence(key) => self.leave(key),
            Event::Lease(slot, incarnation) => self.end_leases(slot, incarnation),
            Event::LeaseOver(slot, incarnation) => self.check_leases(slot, incarnation),
            Event::Mischief => self.mischief(),
            Event::Blow(blow, who) => self.aimed(blow, who),
            Event::Heal => self.heal(),
        }
    }
}
