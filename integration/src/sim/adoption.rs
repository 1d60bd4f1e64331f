//! Task managers without a job manager: what runs goes on, is adopted by whoever leads next, or ends with its lease.

use dataflow::id::Generation;
use jobmanager::recover::LEASE;
use proto::v1;
use taskmanager::task::life::Life;

use super::mutant::Mutant;
use super::profile::{MS, SECOND};
use super::subtask::subtask_id;
use super::workers::generation;
use super::world::{Event, TaskKey, World};

/// A lease in the world's own unit of time.
fn lease() -> u64 {
    u64::try_from(LEASE.as_micros()).unwrap_or(u64::MAX)
}

/// A subtask that was told to go has gone when so much time has passed since its lease.
const GRACE: u64 = 6 * SECOND;

impl World {
    /// The connection is lost: everything runs on, until the lease ends.
    pub(super) fn run_on(&mut self, slot: usize) {
        let until = self.instant() + LEASE;
        let there: Vec<_> = self
            .keys_of(slot)
            .into_iter()
            .filter_map(|key| self.obeyed(key))
            .collect();
        let now = self.now;
        let worker = &mut self.workers[slot];
        worker.session = None;
        worker.tenure.lost(there.into_iter(), until);
        for running in worker.tasks.values_mut() {
            running.unclaimed.get_or_insert(now);
        }
        let incarnation = worker.incarnation;
        self.trace.note(self.now, "runs on", &[slot as u64]);
        self.trace.say(self.now, || {
            format!("tm-{slot}-{incarnation} has no job manager, and runs on")
        });
        let again = self.chance.within(&(100 * MS..=500 * MS));
        self.post(again, Event::Attach(slot, incarnation));
        self.post(lease(), Event::Lease(slot, incarnation));
        self.post(lease() + GRACE, Event::LeaseOver(slot, incarnation));
    }

    fn obeyed(&mut self, key: TaskKey) -> Option<(dataflow::id::JobId, Generation)> {
        let running = self.running(key).filter(|running| !running.gone)?;
        let fence = &running.subtask.fence;
        Some((fence.job.parse().ok()?, generation(fence)))
    }

    /// The time that a lease ends, or an earlier one began anew.
    pub(super) fn end_leases(&mut self, slot: usize, incarnation: u32) {
        if !self.workers[slot].is_alive(Some(incarnation)) || self.is_mutant(Mutant::LeaseForever) {
            return;
        }
        let now = self.instant();
        let overdue = self.workers[slot].tenure.overdue(now);
        for key in self.keys_of(slot) {
            if self.obeyed(key).is_some_and(|one| overdue.contains(&one)) {
                self.trace.say(self.now, || {
                    format!("the lease of {} on tm-{slot} is over", key.subtask)
                });
                self.cancel(key);
            }
        }
    }

    /// Nothing runs that nobody leads, for longer than a lease.
    pub(super) fn check_leases(&mut self, slot: usize, incarnation: u32) {
        if !self.workers[slot].is_alive(Some(incarnation)) {
            return;
        }
        let now = self.now;
        let late = |since: Option<u64>| since.is_some_and(|since| now >= since + lease() + GRACE);
        let tasks = self.workers[slot].tasks.values();
        if tasks
            .filter(|running| !running.gone)
            .any(|running| late(running.unclaimed))
        {
            self.audit
                .violated(|| format!("tm-{slot} runs what nobody has led for longer than a lease"));
        }
    }

    /// Whether a leader of this term is served by a task manager; how what it runs stands goes with it.
    pub(super) fn is_served(&mut self, slot: usize, term: u64) -> bool {
        let any = self.is_mutant(Mutant::EarlierTermServed);
        let worker = &mut self.workers[slot];
        let there = worker.tasks.values().filter(|running| !running.gone).count();
        if !worker.tenure.serves(term, there) && !any {
            return false;
        }
        if there == 0 {
            worker.fences.forget();
            worker.life += 1;
        } else if term < worker.term {
            let newest = worker.term;
            self.audit
                .violated(|| format!("tm-{slot} serves term {term} with what term {newest} has led"));
        }
        self.workers[slot].term = term;
        true
    }

    /// What runs on a task manager, for whoever leads.
    pub(super) fn standings(&self, slot: usize) -> Vec<v1::Standing> {
        let mut standings = std::collections::BTreeMap::new();
        for ((born, id), running) in self.workers[slot].tasks.iter().filter(|(_, running)| !running.gone) {
            let standing = standings.entry(*born).or_insert_with(|| v1::Standing {
                fence: Some(running.subtask.fence.clone()),
                born_term: born.term,
                born_deployment: born.deployment,
                born_epoch: running.born_epoch,
                adopted_epoch: running.adopted_epoch,
                subtasks: Vec::new(),
            });
            let state = match running.subtask.life() {
                Life::Running => v1::State::Running,
                Life::Ended => v1::State::Ended,
                Life::Restoring | Life::Over => v1::State::Unspecified,
            };
            standing.subtasks.push(v1::Standee {
                subtask: Some(v1::Subtask {
                    vertex: id.vertex.0,
                    index: id.index,
                }),
                attempt: running.subtask.attempt.clone(),
                state: state.into(),
            });
        }
        standings.into_values().collect()
    }

    /// A leader takes over what runs.
    pub(super) fn adopt(&mut self, slot: usize, adopt: v1::Adopt) -> bool {
        let (Some(old), Some(anew)) = (adopt.fence, adopt.anew) else {
            return false;
        };
        let keys: Vec<TaskKey> = self.meant(slot, Some(&old));
        let Ok(job) = anew.job.parse() else { return false };
        if keys.is_empty() || !self.workers[slot].fences.admit_over(&job, generation(&anew)) {
            return false;
        }
        let life = (slot as u64) << 32 | self.workers[slot].life;
        self.audit.admit(life, generation(&anew));
        self.workers[slot].tenure.settled(&job, generation(&old));
        let asked = keys
            .iter()
            .filter_map(|key| self.running(*key).map(|running| running.asked));
        let counter = asked.collect::<Vec<_>>().into_iter().max().unwrap_or(0);
        self.adopted += 1;
        self.trace.note(self.now, "adopts", &[slot as u64]);
        self.trace.say(self.now, || {
            format!("tm-{slot}: {} goes on as {}", generation(&old), generation(&anew))
        });
        for key in keys {
            if let Some(running) = self.running(key) {
                running.unclaimed = None;
                running.adopted_epoch = adopt.epoch;
                running.former = Some(generation(&old));
            }
            self.act(key, |task| task.adopt(anew.clone(), counter));
        }
        true
    }

    /// The subtasks that a fence is about.
    pub(super) fn meant(&mut self, slot: usize, fence: Option<&v1::Fence>) -> Vec<TaskKey> {
        let Some(fence) = fence else { return Vec::new() };
        let (meant, hears_both) = (generation(fence), self.is_mutant(Mutant::HearsBoth));
        let mut keys = Vec::new();
        for key in self.keys_of(slot) {
            let Some(running) = self.running(key) else { continue };
            let obeys = generation(&running.subtask.fence);
            if obeys == meant {
                keys.push(key);
            } else if hears_both && running.former == Some(meant) {
                keys.push(key);
                self.audit
                    .violated(|| format!("{} obeys {meant}, and was adopted by {obeys}", key.subtask));
            }
        }
        keys
    }

    /// A barrier was asked for.
    pub(super) fn asked_for(&mut self, slot: usize, fence: Option<&v1::Fence>, counter: u64) {
        for key in self.meant(slot, fence) {
            if let Some(running) = self.running(key) {
                running.asked = running.asked.max(counter);
            }
        }
    }

    /// A session breaks at the job manager's end first, which counts its task manager as gone.
    pub(super) fn tear_session(&mut self, slot: usize) {
        if let Some(id) = self.workers[slot].session
            && self.break_session(id)
        {
            self.fault_count += 1;
            self.post(0, Event::ManagerSees(id));
            self.post(12 * SECOND, Event::WorkerSees(id));
        }
    }

    /// Those who run the newest deployment die.
    pub(super) fn kill_newest(&mut self) {
        let newest = self
            .workers
            .iter()
            .flat_map(|worker| worker.tasks.keys())
            .map(|(born, _)| *born)
            .max();
        for slot in 0..self.workers.len() {
            if self.workers[slot].tasks.keys().any(|(born, _)| Some(*born) == newest) {
                self.kill_worker(slot, 30 * SECOND);
            }
        }
    }

    /// The subtask that a message is for.
    pub(super) fn reader(&mut self, slot: usize, assign: &v1::AssignSplits) -> Option<TaskKey> {
        let subtask = subtask_id(assign.subtask.as_ref());
        let keys = self.meant(slot, assign.fence.as_ref());
        keys.into_iter().find(|key| key.subtask == subtask)
    }
}
