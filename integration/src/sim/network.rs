//! Sessions between job managers and task managers: in order and whole as long as they last, as a TCP connection is; they
//! break without a sign, and copies of what was said arrive at any time, whoever listens then.
//!
//! Only an assignment of splits never arrives twice: it is the one message that the protocol trusts the connection with.

use std::ops::RangeInclusive;

use dataflow::id::Generation;
use jobmanager::testing::Link;
use proto::v1::{self, FromTaskManager, Restored, ToTaskManager, from_task_manager as from, to_task_manager as to};

use super::blows::Who;
use super::desk::Client;
use super::managers::BUILD;
use super::mutant::Mutant;
use super::profile::{MS, Moment, SECOND};
use super::subtask::subtask_id;
use super::world::{Event, Post, Time, World};

/// One session of one task manager with one job manager.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each end is open or not")]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) slot: usize,
    pub(super) incarnation: u32,
    manager_open: bool,
    worker_open: bool,
    /// What is under way is lost, and so is what is still said.
    broken: bool,
    to_manager: Time,
    to_worker: Time,
    /// The deployment and the barrier that were sent last, for mutants that take them for granted.
    fence: Option<v1::Fence>,
    counter: u64,
    /// The last deployment, to be heard again.
    pub(super) deploy: Option<ToTaskManager>,
}

impl World {
    pub(super) fn sessions_of(&self, client: Client) -> Vec<u64> {
        let own = self
            .sessions
            .iter()
            .filter(|(_, session)| session.client == client && session.manager_open);
        own.map(|(id, _)| *id).collect()
    }

    /// Sessions whose other end does not know yet that this process is gone.
    pub(super) fn half_open_sessions(&self, client: Client) -> Vec<u64> {
        let own = self
            .sessions
            .iter()
            .filter(|(_, session)| session.client == client && session.broken && session.worker_open);
        own.map(|(id, _)| *id).collect()
    }

    /// A task manager without a session looks for a job manager.
    pub(super) fn attach(&mut self, slot: usize, incarnation: u32) {
        if !self.workers[slot].wants_session(incarnation) {
            return;
        }
        let leading: Vec<Client> = self
            .managers
            .iter()
            .filter(|(_, one)| one.leading().is_some())
            .map(|(client, _)| *client)
            .collect();
        if leading.is_empty() {
            let again = self.chance.within(&(100 * MS..=2 * SECOND));
            return self.post(again, Event::Attach(slot, incarnation));
        }
        let client = self.chance.pick(&leading);
        let running = self.standings(slot);
        let register = v1::Register {
            name: format!("tm-{slot}"),
            incarnation: format!("tm-{slot}-{incarnation}"),
            data_address: format!("tm-{slot}"),
            slots: self.workers[slot].slots,
            memory_bytes: 0,
            build: BUILD.to_owned(),
            metrics_address: String::new(),
            running,
        };
        let again = self.chance.within(&(200 * MS..=3 * SECOND));
        let Some(manager) = self.managers.get_mut(&client) else {
            return;
        };
        let Some(leading) = manager.leading().filter(|_| !manager.paused) else {
            // It does not answer the registration.
            return self.post(10 * SECOND, Event::Attach(slot, incarnation));
        };
        let term = leading.cluster().identity().term;
        if !self.is_served(slot, term) {
            return self.post(again, Event::Attach(slot, incarnation));
        }
        let Some(manager) = self.managers.get_mut(&client) else {
            return;
        };
        let Some(leading) = manager.leading() else { return };
        let Ok(link) = Link::join(leading.cluster(), register) else {
            return self.post(again, Event::Attach(slot, incarnation));
        };
        let id = self.sessions.len() as u64;
        manager.links.insert(id, link);
        self.sessions.insert(
            id,
            Session {
                client,
                slot,
                incarnation,
                manager_open: true,
                worker_open: true,
                broken: false,
                to_manager: self.now,
                to_worker: self.now,
                fence: None,
                counter: 0,
                deploy: None,
            },
        );
        self.workers[slot].session = Some(id);
        self.trace.note(self.now, "attach", &[slot as u64, u64::from(client)]);
        self.trace
            .say(self.now, || format!("tm-{slot}-{incarnation} is with jm-{client}"));
    }

    /// What job managers have put into their outboxes leaves.
    pub(super) fn take_outboxes(&mut self) {
        let mut said = Vec::new();
        for manager in self.managers.values_mut() {
            for (session, link) in &mut manager.links {
                while let Some(message) = link.take() {
                    said.push((*session, message));
                }
            }
        }
        for (session, message) in said {
            self.post_to_worker(session, message);
        }
    }

    pub(super) fn post_to_worker(&mut self, id: u64, mut message: ToTaskManager) {
        let (delay, copied) = (
            self.chance.within(&self.faults.wire_delay),
            self.chance.happens(self.faults.copies),
        );
        let copy_after = self.chance.within(&self.faults.copy_delay);
        self.restore_outdated(&mut message);
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let who = Who {
            client: Some(session.client),
            slot: Some(session.slot),
        };
        let mut moment = None;
        match &message.message {
            Some(to::Message::Deploy(deploy)) => {
                session.fence.clone_from(&deploy.fence);
                session.counter = 0;
                session.deploy = Some(message.clone());
                moment = Some(Moment::DeploySent);
            }
            Some(to::Message::Trigger(trigger)) => {
                session.counter = trigger.barrier.map_or(0, |barrier| barrier.counter);
                moment = Some(Moment::TriggerSent);
            }
            Some(to::Message::Commit(_)) => moment = Some(Moment::CommitSent),
            _ => {}
        }
        session.to_worker = session.to_worker.max(self.now + delay);
        let after = session.to_worker - self.now;
        let twice = !matches!(
            &message.message,
            Some(to::Message::AssignSplits(_) | to::Message::Registered(_))
        );
        if copied && twice {
            self.fault_count += 1;
            self.post(copy_after, Event::ToWorker(id, Box::new(message.clone()), Post::Again));
        }
        self.post(after, Event::ToWorker(id, Box::new(message), Post::First));
        if let Some(moment) = moment {
            self.moment(moment, who);
        }
    }

    /// The mutant that restores an older epoch than the head.
    fn restore_outdated(&self, message: &mut ToTaskManager) {
        let Some(to::Message::Deploy(deploy)) = &mut message.message else {
            return;
        };
        if !self.is_mutant(Mutant::OlderEpoch) {
            return;
        }
        let Some(record) = self.audit.outdated(deploy.epoch) else {
            return;
        };
        for subtask in &mut deploy.subtasks {
            let id = subtask_id(subtask.subtask.as_ref());
            let part = record.subtask(id).map(|snapshot| Restored {
                index: id.index,
                parallelism: subtask.parallelism,
                snapshot: snapshot.get().as_bytes().to_vec().into(),
            });
            subtask.restored = part.into_iter().collect();
        }
    }

    #[expect(clippy::wrong_self_convention, reason = "a message goes to somebody")]
    pub(super) fn to_worker(&mut self, id: u64, message: ToTaskManager, post: Post) {
        let Some(session) = self.sessions.get(&id) else { return };
        let worker = &self.workers[session.slot];
        let reached = match post {
            Post::First => !session.broken && session.worker_open && worker.is_alive(Some(session.incarnation)),
            Post::Again => worker.is_alive(None),
        };
        if reached {
            self.obey(session.slot, message);
        }
    }

    /// A task manager says something to its job manager.
    pub(super) fn say(&mut self, slot: usize, incarnation: u32, message: from::Message) {
        let (delay, copied) = (
            self.chance.within(&self.faults.wire_delay),
            self.chance.happens(self.faults.copies),
        );
        let copy_after = self.chance.within(&self.faults.copy_delay);
        let worker = &self.workers[slot];
        let Some(id) = worker.session.filter(|_| worker.is_alive(Some(incarnation))) else {
            return;
        };
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let who = Who {
            client: Some(session.client),
            slot: Some(slot),
        };
        session.to_manager = session.to_manager.max(self.now + delay);
        let after = session.to_manager - self.now;
        let acknowledged = matches!(message, from::Message::Acknowledge(_));
        let message = FromTaskManager { message: Some(message) };
        if copied {
            self.fault_count += 1;
            self.post(copy_after, Event::ToManager(id, Box::new(message.clone()), Post::Again));
        }
        self.post(after, Event::ToManager(id, Box::new(message), Post::First));
        if acknowledged {
            self.moment(Moment::Acknowledged, who);
        }
    }

    #[expect(clippy::wrong_self_convention, reason = "a message goes to somebody")]
    pub(super) fn to_manager(&mut self, id: u64, mut message: FromTaskManager, post: Post) {
        let Some(session) = self.sessions.get(&id) else { return };
        if post == Post::First && (session.broken || !session.manager_open) {
            return;
        }
        // What comes again comes by whatever session its task manager has now.
        let id = match post {
            Post::First => Some(id),
            Post::Again => self.workers[session.slot].session,
        };
        let Some((id, session)) = id.and_then(|id| Some((id, self.sessions.get(&id)?))) else {
            return;
        };
        take_for_granted(&mut message, session, self.run.mutant);
        self.trace.note(self.now, "heard", &[id]);
        self.trace.say(self.now, || {
            format!("jm-{} hears of tm-{}: {}", session.client, session.slot, told(&message))
        });
        let manager = self.managers.get(&session.client).filter(|manager| !manager.paused);
        let Some((link, leading)) = manager.and_then(|one| Some((one.links.get(&id)?, one.leading()?))) else {
            return;
        };
        self.runtime.block_on(link.hear(leading.cluster(), message));
    }

    /// A session breaks; whether it had not before.
    pub(super) fn break_session(&mut self, id: u64) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else {
            return false;
        };
        if std::mem::replace(&mut session.broken, true) {
            return false;
        }
        self.trace.say(self.now, || {
            format!("the session of tm-{} with jm-{} breaks", session.slot, session.client)
        });
        true
    }

    /// A session breaks; each end learns of it in its own time.
    pub(super) fn lose_session(&mut self, id: u64, seen: RangeInclusive<u64>) {
        if !self.break_session(id) {
            return;
        }
        let (manager, worker) = (self.chance.within(&seen), self.chance.within(&seen));
        self.post(manager, Event::ManagerSees(id));
        self.post(worker, Event::WorkerSees(id));
    }

    pub(super) fn manager_sees(&mut self, id: u64) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        if !std::mem::take(&mut session.manager_open) {
            return;
        }
        let Some(manager) = self.managers.get_mut(&session.client) else {
            return;
        };
        let link = manager.links.remove(&id);
        if let (Some(link), Some(leading)) = (link, manager.leading()) {
            let (slot, client) = (session.slot, session.client);
            self.trace.say(self.now, || format!("jm-{client} buries tm-{slot}"));
            self.runtime
                .block_on(link.end(leading.cluster(), "its connection broke"));
        }
    }

    pub(super) fn worker_sees(&mut self, id: u64) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        session.worker_open = false;
        let (slot, incarnation) = (session.slot, session.incarnation);
        if self.workers[slot].session == Some(id) && self.workers[slot].is_alive(Some(incarnation)) {
            self.run_on(slot);
        }
    }

    /// A session that goes on with another start of its task manager: what must never be.
    pub(super) fn inherit_session(&mut self, id: u64, incarnation: u32) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.incarnation = incarnation;
        }
    }
}

/// Mutants that believe whoever speaks.
fn take_for_granted(message: &mut FromTaskManager, session: &Session, mutant: Option<Mutant>) {
    let Some(fence) = &session.fence else { return };
    let generation = Generation {
        term: fence.term,
        deployment: fence.deployment,
    };
    match (mutant, &mut message.message) {
        (Some(Mutant::BarrierUnchecked), Some(from::Message::Acknowledge(done)))
            if done.fence.as_ref() == Some(fence) =>
        {
            done.counter = session.counter;
        }
        (Some(Mutant::AttemptUnchecked), Some(from::Message::Acknowledge(done))) => {
            done.attempt = jobmanager::deploy::attempt(generation, subtask_id(done.subtask.as_ref()));
            done.fence = Some(fence.clone());
        }
        (Some(Mutant::AttemptUnchecked), Some(from::Message::Committed(done))) => {
            done.attempt = jobmanager::deploy::attempt(generation, subtask_id(done.subtask.as_ref()));
            done.fence = Some(fence.clone());
        }
        _ => {}
    }
}

/// A message in a few words.
fn told(message: &FromTaskManager) -> String {
    match &message.message {
        Some(from::Message::Status(status)) => format!("{} is {:?}", status.attempt, status.state()),
        Some(from::Message::Acknowledge(done)) => format!("{} acknowledges {}", done.attempt, done.counter),
        Some(from::Message::Committed(done)) => format!("{} has committed {}", done.attempt, done.epoch),
        Some(from::Message::SplitsWanted(wanted)) => format!("{} wants splits", wanted.attempt),
        Some(from::Message::SplitFinished(done)) => format!("{} has finished {}", done.attempt, done.split),
        _ => "something".to_owned(),
    }
}
