//! The one door to object stores: create-if-absent, read, copy, list, delete; the same on a local folder and on S3.
//!
//! The local form is ours because `object_store`'s never calls fsync: here file and folder are synced before anything
//! is acknowledged, and create-if-absent is `link(2)`. Every error means "unknown": callers read back and compare.

mod concat;
mod error;
mod local;
pub mod open;
mod path;
mod remote;

pub use error::Error;
pub use local::Local;
pub use open::OpenStores;
pub use remote::Remote;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Opens stores by URL: `file:///folder`, a plain path, `s3://bucket/prefix`. `cli` decides which URLs are allowed.
pub trait Stores: Send + Sync {
    /// Opens the store at `url`; paths given to it are relative to the URL. Connects lazily: no I/O here.
    ///
    /// # Errors
    /// A URL of an unknown kind, or one that this process may not open.
    fn open(&self, url: &str) -> Result<Arc<dyn Store>, Error>;
}

/// One store, rooted at a URL. Paths are relative, `/`-separated, without `.`, `..` or empty parts.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// The URL it was opened with, for messages.
    fn url(&self) -> &str;

    /// The folder it stands for, where it is one of this machine: readers may then read files directly.
    fn local_root(&self) -> Option<&std::path::Path>;

    /// Makes an object that must not be there yet; durable when it returns.
    ///
    /// # Errors
    /// [`Error::Exists`] where there is one of that name, whatever it holds.
    async fn create(&self, path: &str, bytes: Bytes) -> Result<(), Error>;

    /// Makes or replaces an object. For hints only: nothing that must survive is overwritten.
    ///
    /// # Errors
    /// When it is not known to have worked.
    async fn put(&self, path: &str, bytes: Bytes) -> Result<(), Error>;

    /// Begins a large object that becomes visible, durable and complete with [`Upload::finish`], and not before.
    ///
    /// The name must never have been used: whether an object of that name is refused or replaced is up to the store.
    ///
    /// # Errors
    /// When the store refuses.
    async fn upload(&self, path: &str) -> Result<Box<dyn Upload>, Error>;

    /// The whole object.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is none.
    async fn read(&self, path: &str) -> Result<Bytes, Error>;

    /// A range of the object's bytes: of what lies beyond its end, nothing.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is none.
    async fn read_range(&self, path: &str, range: Range<u64>) -> Result<Bytes, Error>;

    /// What is known of an object without reading it.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is none.
    async fn head(&self, path: &str) -> Result<Object, Error>;

    /// Makes `to`, which must not be there, of the bytes of `from`, inside the store; durable when it returns.
    ///
    /// # Errors
    /// [`Error::Missing`] without `from`, [`Error::Exists`] with `to`.
    async fn copy(&self, from: &str, to: &str) -> Result<(), Error>;

    /// Makes `to`, which must not be there, of the bytes of all of `from`, one behind another; durable when it returns.
    ///
    /// Two callers who make the same name at once must make it of the same bytes.
    ///
    /// # Errors
    /// [`Error::Missing`] where one of `from` is not there, [`Error::Exists`] with `to`.
    async fn concat(&self, from: &[String], to: &str) -> Result<(), Error> {
        concat::through_memory(self, from, to).await
    }

    /// Everything below a prefix (whole path parts), in the order of their paths. May lag behind what was made; decides nothing.
    ///
    /// # Errors
    /// When the store refuses. A prefix that is not there is an empty list.
    async fn list(&self, prefix: &str) -> Result<Vec<Object>, Error>;

    /// Removes an object. One that is not there is no error.
    ///
    /// # Errors
    /// When it is not known to have worked.
    async fn delete(&self, path: &str) -> Result<(), Error>;
}

/// A large object on its way.
#[async_trait]
pub trait Upload: Send {
    /// Appends bytes; waits for the store, so that memory is bounded to a few parts.
    ///
    /// # Errors
    /// When the store refuses; the upload is then of no use.
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error>;

    /// Makes it visible, whole and durable.
    ///
    /// # Errors
    /// When it is not known to have worked.
    async fn finish(&mut self) -> Result<(), Error>;

    /// Gives up and leaves nothing behind where that can be helped.
    async fn abort(&mut self);
}

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its path, relative to the store.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Changes when the object changes: an etag, or inode and time of change.
    pub version: String,
}
