//! Local folders that look like a remote object store, so that the remote ways of sources are tested without a server.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::store::{Error, Object, Store, Stores, Upload};

/// Stores that never say that they are folders of this machine.
#[derive(Clone)]
pub struct Afar(pub Arc<dyn Stores>);

impl Stores for Afar {
    fn open(&self, url: &str) -> Result<Arc<dyn Store>, Error> {
        Ok(Arc::new(AfarStore(self.0.open(url)?)))
    }
}

#[derive(Debug)]
struct AfarStore(Arc<dyn Store>);

#[async_trait]
impl Store for AfarStore {
    fn url(&self) -> &str {
        self.0.url()
    }

    fn local_root(&self) -> Option<&Path> {
        None
    }

    async fn create(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        self.0.create(path, bytes).await
    }

    async fn put(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        self.0.put(path, bytes).await
    }

    async fn upload(&self, path: &str) -> Result<Box<dyn Upload>, Error> {
        self.0.upload(path).await
    }

    async fn read(&self, path: &str) -> Result<Bytes, Error> {
        self.0.read(path).await
    }

    async fn read_range(&self, path: &str, range: Range<u64>) -> Result<Bytes, Error> {
        self.0.read_range(path, range).await
    }

    async fn head(&self, path: &str) -> Result<Object, Error> {
        self.0.head(path).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        self.0.copy(from, to).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>, Error> {
        self.0.list(prefix).await
    }

    async fn delete(&self, path: &str) -> Result<(), Error> {
        self.0.delete(path).await
    }
}
