//! Which barriers of a subtask still wait for their sinks, and when each is acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dataflow::contract::{Prepared, SinkState};
use dataflow::time::Instant;

use super::{SinkSnapshot, Snapshot, Uncommitted};
use crate::overtaken::Stowed;
use crate::state::Kept;

/// What the job manager is told when a barrier is through.
#[derive(Clone, Debug, PartialEq)]
pub struct Acknowledgement {
    /// The barrier.
    pub counter: u64,
    /// What the subtask needs to go on from there.
    pub snapshot: Snapshot,
    /// From the first to the last of the barriers of its inputs.
    pub alignment: Duration,
    /// From there until all sinks were ready.
    pub prepare: Duration,
    /// Of that, what the subtask's own thread spent on it.
    pub sync: Duration,
    /// The bytes of the rows that the barrier overtook; none where it was aligned.
    pub overtook: Option<u64>,
    /// The bytes of the state files that the snapshot names.
    pub state_bytes: u64,
    /// Of those, what was written for this barrier.
    pub written_bytes: u64,
}

/// The barriers that are under way in one subtask, and what its sinks have prepared.
#[derive(Debug)]
pub struct Acknowledgements {
    sinks: BTreeMap<usize, SinkNode>,
    /// Nodes with state, by step.
    stateful: BTreeMap<usize, String>,
    under_way: BTreeMap<u64, Pending>,
    latest: u64,
    commits: BTreeMap<u64, Commit>,
}

#[derive(Debug)]
struct SinkNode {
    step: String,
    uncommitted: Uncommitted,
}

#[derive(Debug)]
struct Pending {
    snapshot: Snapshot,
    waits_for: BTreeSet<usize>,
    alignment: Duration,
    since: Instant,
    sync: Duration,
    state_bytes: u64,
    written_bytes: u64,
    overtook: Option<u64>,
    /// What was overtaken is being written.
    stowing: bool,
}

#[derive(Debug)]
struct Commit {
    counter: u64,
    waits_for: BTreeSet<usize>,
}

impl Acknowledgements {
    /// For a chain with these sinks and these nodes with state: node and step.
    pub fn new(sinks: impl Iterator<Item = (usize, String)>, stateful: impl Iterator<Item = (usize, String)>) -> Self {
        let sinks = sinks
            .map(|(node, step)| {
                (
                    node,
                    SinkNode {
                        step,
                        uncommitted: Uncommitted::default(),
                    },
                )
            })
            .collect();
        Self {
            sinks,
            stateful: stateful.collect(),
            under_way: BTreeMap::new(),
            latest: 0,
            commits: BTreeMap::new(),
        }
    }

    /// Whether this barrier, or a later one, has come before: it is not taken twice.
    #[must_use]
    pub fn has_seen(&self, counter: u64) -> bool {
        counter <= self.latest
    }

    /// The counter of the newest barrier that has passed.
    #[must_use]
    pub fn latest(&self) -> u64 {
        self.latest
    }

    /// A barrier has passed the chain; `snapshot` holds the source.
    pub fn begin(
        &mut self,
        counter: u64,
        snapshot: Snapshot,
        alignment: Duration,
        now: Instant,
    ) -> Option<Acknowledgement> {
        self.insert(counter, snapshot, alignment, now);
        self.complete(counter, now)
    }

    fn insert(&mut self, counter: u64, snapshot: Snapshot, alignment: Duration, now: Instant) {
        self.latest = self.latest.max(counter);
        let waits_for = self.sinks.keys().chain(self.stateful.keys()).copied().collect();
        self.under_way.insert(
            counter,
            Pending {
                snapshot,
                waits_for,
                alignment,
                since: now,
                sync: Duration::ZERO,
                state_bytes: 0,
                written_bytes: 0,
                overtook: None,
                stowing: false,
            },
        );
    }

    /// A sink has prepared for a barrier.
    pub fn prepared(&mut self, node: usize, counter: u64, prepared: Prepared, now: Instant) -> Option<Acknowledgement> {
        let sink = self.sinks.get_mut(&node)?;
        let Prepared { committables, state } = prepared;
        sink.uncommitted.prepared(counter, committables);
        let pending = self.under_way.get_mut(&counter)?;
        let committables = sink.uncommitted.snapshot(counter);
        if !committables.is_empty() || state != SinkState::default() {
            let value = serde_json::to_value(SinkSnapshot { committables, state }).expect("JSON values are JSON");
            pending.snapshot.nodes.insert(sink.step.clone(), value);
        }
        pending.waits_for.remove(&node);
        self.complete(counter, now)
    }

    /// As [`Self::begin`], for a barrier that overtakes: it is not over before [`Self::overtook_at_once`].
    pub fn begin_overtaking(&mut self, counter: u64, snapshot: Snapshot, alignment: Duration, now: Instant) {
        // The one in flight is the newest. The sinks forget the prepares of those before it, which were given up.
        self.under_way.retain(|earlier, _| *earlier >= counter);
        self.insert(counter, snapshot, alignment, now);
        if let Some(pending) = self.under_way.get_mut(&counter) {
            pending.stowing = true;
        }
    }

    /// What the barrier overtook: so many bytes of rows, which are being written, or nothing at all.
    pub fn overtook_at_once(&mut self, counter: u64, bytes: Option<u64>, now: Instant) -> Option<Acknowledgement> {
        let pending = self.under_way.get_mut(&counter)?;
        pending.overtook = Some(bytes.unwrap_or(0));
        pending.stowing = bytes.is_some();
        self.complete(counter, now)
    }

    /// Whether a barrier that is through waits for sinks, and has overtaken nothing.
    #[must_use]
    pub fn may_overtake(&self, counter: u64) -> bool {
        self.under_way
            .get(&counter)
            .is_some_and(|pending| pending.overtook.is_none())
    }

    /// A barrier that was through has overtaken rows that wait for sinks: so many bytes, which are being written.
    pub fn overtook(&mut self, counter: u64, bytes: u64) {
        self.under_way.retain(|earlier, _| *earlier >= counter);
        if let Some(pending) = self.under_way.get_mut(&counter) {
            pending.overtook = Some(bytes);
            pending.stowing = true;
        }
    }

    /// What a barrier overtook is durable.
    pub fn stowed(&mut self, counter: u64, stowed: Stowed, now: Instant) -> Option<Acknowledgement> {
        let pending = self.under_way.get_mut(&counter)?;
        pending.stowing = false;
        pending.snapshot.overtaken = Some(stowed);
        self.complete(counter, now)
    }

    /// A node's state at a barrier is durable.
    pub(crate) fn kept(&mut self, node: usize, counter: u64, kept: Kept, now: Instant) -> Option<Acknowledgement> {
        let step = self.stateful.get(&node)?.clone();
        let pending = self.under_way.get_mut(&counter)?;
        pending.state_bytes += kept.file_bytes();
        pending.written_bytes += kept.written;
        if kept != Kept::default() {
            let value = serde_json::to_value(kept).expect("strings and JSON values are JSON");
            pending.snapshot.nodes.insert(step, value);
        }
        pending.waits_for.remove(&node);
        self.complete(counter, now)
    }

    /// The subtask's thread has spent so much time on a barrier, before anything else could go on.
    pub fn spent(&mut self, counter: u64, sync: Duration) {
        if let Some(pending) = self.under_way.get_mut(&counter) {
            pending.sync = sync;
        }
    }

    fn complete(&mut self, counter: u64, now: Instant) -> Option<Acknowledgement> {
        let pending = self
            .under_way
            .get(&counter)
            .filter(|pending| pending.waits_for.is_empty() && !pending.stowing)?;
        let prepare = now.since(pending.since);
        let Pending {
            snapshot,
            alignment,
            sync,
            overtook,
            state_bytes,
            written_bytes,
            ..
        } = self.under_way.remove(&counter)?;
        Some(Acknowledgement {
            counter,
            snapshot,
            alignment,
            prepare,
            sync,
            overtook,
            state_bytes,
            written_bytes,
        })
    }

    /// A record of `epoch` covers the barrier `counter`: what each sink is to commit, and `true` if there is nothing to wait for.
    pub fn commit(&mut self, epoch: u64, counter: u64) -> Vec<(usize, Vec<dataflow::contract::Committable>)> {
        let covered = self
            .sinks
            .iter()
            .map(|(node, sink)| (*node, sink.uncommitted.covered(counter)));
        let orders: Vec<_> = covered.filter(|(_, committables)| !committables.is_empty()).collect();
        let waits_for: BTreeSet<usize> = orders.iter().map(|(node, _)| *node).collect();
        if !waits_for.is_empty() {
            self.commits.insert(epoch, Commit { counter, waits_for });
        }
        orders
    }

    /// A sink has committed its part of `epoch`; `true` when all of them have.
    pub fn committed(&mut self, node: usize, epoch: u64) -> bool {
        let Some(commit) = self.commits.get_mut(&epoch) else {
            return false;
        };
        if let Some(sink) = self.sinks.get_mut(&node) {
            sink.uncommitted.committed(commit.counter);
        }
        commit.waits_for.remove(&node);
        let done = commit.waits_for.is_empty();
        if done {
            self.commits.remove(&epoch);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use dataflow::contract::Committable;
    use serde_json::json;

    use super::*;

    fn now() -> Instant {
        Instant::from_start(Duration::from_secs(100))
    }

    fn two_sinks() -> Acknowledgements {
        Acknowledgements::new(
            [(1, "left".to_owned()), (2, "right".to_owned())].into_iter(),
            std::iter::empty(),
        )
    }

    fn prepared(number: u64) -> Prepared {
        Prepared {
            committables: vec![Committable(number.into())],
            state: SinkState::default(),
        }
    }

    #[test]
    fn a_chain_without_sinks_acknowledges_at_once() {
        let mut barriers = Acknowledgements::new(std::iter::empty(), std::iter::empty());
        assert!(barriers.begin(1, Snapshot::default(), Duration::ZERO, now()).is_some());
        assert!(barriers.has_seen(1));
        assert!(!barriers.has_seen(2));
        assert_eq!(barriers.commit(1, 1), []);
    }

    #[test]
    fn a_barrier_waits_for_every_sink() {
        let mut barriers = two_sinks();
        assert_eq!(barriers.begin(1, Snapshot::default(), Duration::ZERO, now()), None);
        assert_eq!(barriers.prepared(2, 1, prepared(20), now()), None);
        let done = barriers
            .prepared(1, 1, prepared(10), now() + Duration::from_secs(1))
            .unwrap();
        assert_eq!(done.prepare, Duration::from_secs(1));
        let nodes = serde_json::to_value(done.snapshot.nodes).unwrap();
        assert_eq!(
            nodes,
            json!({"left": {"committables": [10], "state": null}, "right": {"committables": [20], "state": null}})
        );
    }

    fn stowed() -> Stowed {
        Stowed {
            object: "gen-1.1/a/overtaken-1".to_owned(),
            bytes: 10,
            crc: 1,
            rows: 1,
        }
    }

    #[test]
    fn a_barrier_that_overtakes_waits_for_its_object_and_its_sinks_in_any_order() {
        for object_first in [true, false] {
            let mut barriers = two_sinks();
            barriers.begin_overtaking(1, Snapshot::default(), Duration::ZERO, now());
            assert_eq!(barriers.overtook_at_once(1, Some(7), now()), None);
            assert!(!barriers.may_overtake(1), "once is enough");
            if object_first {
                assert_eq!(barriers.stowed(1, stowed(), now()), None);
            }
            assert_eq!(barriers.prepared(1, 1, prepared(10), now()), None);
            let last = barriers.prepared(2, 1, prepared(20), now());
            let done = if object_first {
                last
            } else {
                barriers.stowed(1, stowed(), now())
            }
            .unwrap();
            assert_eq!((done.overtook, done.snapshot.overtaken), (Some(7), Some(stowed())));
        }
    }

    #[test]
    fn a_barrier_that_overtakes_nothing_waits_for_no_object() {
        let mut barriers = Acknowledgements::new(std::iter::empty(), std::iter::empty());
        barriers.begin_overtaking(1, Snapshot::default(), Duration::ZERO, now());
        let done = barriers.overtook_at_once(1, None, now()).unwrap();
        assert_eq!((done.overtook, done.snapshot.overtaken), (Some(0), None));
    }

    #[test]
    fn a_barrier_that_is_through_may_still_overtake_at_its_sinks_and_earlier_ones_are_over() {
        let mut barriers = two_sinks();
        barriers.begin(1, Snapshot::default(), Duration::ZERO, now());
        barriers.begin(2, Snapshot::default(), Duration::ZERO, now());
        assert!(barriers.may_overtake(2) && !barriers.may_overtake(3));
        barriers.overtook(2, 5);
        assert_eq!(
            barriers.prepared(1, 1, prepared(10), now()),
            None,
            "its answer is not awaited"
        );
        barriers.prepared(1, 2, prepared(11), now());
        barriers.prepared(2, 2, prepared(20), now());
        let done = barriers.stowed(2, stowed(), now()).unwrap();
        assert_eq!(done.overtook, Some(5));
        let committables = done.snapshot.sink("left").committables;
        assert_eq!(
            committables,
            [Committable(10.into()), Committable(11.into())],
            "nothing is forgotten"
        );
    }

    #[test]
    fn the_next_snapshot_carries_what_an_aborted_barrier_prepared() {
        let mut barriers = two_sinks();
        barriers.begin(1, Snapshot::default(), Duration::ZERO, now());
        barriers.prepared(1, 1, prepared(10), now());
        barriers.begin(2, Snapshot::default(), Duration::ZERO, now());
        barriers.prepared(1, 2, prepared(11), now());
        let done = barriers.prepared(2, 2, Prepared::default(), now()).unwrap();
        assert_eq!(
            done.snapshot.sink("left").committables,
            [Committable(10.into()), Committable(11.into())]
        );
        assert_eq!(
            barriers.commit(7, 2),
            [(1, vec![Committable(10.into()), Committable(11.into())])]
        );
        assert!(barriers.committed(1, 7));
        assert_eq!(barriers.commit(7, 2), [], "a repeated commit finds nothing left to do");
    }
}
