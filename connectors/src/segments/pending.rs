//! A segment on its way: bytes that go, in large pieces, to an upload which nobody can see before its end.

use std::sync::Arc;

use bytes::Bytes;
use dataflow::Failure;
use dataflow::store::{Store, Upload};

use super::Segment;

/// Bytes are handed to the store in pieces of about this size: few calls, and still within a core's cache.
pub(crate) const CHUNK_BYTES: usize = 512 << 10;

/// A segment that is not sealed. Dropped, it leaves nothing behind where that can be helped.
pub(crate) struct Pending {
    store: Arc<dyn Store>,
    path: String,
    upload: Option<Box<dyn Upload>>,
    bytes: u64,
}

impl Pending {
    /// A segment that will be called `path`. No I/O yet.
    pub(crate) fn new(store: Arc<dyn Store>, path: String) -> Self {
        Self {
            store,
            path,
            upload: None,
            bytes: 0,
        }
    }

    /// How many bytes were handed over.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends.
    pub(crate) async fn write(&mut self, chunk: Vec<u8>) -> Result<(), Failure> {
        self.bytes += chunk.len() as u64;
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(self.store.upload(&self.path).await?),
        };
        Ok(upload.write(Bytes::from(chunk)).await?)
    }

    /// Makes it durable.
    pub(crate) async fn seal(mut self, rows: u64) -> Result<Segment, Failure> {
        if self.upload.is_none() {
            self.write(Vec::new()).await?;
        }
        if let Some(mut upload) = self.upload.take() {
            upload.finish().await?;
        }
        Ok(Segment {
            path: self.path,
            bytes: self.bytes,
            rows,
        })
    }
}
