//! The subtasks that run here, and who may speak to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dataflow::Failure;
use dataflow::contract::Split;
use dataflow::element::{Barrier, Roll};
use dataflow::id::{BarrierId, Generation, JobId, SubtaskId};
use dataflow::time::Instant;
use proto::v1::{self, ToTaskManager, from_task_manager, to_task_manager::Message};
use tokio::sync::Notify;

use super::fences::Fences;
use super::lines::Outlet;
use super::wire;
use crate::deploy::{Deployment, Fence, Handle, Site, deploy, subtask_id};
use crate::metrics::Retired;
use crate::operators::Outlook;
use crate::task::Identity;
use crate::task::mailbox::Control;

type Key = (JobId, Generation, SubtaskId);

/// One subtask, from its deployment until its thread has left.
pub(crate) struct Running {
    /// Who it is, its mailbox and its counts.
    pub(crate) handle: Handle,
    cancelled: Option<Instant>,
}

/// All subtasks, by job, generation and id.
pub(crate) struct Tasks {
    site: Site,
    lines: Outlet,
    running: BTreeMap<Key, Running>,
    fences: Fences,
    retired: Retired,
    /// Rings whenever a subtask has left.
    departures: Arc<Notify>,
}

impl Tasks {
    /// None yet.
    pub(super) fn new(site: Site, lines: Outlet) -> Self {
        let departures = Arc::new(Notify::new());
        let retired = Retired::default();
        Self {
            site,
            lines,
            running: BTreeMap::new(),
            fences: Fences::default(),
            retired,
            departures,
        }
    }

    /// Everything whose thread has not left.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Running> {
        self.running.values()
    }

    /// Memory that state holds, by who holds it.
    pub(crate) fn state_memory(&self) -> [(&'static str, usize); 2] {
        self.site.scratch.memory_held()
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
        let outcome = match message.message {
            Some(Message::Deploy(message)) => return self.deploy(message, now),
            Some(Message::Cancel(message)) => self.cancel(message, now),
            Some(Message::Drain(message)) => self.all_of(message.fence, |_| Control::Drain),
            Some(Message::Trigger(message)) => self.trigger(message),
            Some(Message::Commit(v1::Commit { fence, epoch, counter })) => {
                self.all_of(fence, |_| Control::Commit { epoch, counter })
            }
            Some(Message::AssignSplits(message)) => self.assign(message),
            Some(Message::Bound(message)) => self.bound(message),
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

    fn deploy(&mut self, message: v1::Deploy, now: Instant) -> Vec<from_task_manager::Message> {
        let named = wire::named(&message);
        let deployment = match Deployment::try_from(message) {
            Ok(deployment) => deployment,
            Err(failure) => {
                return named
                    .into_iter()
                    .map(|subtask| wire::refused(subtask, &failure))
                    .collect();
            }
        };
        let Fence { job, generation } = deployment.fence.clone();
        if !self.fences.admit(&job, generation) {
            return Vec::new();
        }
        self.lines.open(&job);
        tracing::info!(%job, %generation, subtasks = deployment.subtasks.len(), "deployed");
        self.cancel_where(now, |key| key.0 == job);
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
            self.running.insert(
                (job, generation, subtask),
                Running {
                    handle,
                    cancelled: None,
                },
            );
        }
        Vec::new()
    }

    fn cancel(&mut self, message: v1::Cancel, now: Instant) -> Result<bool, Failure> {
        let fence = Fence::try_from(message.fence)?;
        tracing::info!(job = %fence.job, generation = %fence.generation, reason = message.reason, "told to go");
        Ok(self.cancel_where(now, |(job, generation, _)| {
            *job == fence.job && *generation == fence.generation
        }))
    }

    /// Cancels all subtasks.
    pub(super) fn cancel_all(&mut self, now: Instant) {
        self.cancel_where(now, |_| true);
    }

    fn cancel_where(&mut self, now: Instant, meant: impl Fn(&Key) -> bool) -> bool {
        let mut any = false;
        for (_, running) in self.running.iter_mut().filter(|(key, _)| meant(key)) {
            any = true;
            running.cancelled.get_or_insert(now);
            running.handle.mail.post(Control::Cancel);
        }
        any
    }

    fn trigger(&self, message: v1::Trigger) -> Result<bool, Failure> {
        let Some(v1::Barrier { counter, roll_all }) = message.barrier else {
            return Ok(false);
        };
        let roll = if roll_all { Roll::All } else { Roll::Keep };
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
        let Fence { job, generation } = Fence::try_from(message.fence)?;
        let subtask = subtask_id(message.subtask.as_ref())?;
        let splits = message.splits.iter().map(|split| serde_json::from_slice(split));
        let splits: Vec<Split> = splits
            .collect::<Result<_, _>>()
            .map_err(|error| Failure::bug("a message of the job manager makes no sense: its splits").because(&error))?;
        let Some(running) = self.running.get(&(job, generation, subtask)) else {
            return Ok(false);
        };
        let outlook = if message.no_more { Outlook::Last } else { Outlook::More };
        running.handle.mail.post(Control::Assign { splits, outlook });
        Ok(true)
    }

    fn bound(&self, message: v1::Bound) -> Result<bool, Failure> {
        let Fence { job, generation } = Fence::try_from(message.fence)?;
        let subtask = subtask_id(message.subtask.as_ref())?;
        let slowest = subtask_id(message.slowest.as_ref())?.to_string();
        let Some(running) = self.running.get(&(job, generation, subtask)) else {
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
        for ((job, generation, _), running) in &self.running {
            if *job == fence.job && *generation == fence.generation {
                any = true;
                running.handle.mail.post(control(*generation));
            }
        }
        Ok(any)
    }

    /// A subtask's thread has left.
    pub(super) fn left(&mut self, identity: &Identity) {
        let key = (identity.job.clone(), identity.generation, identity.subtask);
        if let Some(running) = self.running.remove(&key) {
            self.retired.add(&running.handle);
        }
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

    /// Another job manager counts its generations anew.
    pub(super) fn forget(&mut self) {
        self.fences.forget();
    }
}
