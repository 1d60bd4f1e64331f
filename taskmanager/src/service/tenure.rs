//! What becomes of subtasks whose job manager is away. Pure.
//!
//! ```text
//!   claimed ── the connection is lost ──> unclaimed: they run on, no barrier comes, sinks publish nothing
//!      ^                                      │
//!      └── a leader adopts them ──────────────┤── the lease is over ──> cancelled
//!                                             └── told to go, or a newer deployment of their job ──> cancelled
//! ```
//!
//! Must stay true: nothing runs unclaimed for longer than a lease, however often connections come and go; whoever claims is
//! of no earlier term than those before.

use std::collections::BTreeMap;

use dataflow::id::{Generation, JobId};
use dataflow::time::Instant;

/// Who may still be adopted, and until when.
#[derive(Clone, Debug, Default)]
pub struct Tenure {
    term: u64,
    unclaimed: BTreeMap<(JobId, Generation), Instant>,
}

impl Tenure {
    /// A job manager of this term answers while something runs here, or nothing does; whether it is to be served.
    ///
    /// One of an earlier term was followed by the one that these subtasks last obeyed: what it wants is over. Where nothing
    /// runs any leader will do, also that of another state folder, whose terms count anew.
    #[must_use]
    pub fn serves(&mut self, term: u64, running: usize) -> bool {
        let serves = running == 0 || term >= self.term;
        if serves {
            self.term = term;
        }
        serves
    }

    /// The connection is lost: these are there, under the generations that they obey.
    pub fn lost(&mut self, there: impl Iterator<Item = (JobId, Generation)>, until: Instant) {
        for one in there {
            // Who waits since before goes on waiting: a connection that comes and goes is no claim.
            self.unclaimed.entry(one).or_insert(until);
        }
    }

    /// Somebody leads them again, or they are told to go.
    pub fn settled(&mut self, job: &JobId, generation: Generation) {
        self.unclaimed.remove(&(job.clone(), generation));
    }

    /// Those whose lease is over; each is named once.
    pub fn overdue(&mut self, now: Instant) -> Vec<(JobId, Generation)> {
        let overdue = self.unclaimed.iter().filter(|(_, until)| now >= **until);
        let overdue: Vec<_> = overdue.map(|(one, _)| one.clone()).collect();
        for one in &overdue {
            self.unclaimed.remove(one);
        }
        overdue
    }

    /// When [`Tenure::overdue`] will name somebody.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.unclaimed.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn one(deployment: u32) -> (JobId, Generation) {
        let job = JobId {
            name: "orders".to_owned(),
            life: 1,
        };
        (job, Generation { term: 2, deployment })
    }

    #[test]
    fn who_is_adopted_stays_and_who_is_not_goes_at_the_end_of_the_lease() {
        let mut tenure = Tenure::default();
        tenure.lost([one(1), one(2)].into_iter(), at(30));
        let (job, generation) = one(1);
        tenure.settled(&job, generation);
        assert_eq!(tenure.deadline(), Some(at(30)));
        assert_eq!(tenure.overdue(at(29)), []);
        assert_eq!(tenure.overdue(at(30)), [one(2)]);
        assert_eq!((tenure.overdue(at(99)), tenure.deadline()), (Vec::new(), None));
    }

    #[test]
    fn a_connection_that_comes_and_goes_does_not_prolong_the_lease() {
        let mut tenure = Tenure::default();
        tenure.lost([one(1)].into_iter(), at(30));
        tenure.lost([one(1)].into_iter(), at(50));
        assert_eq!(tenure.overdue(at(30)), [one(1)]);
    }

    #[test]
    fn an_earlier_term_is_not_served_as_long_as_something_runs() {
        let mut tenure = Tenure::default();
        assert!(tenure.serves(3, 0));
        assert!(tenure.serves(4, 2));
        assert!(!tenure.serves(3, 2));
        assert!(tenure.serves(4, 2), "the refused one is forgotten");
        assert!(tenure.serves(1, 0), "another state folder");
    }
}
