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
use super::times::{self, Range};
use crate::columnar::Parquet;
use crate::parquet::layout::{KEY_EVENT_TIME_MAX, KEY_EVENT_TIME_MIN};

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

    /// The files whose footers say that they may hold wanted rows.
    async fn entries(&self, store: &Arc<dyn Store>, objects: Vec<Object>) -> Result<Vec<Entry>, Failure> {
        let entries = futures::stream::iter(objects).map(|object| async move {
            let parquet = Parquet::open(Arc::clone(store), &object).await?;
            let Range { min, max } = range(&parquet, &self.replay.time_column)?;
            Ok::<Entry, Failure>(Entry { object, min, max })
        });
        let mut entries: Vec<Entry> = entries.buffered(FOOTERS_AT_ONCE).try_collect().await?;
        let (from, to) = self.bounds();
        entries.retain(|entry| entry.range().overlaps(from, to));
        Ok(entries)
    }

    fn bounds(&self) -> (i64, i64) {
        (self.replay.from.unwrap_or(i64::MIN), self.replay.to.unwrap_or(i64::MAX))
    }

    fn slices(&self, store: &str, mut entries: Vec<Entry>) -> Vec<Slice> {
        let (from, to) = self.bounds();
        // Files of unknown beginning say nothing about where the replay begins.
        let known = entries
            .iter()
            .map(|entry| entry.min)
            .filter(|min| *min > i64::MIN)
            .min();
        let first = known.map_or(from, |min| min.max(from));
        let last = entries
            .iter()
            .map(|entry| entry.max)
            .max()
            .unwrap_or(i64::MIN)
            .min(to.saturating_sub(1));
        for entry in &mut entries {
            entry.min = entry.min.max(first);
            entry.max = entry.max.min(last);
        }
        let count = if self.context.parallelism > 1 {
            self.context.parallelism.saturating_mul(SLICES_PER_READER)
        } else {
            1
        };
        slices(store, &entries, Range { min: first, max: last }, count)
    }
}

/// The event time in a file: by what Weir wrote into its footer, or else by its statistics.
fn range(parquet: &Parquet, column: &str) -> Result<Range, Failure> {
    let stated = |key: &str| parquet.value(key).and_then(|value| value.parse::<i64>().ok());
    if let (Some(min), Some(max), true) = (
        stated(KEY_EVENT_TIME_MIN),
        stated(KEY_EVENT_TIME_MAX),
        column == crate::parquet::layout::EVENT_TIME,
    ) {
        return Ok(Range { min, max });
    }
    let groups = times::row_groups(parquet, column)?;
    let min = groups.iter().map(|group| group.min).min();
    let max = groups.iter().map(|group| group.max).max();
    // A file without rows has no row groups, and overlaps nothing.
    Ok(min.zip(max).map_or(
        Range {
            min: i64::MAX,
            max: i64::MIN,
        },
        |(min, max)| Range { min, max },
    ))
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
        let slices = self.slices(&found.store, self.entries(&store, objects).await?);
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
