//! How hard a world is: rates of faults drawn for each seed, and blows aimed at one moment.

use std::ops::RangeInclusive;

use super::chance::Chance;

/// A millisecond in the world's own unit of time.
pub(super) const MS: u64 = 1_000;
/// A second.
pub(super) const SECOND: u64 = 1_000 * MS;

/// A kind of world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// Nothing fails.
    Quiet,
    /// Only subtasks fail, each loudly, one of them always while a barrier is on its way: no message gets lost, none comes late.
    Clean,
    /// Everything fails, at rates of the seed's own.
    Swarm,
    /// The leader dies when its record is there, before anybody was told.
    LeaderDiesAfterRecord,
    /// The leader dies with its record on the way.
    LeaderDiesBeforeRecord,
    /// A second leader begins while the first one writes a record.
    TwoLeaders,
    /// A leader is held up between its claim and its fence, while another one begins.
    LateFence,
    /// A leader is held up between its claim and its first page of the ledger, while another one begins and writes.
    LateLedger,
    /// A task manager starts again under its name, and hears a deployment of its past.
    LateDeployment,
    /// A job manager's messages arrive again, long after they were sent.
    LateMessages,
    /// Acknowledgements of a deployment that has failed arrive again while the next one collects its own.
    LateAcknowledgements,
    /// The store does not say what became of a record.
    UnknownRecord,
    /// A barrier is given up when a sink has prepared for it.
    AbortedBarrier,
    /// Sinks take long to commit, and die on it.
    LateCommit,
    /// The leader dies and comes back at once: what runs is adopted.
    LeaderReturns,
    /// The leader dies and stays away for longer than a lease.
    LeaderStaysAway,
    /// A task manager is given up while it runs on; then those who replaced it die, and the leader with them.
    TornSession,
    /// Leaders follow each other while sessions break.
    TornLeaders,
    /// Two flows side by side, of which one fails while the other runs on, with barriers, commits and leaders on their way.
    PartFails,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Quiet,
        Self::Clean,
        Self::Swarm,
        Self::LeaderDiesAfterRecord,
        Self::LeaderDiesBeforeRecord,
        Self::TwoLeaders,
        Self::LateFence,
        Self::LateLedger,
        Self::LateDeployment,
        Self::LateMessages,
        Self::LateAcknowledgements,
        Self::UnknownRecord,
        Self::AbortedBarrier,
        Self::LateCommit,
        Self::LeaderReturns,
        Self::LeaderStaysAway,
        Self::TornSession,
        Self::TornLeaders,
        Self::PartFails,
    ];

    /// The profile of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| format!("{profile:?}") == name)
    }
}

/// Moments that a blow can be aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A job manager leads.
    Led,
    /// A job manager makes its claim.
    ClaimMade,
    /// A job manager opens its ledger with a page of its own.
    LedgerOpened,
    /// A checkpoint's record is sent to the store.
    RecordSent,
    /// It is there.
    RecordMade,
    /// A fence is there.
    FenceMade,
    /// A deployment is sent to a task manager.
    DeploySent,
    /// A barrier is sent to a task manager.
    TriggerSent,
    /// A commit is sent to a task manager.
    CommitSent,
    /// A subtask's acknowledgement is sent.
    Acknowledged,
    /// A sink has published.
    Published,
}

/// What happens then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// The job manager, or any that leads, dies.
    KillManager,
    /// It stands still for so long.
    PauseManager(u64),
    /// Another job manager begins, and finds the leader gone.
    Rival,
    /// The task manager, or any, dies and comes back after so long.
    KillWorker(u64),
    /// It dies, comes back, and hears its last deployment again.
    ReviveWorker,
    /// Its session breaks.
    BreakSession,
    /// Its session breaks, and its own end of it is the last to learn of it.
    TearSession,
    /// Task managers that run the newest deployment die, for long.
    KillNewest,
    /// A subtask of it fails.
    FailSubtask,
    /// The next record's outcome stays unknown.
    LoseOutcome,
    /// The next preparation of a sink takes so long.
    SlowPrepare(u64),
    /// The next commit takes so long.
    SlowCommit(u64),
}

/// A blow aimed at the how-many-eth such moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strike {
    pub(super) at: Moment,
    pub(super) nth: u64,
    pub(super) after: u64,
    pub(super) blow: Blow,
}

/// The faults of one seed.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    /// Of a thousand requests to the store, so many go wrong.
    pub(super) store: u64,
    pub(super) store_delay: RangeInclusive<u64>,
    pub(super) wire_delay: RangeInclusive<u64>,
    /// Of a thousand messages, so many arrive a second time.
    pub(super) copies: u64,
    pub(super) copy_delay: RangeInclusive<u64>,
    pub(super) io_delay: RangeInclusive<u64>,
    pub(super) row_delay: RangeInclusive<u64>,
    /// Of a thousand commits of a sink, so many fail, before or after they have worked.
    pub(super) commit: u64,
    /// Time between two blows that nobody aimed; none for never.
    pub(super) mischief: Option<RangeInclusive<u64>>,
    /// What they are drawn from.
    pub(super) blows: Vec<Blow>,
    pub(super) strikes: Vec<Strike>,
    /// From when on nothing fails any more.
    pub(super) heal: u64,
    /// How soon the ends of the sessions of a job manager that dies learn of it.
    pub(super) seen: RangeInclusive<u64>,
    /// When it starts again.
    pub(super) back: RangeInclusive<u64>,
    /// Whether each task manager has room for the whole datastream.
    pub(super) roomy: bool,
    pub(super) managers: usize,
    pub(super) workers: usize,
}

impl Faults {
    fn calm(chance: &mut Chance) -> Self {
        Self {
            store: 0,
            store_delay: MS..=chance.within(&(2 * MS..=40 * MS)),
            wire_delay: MS / 2..=chance.within(&(MS..=20 * MS)),
            copies: 0,
            copy_delay: 10 * MS..=5 * SECOND,
            io_delay: MS..=chance.within(&(2 * MS..=80 * MS)),
            row_delay: MS..=chance.within(&(2 * MS..=50 * MS)),
            commit: 0,
            mischief: None,
            blows: Vec::new(),
            strikes: Vec::new(),
            heal: chance.within(&(5 * SECOND..=20 * SECOND)),
            seen: 0..=5 * SECOND,
            back: 50 * MS..=3 * SECOND,
            roomy: false,
            managers: usize::try_from(chance.within(&(1..=3))).unwrap_or(1),
            workers: usize::try_from(chance.within(&(1..=4))).unwrap_or(1),
        }
    }

    /// Draws the faults of a seed.
    pub(super) fn draw(profile: Profile, chance: &mut Chance) -> Self {
        let mut faults = Self::calm(chance);
        match profile {
            Profile::Quiet => {}
            Profile::Clean => {
                faults.mischief(chance, &[Blow::FailSubtask]);
                // Chance alone comes too late for a short datastream; a barrier is sent in each, and all subtasks are there then.
                faults.strike((Moment::TriggerSent, 1), 0, Blow::FailSubtask);
            }
            Profile::Swarm => faults.swarm(chance),
            _ => faults.aimed(profile, chance),
        }
        faults
    }

    fn mischief(&mut self, chance: &mut Chance, blows: &[Blow]) {
        let mean = chance.within(&(150 * MS..=4 * SECOND));
        self.mischief = Some(mean / 4..=2 * mean);
        self.blows = blows.to_vec();
    }

    fn swarm(&mut self, chance: &mut Chance) {
        const BLOWS: [Blow; 11] = [
            Blow::KillManager,
            Blow::PauseManager(3 * SECOND),
            Blow::PauseManager(14 * SECOND),
            Blow::Rival,
            Blow::KillWorker(300 * MS),
            Blow::KillWorker(4 * SECOND),
            Blow::ReviveWorker,
            Blow::BreakSession,
            Blow::FailSubtask,
            Blow::SlowPrepare(2 * SECOND),
            Blow::SlowCommit(2 * SECOND),
        ];
        // Each seed has faults of its own: some many crashes and a quiet store, some the reverse.
        if chance.happens(600) {
            self.store = chance.within(&(0..=250));
        }
        if chance.happens(600) {
            self.copies = chance.within(&(0..=300));
        }
        if chance.happens(400) {
            self.commit = chance.within(&(0..=200));
        }
        if chance.happens(300) {
            self.store_delay = MS..=chance.within(&(100 * MS..=2 * SECOND));
        }
        if chance.happens(300) {
            self.wire_delay = MS..=chance.within(&(50 * MS..=SECOND));
        }
        let some: Vec<Blow> = BLOWS.into_iter().filter(|_| chance.happens(400)).collect();
        if !some.is_empty() {
            self.mischief(chance, &some);
        }
    }

    fn strike(&mut self, (at, nth): (Moment, u64), after: u64, blow: Blow) {
        self.strikes.push(Strike { at, nth, after, blow });
    }

    fn aimed(&mut self, profile: Profile, chance: &mut Chance) {
        let (nth, soon) = (chance.within(&(1..=4)), chance.within(&(0..=60 * MS)));
        match profile {
            Profile::LeaderDiesAfterRecord => self.strike((Moment::RecordMade, nth), 0, Blow::KillManager),
            Profile::LeaderDiesBeforeRecord => self.strike((Moment::RecordSent, nth), 0, Blow::KillManager),
            Profile::TwoLeaders => {
                self.managers = 2;
                self.store_delay = MS..=chance.within(&(20 * MS..=400 * MS));
                let at = chance.pick(&[Moment::TriggerSent, Moment::Acknowledged, Moment::RecordSent]);
                self.strike((at, nth), soon, Blow::Rival);
                if chance.happens(500) {
                    let long = chance.within(&(100 * MS..=3 * SECOND));
                    self.strike((Moment::RecordSent, nth), 0, Blow::PauseManager(long));
                }
            }
            Profile::LateFence => {
                self.managers = 3;
                self.strike((Moment::RecordMade, nth), 0, Blow::KillManager);
                let long = chance.within(&(SECOND..=8 * SECOND));
                self.strike((Moment::LedgerOpened, 2), 0, Blow::PauseManager(long));
                self.strike((Moment::LedgerOpened, 2), MS, Blow::Rival);
            }
            Profile::LateLedger => {
                self.managers = 2;
                let long = chance.within(&(SECOND..=8 * SECOND));
                let nth = chance.within(&(1..=2));
                self.strike((Moment::ClaimMade, nth), 0, Blow::PauseManager(long));
                self.strike((Moment::ClaimMade, nth), MS, Blow::Rival);
                self.strike((Moment::RecordMade, 2), 0, Blow::KillManager);
            }
            Profile::LateDeployment => {
                self.workers = usize::try_from(chance.within(&(1..=2))).unwrap_or(1);
                self.strike((Moment::RecordMade, nth), soon, Blow::ReviveWorker);
            }
            Profile::LateMessages => {
                self.copies = chance.within(&(200..=700));
                self.copy_delay = MS..=chance.within(&(100 * MS..=3 * SECOND));
                self.mischief(chance, &[Blow::FailSubtask, Blow::BreakSession, Blow::KillManager]);
            }
            Profile::LateAcknowledgements => {
                self.copies = 800;
                self.copy_delay = 50 * MS..=chance.within(&(300 * MS..=900 * MS));
                (0..4).for_each(|time| self.strike((Moment::Acknowledged, nth + 5 * time), 0, Blow::FailSubtask));
            }
            Profile::UnknownRecord => {
                self.strike((Moment::RecordSent, nth), 0, Blow::LoseOutcome);
                self.store = chance.within(&(0..=200));
            }
            Profile::AbortedBarrier => {
                let long = chance.within(&(600 * SECOND..=602 * SECOND));
                // Those who stand by would ask ten thousand times until then.
                self.managers = 1;
                self.strike((Moment::TriggerSent, nth), 0, Blow::SlowPrepare(long));
                self.heal = 640 * SECOND;
            }
            Profile::LateCommit => {
                self.commit = chance.within(&(50..=400));
                let long = chance.within(&(500 * MS..=4 * SECOND));
                self.strike((Moment::CommitSent, nth), 0, Blow::SlowCommit(long));
                let killer = chance.pick(&[Blow::KillManager, Blow::KillWorker(SECOND), Blow::FailSubtask]);
                self.strike((Moment::CommitSent, nth), soon, killer);
            }
            Profile::LeaderReturns | Profile::LeaderStaysAway | Profile::TornSession | Profile::TornLeaders => {
                self.led_away(profile, chance);
            }
            Profile::PartFails => self.part_fails(chance),
            Profile::Quiet | Profile::Clean | Profile::Swarm => {}
        }
    }

    /// Worlds in which a part of the job fails while the rest runs on.
    fn part_fails(&mut self, chance: &mut Chance) {
        // Long enough that the rest has something to run on with.
        self.row_delay = 10 * MS..=50 * MS;
        self.io_delay = MS..=chance.within(&(20 * MS..=300 * MS));
        if chance.happens(400) {
            self.copies = chance.within(&(0..=500));
        }
        let moments = [
            Moment::TriggerSent,
            Moment::Acknowledged,
            Moment::RecordSent,
            Moment::RecordMade,
            Moment::CommitSent,
            Moment::Published,
        ];
        for time in 0..4 {
            let (at, nth) = (chance.pick(&moments), chance.within(&(1..=4)));
            let soon = chance.within(&(0..=60 * MS));
            self.strike((at, nth + 4 * time), soon, Blow::FailSubtask);
        }
        if chance.happens(400) {
            self.back = 20 * MS..=500 * MS;
            let (at, soon) = (chance.pick(&moments), chance.within(&(0..=200 * MS)));
            self.strike((at, chance.within(&(2..=6))), soon, Blow::KillManager);
        }
        if chance.happens(300) {
            let blows = [Blow::FailSubtask, Blow::KillWorker(SECOND), Blow::BreakSession];
            self.mischief(chance, &blows);
        }
    }

    /// Worlds in which subtasks run on without a leader.
    fn led_away(&mut self, profile: Profile, chance: &mut Chance) {
        let soon = chance.within(&(0..=60 * MS));
        self.managers = 1;
        self.seen = 0..=100 * MS;
        self.back = 20 * MS..=500 * MS;
        // Long enough that there is something to adopt.
        self.row_delay = 20 * MS..=60 * MS;
        match profile {
            Profile::LeaderReturns => {
                let moments = [
                    Moment::RecordSent,
                    Moment::RecordMade,
                    Moment::TriggerSent,
                    Moment::Acknowledged,
                    Moment::CommitSent,
                ];
                for time in 0..3 {
                    let at = chance.pick(&moments);
                    let (soon, nth) = (chance.within(&(0..=60 * MS)), chance.within(&(1..=3)));
                    self.strike((at, nth + 3 * time), soon, Blow::KillManager);
                    if chance.happens(200) {
                        self.strike((at, nth + 3 * time), soon, Blow::KillWorker(SECOND));
                    }
                }
            }
            Profile::LeaderStaysAway => {
                self.back = 20 * SECOND..=60 * SECOND;
                self.strike((Moment::RecordMade, 1), soon, Blow::KillManager);
            }
            Profile::TornSession => {
                self.roomy = true;
                self.workers = usize::try_from(chance.within(&(2..=3))).unwrap_or(2);
                self.strike((Moment::TriggerSent, 1), soon, Blow::TearSession);
                let nth = chance.within(&(1..=3));
                self.strike((Moment::RecordMade, nth), soon, Blow::KillNewest);
                self.strike((Moment::RecordMade, nth), soon, Blow::KillManager);
            }
            Profile::TornLeaders => {
                self.managers = 2;
                self.strike((Moment::RecordMade, 1), 0, Blow::PauseManager(6 * SECOND));
                self.strike((Moment::RecordMade, 1), MS, Blow::Rival);
                self.mischief(chance, &[Blow::BreakSession]);
            }
            _ => {}
        }
    }
}
