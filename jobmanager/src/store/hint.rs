//! Where the last of a row of objects was. Only a hint: one that is missing or damaged is as good as none, and what comes of
//! writing it is not looked at. Its checksum tells a damaged one from one that names what was there and is gone.

use std::sync::Arc;

use bytes::Bytes;
use dataflow::store::Store;

use super::seal::{open, seal};

/// The hint at a path.
#[derive(Clone, Debug)]
pub(super) struct Hint {
    store: Arc<dyn Store>,
    path: String,
}

impl Hint {
    pub(super) fn new(store: Arc<dyn Store>, path: impl Into<String>) -> Self {
        let path = path.into();
        Self { store, path }
    }

    /// The number of an object that was the last one once.
    pub(super) async fn read(&self) -> Option<u64> {
        let bytes = self.store.read(&self.path).await.ok()?;
        open(&bytes, &self.path).ok()
    }

    /// Remembers the last one.
    pub(super) async fn write(&self, number: u64) {
        if let Err(error) = self.store.put(&self.path, Bytes::from(seal(&number))).await {
            tracing::debug!(path = self.path, %error, "hint not written");
        }
    }
}
