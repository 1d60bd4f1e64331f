//! Asks one step of one subtask for a batch now and then, and hands on what is to be seen of it.

use std::sync::Arc;
use std::time::Duration;

use dataflow::time::{Clock, Instant};
use dataflow::{Hidden, Registry};

use super::allowance::Allowance;
use super::look::{Condition, Look, Row};
use super::outlet::Watching;
use super::valve::Inlet;
use super::{Counts, Outlet, Shown};
use crate::task::Identity;
use crate::task::gauges::NodeGauges;

/// What one look costs is a part of at most so many of the time, of all watches of a task manager together: a fifth of a core.
const SHARE: u32 = 5;
/// Between two looks at least.
const REST_LEAST: Duration = Duration::from_millis(2);
/// Where all rows of this second were shown.
const REST_PAID: Duration = Duration::from_millis(100);
/// Rows that have come together are told so often.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// Counts without rows.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// Or when so many bytes of rows have come together.
const TOLD_BYTES: usize = 64 << 10;

/// What is asked of a tap.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Its number.
    pub(crate) tap: u64,
    /// Only such rows.
    pub(crate) condition: Option<Condition>,
    /// So many a second at most.
    pub(crate) rows_per_second: u32,
    /// A longer row is cut.
    pub(crate) row_bytes_max: usize,
    /// It ends after this.
    pub(crate) duration: Duration,
}

/// One tap at one step of one subtask.
pub(crate) struct Watch {
    identity: Identity,
    asked: Asked,
    gauges: Arc<NodeGauges>,
    /// What the step had counted when it began.
    before: u64,
    inlet: Inlet,
    look: Look,
    allowance: Allowance,
    outlet: Outlet,
    watching: Watching,
    clock: Arc<dyn Clock>,
    counts: Counts,
    rows: Vec<Row>,
    bytes: usize,
}

impl Watch {
    /// Put on behind the step of these gauges.
    pub(crate) fn new(
        (identity, gauges, hidden): (Identity, Arc<NodeGauges>, Arc<Hidden>),
        asked: Asked,
        (registry, outlet, clock): (Registry, Outlet, Arc<dyn Clock>),
    ) -> Self {
        let look = Look::new(registry, asked.condition.clone(), (hidden, asked.row_bytes_max));
        Self {
            identity,
            before: gauges.records_out.get(),
            inlet: Inlet::new(Arc::clone(&gauges), asked.tap),
            look,
            allowance: Allowance::per_second(asked.rows_per_second),
            asked,
            gauges,
            watching: outlet.watching(),
            outlet,
            clock,
            counts: Counts::default(),
            rows: Vec::new(),
            bytes: 0,
        }
    }

    /// Until its time is over.
    pub(crate) async fn run(mut self) {
        let clock = Arc::clone(&self.clock);
        let until = clock.now() + self.asked.duration;
        let mut counted = clock.now();
        let mut tell = counted + TELL_EVERY;
        while clock.now() < until {
            self.inlet.ask();
            let began = tokio::select! {
                batch = self.inlet.next() => match batch {
                    Some(batch) => {
                        let began = clock.now();
                        if let Err(failure) = self.see(&batch, began) {
                            return self.tell(Some(failure.to_string()));
                        }
                        Some(began)
                    }
                    None => return,
                },
                () = clock.sleep_until(tell.min(until)) => None,
            };
            let now = clock.now();
            if now >= tell || self.bytes >= TOLD_BYTES {
                tell = now + TELL_EVERY;
                if !self.rows.is_empty() || now.since(counted) >= COUNT_EVERY {
                    counted = now;
                    self.tell(None);
                }
            }
            if let Some(began) = began {
                let rest = self.rest(now.since(began), now);
                clock.sleep_until((now + rest).min(until)).await;
            }
        }
        self.tell(None);
    }

    fn see(&mut self, batch: &arrow::array::RecordBatch, now: Instant) -> Result<(), dataflow::Failure> {
        let rows = self.look.at(batch, self.allowance.room(now), &mut self.counts)?;
        self.allowance.spend(rows.len(), now);
        self.bytes += rows.iter().map(Row::weight).sum::<usize>();
        self.rows.extend(rows);
        Ok(())
    }

    /// How long nothing is asked for.
    fn rest(&self, looked: Duration, now: Instant) -> Duration {
        let rest = rest(looked, self.watching.count()).max(REST_LEAST);
        match self.allowance.room(now) {
            0 => rest.max(REST_PAID),
            _ => rest,
        }
    }

    /// Hands on what has come together; where that has no room, it is left out, which the counts say.
    fn tell(&mut self, trouble: Option<String>) {
        self.counts.passed = self.gauges.records_out.get().saturating_sub(self.before);
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let shown = self.counts.shown + rows.len() as u64;
        let counts = Counts { shown, ..self.counts };
        let told = Shown {
            identity: self.identity.clone(),
            tap: self.asked.tap,
            rows,
            counts,
            failure: self.look.failure.clone(),
            trouble,
        };
        if self.outlet.put(told) {
            self.counts.shown = shown;
        }
    }
}

/// How long one of so many rests after a look that took so long.
pub(super) fn rest(looked: Duration, watches: u32) -> Duration {
    looked.saturating_mul(SHARE.saturating_mul(watches).saturating_sub(1))
}
