//! What goes wrong and when: blows that chance deals, blows aimed at a moment, and the end of all of them.

use super::desk::Client;
use super::profile::{Blow, MS, Moment, Profile, SECOND};
use super::world::{Event, Post, World};

/// Whom a moment is about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Who {
    pub(super) client: Option<Client>,
    pub(super) slot: Option<usize>,
}

impl Who {
    pub(super) fn manager(client: Client) -> Self {
        Self {
            client: Some(client),
            slot: None,
        }
    }

    pub(super) fn worker(slot: usize) -> Self {
        Self {
            client: None,
            slot: Some(slot),
        }
    }
}

/// How often each moment was, and what was decided for the next one.
#[derive(Debug, Default)]
pub(super) struct Moments {
    seen: Vec<(Moment, u64)>,
    /// How many blows that were aimed at a moment met somebody.
    pub(super) struck: u64,
    pub(super) lose_outcome: bool,
    pub(super) slow_prepare: u64,
    pub(super) slow_commit: u64,
    /// Up to then a dial finds nobody.
    pub(super) blind_until: u64,
}

impl Moments {
    fn count(&mut self, moment: Moment) -> u64 {
        match self.seen.iter_mut().find(|(other, _)| *other == moment) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                self.seen.push((moment, 1));
                1
            }
        }
    }
}

impl World {
    /// A moment that a blow may be aimed at.
    pub(super) fn moment(&mut self, moment: Moment, who: Who) {
        if self.healed {
            return;
        }
        let nth = self.moments.count(moment);
        let due = self
            .faults
            .strikes
            .iter()
            .filter(|strike| (strike.at, strike.nth) == (moment, nth));
        let due: Vec<_> = due.copied().collect();
        for strike in due {
            match strike.blow {
                // What is about the very thing that follows cannot wait for its turn.
                Blow::LoseOutcome | Blow::SlowPrepare(_) | Blow::SlowCommit(_) => self.aimed(strike.blow, who),
                _ => self.post(strike.after, Event::Blow(strike.blow, who)),
            }
        }
    }

    /// A blow that was aimed comes down.
    pub(super) fn aimed(&mut self, blow: Blow, who: Who) {
        let before = self.fault_count;
        self.strike(blow, who);
        let waits = matches!(blow, Blow::LoseOutcome | Blow::SlowPrepare(_) | Blow::SlowCommit(_));
        self.moments.struck += u64::from(waits || self.fault_count > before);
    }

    /// Chance deals a blow, and says when the next one comes.
    pub(super) fn mischief(&mut self) {
        if self.healed || self.faults.blows.is_empty() {
            return;
        }
        let blow = self.chance.pick(&self.faults.blows);
        self.strike(blow, Who::default());
        if let Some(pause) = self.faults.mischief.clone() {
            let next = self.chance.within(&pause);
            self.post(next, Event::Mischief);
        }
    }

    fn some_manager(&mut self, who: Who) -> Option<Client> {
        let leading = self
            .managers
            .iter()
            .filter(|(_, one)| one.leading().is_some())
            .map(|(client, _)| *client);
        let leading: Vec<Client> = leading.collect();
        match who.client.filter(|client| self.managers.contains_key(client)) {
            Some(client) => Some(client),
            None if leading.is_empty() => None,
            None => Some(self.chance.pick(&leading)),
        }
    }

    fn some_worker(&mut self, who: Who) -> usize {
        let any = self.chance.below(self.workers.len() as u64);
        who.slot.unwrap_or_else(|| usize::try_from(any).unwrap_or(0))
    }

    pub(super) fn strike(&mut self, blow: Blow, who: Who) {
        if self.healed {
            return;
        }
        self.trace.note(self.now, "blow", &[]);
        self.trace.say(self.now, || format!("blow: {blow:?}"));
        match blow {
            Blow::KillManager => {
                if let Some(client) = self.some_manager(who) {
                    self.kill_manager(client);
                }
            }
            Blow::PauseManager(long) => {
                if let Some(client) = self.some_manager(who) {
                    self.pause_manager(client, long);
                }
            }
            Blow::Rival => self.rival(),
            Blow::KillWorker(back) => {
                let slot = self.some_worker(who);
                self.kill_worker(slot, back);
            }
            Blow::ReviveWorker => self.revive(who),
            Blow::TearSession => {
                let slot = self.some_worker(who);
                self.tear_session(slot);
            }
            Blow::KillNewest => self.kill_newest(),
            Blow::BreakSession => {
                let slot = self.some_worker(who);
                if let Some(session) = self.workers[slot].session {
                    self.fault_count += 1;
                    self.lose_session(session, 0..=12 * SECOND);
                }
            }
            Blow::FailSubtask => self.fail_some(who),
            Blow::LoseOutcome => self.moments.lose_outcome = true,
            Blow::SlowPrepare(long) => self.moments.slow_prepare = long,
            Blow::SlowCommit(long) => self.moments.slow_commit = long,
        }
    }

    /// Another job manager begins and takes the leader for dead.
    fn rival(&mut self) {
        let taken: Vec<usize> = self.managers.values().map(|manager| manager.slot).collect();
        self.fault_count += 1;
        self.moments.blind_until = self.now + 3 * SECOND;
        // With every place taken one of those that wait will do.
        let free = (0..=self.faults.managers).find(|slot| !taken.contains(slot));
        if let Some(slot) = free {
            self.post(0, Event::StartManager(slot));
        }
    }

    /// A task manager dies, starts again at once, and hears a deployment of its past.
    fn revive(&mut self, who: Who) {
        let slot = self.some_worker(who);
        let session = self.workers[slot].session;
        let deploy = session.and_then(|id| Some((id, self.sessions.get(&id)?.deploy.clone()?)));
        self.kill_worker(slot, 20 * MS);
        if let Some((id, deploy)) = deploy {
            let after = self.chance.within(&(30 * MS..=400 * MS));
            self.post(after, Event::ToWorker(id, Box::new(deploy), Post::Again));
        }
    }

    fn fail_some(&mut self, who: Who) {
        let slot = self.some_worker(who);
        let keys = self.keys_of(slot);
        if !keys.is_empty() {
            let key = self.chance.pick(&keys);
            self.fault_count += 1;
            self.fail_task(key, "its world fails");
        }
    }

    /// From here on nothing fails any more, and the job has to finish.
    pub(super) fn heal(&mut self) {
        self.trace.note(self.now, "heal", &[]);
        self.trace.say(self.now, || "nothing fails any more".to_owned());
        self.healed = true;
        self.faults.store = 0;
        self.faults.copies = 0;
        self.faults.commit = 0;
        self.moments = Moments {
            struck: self.moments.struck,
            ..Moments::default()
        };
        let paused: Vec<Client> = self
            .managers
            .iter()
            .filter(|(_, one)| one.paused)
            .map(|(client, _)| *client)
            .collect();
        paused.into_iter().for_each(|client| self.resume(client));
        self.leave_one_leader();
    }

    /// Where nothing gets lost and nothing comes late, no message is for somebody who is no more. Looked at with each
    /// checkpoint: when a job is over, the last words of subtasks without a sink find nobody, which is as it should be.
    pub(super) fn check_counter(&mut self) {
        if !matches!(self.run.profile, Profile::Quiet | Profile::Clean) {
            return;
        }
        let living = self.managers.values().filter_map(|one| one.leading());
        let dropped: u64 = living.map(|leading| leading.cluster().dropped()).sum();
        if self.dropped_by_managers + dropped > 0 {
            self.audit
                .violated(|| format!("the counter of foreign messages stands at {dropped}, and must stay 0"));
        }
    }
}
