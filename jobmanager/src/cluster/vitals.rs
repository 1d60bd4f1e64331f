//! What a task manager says of its own process: memory, threads, time on processors. For people; nothing is decided by it.

use std::time::Duration;

use dataflow::time::Instant;
use proto::v1;

use crate::rest::types::JobMemory;

/// Shorter spans are all rounding: a process' time is counted in hundredths of a second.
const SPAN: Duration = Duration::from_millis(900);

/// So many jobs are told of; a task manager has fewer slots.
const JOBS_MAX: usize = 1_000;

/// What a process says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Vitals {
    pub(super) rss_bytes: u64,
    pub(super) cpu_us: u64,
    pub(super) threads: u32,
    /// What each job may hold of its memory.
    pub(super) memory: Vec<JobMemory>,
    /// What tables of keys hold.
    pub(super) tables_bytes: u64,
    /// What the cache of spilled state holds.
    pub(super) cache_bytes: u64,
}

impl Vitals {
    pub(super) fn of(beat: &v1::Heartbeat) -> Self {
        let memory = |one: &v1::JobMemory| JobMemory {
            job: one.job.clone(),
            network_bytes: one.network,
            state_bytes: one.state,
            sink_bytes: one.sinks,
            reader_bytes: one.readers,
            chain_bytes: one.chains,
        };
        Self {
            rss_bytes: beat.rss_bytes,
            cpu_us: beat.cpu_us,
            threads: beat.threads,
            memory: beat.memory.iter().take(JOBS_MAX).map(memory).collect(),
            tables_bytes: beat.tables_bytes,
            cache_bytes: beat.cache_bytes,
        }
    }
}

/// How busy a process is, from one beat to a later one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    since: Option<(Instant, u64)>,
    cores: Option<f64>,
}

impl Pulse {
    /// It says how long it has been on processors.
    pub(super) fn beat(&mut self, now: Instant, cpu_us: u64) {
        let Some((then, before)) = self.since else {
            self.since = Some((now, cpu_us));
            return;
        };
        let passed = now.since(then);
        if passed < SPAN {
            return;
        }
        let spent = Duration::from_micros(cpu_us.saturating_sub(before));
        self.cores = Some(spent.as_secs_f64() / passed.as_secs_f64());
        self.since = Some((now, cpu_us));
    }

    /// How many processors it kept busy lately, where that is known.
    pub(super) fn cores(&self) -> Option<f64> {
        self.cores
    }
}

#[cfg(test)]
mod tests {
    use dataflow::time::{Clock as _, ManualClock};

    use super::*;

    #[test]
    fn cores_are_the_time_on_processors_over_the_time_that_passed() {
        let clock = ManualClock::default();
        let mut pulse = Pulse::default();
        pulse.beat(clock.now(), 1_000_000);
        assert_eq!(pulse.cores(), None);
        clock.advance(Duration::from_millis(100));
        pulse.beat(clock.now(), 1_090_000);
        assert_eq!(pulse.cores(), None, "too short to say");
        clock.advance(Duration::from_millis(1_900));
        pulse.beat(clock.now(), 4_000_000);
        assert_eq!(pulse.cores(), Some(1.5));
        clock.advance(Duration::from_secs(1));
        // Another process under the same name begins at nothing.
        pulse.beat(clock.now(), 10);
        assert_eq!(pulse.cores(), Some(0.0));
    }
}
