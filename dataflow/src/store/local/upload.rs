//! A large file on its way: written under a hidden name while the caller makes the next part.

use std::io::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::JoinHandle;

use super::blocking;
use super::disk::{Disk, Temporary};
use crate::store::{Error, Upload};

/// A hidden file that gets its name at the end. Dropped before, it leaves nothing behind.
pub(super) struct LocalUpload {
    disk: Arc<Disk>,
    path: String,
    state: State,
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
        blocking(&self.disk, &self.path, move |disk, path| disk.link(path, temporary)).await
    }

    async fn abort(&mut self) {
        drop(self.settle().await);
    }
}
