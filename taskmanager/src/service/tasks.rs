//! The subtasks that run here, and who may speak to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dataflow::Failure;
use dataflow::contract::Split;
use dataflow::element::{Barrier, Roll};
use dataflow::id::{BarrierId, Generation, JobId, SubtaskId};
use dataflow::time::Instant;
use dataflow::trace::Context;
use proto::v1::{self, ToTaskManager, from_task_manager, to_task_manager::Message};
use tokio::sync::Notify;

use super::fences::Fences;
use super::lines::Outlet;
use super::tapping::Taps;
use super::tenure::Tenure;
use super::traces::Traces;
use super::wire;
use crate::deploy::{Deployment, Fence, Handle, Site, deploy, subtask_id};
use crate::memory::Budget;
use crate::metrics::Retired;
use crate::operators::Outlook;
use crate::tap;
use crate::task::life::{Life, Status};
use crate::task::mailbox::Control;
use crate::task::{Identity, Report};

type Key = (JobId, Generation, SubtaskId);

/// One subtask, from its deployment until its thread has left.
pub(crate) struct Running {
    /// Who it is, its mailbox and its counts.
    pub(crate) handle: Handle,
    cancelled: Option<Instant>,
    /// Where it is in its life, as it said last.
    pub(super) life: Life,
    /// The epoch that it was restored from.
    pub(super) born_epoch: u64,
    /// The head when it was adopted last; 0 where it never was.
    pub(super) adopted_epoch: u64,
    /// The highest barrier that was asked for.
    asked: u64,
    /// What it does as parts of traces.
    traces: Traces,
}

impl Running {
    /// Whether nobody has told it to go.
    pub(super) fn stays(&self) -> bool {
        self.cancelled.is_none() && self.life != Life::Over
    }

    pub(super) fn obeys(&self, fence: &Fence) -> bool {
        let Identity { job, obeys, .. } = &self.handle.identity;
        *job == fence.job && *obeys == fence.generation
    }
}

/// All subtasks, by job, generation and id.
pub(crate) struct Tasks {
    pub(super) site: Site,
    lines: Outlet,
    running: BTreeMap<Key, Running>,
    fences: Fences,
    tenure: Tenure,
    retired: Retired,
    pub(super) taps: Taps,
    /// Rings whenever a subtask has left.
    departures: Arc<Notify>,
}

impl Tasks {
    /// None yet.
    pub(super) fn new(site: Site, (lines, taps): (Outlet, tap::Outlet)) -> Self {
        let departures = Arc::new(Notify::new());
        let retired = Retired::default();
        Self {
            site,
            lines,
            running: BTreeMap::new(),
            fences: Fences::default(),
            tenure: Tenure::default(),
            retired,
            taps: Taps::new(taps),
            departures,
        }
    }

    /// Everything whose thread has not left.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Running> {
        self.running.values()
    }

    /// What each deployment that runs here may hold of the memory, with its job.
    pub(crate) fn budgets(&self) -> Vec<(&JobId, Budget)> {
        let handles = self.running().map(|running| &running.handle);
        let deployments: BTreeMap<_, _> = handles
            .map(|handle| ((&handle.identity.job, handle.identity.generation), handle.budget))
            .collect();
        deployments
            .into_iter()
            .map(|((job, _), budget)| (job, budget))
            .collect()
    }

    /// Memory that state holds, by who holds it.
    pub(crate) fn state_memory(&self) -> [(&'static str, usize); 2] {
        self.site.scratch.memory_held()
    }

    /// How much RocksDB may hold of spilled state.
    pub(crate) fn spill_limit(&self) -> usize {
        self.site.scratch.memory_limit()
    }

    /// Rings whenever a subtask has left.
    pub(super) fn departures(&self) -> Arc<Notify> {
        Arc::clone(&self.departures)
    }

    /// Messages whose fence matched nothing.
    pub(crate) fn dropped(&self) -> u64 {
        self.fences.dropped()
    }

    /// What those who have left have counted.
    pub(crate) fn retired(&self) -> &Retired {
        &self.retired
    }

    /// Does what a message says; what is to be answered at once.
    pub(super) fn obey(&mut self, message: ToTaskManager, now: Instant) -> Vec<from_task_manager::Message> {
        let asked: Option<Context> = message.traceparent.parse().ok();
        let outcome = match message.message {
            Some(Message::Deploy(message)) => return self.deploy(message, asked, now),
            Some(Message::Cancel(message)) => self.cancel(message, now),
            Some(Message::Adopt(message)) => self.adopt(message),
            Some(Message::Drain(message)) => self.all_of(message.fence, |_| Control::Drain),
            Some(Message::Trigger(message)) => self.trigger(message, asked),
            Some(Message::Commit(message)) => self.commit(message, asked),
            Some(Message::AssignSplits(message)) => self.assign(message),
            Some(Message::Bound(message)) => self.bound(message),
            Some(Message::Tap(message)) => self.tap(&message),
            Some(Message::Untap(message)) => self.untap(message),
            Some(Message::Recorded(message)) if message.r#final => self.all_of(message.fence, |_| Control::Release),
            // Without `final` it concerns the job manager's own order of barriers only.
            Some(Message::Recorded(_)) => Ok(true),
            Some(Message::Registered(_) | Message::Refused(_)) | None => Ok(false),
        };
        let met = outcome.unwrap_or_else(|failure| {
            tracing::error!(%failure, "a message was dropped");
            false
        });
        self.fences.met(met);
        Vec::new()
    }

    fn deploy(&mut self, message: v1::Deploy, asked: Option<Context>, now: Instant) -> Vec<from_task_manager::Message> {
        // What was deployed on another start of this process is not there any more: two of one attempt must never be.
        if message.incarnation != self.site.incarnation {
            self.fences.met(false);
            return Vec::new();
        }
        let named = wire::named(&message);
        let deployment = match Deployment::try_from(message) {
            Ok(deployment) => deployment.asked(asked),
            Err(failure) => {
                return named
                    .into_iter()
                    .map(|subtask| wire::refused(subtask, &failure))
                    .collect();
            }
        };
        let Fence { job, generation } = deployment.fence.clone();
        let born_epoch = deployment.epoch.0;
        if !self.fences.admit(&job, generation) {
            return Vec::new();
        }
        self.lines.open(&job);
        tracing::info!(%job, %generation, subtasks = deployment.subtasks.len(), "deployed");
        // Those who were told to obey this very generation run on beside what is deployed.
        let own = deployment.fence.clone();
        self.cancel_where(now, |running| {
            running.handle.identity.job == job && !running.obeys(&own)
        });
        let jobs = self.running.keys().map(|(job, ..)| job).chain([&job]);
        self.site
            .scratch
            .keep_copies_of(&jobs.map(ToString::to_string).collect());
        for handle in deploy(deployment, &self.site) {
            let Identity {
                job,
                generation,
                subtask,
                ..
            } = handle.identity.clone();
            let traces = Traces::restores(&handle, asked);
            self.running.insert(
                (job, generation, subtask),
                Running {
                    handle,
                    cancelled: None,
                    life: Life::Restoring,
                    born_epoch,
                    adopted_epoch: 0,
                    asked: 0,
                    traces,
                },
            );
        }
        Vec::new()
    }

    fn cancel(&mut self, message: v1::Cancel, now: Instant) -> Result<bool, Failure> {
        let fence = Fence::try_from(message.fence)?;
        let some = message.subtasks.iter().map(|subtask| subtask_id(Some(subtask)));
        let some: BTreeSet<SubtaskId> = some.collect::<Result<_, _>>()?;
        let meant = |subtask: &SubtaskId| some.is_empty() || some.contains(subtask);
        tracing::info!(job = %fence.job, generation = %fence.generation, reason = message.reason, "told to go");
        Ok(self.cancel_where(now, |running| {
            running.obeys(&fence) && meant(&running.handle.identity.subtask)
        }))
    }

    /// Who obeys the one fence obeys the other from now on.
    fn adopt(&mut self, message: v1::Adopt) -> Result<bool, Failure> {
        let (old, anew) = (Fence::try_from(message.fence)?, Fence::try_from(message.anew)?);
        let mut meant: Vec<_> = self
            .running
            .values_mut()
            .filter(|running| running.obeys(&old))
            .collect();
        // A leader of the past adopts nobody.
        if old.job != anew.job || meant.is_empty() {
            return Ok(false);
        }
        if !self.fences.admit_over(&anew.job, anew.generation) {
            // It is counted.
            return Ok(true);
        }
        tracing::info!(job = %anew.job, from = %old.generation, by = %anew.generation, subtasks = meant.len(), "adopted");
        let counter = meant.iter().map(|running| running.asked).max().unwrap_or(0);
        for running in &mut meant {
            running.handle.identity.obeys = anew.generation;
            running.adopted_epoch = message.epoch;
            running.handle.mail.post(Control::Adopt {
                generation: anew.generation,
                counter,
            });
        }
        self.tenure.settled(&old.job, old.generation);
        Ok(true)
    }

    /// Cancels all subtasks.
    pub(super) fn cancel_all(&mut self, now: Instant) {
        self.cancel_where(now, |_| true);
    }

    fn cancel_where(&mut self, now: Instant, meant: impl Fn(&Running) -> bool) -> bool {
        let mut any = false;
        for running in self.running.values_mut().filter(|running| meant(running)) {
            any = true;
            let Identity { job, obeys, .. } = &running.handle.identity;
            self.tenure.settled(job, *obeys);
            running.cancelled.get_or_insert(now);
            running.handle.mail.post(Control::Cancel);
        }
        any
    }

    fn commit(
        &mut self,
        v1::Commit { fence, epoch, counter }: v1::Commit,
        asked: Option<Context>,
    ) -> Result<bool, Failure> {
        if let Some(asked) = asked {
            let fence = Fence::try_from(fence.clone())?;
            for running in self.running.values_mut().filter(|running| running.obeys(&fence)) {
                running.traces.commits(&running.handle, epoch, asked);
            }
        }
        self.all_of(fence, |_| Control::Commit { epoch, counter })
    }

    fn trigger(&mut self, message: v1::Trigger, asked: Option<Context>) -> Result<bool, Failure> {
        let Some(v1::Barrier { counter, roll_all }) = message.barrier else {
            return Ok(false);
        };
        let roll = if roll_all { Roll::All } else { Roll::Keep };
        let fence = Fence::try_from(message.fence.clone())?;
        for running in self.running.values_mut().filter(|running| running.obeys(&fence)) {
            running.asked = running.asked.max(counter);
            if let Some(asked) = asked {
                running.traces.triggered(&running.handle, counter, asked);
            }
        }
        self.all_of(message.fence, |generation| {
            let barrier = Barrier {
                id: BarrierId { generation, counter },
                roll,
            };
            if message.overtake {
                Control::Overtake(barrier)
            } else {
                Control::Trigger(barrier)
            }
        })
    }

    fn assign(&self, message: v1::AssignSplits) -> Result<bool, Failure> {
        let fence = Fence::try_from(message.fence)?;
        let subtask = subtask_id(message.subtask.as_ref())?;
        let splits = message.splits.iter().map(|split| serde_json::from_slice(split));
        let splits: Vec<Split> = splits
            .collect::<Result<_, _>>()
            .map_err(|error| Failure::bug("a message of the job manager makes no sense: its splits").because(&error))?;
        let Some(running) = self.told(&fence, subtask) else {
            return Ok(false);
        };
        let outlook = if message.no_more { Outlook::Last } else { Outlook::More };
        running.handle.mail.post(Control::Assign { splits, outlook });
        Ok(true)
    }

    /// The subtask that is meant, whoever deployed it.
    fn told(&self, fence: &Fence, subtask: SubtaskId) -> Option<&Running> {
        let meant = |running: &&Running| running.handle.identity.subtask == subtask && running.obeys(fence);
        self.running.values().find(meant)
    }

    fn bound(&self, message: v1::Bound) -> Result<bool, Failure> {
        let fence = Fence::try_from(message.fence)?;
        let subtask = subtask_id(message.subtask.as_ref())?;
        let slowest = subtask_id(message.slowest.as_ref())?.to_string();
        let Some(running) = self.told(&fence, subtask) else {
            return Ok(false);
        };
        running.handle.mail.post(Control::Bound {
            until_ms: message.until_ms,
            slowest,
        });
        Ok(true)
    }

    /// Tells every subtask of a deployment; `false` if there is none.
    fn all_of(&self, fence: Option<v1::Fence>, control: impl Fn(Generation) -> Control) -> Result<bool, Failure> {
        let fence = Fence::try_from(fence)?;
        let mut any = false;
        for running in self.running.values().filter(|running| running.obeys(&fence)) {
            any = true;
            running.handle.mail.post(control(fence.generation));
        }
        Ok(any)
    }

    /// A subtask says something that is a part of a trace.
    pub(super) fn heard(&mut self, identity: &Identity, report: &Report) {
        let key = (identity.job.clone(), identity.generation, identity.subtask);
        if let Some(running) = self.running.get_mut(&key) {
            running.traces.heard(report);
        }
    }

    /// A subtask's life has moved.
    pub(super) fn moved(&mut self, identity: &Identity, status: &Status) {
        let key = (identity.job.clone(), identity.generation, identity.subtask);
        if let Some(running) = self.running.get_mut(&key) {
            running.life = match status {
                Status::Running => Life::Running,
                Status::Ended => Life::Ended,
                Status::Cancelled | Status::Failed(_) => Life::Over,
            };
        }
    }

    /// The job manager is away: what runs goes on until then.
    pub(super) fn run_on(&mut self, until: Instant) {
        let there = self.running.values().filter(|running| running.stays());
        let there = there.map(|running| (running.handle.identity.job.clone(), running.handle.identity.obeys));
        self.tenure.lost(there, until);
    }

    /// Cancels those whom nobody has claimed in time; how many deployments these are.
    pub(super) fn end_leases(&mut self, now: Instant) -> usize {
        let overdue = self.tenure.overdue(now);
        for (job, generation) in overdue.iter().cloned() {
            let fence = Fence { job, generation };
            self.cancel_where(now, |running| running.obeys(&fence));
        }
        overdue.len()
    }

    /// When the next lease ends.
    pub(super) fn lease_end(&self) -> Option<Instant> {
        self.tenure.deadline()
    }

    /// A job manager of this term answers: whether it is to be served.
    pub(super) fn serves(&mut self, term: u64) -> bool {
        let there = self.running.values().filter(|running| running.stays()).count();
        let serves = self.tenure.serves(term, there);
        if serves && there == 0 {
            // Another job manager may count its generations anew.
            self.fences.forget();
        }
        serves
    }

    /// A subtask's thread has left.
    pub(super) fn left(&mut self, identity: &Identity) {
        let key = (identity.job.clone(), identity.generation, identity.subtask);
        if let Some(running) = self.running.remove(&key) {
            self.retired.add(&running.handle);
        }
        self.taps.left(identity);
        self.settle(&identity.job);
        self.departures.notify_one();
    }

    /// Those that were cancelled so long ago that nobody waits for them any more.
    pub(super) fn give_up(&mut self, now: Instant, patience: Duration) -> Vec<Identity> {
        let late = |running: &Running| running.cancelled.is_some_and(|since| now.since(since) >= patience);
        let late: Vec<Key> = self
            .running
            .iter()
            .filter(|(_, running)| late(running))
            .map(|(key, _)| key.clone())
            .collect();
        let gone = late.iter().filter_map(|key| self.running.remove(key));
        let gone: Vec<Identity> = gone.map(|running| running.handle.identity).collect();
        gone.iter().for_each(|identity| self.settle(&identity.job));
        gone
    }

    /// Closes the lines of a job of which nothing runs any more.
    fn settle(&self, job: &JobId) {
        if !self.running.keys().any(|key| key.0 == *job) {
            self.lines.close(job);
        }
    }
}
