//! Commit: gives finished files their names, any number of times, whoever else does the same meanwhile.
//!
//! A file is there under its name -> it is published, and what is left of its segments is deleted. It is not there
//! and its segments are -> it is made, unless another attempt was faster, which makes the same bytes. Neither is there
//! -> rows are lost, and the job stops and says so.

use std::sync::Arc;

use dataflow::contract::Committable;
use dataflow::store::{Error, Store, Stores};
use dataflow::{Failure, crash};
use futures::{StreamExt as _, TryStreamExt as _};

use super::Publish;
use crate::parquet::stitch::stitch;

/// So many files are published at once.
const COMMITS_MAX: usize = 8;

/// How several segments become one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stitch {
    /// One behind another: lines, and members of gzip and zstd.
    Concatenated,
    /// As the row groups of one Parquet file.
    RowGroups,
}

/// Publishes all of them.
pub(crate) async fn commit(
    stores: &Arc<dyn Stores>,
    how: Stitch,
    committables: Vec<Committable>,
) -> Result<(), Failure> {
    let published = committables.into_iter().map(|committable| async move {
        let publish: Publish = super::read(&committable.0, "committable")?;
        let store = stores.open(&publish.root)?;
        publish_file(store.as_ref(), how, &publish).await
    });
    futures::stream::iter(published)
        .buffer_unordered(COMMITS_MAX)
        .try_collect()
        .await
}

async fn publish_file(store: &dyn Store, how: Stitch, publish: &Publish) -> Result<(), Failure> {
    if !is_there(store, &publish.name).await? {
        match make(store, how, publish).await {
            Ok(()) | Err(Error::Exists { .. }) => {}
            // Another attempt may have published it and deleted the segments after we looked.
            Err(Error::Missing { path, .. }) if !is_there(store, &publish.name).await? => {
                return Err(lost(store, &publish.name, &path));
            }
            Err(Error::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // It can be read from here on; what it was made of is still there, and nobody has been told.
    crash::point("commit.between");
    let deleted = publish.segments.iter().map(|segment| store.delete(&segment.path));
    futures::future::try_join_all(deleted).await?;
    Ok(())
}

async fn make(store: &dyn Store, how: Stitch, publish: &Publish) -> Result<(), Error> {
    match (publish.segments.as_slice(), how) {
        ([segment], _) => store.copy(&segment.path, &publish.name).await,
        (segments, Stitch::Concatenated) => {
            let paths: Vec<String> = segments.iter().map(|segment| segment.path.clone()).collect();
            store.concat(&paths, &publish.name).await
        }
        (segments, Stitch::RowGroups) => stitch(store, segments, &publish.name).await,
    }
}

async fn is_there(store: &dyn Store, path: &str) -> Result<bool, Failure> {
    match store.head(path).await {
        Ok(_) => Ok(true),
        Err(Error::Missing { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn lost(store: &dyn Store, name: &str, segment: &str) -> Failure {
    Failure::fail(format!(
        "{}: rows are lost: `{name}` is to be made of `{segment}`, which a checkpoint names, and neither of them is there",
        store.url()
    ))
    .help("somebody deleted files below `_weir/pending`: put them back, or start afresh from the source")
}
