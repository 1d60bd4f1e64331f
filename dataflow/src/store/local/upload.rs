//! A large file on its way: written under a hidden name while the caller makes the next part, and synced behind the pen,
//! so that its end waits for the last megabytes only and not for the whole file.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::JoinHandle;

use super::blocking;
use super::disk::{Disk, Temporary};
use crate::store::{Error, Upload};

/// So many bytes are written before a sync begins behind them: large enough that the journal's share is small.
const SYNC_BYTES: usize = 16 << 20;

/// A hidden file that gets its name at the end. Dropped before, it leaves nothing behind.
pub(super) struct LocalUpload {
    disk: Arc<Disk>,
    path: String,
    state: State,
    /// Written since the last sync began.
    unsynced: usize,
    /// The sync behind the pen; at most one is on its way.
    syncing: Option<JoinHandle<io::Result<()>>>,
}

/// Where the hidden file is.
enum State {
    /// With us.
    Idle(Temporary),
    /// With a thread that writes the part before; at most one part is on its way.
    Writing(JoinHandle<Result<Temporary, Error>>),
    /// Named, removed, or lost to an error.
    Over,
}

impl LocalUpload {
    pub(super) fn new(disk: Arc<Disk>, path: String, temporary: Temporary) -> Self {
        Self {
            disk,
            path,
            state: State::Idle(temporary),
            unsynced: 0,
            syncing: None,
        }
    }

    /// Begins a sync of what was written, unless one is on its way.
    #[expect(
        clippy::disallowed_methods,
        reason = "a store has no life of its own; the thread lives for one sync of the disk"
    )]
    async fn sync_behind(&mut self, file: &File) -> Result<(), Error> {
        if self.unsynced < SYNC_BYTES || self.syncing.as_ref().is_some_and(|syncing| !syncing.is_finished()) {
            return Ok(());
        }
        self.synced().await?;
        // A second handle of the same file: the write that follows does not wait for this one.
        let file = file
            .try_clone()
            .map_err(|error| self.disk.writing(&self.path, "sync", error))?;
        self.unsynced = 0;
        self.syncing = Some(tokio::task::spawn_blocking(move || file.sync_data()));
        Ok(())
    }

    /// Waits for the sync behind the pen. Its error counts: the kernel tells of a lost write only once.
    async fn synced(&mut self) -> Result<(), Error> {
        match self.syncing.take() {
            None => Ok(()),
            Some(syncing) => match syncing.await {
                Ok(synced) => synced.map_err(|error| self.disk.writing(&self.path, "sync", error)),
                Err(error) => Err(self.unknown(Box::new(error))),
            },
        }
    }

    /// Waits for the part that is on its way.
    async fn settle(&mut self) -> Result<Temporary, Error> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Idle(temporary) => Ok(temporary),
            State::Writing(handle) => handle.await.unwrap_or_else(|error| Err(self.unknown(Box::new(error)))),
            State::Over => Err(self.unknown("the upload is over".into())),
        }
    }

    fn unknown(&self, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
        Error::Unknown {
            url: self.disk.url.clone(),
            path: self.path.clone(),
            source,
        }
    }
}

#[async_trait]
impl Upload for LocalUpload {
    #[expect(
        clippy::disallowed_methods,
        reason = "a store has no life of its own; the thread lives for one write to the disk"
    )]
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        let mut temporary = self.settle().await?;
        self.sync_behind(&temporary.file).await?;
        self.unsynced += bytes.len();
        let (disk, path) = (Arc::clone(&self.disk), self.path.clone());
        self.state = State::Writing(tokio::task::spawn_blocking(move || {
            match temporary.file.write_all(&bytes) {
                Ok(()) => Ok(temporary),
                Err(error) => Err(disk.writing(&path, "write", error)),
            }
        }));
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        let temporary = self.settle().await?;
        self.synced().await?;
        blocking(&self.disk, &self.path, move |disk, path| disk.link(path, temporary)).await
    }

    async fn abort(&mut self) {
        drop(self.settle().await);
    }
}
