//! Which deployments may speak here. Pure.
//!
//! ```text
//!   deployment of a job ── newer than every one before it ──────────────> admitted; those before it go
//!                      ├── the one that its survivors obey, and the first ──> admitted beside them
//!                      └── any other ────────────────────────────────────────> dropped, and counted
//! ```
//!
//! Must stay true: of each job, the generations that are admitted only grow, as long as one job manager is spoken with.

use std::collections::BTreeMap;

use dataflow::id::{Generation, JobId};

/// What one task manager has heard of deployments.
#[derive(Clone, Debug, Default)]
pub struct Fences {
    /// The highest generation seen of each job: what is older is a message from the past.
    newest: BTreeMap<JobId, Newest>,
    dropped: u64,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    generation: Generation,
    /// Whether something was deployed of it, and not only told to obey it.
    deployed: bool,
}

impl Fences {
    /// Whether a deployment may begin; what ran of its job before, and does not obey it, is then to go.
    pub fn admit(&mut self, job: &JobId, generation: Generation) -> bool {
        let beside = |newest: &Newest| newest.generation == generation && !newest.deployed;
        let newest = self.newest.get(job);
        let admitted = newest.is_none_or(|newest| newest.generation < generation || beside(newest));
        self.see(job, generation, admitted.then_some(true))
    }

    /// Whether those who run may be told to obey a generation.
    pub fn admit_over(&mut self, job: &JobId, generation: Generation) -> bool {
        let newest = self.newest.get(job);
        let admitted = newest.is_none_or(|newest| newest.generation < generation);
        self.see(job, generation, admitted.then_some(false))
    }

    fn see(&mut self, job: &JobId, generation: Generation, admitted: Option<bool>) -> bool {
        if let Some(deployed) = admitted {
            self.newest.insert(job.clone(), Newest { generation, deployed });
        }
        self.met(admitted.is_some());
        admitted.is_some()
    }

    /// A message met somebody whom it is about, or nobody: then it is counted.
    #[expect(clippy::fn_params_excessive_bools, reason = "somebody or nobody")]
    pub fn met(&mut self, somebody: bool) {
        self.dropped += u64::from(!somebody);
    }

    /// How many messages met nobody.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Another job manager counts its generations anew.
    pub fn forget(&mut self) {
        self.newest.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_newer_deployment_of_the_same_job_is_admitted() {
        let job = |life| JobId {
            name: "orders".to_owned(),
            life,
        };
        let generation = |term, deployment| Generation { term, deployment };
        let mut fences = Fences::default();
        assert!(fences.admit(&job(1), generation(1, 2)));
        assert!(!fences.admit(&job(1), generation(1, 2)), "the same message again");
        assert!(!fences.admit(&job(1), generation(1, 1)));
        assert!(fences.admit(&job(2), generation(1, 1)), "each job has a row of its own");
        assert!(fences.admit(&job(1), generation(2, 1)));
        assert_eq!(fences.dropped(), 2);
        assert!(fences.admit_over(&job(1), generation(2, 2)));
        assert!(!fences.admit_over(&job(1), generation(2, 2)), "the same message again");
        assert!(
            fences.admit(&job(1), generation(2, 2)),
            "what is deployed beside those who run on"
        );
        assert!(!fences.admit(&job(1), generation(2, 2)), "the same message again");
        assert!(
            !fences.admit_over(&job(1), generation(2, 2)),
            "it comes first, or never"
        );
        fences.forget();
        assert!(fences.admit(&job(1), generation(1, 1)));
    }
}
