//! Finds the files of an archive that a replay needs, by folders and footers, and cuts their time into slices.

use std::sync::Arc;

use async_trait::async_trait;
use dataflow::Failure;
use dataflow::contract::{Discovery, Enumerator, EnumeratorContext};
use dataflow::store::{Object, Store};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use super::options::Replay;
use super::partitions::{partitions, wanted};
use super::split::{Entry, Slice, slices};
use super::times::{self, Known, Range};
use crate::columnar::Parquet;

/// So many footers are read at once.
const FOOTERS_AT_ONCE: usize = 16;
/// Slices for each reader, so that readers of different speed end together.
const SLICES_PER_READER: u32 = 4;

/// Finds the slices of one replay, once.
pub(super) struct Catalog {
    replay: Replay,
    context: EnumeratorContext,
    complete: bool,
}

impl Catalog {
    pub(super) fn new(replay: Replay, context: EnumeratorContext, restored: Option<&Value>) -> Self {
        Self {
            replay,
            context,
            complete: restored.is_some_and(|value| value["complete"] == true),
        }
    }

    /// The files whose footers say that they may hold wanted rows, and what they say.
    async fn files(&self, store: &Arc<dyn Store>, objects: Vec<Object>) -> Result<Vec<(Object, Known)>, Failure> {
        let files = futures::stream::iter(objects).map(|object| async move {
            let parquet = Parquet::open(Arc::clone(store), &object).await?;
            let groups = times::row_groups(&parquet, &self.replay.time_column)?;
            // A file without rows has no row groups.
            Ok::<_, Failure>(groups.into_iter().reduce(Known::and).map(|known| (object, known)))
        });
        let files: Vec<_> = files.buffered(FOOTERS_AT_ONCE).try_collect().await?;
        let (from, to) = self.bounds();
        let timeless_wanted = self.replay.from.is_none();
        let wanted = |known: &Known| known.range.overlaps(from, to) || (known.timeless && timeless_wanted);
        Ok(files.into_iter().flatten().filter(|(_, known)| wanted(known)).collect())
    }

    fn bounds(&self) -> (i64, i64) {
        (self.replay.from.unwrap_or(i64::MIN), self.replay.to.unwrap_or(i64::MAX))
    }

    fn slices(&self, store: &str, files: Vec<(Object, Known)>) -> Vec<Slice> {
        let (from, to) = self.bounds();
        // Files of unknown beginning say nothing about where the replay begins.
        let mins = files.iter().map(|(_, known)| known.range.min);
        let first = mins
            .filter(|min| *min > i64::MIN)
            .min()
            .map_or(from, |min| min.max(from));
        let maxes = files.iter().map(|(_, known)| known.range.max);
        let last = maxes.max().unwrap_or(i64::MIN).min(to.saturating_sub(1)).max(first);
        let entry = |(object, known): (Object, Known)| {
            let Range { min, max } = known.from(first);
            Entry {
                object,
                min,
                max: max.min(last),
            }
        };
        let entries: Vec<Entry> = files.into_iter().map(entry).collect();
        let count = if self.context.parallelism > 1 {
            self.context.parallelism.saturating_mul(SLICES_PER_READER)
        } else {
            1
        };
        slices(store, &entries, Range { min: first, max: last }, count)
    }
}

#[async_trait]
impl Enumerator for Catalog {
    async fn discover(&mut self) -> Result<Discovery, Failure> {
        if self.complete {
            return Ok(Discovery::default());
        }
        let found = self.replay.location.find(self.context.stores.as_ref()).await?;
        if found.objects.is_empty() {
            return Err(Failure::fail(format!("there are no files at `{}`", self.replay.path))
                .help("check the path; an archive has files once its first epoch with a rolled file is committed"));
        }
        let store = self.context.stores.open(&found.store)?;
        let objects = found
            .objects
            .into_iter()
            .filter(|object| wanted(&partitions(&object.path), &self.replay))
            .collect();
        let slices = self.slices(&found.store, self.files(&store, objects).await?);
        if slices.is_empty() {
            tracing::warn!(
                path = self.replay.path,
                "nothing of the archive lies in the wanted range of time and types"
            );
        }
        self.complete = true;
        let bytes = slices.iter().map(|slice| slice.bytes).sum();
        Ok(Discovery {
            splits: slices.iter().map(Slice::split).collect(),
            next: None,
            bytes: Some(bytes),
        })
    }

    fn snapshot(&self) -> Value {
        json!({ "complete": self.complete })
    }
}
