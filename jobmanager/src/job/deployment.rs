//! One deployment of a job: its attempts, where they sit, and what they last said of themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dataflow::Scope;
use dataflow::id::{Generation, SubtaskId, VertexId};
use dataflow::tally::Tallies;
use dataflow::time::Instant;
use tokio::sync::mpsc;

use super::sources::Sources;
use crate::checkpoint::Members;
use crate::cluster::{Gauges, Seat, Seats};
use crate::execution::attempt::{Event, State};
use crate::execution::{Attempt, ExecutionGraph};
use crate::recover::Birth;
use crate::source::{Discovered, Drift};
use crate::store::Reached;

/// Reports of enumerators that may wait.
const REPORTS: usize = 16;

/// One try at running all subtasks of a job.
#[derive(Debug)]
pub(super) struct Deployment {
    pub(super) generation: Generation,
    /// Where each subtask comes from: an earlier deployment, where it was taken over.
    pub(super) births: BTreeMap<SubtaskId, Birth>,
    /// What is known of its adoption, until all have answered.
    pub(super) adopted: Option<Adopted>,
    pub(super) seats: Seats,
    pub(super) attempts: BTreeMap<SubtaskId, Attempt>,
    pub(super) observed: BTreeMap<SubtaskId, Observed>,
    pub(super) sources: Sources,
    /// How far the readers of sources with `maxDrift` have come.
    pub(super) drifts: BTreeMap<VertexId, Drift>,
    /// What the job had reached at the head that it is restored from.
    pub(super) reached: Reached,
    /// What had become of its rows by then.
    pub(super) tallies: Tallies,
    /// What each subtask has said of its rows since it began.
    pub(super) heard: BTreeMap<SubtaskId, Tallies>,
    /// Owns the enumerators.
    pub(super) scope: Scope,
    pub(super) reports: mpsc::Receiver<Discovered>,
    /// Kept, so that the queue stays open when the last enumerator has said its last.
    pub(super) reporter: mpsc::Sender<Discovered>,
}

/// An adoption under way.
#[derive(Clone, Debug)]
pub(super) struct Adopted {
    /// Whom they obeyed before.
    pub(super) from: Generation,
    /// Those who are taken over.
    pub(super) who: BTreeSet<SubtaskId>,
    /// The counter of the head's barrier, where its commits may be owed.
    pub(super) owed: Option<u64>,
    /// The highest barrier that any of them was asked for.
    pub(super) counter: u64,
    /// All have answered by then, or it has failed.
    pub(super) until: Instant,
}

/// Rates are made over one to two of these. Counts also come with every acknowledgement, milliseconds apart: between two of
/// those there are no rows, or a thousand.
const RATE_SPAN: Duration = Duration::from_secs(1);

/// The last counts of a subtask, and older ones, from which rates are made.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    pub(super) now: (Instant, Gauges),
    before: Option<(Instant, Gauges)>,
    /// Takes the place of `before` when it is old enough.
    next: (Instant, Gauges),
}

impl Deployment {
    pub(super) fn new(
        generation: Generation,
        (seats, births): (Seats, BTreeMap<SubtaskId, Birth>),
        sources: Sources,
        (reached, tallies): (Reached, Tallies),
        scope: Scope,
    ) -> Self {
        let attempts = seats.subtasks.keys().map(|id| (*id, Attempt::default())).collect();
        let (reporter, reports) = mpsc::channel(REPORTS);
        Self {
            generation,
            births,
            adopted: None,
            seats,
            attempts,
            observed: BTreeMap::new(),
            sources,
            drifts: BTreeMap::new(),
            reached,
            tallies,
            heard: BTreeMap::new(),
            scope,
            reports,
            reporter,
        }
    }

    /// The task managers it is on.
    pub(super) fn task_managers(&self) -> BTreeSet<Seat> {
        self.seats.subtasks.values().cloned().collect()
    }

    pub(super) fn members(&self, graph: &ExecutionGraph) -> Members {
        let all = self.attempts.keys().copied().collect();
        let sinks = graph
            .subtasks
            .iter()
            .filter(|subtask| subtask.has_sink)
            .map(|subtask| subtask.id)
            .collect();
        Members { all, sinks }
    }

    pub(super) fn on(&mut self, subtask: SubtaskId, event: Event) -> bool {
        self.attempts.get_mut(&subtask).is_some_and(|attempt| attempt.on(event))
    }

    pub(super) fn on_all(&mut self, event: Event) {
        for attempt in self.attempts.values_mut() {
            attempt.on(event);
        }
    }

    pub(super) fn has_started(&self) -> bool {
        self.attempts.values().all(|attempt| attempt.has_started())
    }

    pub(super) fn has_ended(&self) -> bool {
        self.attempts.values().all(|attempt| attempt.state() == State::Ended)
    }

    pub(super) fn is_gone(&self) -> bool {
        self.attempts.values().all(|attempt| attempt.is_gone())
    }

    pub(super) fn are_gone(&self, some: &BTreeSet<SubtaskId>) -> bool {
        let mut some = self.attempts.iter().filter(|(id, _)| some.contains(id));
        some.all(|(_, attempt)| attempt.is_gone())
    }

    /// Those who are none of these and at work: they have started, or had before they were told to obey another generation.
    /// None where one of them restores.
    pub(super) fn at_work_besides(&self, some: &BTreeSet<SubtaskId>) -> Option<BTreeSet<SubtaskId>> {
        let had_started = |id| self.adopted.as_ref().is_some_and(|adopted| adopted.who.contains(id));
        let works =
            |id, attempt: &Attempt| attempt.has_started() || (attempt.state() == State::Deploying && had_started(id));
        let others = self.attempts.iter().filter(|(id, _)| !some.contains(id));
        others.map(|(id, attempt)| works(id, attempt).then_some(*id)).collect()
    }

    /// The token of the attempt of a subtask.
    pub(super) fn attempt_of(&self, subtask: SubtaskId) -> Option<String> {
        let birth = self.births.get(&subtask)?;
        Some(crate::deploy::attempt(birth.generation, subtask))
    }

    pub(super) fn ended(&self) -> Vec<SubtaskId> {
        let ended = self
            .attempts
            .iter()
            .filter(|(_, attempt)| attempt.state() == State::Ended);
        ended.map(|(id, _)| *id).collect()
    }

    pub(super) fn running_count(&self) -> u32 {
        let running = self.attempts.values().filter(|attempt| attempt.has_started()).count();
        u32::try_from(running).unwrap_or(u32::MAX)
    }

    /// Counts of a subtask; those of another generation are not this deployment's.
    pub(super) fn observe(&mut self, subtask: SubtaskId, gauges: Gauges, now: Instant) {
        if gauges.generation != self.generation || !self.attempts.contains_key(&subtask) {
            return;
        }
        match self.observed.get_mut(&subtask) {
            Some(observed) => observed.again(now, gauges),
            None => drop(self.observed.insert(subtask, Observed::first(now, gauges))),
        }
    }

    /// The subtasks of one task manager are gone with it; says which.
    pub(super) fn lost(&mut self, task_manager: &str, incarnation: &str) -> Vec<SubtaskId> {
        let sits_there = |seat: &Seat| seat.task_manager == task_manager && seat.incarnation == incarnation;
        let there: Vec<_> = self
            .seats
            .subtasks
            .iter()
            .filter(|(_, seat)| sits_there(seat))
            .map(|(id, _)| *id)
            .collect();
        there.into_iter().filter(|id| self.on(*id, Event::Lost)).collect()
    }
}

impl Observed {
    fn first(now: Instant, gauges: Gauges) -> Self {
        let now = (now, gauges);
        Self {
            before: None,
            next: now.clone(),
            now,
        }
    }

    fn again(&mut self, now: Instant, gauges: Gauges) {
        self.now = (now, gauges);
        if now.since(self.next.0) >= RATE_SPAN {
            self.before = Some(std::mem::replace(&mut self.next, self.now.clone()));
        }
    }

    /// The growth of a count in a second, over the last one or two of them.
    pub(super) fn rate(&self, count: impl Fn(&Gauges) -> u64) -> f64 {
        let Some((then, before)) = &self.before else { return 0.0 };
        let seconds = self.now.0.since(*then).as_secs_f64();
        let grown = count(&self.now.1).saturating_sub(count(before));
        if seconds > 0.0 { grown as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_come_in_pairs_give_a_steady_rate() {
        let gauges = |records_in| Gauges {
            records_in,
            ..Gauges::default()
        };
        let at = |ms| Instant::from_start(Duration::from_millis(ms));
        // A thousand rows a second; every 300 ms two counts, a millisecond apart.
        let mut observed = Observed::first(at(0), gauges(0));
        for ms in (300..9_000).step_by(300) {
            observed.again(at(ms), gauges(ms));
            observed.again(at(ms + 1), gauges(ms));
            let rate = observed.rate(|gauges| gauges.records_in);
            assert!(ms < 1_200 || (990.0..=1_010.0).contains(&rate), "{rate} at {ms} ms");
        }
    }
}
