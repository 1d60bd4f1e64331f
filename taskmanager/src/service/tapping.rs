//! Which steps are looked at: a watch for each tap and subtask, from the job manager's word to its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use dataflow::id::{Generation, JobId, SubtaskId};
use dataflow::time::Instant;
use dataflow::{Failure, Scope};
use proto::v1;

use super::tasks::Tasks;
use super::wire;
use crate::deploy::{Fence, Handle, Site};
use crate::tap::{Asked, Outlet, Watch};
use crate::task::Identity;

/// So many watches at a time; whoever asks for more sees nothing of the others.
const WATCHES_MAX: usize = 512;

/// A tap of a job at a subtask of it, as it was deployed.
type Key = (JobId, u64, SubtaskId, Generation);

/// The watches of a task manager.
pub(crate) struct Taps {
    outlet: Outlet,
    /// What each runs in, and when it ends by itself.
    watches: BTreeMap<Key, (Scope, Instant)>,
}

impl Taps {
    pub(super) fn new(outlet: Outlet) -> Self {
        Self {
            outlet,
            watches: BTreeMap::new(),
        }
    }

    /// Looks at a step of a subtask; in place of a watch of the same number.
    fn open(&mut self, handle: &Handle, step: &str, asked: &Asked, site: &Site) {
        let Identity {
            job,
            subtask,
            generation,
            ..
        } = &handle.identity;
        let key = (job.clone(), asked.tap, *subtask, *generation);
        self.close(&key);
        let now = site.clock.now();
        self.watches.retain(|_, (_, until)| *until > now);
        if self.watches.len() >= WATCHES_MAX {
            return;
        }
        // The last of a name: what leaves a step leaves its last part.
        let Some(gauges) = handle.gauges.nodes.iter().rev().find(|node| node.step == step) else {
            return;
        };
        let seen = (handle.identity.clone(), Arc::clone(gauges), Arc::clone(&handle.hidden));
        let with = (site.registry.clone(), self.outlet.clone(), Arc::clone(&site.clock));
        let scope = site.scope.child("tap").on(site.data_runtime.clone());
        scope.run(Watch::new(seen, asked.clone(), with).run());
        self.watches.insert(key, (scope, now + asked.duration));
    }

    fn close(&mut self, key: &Key) -> bool {
        let watch = self.watches.remove(key);
        watch.inspect(|(scope, _)| scope.cancel()).is_some()
    }

    /// Ends what looks at a subtask that has left.
    pub(super) fn left(&mut self, identity: &Identity) {
        self.watches.retain(|(job, _, subtask, generation), (scope, _)| {
            let own = (&identity.job, &identity.subtask, &identity.generation);
            let other = (job, subtask, generation) != own;
            if !other {
                scope.cancel();
            }
            other
        });
    }
}

impl Tasks {
    /// Somebody looks at a step: each subtask that is meant shows rows.
    pub(super) fn tap(&mut self, message: &v1::Tap) -> Result<bool, Failure> {
        let fence = Fence::try_from(message.fence.clone())?;
        let asked = wire::asked(message)?;
        let meant = |subtask: &SubtaskId| {
            subtask.vertex.0 == message.vertex
                && (message.indexes.is_empty() || message.indexes.contains(&subtask.index))
        };
        let running = self.running().filter(|running| running.obeys(&fence));
        let handles = running.map(|running| running.handle.clone());
        let handles: Vec<Handle> = handles.filter(|handle| meant(&handle.identity.subtask)).collect();
        for handle in &handles {
            self.taps.open(handle, &message.step, &asked, &self.site);
        }
        Ok(!handles.is_empty())
    }

    /// Nobody looks any more.
    pub(super) fn untap(&mut self, message: v1::Untap) -> Result<bool, Failure> {
        let fence = Fence::try_from(message.fence)?;
        let keys = self.taps.watches.keys();
        let keys = keys.filter(|(job, tap, ..)| (job, *tap) == (&fence.job, message.tap));
        let keys: Vec<Key> = keys.cloned().collect();
        let closed = keys.iter().filter(|key| self.taps.close(key)).count();
        Ok(closed > 0)
    }
}
