//! Looks at one job's folder and takes away its garbage. Beside the stream: it is in nobody's way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dataflow::Failure;
use dataflow::id::{Epoch, Generation, JobId};
use dataflow::store::Store;
use dataflow::time::Clock;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Garbage, Named, Seen, difference, retained};
use crate::savepoint::{named, state_folder};
use crate::store::{Chain, Error};

/// So many records go at once; the others the next time.
const RECORDS_AT_ONCE: usize = 256;

/// So many deletions are under way at once.
const AT_ONCE: usize = 8;

/// Whose folder, and what is known of it.
#[derive(Clone, Debug)]
pub struct Plot {
    /// The job.
    pub job: JobId,
    /// How many of the newest records stay.
    pub newest: u64,
    /// Records that somebody is about to use.
    pub pinned: BTreeSet<Epoch>,
    /// Attempts of older generations are fenced.
    pub fence: Generation,
}

/// Whether garbage goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is only named.
    Look,
    /// It goes.
    Take,
}

/// Finds the garbage of one job, and takes it away.
///
/// # Errors
/// When the store fails or a record that stays cannot be read; what has gone by then was garbage.
pub async fn sweep(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>, plot: Plot, mode: Mode) -> Result<Garbage, Failure> {
    let chain = Chain::new(store.clone(), plot.job.clone(), clock.clone());
    let folder = state_folder(&plot.job);
    let seen = look(store, &chain, &plot, &folder).await?;
    let garbage = difference(&seen);
    if mode == Mode::Look {
        return Ok(garbage);
    }
    // Records first: one whose files are gone would be a trap for whoever restores it.
    let records = garbage.records.iter().map(|epoch| chain.path(epoch.0));
    delete(store, records.collect()).await?;
    let objects = garbage.objects.iter().map(|name| format!("{folder}/{name}"));
    delete(store, objects.collect()).await?;
    Ok(garbage)
}

async fn delete(store: &Arc<dyn Store>, paths: Vec<String>) -> Result<(), Failure> {
    let one = |path: String| {
        let store = store.clone();
        async move { store.delete(&path).await }
    };
    let deletions = stream::iter(paths.into_iter().map(one)).buffer_unordered(AT_ONCE);
    deletions
        .try_collect::<()>()
        .await
        .map_err(|error| Failure::from(&error))
}

async fn look(store: &Arc<dyn Store>, chain: &Chain, plot: &Plot, folder: &str) -> Result<Seen, Failure> {
    // The files first: what is made later is not garbage, whatever the records say.
    let prefix = format!("{folder}/");
    let listed = store.list(folder).await.map_err(|error| Failure::from(&error))?;
    let objects = listed
        .iter()
        .filter_map(|object| object.path.strip_prefix(&prefix))
        .map(str::to_owned)
        .collect();
    let head = chain.head().await.map_err(|error| error.failure())?;
    let Some((head, _)) = head else {
        return Ok(Seen::default());
    };
    let mut staying = BTreeMap::new();
    for epoch in retained(head.epoch, plot.newest, &plot.pinned) {
        staying.insert(epoch, needs(chain, epoch).await?);
    }
    // A list may lag behind: a record that it leaves out goes the next time.
    let there = store
        .list(&chain.folder())
        .await
        .map_err(|error| Failure::from(&error))?;
    let numbers: BTreeSet<Epoch> = there.iter().filter_map(|object| chain.number(&object.path)).collect();
    let old = numbers
        .into_iter()
        .filter(|epoch| *epoch < head.epoch && !staying.contains_key(epoch));
    let mut going = BTreeMap::new();
    for epoch in old.take(RECORDS_AT_ONCE).collect::<Vec<_>>() {
        match needs(chain, epoch).await {
            Ok(named) => drop(going.insert(epoch, named)),
            // It went meanwhile, or cannot be read: nobody needs it, and what it named may go when its makers are fenced.
            Err(_) => drop(going.insert(epoch, Named::default())),
        }
    }
    Ok(Seen {
        staying,
        going,
        objects,
        fence: plot.fence,
    })
}

async fn needs(chain: &Chain, epoch: Epoch) -> Result<Named, Failure> {
    let record = chain.read(epoch).await.map_err(|error: Error| error.failure())?;
    Ok(Named {
        objects: named(&record)?,
        document_in: record.document_in,
    })
}
