//! The runs of one name in the store: numbered objects, the newest of which stay.

use std::sync::Arc;

use bytes::Bytes;
use dataflow::store::Store;
use dataflow::time::Clock;
use futures::{StreamExt as _, stream};

use super::Run;
use crate::store::{Created, Error, Numbered, open, seal};

/// So many runs of a name are kept.
pub const KEPT: u64 = 20;

/// So many numbers are tried that somebody has taken: each is an end that was never written into the ledger.
const TRIES: u64 = 64;

/// So many are read at once.
const AT_ONCE: usize = 8;

/// The runs of one name.
#[derive(Clone, Debug)]
pub struct Runs {
    objects: Numbered,
    store: Arc<dyn Store>,
}

impl Runs {
    /// Those of `name`.
    #[must_use]
    pub fn of(name: &str, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        let objects = Numbered::new(store.clone(), format!("datastreams/runs/{name}/"), ".json", clock);
        Self { objects, store }
    }

    /// Writes a run behind the newest one that is known, and says which number it has.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn write(&self, newest: Option<u64>, run: Run) -> Result<u64, Error> {
        let bytes = Bytes::from(seal(&run.bounded()));
        let first = newest.map_or(0, |newest| newest + 1);
        for number in first..first + TRIES {
            // Another one is of a job manager that ended before the ledger named it.
            if let Created::Ours = self.objects.create(number, bytes.clone()).await? {
                return Ok(number);
            }
        }
        Err(Error::gap(self.objects.path(first + TRIES)))
    }

    /// One run; none where it is not kept any more, or is of a build that wrote it otherwise.
    pub async fn read(&self, number: u64) -> Option<Run> {
        let bytes = self.objects.read(number).await.ok()??;
        match open(&bytes, &self.objects.path(number)) {
            Ok(run) => Some(run),
            Err(error) => {
                tracing::debug!(%error, "a run cannot be read");
                None
            }
        }
    }

    /// Those that are kept, the newest first, with their numbers.
    pub async fn all(&self, newest: u64) -> Vec<(u64, Run)> {
        let numbers = kept(newest).rev();
        let runs = stream::iter(numbers.map(|number| async move { (number, self.read(number).await) }));
        let found = runs
            .buffered(AT_ONCE)
            .filter_map(|(number, run)| async move { Some((number, run?)) });
        found.collect().await
    }

    /// Takes away those that are too many. What stays by accident goes the next time but one, or never, and is in nobody's way.
    pub async fn sweep(&self, newest: u64) {
        let first = *kept(newest).start();
        for number in first.saturating_sub(2)..first {
            if let Err(error) = self.store.delete(&self.objects.path(number)).await {
                tracing::debug!(%error, "an old run stays");
            }
        }
    }
}

/// The numbers that stay.
fn kept(newest: u64) -> std::ops::RangeInclusive<u64> {
    (newest + 1).saturating_sub(KEPT)..=newest
}
