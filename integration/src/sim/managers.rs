//! Job managers as processes: the real ones, started on the world's runtime, killed, held up, and started again.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dataflow::{Failure, Scope};
use jobmanager::jobs::Fresh;
use jobmanager::leader::Answer;
use jobmanager::rest::types::State;
use jobmanager::testing::{self, Link};
use jobmanager::{JobManager, Options};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::blows::Who;
use super::desk::{Ask, Client, Desk, Seat};
use super::profile::{MS, Moment, SECOND};
use super::stream::Stream;
use super::world::{Event, World};

/// What all processes of a cluster must be.
pub(super) const BUILD: &str = "simulated";

/// Rounds of the runtime until everything that can go on has gone on; what is left goes on with the next event.
const ROUNDS: usize = 6;

/// One life of a job manager's process.
pub(super) struct Manager {
    pub(super) slot: usize,
    scope: Scope,
    stage: Stage,
    submitting: Arc<AtomicBool>,
    pub(super) paused: bool,
    /// What happened to it while it stood still.
    held: Vec<Event>,
    pub(super) links: BTreeMap<u64, Link>,
}

/// Filled in by the task that starts it.
type Started = Arc<Mutex<Option<Result<JobManager, Failure>>>>;

enum Stage {
    Starting(Started),
    Leading(Box<JobManager>),
}

impl Manager {
    fn start(slot: usize, client: Client, desk: Arc<Desk>, stream: &Stream, runtime: Handle) -> Self {
        let scope = Scope::root(format!("jm-{client}"), runtime);
        let seat = Seat { client, desk };
        let world = jobmanager::World {
            registry: stream.registry(),
            store: Arc::new(seat.clone()),
            stores: Arc::new(seat.clone()),
            clock: Arc::new(seat.clone()),
            scope: scope.clone(),
        };
        let name = format!("jm-{client}");
        let options = Options {
            build: BUILD.to_owned(),
            incarnation: name.clone(),
            process: name.clone(),
            address: name,
            metrics: dataflow::metric::Wanted::default(),
            dialling: None,
        };
        let started = Started::default();
        let outcome = started.clone();
        scope.run(async move {
            let begun = testing::start(options, world, &seat).await;
            *outcome.lock() = Some(begun);
        });
        Self {
            slot,
            scope,
            stage: Stage::Starting(started),
            submitting: Arc::default(),
            paused: false,
            held: Vec::new(),
            links: BTreeMap::new(),
        }
    }

    /// The job manager, once it leads.
    pub(super) fn leading(&self) -> Option<&JobManager> {
        match &self.stage {
            Stage::Leading(manager) => Some(manager),
            Stage::Starting(_) => None,
        }
    }

    pub(super) fn term(&self) -> Option<u64> {
        self.leading().map(|manager| manager.cluster().identity().term)
    }

    fn state(&self) -> Option<(State, Option<String>)> {
        let summary = self.leading()?.jobs().list().into_iter().next()?;
        Some((summary.state, summary.reason))
    }
}

/// The process an event is for.
fn addressee(event: &Event, world: &World) -> Option<Client> {
    match event {
        Event::Answer(client, ..) | Event::Wake(client, _) | Event::Dialed(client, ..) | Event::Submit(client) => {
            Some(*client)
        }
        Event::ManagerSees(session) | Event::ToManager(session, ..) => {
            world.sessions.get(session).map(|session| session.client)
        }
        _ => None,
    }
}

impl World {
    /// The event, if nobody who stands still is to hear it.
    pub(super) fn held(&mut self, event: Event) -> Option<Event> {
        let client = addressee(&event, self);
        let paused = client
            .and_then(|client| self.managers.get_mut(&client))
            .filter(|manager| manager.paused);
        match paused {
            Some(manager) => {
                manager.held.push(event);
                None
            }
            None => Some(event),
        }
    }

    pub(super) fn start_manager(&mut self, slot: usize) {
        if self.managers.values().any(|manager| manager.slot == slot) {
            return;
        }
        self.clients += 1;
        let client = self.clients;
        self.trace.note(self.now, "start", &[slot as u64]);
        self.trace
            .say(self.now, || format!("jm-{client} starts in place {slot}"));
        let manager = Manager::start(
            slot,
            client,
            self.desk.clone(),
            &self.stream,
            self.runtime.handle().clone(),
        );
        self.managers.insert(client, manager);
    }

    pub(super) fn kill_manager(&mut self, client: Client) {
        if self.managers.contains_key(&client) {
            self.fault_count += 1;
            self.end_manager(client, self.faults.back.clone());
        }
    }

    /// The process ends, and starts again after some time.
    fn end_manager(&mut self, client: Client, back: RangeInclusive<u64>) {
        let Some(manager) = self.managers.remove(&client) else {
            return;
        };
        self.trace.note(self.now, "kill", &[u64::from(client)]);
        self.trace.say(self.now, || format!("jm-{client} dies"));
        if let Some(leading) = manager.leading() {
            self.dropped_by_managers += leading.cluster().dropped();
        }
        manager.scope.cancel();
        for session in self.half_open_sessions(client) {
            let seen = self.chance.within(&self.faults.seen);
            self.post(seen, Event::WorkerSees(session));
        }
        for session in self.sessions_of(client) {
            self.lose_session(session, self.faults.seen.clone());
        }
        let back = self.chance.within(&back);
        self.post(back, Event::StartManager(manager.slot));
    }

    pub(super) fn pause_manager(&mut self, client: Client, long: u64) {
        let Some(manager) = self.managers.get_mut(&client).filter(|manager| !manager.paused) else {
            return;
        };
        manager.paused = true;
        self.fault_count += 1;
        self.trace.note(self.now, "pause", &[u64::from(client), long]);
        self.trace
            .say(self.now, || format!("jm-{client} stands still for {} ms", long / MS));
        // Who is silent for ten seconds counts as gone at the other end; its own end learns of it when it goes on.
        if long > 10 * SECOND {
            for session in self.sessions_of(client) {
                self.lose_session(session, 10 * SECOND..=12 * SECOND);
            }
        }
        self.post(long, Event::Resume(client));
    }

    pub(super) fn resume(&mut self, client: Client) {
        let Some(manager) = self.managers.get_mut(&client) else {
            return;
        };
        if !std::mem::take(&mut manager.paused) {
            return;
        }
        let held = std::mem::take(&mut manager.held);
        self.trace.note(self.now, "resume", &[u64::from(client)]);
        self.trace
            .say(self.now, || format!("jm-{client} goes on, {} events late", held.len()));
        held.into_iter().for_each(|event| self.post(0, event));
    }

    /// A person submits the datastream, again and again until a leader knows it.
    pub(super) fn submit(&mut self, client: Client) {
        let Some(manager) = self.managers.get(&client) else {
            return;
        };
        let Some(leading) = manager.leading().filter(|leading| leading.jobs().list().is_empty()) else {
            return;
        };
        if !manager.submitting.swap(true, Ordering::Relaxed) {
            let (jobs, planned, busy) = (
                leading.jobs().clone(),
                self.stream.planned(),
                manager.submitting.clone(),
            );
            manager.scope.run(async move {
                // What went wrong may go well the next time.
                drop(jobs.submit(planned, Fresh::Resume).await);
                busy.store(false, Ordering::Relaxed);
            });
        }
        self.post(500 * MS, Event::Submit(client));
    }

    /// Whether the last leader lives, as far as a dial can tell.
    fn dial(&mut self, client: Client, incarnation: &str, reply: oneshot::Sender<Answer>) {
        let other = incarnation.trim_start_matches("jm-").parse().unwrap_or(0);
        let blind = self.moments.blind_until > self.now;
        let (after, answer) = match self.managers.get(&other) {
            Some(_) if blind => (MS, Answer::Gone),
            Some(manager) if manager.paused => (3 * SECOND, Answer::Silent),
            Some(manager) if manager.leading().is_some() => (MS, Answer::Lives),
            // It has claimed, and serves nobody yet.
            Some(_) | None => (MS, Answer::Gone),
        };
        self.trace
            .say(self.now, || format!("jm-{client} dials {incarnation}: {answer:?}"));
        self.post(after, Event::Dialed(client, reply, answer));
    }

    /// Lets the job managers do whatever they can do now, and takes what they want of the world.
    pub(super) fn settle(&mut self) {
        loop {
            self.runtime.block_on(async {
                for _ in 0..ROUNDS {
                    yield_now().await;
                }
            });
            let asks = self.desk.take();
            let more = !asks.is_empty();
            for ask in asks {
                self.asked(ask);
            }
            self.look_at_starts();
            self.end_deposed();
            self.take_outboxes();
            if !more {
                return;
            }
        }
    }

    fn asked(&mut self, ask: Ask) {
        let (Ask::Store(client, _) | Ask::Sleep(client, ..) | Ask::Dial(client, ..)) = &ask;
        // The dead ask nothing; what they asked before is on its way.
        if !self.managers.contains_key(client) {
            return;
        }
        match ask {
            Ask::Store(client, request) => self.asked_store(client, request),
            Ask::Sleep(client, until, reply) => {
                // Never early: who wakes before its time asks again at once, forever.
                let after = until.since(self.instant()).as_nanos().div_ceil(1_000);
                self.post(u64::try_from(after).unwrap_or(0), Event::Wake(client, reply));
            }
            Ask::Dial(client, claim, reply) => self.dial(client, &claim.incarnation, reply),
        }
    }

    /// Who learns that another one leads ends, as its process does.
    fn end_deposed(&mut self) {
        let deposed = |manager: &Manager| !manager.paused && manager.leading().is_some_and(JobManager::is_deposed);
        let deposed: Vec<Client> = self
            .managers
            .iter()
            .filter(|(_, one)| deposed(one))
            .map(|(client, _)| *client)
            .collect();
        for client in deposed {
            self.trace
                .say(self.now, || format!("jm-{client} was followed by another one"));
            self.end_manager(client, 2 * SECOND..=6 * SECOND);
        }
    }

    fn look_at_starts(&mut self) {
        let begun = |manager: &Manager| match &manager.stage {
            Stage::Starting(started) => started.lock().take(),
            Stage::Leading(_) => None,
        };
        let begun: Vec<_> = self
            .managers
            .iter()
            .filter_map(|(client, manager)| Some((*client, begun(manager)?)))
            .collect();
        for (client, outcome) in begun {
            match outcome {
                Ok(leading) => self.led(client, leading),
                Err(failure) => {
                    self.trace
                        .say(self.now, || format!("jm-{client} does not lead: {failure}"));
                    if let Some(manager) = self.managers.remove(&client) {
                        manager.scope.cancel();
                        let back = self.chance.within(&(2 * SECOND..=6 * SECOND));
                        self.post(back, Event::StartManager(manager.slot));
                    }
                }
            }
        }
    }

    fn led(&mut self, client: Client, leading: JobManager) {
        let term = leading.cluster().identity().term;
        self.trace.note(self.now, "leads", &[u64::from(client), term]);
        self.trace.say(self.now, || format!("jm-{client} leads in term {term}"));
        if let Some(manager) = self.managers.get_mut(&client) {
            manager.stage = Stage::Leading(Box::new(leading));
        }
        self.post(0, Event::Submit(client));
        self.moment(Moment::Led, Who::manager(client));
        if self.healed {
            self.leave_one_leader();
        }
    }

    /// As whoever runs the cluster does in the end: a leader that was followed by another one is stopped.
    pub(super) fn leave_one_leader(&mut self) {
        let newest = self.managers.values().filter_map(Manager::term).max();
        let older = |manager: &Manager| manager.term().is_some_and(|term| Some(term) < newest);
        let older: Vec<Client> = self
            .managers
            .iter()
            .filter(|(_, one)| older(one))
            .map(|(client, _)| *client)
            .collect();
        older.into_iter().for_each(|client| self.kill_manager(client));
    }

    /// Whether the job is over; how it ended is judged.
    pub(super) fn has_finished(&mut self) -> bool {
        let states: Vec<_> = self
            .managers
            .values()
            .filter_map(|one| Some((one.term()?, one.state()?)))
            .collect();
        for (term, (state, reason)) in states {
            match state {
                State::Finished => {
                    let stream = self.stream.clone();
                    self.audit.finished(&stream);
                    return true;
                }
                // Who was followed by another leader gives its job up.
                State::Failed if term >= self.highest_term => {
                    let reason = reason.unwrap_or_default();
                    self.audit.violated(|| format!("the job failed: {reason}"));
                    return true;
                }
                _ => {}
            }
        }
        false
    }

    /// How the job is, for the message of a run that does not end.
    pub(super) fn standing(&self) -> String {
        let one = |(client, manager): (&Client, &Manager)| match manager.state() {
            Some((state, reason)) => format!("jm-{client} {state} {}", reason.unwrap_or_default()),
            None => format!("jm-{client} without a job"),
        };
        self.managers.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn count_dropped(&mut self) {
        let living = self.managers.values().filter_map(Manager::leading);
        self.dropped_by_managers += living.map(|leading| leading.cluster().dropped()).sum::<u64>();
    }
}
