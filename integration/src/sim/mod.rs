//! A simulated cluster: the real job managers and the real machines of the task managers, on one thread, in virtual time.
//!
//! ```text
//!   seed ──> faults, datastream ──> World: queue of events ──┬─> job managers (the product's own tasks, on one runtime)
//!                                     ^                       ├─> object store, sessions, dials (models with faults)
//!                                     └── what follows <──────┴─> task managers (real machines around toy data)
//!                                                                  audit looks at the store and at what was published
//! ```
//!
//! Enters: a seed, a profile, perhaps a mutant. Leaves: the first rule that was broken, and one number for everything that
//! happened. Who calls: `tests/sim` and `weir-sim`. Must stay true: the same run has the same events, always; for some time
//! things go wrong, then nothing fails any more and the job must finish. Not here: sockets, threads, RocksDB, real sinks:
//! `tests/engine` and the chaos runner are for those.

mod adoption;
mod audit;
mod blows;
pub(crate) mod chance;
mod desk;
mod managers;
mod mutant;
mod network;
mod profile;
mod storehouse;
mod stream;
mod subtask;
mod trace;
mod workers;
mod world;

pub use mutant::Mutant;
pub use profile::Profile;
pub use trace::Telling;
pub use world::{Outcome, Run};

use jobmanager::testing::plant;

impl Run {
    /// A seed of the protocol as it is.
    #[must_use]
    pub fn of(seed: u64, profile: Profile) -> Self {
        Self {
            seed,
            profile,
            mutant: None,
            telling: Telling::Hash,
        }
    }

    /// Plays it.
    ///
    /// # Errors
    /// Where the machine has no runtime to give.
    pub fn play(self) -> std::io::Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        plant(self.mutant.and_then(Mutant::within));
        let outcome = world::World::new(self, runtime).play();
        plant(None);
        Ok(outcome)
    }

    /// The command that plays it again and tells what happens.
    #[must_use]
    pub fn command(&self) -> String {
        let mutant = self
            .mutant
            .map(|mutant| format!(" --mutant {mutant}"))
            .unwrap_or_default();
        format!(
            "cargo run --release --package integration --bin weir-sim -- --seed {} --profile {:?}{mutant} --trace",
            self.seed, self.profile
        )
    }
}
