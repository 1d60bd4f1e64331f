//! A large object on its way to a bucket: one put if it turns out small, a multipart upload if not.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use object_store::{ObjectStoreExt as _, WriteMultipart};

use super::Bucket;
use crate::store::{Error, Upload};

/// The size of a part: the least that S3 takes; of its at most 10,000 parts that makes objects of up to 50 GiB.
const PART_BYTES: usize = 5 << 20;

/// So many parts are on their way at once: with the one being filled, 15 MiB of memory for each upload.
const PARTS_ON_THEIR_WAY_MAX: usize = 2;

/// An object whose bytes are partly here and partly there.
pub(super) struct RemoteUpload {
    bucket: Bucket,
    path: String,
    state: State,
}

enum State {
    /// Nothing was sent yet.
    Small(BytesMut),
    /// Parts are on their way.
    Parts(WriteMultipart),
    /// Finished, aborted, or lost to an error.
    Over,
}

impl RemoteUpload {
    pub(super) fn new(bucket: Bucket, path: String) -> Self {
        Self {
            bucket,
            path,
            state: State::Small(BytesMut::new()),
        }
    }

    fn failed(&mut self, cause: object_store::Error) -> Error {
        self.state = State::Over;
        self.bucket.writing(&self.path, cause)
    }

    fn over(&self) -> Error {
        Error::Unknown {
            url: self.bucket.url.clone(),
            path: self.path.clone(),
            source: "the upload is over".into(),
        }
    }

    /// Turns to a multipart upload.
    async fn begin(&mut self) -> Result<(), Error> {
        let key = self.bucket.key(&self.path)?;
        let upload = match self.bucket.client.put_multipart(&key).await {
            Ok(upload) => upload,
            Err(cause) => return Err(self.failed(cause)),
        };
        let mut parts = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        if let State::Small(bytes) = &mut self.state {
            parts.put(bytes.split().freeze());
        }
        self.state = State::Parts(parts);
        Ok(())
    }
}

#[async_trait]
impl Upload for RemoteUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        if let State::Small(buffer) = &mut self.state {
            buffer.extend_from_slice(&bytes);
            if buffer.len() < PART_BYTES {
                return Ok(());
            }
            return self.begin().await;
        }
        let State::Parts(parts) = &mut self.state else {
            return Err(self.over());
        };
        if let Err(cause) = parts.wait_for_capacity(PARTS_ON_THEIR_WAY_MAX).await {
            return Err(self.failed(cause));
        }
        parts.put(bytes);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Small(bytes) => self.bucket.create(&self.path, bytes.freeze()).await,
            State::Parts(parts) => parts
                .finish()
                .await
                .map(drop)
                .map_err(|cause| self.bucket.writing(&self.path, cause)),
            State::Over => Err(self.over()),
        }
    }

    async fn abort(&mut self) {
        if let State::Parts(parts) = std::mem::replace(&mut self.state, State::Over)
            && let Err(error) = parts.abort().await
        {
            tracing::warn!(store = self.bucket.url, path = self.path, %error, "parts of an upload left behind");
        }
    }
}
