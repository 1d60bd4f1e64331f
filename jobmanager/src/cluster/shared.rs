//! The handle on all task managers, shared by their sessions and the jobs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dataflow::id::{JobId, SubtaskId};
use dataflow::time::Clock;
use parking_lot::Mutex;
use proto::v1::ToTaskManager;
use tokio::sync::{mpsc, watch};

use super::roster::{Roster, Seat, Seats};
use crate::execution::ExecutionGraph;
use crate::job::Event;
use crate::recover::{Standing, Survivor};
use crate::rest::types;
use crate::schedule::TooFewSlots;

/// What every part of the cluster knows of itself.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The leader's term.
    pub term: u64,
    /// Which start of this process.
    pub incarnation: String,
    /// What was built; a task manager of another build is refused.
    pub build: String,
    /// The state folder, for people.
    pub state: String,
}

/// The task managers, shared by their sessions and the jobs.
#[derive(Clone)]
pub struct Cluster {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) identity: Identity,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) roster: Mutex<Roster>,
    jobs: Mutex<BTreeMap<JobId, mpsc::Sender<Event>>>,
    changed: watch::Sender<u64>,
    dropped: AtomicU64,
}

impl Cluster {
    /// An empty cluster.
    #[must_use]
    pub fn new(identity: Identity, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            identity,
            clock,
            roster: Mutex::default(),
            jobs: Mutex::default(),
            changed: watch::Sender::new(0),
            dropped: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Who leads it.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// Changes whenever slots may have become free.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// Takes slots for a job, all or none; subtasks that are `kept` are already on these task managers.
    ///
    /// # Errors
    /// Where too few are free.
    pub fn reserve(
        &self,
        job: &JobId,
        graph: &ExecutionGraph,
        kept: &BTreeMap<SubtaskId, String>,
    ) -> Result<Seats, TooFewSlots> {
        self.shared.roster.lock().reserve(job, graph, kept)
    }

    /// Whether a graph would find slots if the job gave back those it has.
    ///
    /// # Errors
    /// Where too few are free.
    pub fn would_fit(&self, job: &JobId, graph: &ExecutionGraph) -> Result<(), TooFewSlots> {
        self.shared.roster.lock().would_fit(job, graph)
    }

    /// What a job may hold of the memory of all task managers.
    #[must_use]
    pub fn memory_of(&self, job: &JobId) -> u64 {
        self.shared.roster.lock().memory_of(&job.to_string())
    }

    /// Gives back the slots of a job.
    pub fn release(&self, job: &JobId) {
        if self.shared.roster.lock().release(job) {
            self.announce();
        }
    }

    /// What runs of a job without a leader.
    #[must_use]
    pub fn standings(&self, job: &JobId) -> Vec<Standing> {
        self.shared.roster.lock().standings(job)
    }

    /// Gives those of a job who are adopted the slots that they have; none where a task manager of theirs is gone.
    #[must_use]
    pub fn occupy(&self, job: &JobId, survivors: &BTreeMap<SubtaskId, Survivor>) -> Option<Seats> {
        self.shared.roster.lock().occupy(job, survivors)
    }

    /// Tells those of a job who run without a leader to go.
    pub fn dismiss(&self, job: &JobId) {
        if self.shared.roster.lock().dismiss(job) {
            self.announce();
        }
    }

    /// Tells those to go whose jobs nobody leads here.
    pub(super) fn dismiss_strangers(&self, task_manager: &str) {
        let jobs = self.shared.roster.lock().led_by_nobody(task_manager);
        for job in jobs {
            if !self.shared.jobs.lock().contains_key(&job) {
                self.dismiss(&job);
            }
        }
    }

    /// Sends to a task manager, if this incarnation of it is there. One that does not read what it is sent is dropped.
    pub fn send(&self, seat: &Seat, message: ToTaskManager) {
        let Seat {
            task_manager,
            incarnation,
            ..
        } = seat;
        self.shared.roster.lock().send(task_manager, incarnation, message);
    }

    /// Lets a job hear what task managers say about it.
    pub fn enroll(&self, job: JobId, events: mpsc::Sender<Event>) {
        self.shared.jobs.lock().insert(job, events);
    }

    /// The job hears no more.
    pub fn leave(&self, job: &JobId) {
        self.shared.jobs.lock().remove(job);
    }

    /// Counts a message that was meant for somebody who is no more.
    pub fn count_dropped(&self) {
        self.shared.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// How many messages were dropped because they did not match.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// The cluster, for people.
    #[must_use]
    pub fn describe(&self) -> types::Cluster {
        let task_managers = self.shared.roster.lock().describe(self.shared.clock.now());
        let Identity { term, build, state, .. } = self.identity().clone();
        let slots = task_managers.iter().map(|one| one.slots).sum();
        let slots_free = task_managers.iter().map(|one| one.slots_free).sum();
        types::Cluster {
            term,
            state,
            build,
            task_managers,
            slots,
            slots_free,
        }
    }

    pub(super) fn announce(&self) {
        self.shared.changed.send_modify(|version| *version += 1);
    }

    pub(super) async fn deliver(&self, job: &JobId, event: Event) {
        let queue = self.shared.jobs.lock().get(job).cloned();
        let delivered = match queue {
            // Waits where the job is busy: its task managers are slowed down, and nothing is lost.
            Some(queue) => queue.send(event).await.is_ok(),
            None => false,
        };
        if !delivered {
            self.count_dropped();
        }
    }

    /// For what is outdated by the next one of its kind.
    pub(super) fn deliver_if_room(&self, job: &JobId, event: Event) {
        let queue = self.shared.jobs.lock().get(job).cloned();
        if let Some(queue) = queue {
            // A job too busy to look at gauges sees the next ones.
            let _ = queue.try_send(event);
        }
    }

    /// A task manager is gone: its slots with it, and every job is told.
    pub(crate) async fn bury(&self, name: &str, incarnation: &str, reason: &str) {
        if !self.shared.roster.lock().remove(name, incarnation) {
            return;
        }
        // A job that loses subtasks by it says so itself.
        tracing::info!(task_manager = name, incarnation, reason, "task manager is gone");
        let jobs: Vec<_> = self.shared.jobs.lock().keys().cloned().collect();
        for job in jobs {
            let (task_manager, incarnation) = (name.to_owned(), incarnation.to_owned());
            let lost = Event::TaskManagerLost {
                task_manager,
                incarnation,
                reason: reason.to_owned(),
            };
            self.deliver(&job, lost).await;
        }
        self.announce();
    }
}
