//! How a barrier overtakes: the subtask passes it on, and into its snapshot, before what stands in front of it.
//!
//! ```text
//!   told to ──> has the barrier come into every channel? ──> is the chain through? ──> passed: in the inlets, in the
//!                      no: work goes on, a later turn asks        no: one step more,      outlets, in the sinks' queues
//!                                                                 credit or not
//! ```
//!
//! Must stay true: each row that came before the barrier is in the state, or among what was passed, and in one of them.
//! What is under way in the chain cannot be written down; it is driven on into the outlets without credit, within a bound.
//! Beyond that (a window that fires very much, a row of thousands of others) the barrier waits as if it were aligned.

use std::time::Duration;

use dataflow::Failure;
use dataflow::element::{Barrier, Element};
use dataflow::time::Instant;

use super::run::{Input, Task};
use crate::chain::Progress;
use crate::overtaken::{Passed, Place};

/// So many bytes may a chain send without credit, so that a barrier can overtake.
const OVERDRAFT: u64 = 4 << 20;

/// What a barrier finds before it at the gate.
struct AtHand {
    aligned: Duration,
    passed: Vec<Passed>,
}

impl Task {
    /// A barrier is not to wait any longer.
    pub(super) fn told_to_overtake(&mut self, barrier: Barrier) -> Result<(), Failure> {
        let counter = barrier.id.counter;
        if self.parts.stow.is_none() {
            return Ok(());
        }
        if !self.barriers.has_seen(counter) {
            self.overtaking = Some(barrier);
            return Ok(());
        }
        // It is through the chain, and perhaps waits for sinks.
        if self.barriers.may_overtake(counter) {
            let passed = self.parts.chain.overtake_writers(counter);
            if let Some(bytes) = self.stow(counter, passed) {
                self.barriers.overtook(counter, bytes);
            }
        }
        Ok(())
    }

    /// Lets the barrier that is to overtake do so, if it can; `true` if something moved.
    pub(super) fn overtake(&mut self, now: Instant) -> Result<bool, Failure> {
        let Some(barrier) = self.overtaking else {
            return Ok(false);
        };
        if self.barriers.has_seen(barrier.id.counter) {
            self.overtaking = None;
            return Ok(false);
        }
        if !self.has_come(barrier) {
            return Ok(false);
        }
        if !self.parts.chain.is_through() {
            let has_room = self.parts.chain.overdrawn() < OVERDRAFT;
            return Ok(has_room && self.parts.chain.step(now)? == Progress::Moved);
        }
        // What operators hold back is in no snapshot: it goes before the barrier.
        if self.parts.chain.settle()? {
            return Ok(true);
        }
        let Some(AtHand { aligned, passed }) = self.at_hand(barrier, now)? else {
            return Ok(false);
        };
        self.overtaking = None;
        self.passing = None;
        self.pass_over(barrier, aligned, passed)?;
        Ok(true)
    }

    /// Whether nothing but what is in this subtask stands before the barrier.
    fn has_come(&self, barrier: Barrier) -> bool {
        let is_waiting = self.passing.is_some_and(|(passing, _)| passing.id == barrier.id);
        let is_triggered = self.triggered.waiting().is_some_and(|waiting| waiting.id == barrier.id);
        is_waiting
            || match &self.parts.input {
                Input::Source(_) => is_triggered,
                Input::Gate(gate) => gate.has_come(barrier) || (gate.has_ended() && is_triggered),
            }
    }

    fn at_hand(&mut self, barrier: Barrier, now: Instant) -> Result<Option<AtHand>, Failure> {
        let nothing = |aligned| AtHand {
            aligned,
            passed: Vec::new(),
        };
        if let Some((_, aligned)) = self.passing.filter(|(passing, _)| passing.id == barrier.id) {
            return Ok(Some(nothing(aligned)));
        }
        let overtook = match &mut self.parts.input {
            Input::Source(_) => return Ok(Some(nothing(Duration::ZERO))),
            Input::Gate(gate) if gate.has_ended() => return Ok(Some(nothing(Duration::ZERO))),
            Input::Gate(gate) => gate.overtake(barrier, now)?,
        };
        Ok(overtook.map(|overtook| AtHand {
            aligned: overtook.aligned.duration,
            passed: overtook.passed.into_iter().map(came).collect(),
        }))
    }

    fn pass_over(&mut self, barrier: Barrier, aligned: Duration, mut passed: Vec<Passed>) -> Result<(), Failure> {
        let counter = barrier.id.counter;
        let now = self.parts.clock.now();
        passed.extend(self.parts.chain.overtake(barrier)?);
        self.triggered.passed(counter);
        let snapshot = self.snapshot();
        // Not acknowledged before it is known what else was passed.
        self.barriers.begin_overtaking(counter, snapshot, aligned, now);
        self.parts.chain.freeze(counter)?;
        self.parts.chain.prepare(barrier);
        passed.extend(self.parts.chain.overtake_writers(counter));
        let bytes = self.stow(counter, passed);
        self.barriers.spent(counter, self.parts.clock.now().since(now));
        if let Some(acknowledgement) = self.barriers.overtook_at_once(counter, bytes, now) {
            self.acknowledge(acknowledgement);
        }
        Ok(())
    }

    /// Has what was passed written; how many bytes of rows that are, if there is anything.
    fn stow(&self, counter: u64, mut passed: Vec<Passed>) -> Option<u64> {
        passed.retain(|passed| !passed.elements.is_empty());
        let stow = self.parts.stow.as_ref().filter(|_| !passed.is_empty())?;
        let bytes = crate::overtaken::row_bytes(&passed);
        stow.keep(counter, passed);
        Some(bytes)
    }
}

fn came((channel, elements): (crate::channel::ChannelId, Vec<Element>)) -> Passed {
    let place = Place::Inlet {
        edge: channel.edge,
        from: channel.from.index,
    };
    Passed { place, elements }
}
