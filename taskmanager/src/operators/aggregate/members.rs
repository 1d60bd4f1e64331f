//! The sessions of each key, and what each has folded: the values of the sessions' table.

use std::sync::Arc;

use dataflow::Failure;

use super::accumulate::packed::{put_bytes, put_count, put_int, take_bytes, take_count, take_int};
use super::accumulate::{Accumulators, Shape};
use crate::state::Values;

/// No session.
pub(super) const NOTHING: u32 = u32::MAX;

/// What is written of a session beside its times: its result was given.
const FIRED: u8 = 1;
/// Early results are to tell of it.
const FRESH: u8 = 2;

/// One session.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says another thing of it, and all combinations are there"
)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    /// The time of its first row.
    pub(super) start: i64,
    /// The gap after its last row.
    pub(super) end: i64,
    /// When it is looked at next.
    pub(super) timer: i64,
    /// The slot of its key.
    pub(super) key: u32,
    /// The key's next session.
    pub(super) next: u32,
    /// Its result was given.
    pub(super) fired: bool,
    /// It has changed since early results were given.
    pub(super) fresh: bool,
    live: bool,
}

/// All sessions: each key's are a list, and each has a slot among the accumulators.
pub(super) struct Members {
    firsts: Vec<u32>,
    sessions: Vec<Session>,
    spare: Vec<u32>,
    accumulators: Accumulators,
    arrival: Arrival,
    moved: Moved,
}

/// What is known of sessions that come to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// They are as they were when they left.
    AsTheyWere,
    /// Whether early results had told of them, nobody knows: they are told again.
    Fresh,
}

/// A number that a key is looked at by, and the key.
type Hint = (i64, Box<[u8]>);

/// What came to memory and left it, since it was last asked for.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// Sessions that came.
    pub(super) arrived: Vec<u32>,
    /// Keys that left, and when the first of their sessions is to be looked at.
    pub(super) due: Vec<Hint>,
    /// Those of them that early results are to tell of.
    pub(super) fresh: Vec<Hint>,
}

impl Members {
    pub(super) fn new(shape: &Arc<Shape>) -> Result<Self, Failure> {
        Ok(Self {
            firsts: Vec::new(),
            sessions: Vec::new(),
            spare: Vec::new(),
            accumulators: Accumulators::new(shape)?,
            arrival: Arrival::AsTheyWere,
            moved: Moved::default(),
        })
    }

    /// From now on, sessions arrive so.
    pub(super) fn arriving(&mut self, arrival: Arrival) {
        self.arrival = arrival;
    }

    /// What has moved since this was last asked.
    pub(super) fn take_moved(&mut self) -> Moved {
        std::mem::take(&mut self.moved)
    }

    /// How many sessions are in memory.
    pub(super) fn count(&self) -> usize {
        self.sessions.len() - self.spare.len()
    }

    /// What sessions have folded.
    pub(super) fn accumulators(&self) -> &Accumulators {
        &self.accumulators
    }

    /// The same, to fold more.
    pub(super) fn accumulators_mut(&mut self) -> &mut Accumulators {
        &mut self.accumulators
    }

    /// The first session of a key.
    pub(super) fn first(&self, key: u32) -> u32 {
        self.firsts[key as usize]
    }

    /// Whether a key has no session.
    pub(super) fn is_empty(&self, key: u32) -> bool {
        self.first(key) == NOTHING
    }

    /// A session.
    pub(super) fn session(&self, id: u32) -> &Session {
        &self.sessions[id as usize]
    }

    /// A session, to be changed.
    pub(super) fn session_mut(&mut self, id: u32) -> &mut Session {
        &mut self.sessions[id as usize]
    }

    /// Whether there is such a session.
    pub(super) fn is_live(&self, id: u32) -> bool {
        self.sessions.get(id as usize).is_some_and(|session| session.live)
    }

    /// A key begins another session.
    pub(super) fn begin(&mut self, key: u32, start: i64, end: i64) -> u32 {
        let session = Session {
            start,
            end,
            timer: end,
            key,
            next: self.firsts[key as usize],
            fired: false,
            fresh: false,
            live: true,
        };
        let id = match self.spare.pop() {
            Some(id) => {
                self.sessions[id as usize] = session;
                id
            }
            None => {
                self.sessions.push(session);
                u32::try_from(self.sessions.len() - 1).expect("memory ends before four billion sessions")
            }
        };
        self.accumulators.grow(self.sessions.len());
        self.firsts[key as usize] = id;
        id
    }

    /// A session holds this span too.
    pub(super) fn widen(&mut self, id: u32, start: i64, end: i64) {
        let session = self.session_mut(id);
        session.start = session.start.min(start);
        session.end = session.end.max(end);
    }

    /// Takes a session out of its key's list; what it has folded stays until it is freed.
    pub(super) fn unlink(&mut self, id: u32) {
        let Session { key, next, .. } = *self.session(id);
        self.session_mut(id).live = false;
        if self.first(key) == id {
            self.firsts[key as usize] = next;
            return;
        }
        let mut before = self.first(key);
        while before != NOTHING {
            let after = self.session(before).next;
            if after == id {
                self.session_mut(before).next = next;
                return;
            }
            before = after;
        }
    }

    /// Forgets what a session has folded that is in no list.
    pub(super) fn free(&mut self, id: u32) {
        self.accumulators.reset(id);
        self.spare.push(id);
    }

    fn read(&mut self, key: u32, mut bytes: &[u8]) -> Option<Result<(), Failure>> {
        for _ in 0..take_count(&mut bytes)? {
            let start = i64::try_from(take_int(&mut bytes)?).ok()?;
            let end = start.checked_add(i64::try_from(take_count(&mut bytes)?).ok()?)?;
            let (flags, rest) = bytes.split_first().filter(|(flags, _)| **flags <= FIRED | FRESH)?;
            bytes = rest;
            let folded = take_bytes(&mut bytes)?;
            let id = self.begin(key, start, end);
            let fresh = self.arrival == Arrival::Fresh;
            let session = self.session_mut(id);
            session.fired = flags & FIRED != 0;
            session.fresh = flags & FRESH != 0 || fresh;
            self.moved.arrived.push(id);
            if let Err(failure) = self.accumulators.decode(id, folded) {
                return Some(Err(failure));
            }
        }
        bytes.is_empty().then_some(Ok(()))
    }
}

impl Values for Members {
    fn grow(&mut self, slots: usize) {
        self.firsts.resize(slots.max(self.firsts.len()), NOTHING);
    }

    fn reset(&mut self, slot: u32) {
        let mut next = std::mem::replace(&mut self.firsts[slot as usize], NOTHING);
        while next != NOTHING {
            let id = next;
            next = self.session(id).next;
            self.session_mut(id).live = false;
            self.free(id);
        }
    }

    fn encode(&self, slot: u32, out: &mut Vec<u8>) {
        let there = |id: u32| Some(id).filter(|id| *id != NOTHING);
        let ids = || std::iter::successors(there(self.first(slot)), |id| there(self.session(*id).next));
        put_count(ids().count() as u64, out);
        let mut folded = Vec::new();
        for id in ids() {
            let session = self.session(id);
            put_int(i128::from(session.start), out);
            put_count(session.end.abs_diff(session.start), out);
            out.push((u8::from(session.fired) * FIRED) | (u8::from(session.fresh) * FRESH));
            folded.clear();
            self.accumulators.encode(id, &mut folded);
            put_bytes(&folded, out);
        }
    }

    fn decode(&mut self, slot: u32, bytes: &[u8]) -> Result<(), Failure> {
        self.reset(slot);
        let malformed = || Failure::fail("a part of the state cannot be read: its bytes are no sessions");
        self.read(slot, bytes).ok_or_else(malformed)?
    }

    fn leave(&mut self, slot: u32, key: &[u8]) {
        let (mut due, mut fresh, mut next) = (i64::MAX, false, self.first(slot));
        while next != NOTHING {
            let session = self.session(next);
            due = due.min(session.timer);
            fresh |= session.fresh && !session.fired;
            next = session.next;
        }
        self.moved.due.push((due, key.into()));
        if fresh {
            self.moved.fresh.push((0, key.into()));
        }
    }

    fn clear(&mut self) {
        self.firsts = Vec::new();
        self.sessions = Vec::new();
        self.spare = Vec::new();
        self.accumulators.clear();
    }

    fn bytes(&self) -> usize {
        self.accumulators.bytes()
            + self.sessions.capacity() * size_of::<Session>()
            + (self.firsts.capacity() + self.spare.capacity()) * size_of::<u32>()
    }
}
