//! Which deployments may speak here. Pure.
//!
//! ```text
//!   deployment of a job ── newer than every one before it ──> admitted; those before it go
//!                      └── not newer ───────────────────────> dropped, and counted
//! ```
//!
//! Must stay true: of each job, the generations that are admitted only grow, as long as one job manager is spoken with.

use std::collections::BTreeMap;

use dataflow::id::{Generation, JobId};

/// What one task manager has heard of deployments.
#[derive(Clone, Debug, Default)]
pub struct Fences {
    /// The highest generation seen of each job: what is older is a message from the past.
    newest: BTreeMap<JobId, Generation>,
    dropped: u64,
}

impl Fences {
    /// Whether a deployment may begin; what ran of its job before is then to go.
    pub fn admit(&mut self, job: &JobId, generation: Generation) -> bool {
        let admitted = self.newest.get(job).is_none_or(|newest| *newest < generation);
        if admitted {
            self.newest.insert(job.clone(), generation);
        }
        self.met(admitted);
        admitted
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
        fences.forget();
        assert!(fences.admit(&job(1), generation(1, 1)));
    }
}
