//! What a reader of the bucket sees.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use dataflow::store::open::{AllowPaths, OpenStores};
use dataflow::store::{Store, Stores as _};
use integration::oracle::{self, Event, compare};
use serde_json::Value;

use crate::server::{BUCKET, Server};

/// The names that a reader sees: nothing below folders whose name begins with `_`.
pub(crate) async fn published(store: &dyn Store) -> Result<Vec<String>> {
    let objects = store.list("").await?;
    let paths = objects.into_iter().map(|object| object.path);
    Ok(paths
        .filter(|path| !path.split('/').any(|part| part.starts_with('_')))
        .collect())
}

/// Compares what is visible below `prefix` with what the generator makes with `options`.
pub(crate) async fn ensure_exact(server: &Server, prefix: &str, options: &Value) -> Result<()> {
    // The oracle drives a generator in a runtime of its own.
    let expected = tokio::task::block_in_place(|| oracle::expected(options, &[]))?;
    let verdict = compare(expected, events(server, prefix).await?);
    ensure!(verdict.is_exact(), "{verdict:?}");
    Ok(())
}

/// The shop events in the visible objects below `prefix`.
async fn events(server: &Server, prefix: &str) -> Result<Vec<Event>> {
    let stores = OpenStores::new(AllowPaths::Only(Vec::new()), server.settings());
    let store = stores.open(&format!("s3://{BUCKET}/{prefix}"))?;
    let folder = tempfile::tempdir()?;
    for path in published(store.as_ref()).await? {
        let file = folder.path().join(&path);
        fs::create_dir_all(file.parent().context("a folder")?)?;
        fs::write(file, store.read(&path).await?)?;
    }
    oracle::visible(folder.path())
}
