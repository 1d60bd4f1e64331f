//! A folder of this machine as a store.
//!
//! An object is a file whose content never changes once it has its name: it is written under a hidden name beside
//! its place, synced, and then linked (created) or renamed (put). So a hard link is a copy, and a reader sees whole
//! objects only. Folders appear with their first object and go with their last.
//!
//! Symbolic links *inside* the folder are followed, as whoever may write there set them up; lists don't descend
//! into linked folders. Weir itself never makes one. Deletes are not synced: what reappears after a power loss is garbage
//! that was already superfluous.

mod disk;
mod upload;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Error, Object, Store, Upload, path};
use disk::Disk;

/// A folder of this machine. Needs no set-up: it is made with the first object.
#[derive(Debug)]
pub struct Local {
    disk: Arc<Disk>,
}

impl Local {
    /// The store of a folder. No I/O; a relative path is taken from the working directory at each use.
    #[must_use]
    pub fn open(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        let url = folder.display().to_string();
        Self::named(url, folder)
    }

    /// The store of a folder that messages call by the URL it was opened with.
    #[must_use]
    pub fn named(url: impl Into<String>, folder: PathBuf) -> Self {
        Self {
            disk: Arc::new(Disk::new(url.into(), folder)),
        }
    }

    /// Runs `work` on a thread that may wait for the disk.
    async fn run<T: Send + 'static>(
        &self,
        path: &str,
        work: impl FnOnce(&Disk, &str) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        path::object(&self.disk.url, path)?;
        blocking(&self.disk, path, work).await
    }
}

#[async_trait]
impl Store for Local {
    fn url(&self) -> &str {
        &self.disk.url
    }

    fn local_root(&self) -> Option<&Path> {
        Some(&self.disk.root)
    }

    async fn create(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        self.run(path, move |disk, path| disk.create(path, &bytes)).await
    }

    async fn put(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        self.run(path, move |disk, path| disk.put(path, &bytes)).await
    }

    async fn upload(&self, path: &str) -> Result<Box<dyn Upload>, Error> {
        let temporary = self.run(path, Disk::begin).await?;
        Ok(Box::new(upload::LocalUpload::new(
            Arc::clone(&self.disk),
            path.to_owned(),
            temporary,
        )))
    }

    async fn read(&self, path: &str) -> Result<Bytes, Error> {
        self.run(path, Disk::read).await
    }

    async fn read_range(&self, path: &str, range: Range<u64>) -> Result<Bytes, Error> {
        self.run(path, move |disk, path| disk.read_range(path, &range)).await
    }

    async fn head(&self, path: &str) -> Result<Object, Error> {
        self.run(path, Disk::head).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        path::object(&self.disk.url, to)?;
        let to = to.to_owned();
        self.run(from, move |disk, from| disk.copy(from, &to)).await
    }

    async fn concat(&self, from: &[String], to: &str) -> Result<(), Error> {
        from.iter().try_for_each(|path| path::object(&self.disk.url, path))?;
        let from = from.to_vec();
        self.run(to, move |disk, to| disk.concat(&from, to)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>, Error> {
        let prefix = path::prefix(&self.disk.url, prefix)?;
        blocking(&self.disk, prefix, Disk::list).await
    }

    async fn delete(&self, path: &str) -> Result<(), Error> {
        self.run(path, Disk::delete).await
    }
}

/// Runs `work` on a thread that may wait for the disk. It runs to its end even when nobody waits for it any more.
#[expect(
    clippy::disallowed_methods,
    reason = "a store has no life of its own; the thread lives for one call of the disk"
)]
async fn blocking<T: Send + 'static>(
    disk: &Arc<Disk>,
    path: &str,
    work: impl FnOnce(&Disk, &str) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (shared, owned) = (Arc::clone(disk), path.to_owned());
    tokio::task::spawn_blocking(move || work(&shared, &owned))
        .await
        .unwrap_or_else(|error| {
            Err(Error::Unknown {
                url: disk.url.clone(),
                path: path.to_owned(),
                source: Box::new(error),
            })
        })
}

#[cfg(test)]
mod tests;
