//! Counts by size, written by many threads without waiting.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of what was observed, by upper bounds.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One more than there are bounds: what is above all of them.
    counts: Vec<AtomicU64>,
    sum_micros: AtomicU64,
}

/// How a histogram stands: counts that include those of smaller bounds, as Prometheus wants them.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    /// Up to a bound, that included: so many; the bounds grow.
    pub up_to: Vec<(f64, u64)>,
    /// All of them.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

impl Histogram {
    /// Nothing was observed yet; the bounds grow.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum_micros: AtomicU64::new(0),
        }
    }

    /// Counts one: a duration in seconds.
    pub fn observe(&self, duration: std::time::Duration) {
        let seconds = duration.as_secs_f64();
        let place = self.bounds.iter().position(|bound| seconds <= *bound);
        self.counts[place.unwrap_or(self.bounds.len())].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How it stands.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
    pub fn buckets(&self) -> Buckets {
        let mut count = 0;
        let mut up_to = Vec::with_capacity(self.bounds.len());
        for (index, own) in self.counts.iter().enumerate() {
            count += own.load(Ordering::Relaxed);
            if let Some(bound) = self.bounds.get(index) {
                up_to.push((*bound, count));
            }
        }
        Buckets {
            up_to,
            count,
            sum: self.sum_micros.load(Ordering::Relaxed) as f64 / 1e6,
        }
    }
}
