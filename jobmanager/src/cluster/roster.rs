//! The list of living task managers and of who holds their slots.

use std::collections::{BTreeMap, BTreeSet};

use dataflow::id::{JobId, SubtaskId};
use dataflow::time::{Instant, WallTime};
use proto::v1::{Register, ToTaskManager};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::vitals::{Pulse, Vitals};
use super::wire::standings;
use crate::deploy::Order;
use crate::execution::ExecutionGraph;
use crate::recover::{Standing, Survivor};
use crate::rest::types;
use crate::schedule::{Offer, Placement, TooFewSlots, place};

/// Living task managers by name.
#[derive(Debug, Default)]
pub(super) struct Roster {
    members: BTreeMap<String, Member>,
}

#[derive(Debug)]
struct Member {
    register: Register,
    used: BTreeMap<JobId, u32>,
    /// What runs there without a leader, and how many slots it takes.
    standing: Vec<(JobId, Standing)>,
    outbox: mpsc::Sender<ToTaskManager>,
    session: CancellationToken,
    since: WallTime,
    heard: Instant,
    vitals: Vitals,
    pulse: Pulse,
}

/// Why a task manager may not join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What does not fit.
    pub reason: String,
    /// What to do about it.
    pub help: String,
}

/// Where a job's subtasks sit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seats {
    /// The seat of each subtask.
    pub subtasks: BTreeMap<SubtaskId, Seat>,
}

/// One task manager, as subtasks and messages know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat {
    /// Its name.
    pub task_manager: String,
    /// Which start of its process.
    pub incarnation: String,
    /// Where its Exchange service is.
    pub data_address: String,
}

impl Member {
    fn free(&self) -> u32 {
        let standing = self.standing.iter().map(|(_, standing)| slots(standing)).sum();
        let taken = self
            .used
            .values()
            .fold(standing, |sum: u32, used| sum.saturating_add(*used));
        self.register.slots.saturating_sub(taken)
    }

    /// Slots that a job has, or would have back.
    fn held_by(&self, job: &JobId) -> u32 {
        let standing = self.standing.iter().filter(|(other, _)| other == job);
        let used = self.used.get(job).copied().unwrap_or(0);
        standing.fold(used, |sum, (_, standing)| sum.saturating_add(slots(standing)))
    }

    fn seat(&self) -> Seat {
        let Register {
            name,
            incarnation,
            data_address,
            ..
        } = &self.register;
        Seat {
            task_manager: name.clone(),
            incarnation: incarnation.clone(),
            data_address: data_address.clone(),
        }
    }
}

/// As many as the widest vertex has subtasks there.
fn slots(standing: &Standing) -> u32 {
    let mut of_vertex = BTreeMap::<_, u32>::new();
    for subtask in standing.subtasks.keys() {
        *of_vertex.entry(subtask.vertex).or_default() += 1;
    }
    of_vertex.into_values().max().unwrap_or(0)
}

impl Roster {
    pub(super) fn check(&self, register: &Register, build: &str) -> Result<(), Refusal> {
        let refused = |reason: String, help: &str| {
            Err(Refusal {
                reason,
                help: help.to_owned(),
            })
        };
        if register.build != build {
            let reason = format!("task manager of build {}, job manager of build {build}", register.build);
            return refused(reason, "run one version of Weir in all processes of a cluster");
        }
        if register.name.is_empty() || register.incarnation.is_empty() || register.data_address.is_empty() {
            return refused(
                "a task manager needs a name, an incarnation and a data address".to_owned(),
                "start it with `weir taskmanager`",
            );
        }
        if register.slots == 0 {
            return refused(
                format!("task manager {} has no slots", register.name),
                "give it some with `--slots`",
            );
        }
        match self.members.get(&register.name) {
            Some(other) => {
                let at = &other.register.data_address;
                let reason = format!("a task manager named {} is already there, at {at}", register.name);
                refused(
                    reason,
                    "give this one another name with `--name`; if the other one has just died, it is forgotten within 10 s",
                )
            }
            None => Ok(()),
        }
    }

    pub(super) fn add(
        &mut self,
        register: Register,
        outbox: mpsc::Sender<ToTaskManager>,
        session: CancellationToken,
        (since, heard): (WallTime, Instant),
    ) {
        let member = Member {
            used: BTreeMap::new(),
            standing: standings(&register),
            outbox,
            session,
            since,
            heard,
            vitals: Vitals::default(),
            pulse: Pulse::default(),
            register,
        };
        self.members.insert(member.register.name.clone(), member);
    }

    /// Whether this incarnation was there.
    pub(super) fn remove(&mut self, name: &str, incarnation: &str) -> bool {
        let is_it = self
            .members
            .get(name)
            .is_some_and(|member| member.register.incarnation == incarnation);
        if is_it && let Some(member) = self.members.remove(name) {
            member.session.cancel();
        }
        is_it
    }

    pub(super) fn heard(&mut self, name: &str, now: Instant, vitals: Option<Vitals>) {
        let Some(member) = self.members.get_mut(name) else {
            return;
        };
        member.heard = now;
        if let Some(vitals) = vitals {
            member.pulse.beat(now, vitals.cpu_us);
            member.vitals = vitals;
        }
    }

    /// What a job may hold of the memory of all task managers.
    pub(super) fn memory_of(&self, job: &str) -> u64 {
        let parts = self.members.values().flat_map(|member| &member.vitals.memory);
        parts.filter(|part| part.job == job).map(types::JobMemory::total).sum()
    }

    pub(super) fn send(&self, name: &str, incarnation: &str, message: ToTaskManager) {
        let Some(member) = self
            .members
            .get(name)
            .filter(|member| member.register.incarnation == incarnation)
        else {
            return;
        };
        if member.outbox.try_send(message).is_err() {
            // It does not read: its session ends, and with it everything it does for us.
            member.session.cancel();
        }
    }

    /// Slots for all subtasks; those that are `kept` have theirs. A job that gets none keeps what it had.
    pub(super) fn reserve(
        &mut self,
        job: &JobId,
        graph: &ExecutionGraph,
        kept: &BTreeMap<SubtaskId, String>,
    ) -> Result<Seats, TooFewSlots> {
        let offer = |(name, member): (&String, &Member)| Offer {
            task_manager: name.clone(),
            free: member.free() + member.used.get(job).copied().unwrap_or(0),
        };
        let offers: Vec<_> = self.members.iter().map(offer).collect();
        let Placement { subtasks, slots } = place(graph, kept, &offers)?;
        self.release(job);
        for (name, count) in slots {
            if let Some(member) = self.members.get_mut(&name) {
                member.used.insert(job.clone(), count);
            }
        }
        let seat = |(id, name): (SubtaskId, String)| Some((id, self.members.get(&name)?.seat()));
        Ok(Seats {
            subtasks: subtasks.into_iter().filter_map(seat).collect(),
        })
    }

    /// What runs of a job without a leader.
    pub(super) fn standings(&self, job: &JobId) -> Vec<Standing> {
        let standing = self.members.values().flat_map(|member| &member.standing);
        standing
            .filter(|(other, _)| other == job)
            .map(|(_, one)| one.clone())
            .collect()
    }

    /// Jobs of which something runs on this task manager without a leader.
    pub(super) fn led_by_nobody(&self, name: &str) -> Vec<JobId> {
        let member = self.members.get(name);
        let standing = member.into_iter().flat_map(|member| &member.standing);
        standing.map(|(job, _)| job.clone()).collect()
    }

    /// Makes the slots of those who are adopted the job's own; none where one of them is not there.
    pub(super) fn occupy(&mut self, job: &JobId, survivors: &BTreeMap<SubtaskId, Survivor>) -> Option<Seats> {
        let seat = |(id, one): (&SubtaskId, &Survivor)| Some((*id, self.members.get(&one.task_manager)?.seat()));
        let subtasks: BTreeMap<SubtaskId, Seat> = survivors.iter().map(seat).collect::<Option<_>>()?;
        let mut slots: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for (id, survivor) in survivors {
            slots.entry(&survivor.task_manager).or_default().insert(id.index);
        }
        for (name, indexes) in slots {
            if let Some(member) = self.members.get_mut(name) {
                let count = u32::try_from(indexes.len()).unwrap_or(u32::MAX);
                member.standing.retain(|(other, _)| other != job);
                member.used.insert(job.clone(), count);
            }
        }
        Some(Seats { subtasks })
    }

    /// Tells those of a job who run without a leader to go.
    pub(super) fn dismiss(&mut self, job: &JobId) -> bool {
        let mut any = false;
        for member in self.members.values_mut() {
            let (own, others) = std::mem::take(&mut member.standing)
                .into_iter()
                .partition(|(other, _)| other == job);
            member.standing = others;
            let own: Vec<(JobId, Standing)> = own;
            for (job, standing) in own {
                any = true;
                let order = Order::Cancel("its job manager does not go on with it".to_owned());
                if member
                    .outbox
                    .try_send(order.message(&job, standing.generation))
                    .is_err()
                {
                    member.session.cancel();
                }
            }
        }
        any
    }

    /// Whether the slots that are free, and those of the job itself, are enough.
    pub(super) fn would_fit(&self, job: &JobId, graph: &ExecutionGraph) -> Result<(), TooFewSlots> {
        let offer = |(name, member): (&String, &Member)| Offer {
            task_manager: name.clone(),
            free: (member.free() + member.held_by(job)).min(member.register.slots),
        };
        let offers: Vec<_> = self.members.iter().map(offer).collect();
        place(graph, &BTreeMap::new(), &offers).map(drop)
    }

    /// Whether it held any.
    pub(super) fn release(&mut self, job: &JobId) -> bool {
        let mut released = false;
        for member in self.members.values_mut() {
            released |= member.used.remove(job).is_some();
        }
        released
    }

    pub(super) fn describe(&self, now: Instant) -> Vec<types::TaskManager> {
        let one = |member: &Member| types::TaskManager {
            name: member.register.name.clone(),
            data_address: member.register.data_address.clone(),
            metrics_address: member.register.metrics_address.clone(),
            slots: member.register.slots,
            slots_free: member.free(),
            jobs: member.used.keys().map(ToString::to_string).collect(),
            memory_bytes: member.register.memory_bytes,
            rss_bytes: member.vitals.rss_bytes,
            cpu_cores: member.pulse.cores(),
            threads: member.vitals.threads,
            memory: member.vitals.memory.clone(),
            tables_bytes: member.vitals.tables_bytes,
            cache_bytes: member.vitals.cache_bytes,
            since_ms: member.since.0,
            silent_ms: u64::try_from(now.since(member.heard).as_millis()).unwrap_or(u64::MAX),
        };
        self.members.values().map(one).collect()
    }
}
