//! S3 and other object stores, through `object_store`.
//!
//! Create-if-absent is a put with `If-None-Match: *`. S3 has no copy with that condition, so [`Remote::copy`] looks first and then
//! copies: two copies to one name at once may both succeed, the later one replacing the earlier. Who copies therefore
//! names the target by what it holds (a file's uuid), and then both copies are the same bytes.
//! One copy takes at most 5 GiB.
//!
//! The client retries within bounds (see [`super::open`]); what then fails is "unknown", also where a retried create
//! finds what its own first try made.

mod upload;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::path::Path as Key;
use object_store::{Error as Cause, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};

use super::{Error, Object, Store, Upload, path};

/// A part of a bucket.
pub struct Remote {
    bucket: Bucket,
}

/// A bucket, and where in it the store begins.
#[derive(Clone)]
struct Bucket {
    url: String,
    prefix: String,
    client: Arc<dyn ObjectStore>,
}

impl Remote {
    /// The part of `client` below `prefix`, called `url` in messages.
    #[must_use]
    pub fn new(url: impl Into<String>, prefix: &str, client: Arc<dyn ObjectStore>) -> Self {
        let prefix = prefix.trim_matches('/').to_owned();
        Self {
            bucket: Bucket {
                url: url.into(),
                prefix,
                client,
            },
        }
    }
}

impl Bucket {
    /// The full key of a path.
    fn key(&self, path: &str) -> Result<Key, Error> {
        path::object(&self.url, path)?;
        let key = if self.prefix.is_empty() {
            path.to_owned()
        } else {
            format!("{}/{path}", self.prefix)
        };
        Key::parse(&key).map_err(|error| Error::Refused {
            url: format!("{}/{path}", self.url),
            reason: error.to_string(),
        })
    }

    /// An error of a request that reads.
    fn reading(&self, path: &str, cause: Cause) -> Error {
        let (url, path) = (self.url.clone(), path.to_owned());
        match cause {
            Cause::NotFound { .. } => Error::Missing { url, path },
            Cause::AlreadyExists { .. } | Cause::Precondition { .. } | Cause::NotModified { .. } => {
                Error::Exists { url, path }
            }
            Cause::PermissionDenied { .. } | Cause::Unauthenticated { .. } => Error::Denied {
                url,
                path,
                source: Box::new(cause),
            },
            Cause::InvalidPath { .. }
            | Cause::NotSupported { .. }
            | Cause::NotImplemented { .. }
            | Cause::UnknownConfigurationKey { .. } => Error::Refused {
                url: format!("{url}/{path}"),
                reason: cause.to_string(),
            },
            other => match said(&other) {
                Some(NO_BUCKET) => no_bucket(&url),
                Some(_) => Error::Denied {
                    url,
                    path,
                    source: Box::new(other),
                },
                None => Error::Unknown {
                    url,
                    path,
                    source: Box::new(other),
                },
            },
        }
    }

    /// An error of a request that writes: what is not found is the bucket.
    fn writing(&self, path: &str, cause: Cause) -> Error {
        match cause {
            Cause::NotFound { .. } => no_bucket(&self.url),
            other => self.reading(path, other),
        }
    }

    async fn create(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        let options = PutOptions::from(PutMode::Create);
        let put = self.client.put_opts(&self.key(path)?, bytes.into(), options).await;
        put.map(drop).map_err(|error| self.writing(path, error))
    }

    /// What is known of an object, with its path below the store.
    fn object(&self, meta: object_store::ObjectMeta) -> Object {
        let key = meta.location.to_string();
        let below = key.strip_prefix(&self.prefix).unwrap_or(&key).trim_start_matches('/');
        let version = meta
            .e_tag
            .unwrap_or_else(|| meta.last_modified.timestamp_micros().to_string());
        Object {
            path: below.to_owned(),
            size: meta.size,
            version,
        }
    }
}

/// The codes of S3 that `object_store` leaves in the text of an error when it lists.
const NO_BUCKET: &str = "NoSuchBucket";
const CODES: [&str; 4] = [NO_BUCKET, "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"];

/// Which of these codes the server gave as the reason.
fn said(cause: &Cause) -> Option<&'static str> {
    let chain = std::iter::successors(Some(cause as &(dyn std::error::Error + 'static)), |error| {
        error.source()
    });
    let text = chain.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    CODES
        .into_iter()
        .find(|code| text.contains(&format!("<Code>{code}</Code>")))
}

fn no_bucket(url: &str) -> Error {
    Error::Refused {
        url: url.to_owned(),
        reason: "there is no such bucket".to_owned(),
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("url", &self.bucket.url)
            .field("prefix", &self.bucket.prefix)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Remote {
    fn url(&self) -> &str {
        &self.bucket.url
    }

    fn local_root(&self) -> Option<&std::path::Path> {
        None
    }

    async fn create(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        self.bucket.create(path, bytes).await
    }

    async fn put(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        let put = self.bucket.client.put(&self.bucket.key(path)?, bytes.into()).await;
        put.map(drop).map_err(|error| self.bucket.writing(path, error))
    }

    async fn upload(&self, path: &str) -> Result<Box<dyn Upload>, Error> {
        self.bucket.key(path)?;
        Ok(Box::new(upload::RemoteUpload::new(
            self.bucket.clone(),
            path.to_owned(),
        )))
    }

    async fn read(&self, path: &str) -> Result<Bytes, Error> {
        let key = self.bucket.key(path)?;
        let read = async { self.bucket.client.get(&key).await?.bytes().await };
        read.await.map_err(|error| self.bucket.reading(path, error))
    }

    async fn read_range(&self, path: &str, range: Range<u64>) -> Result<Bytes, Error> {
        let key = self.bucket.key(path)?;
        if range.is_empty() {
            return self.head(path).await.map(|_| Bytes::new());
        }
        match self.bucket.client.get_range(&key, range.clone()).await {
            Ok(bytes) => Ok(bytes),
            Err(cause @ Cause::Generic { .. }) => match self.head(path).await {
                // A range that begins behind the end is an error to S3; here it holds nothing.
                Ok(object) if object.size <= range.start => Ok(Bytes::new()),
                _ => Err(self.bucket.reading(path, cause)),
            },
            Err(cause) => Err(self.bucket.reading(path, cause)),
        }
    }

    async fn head(&self, path: &str) -> Result<Object, Error> {
        let meta = self
            .bucket
            .client
            .head(&self.bucket.key(path)?)
            .await
            .map_err(|error| self.bucket.reading(path, error))?;
        Ok(self.bucket.object(meta))
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let (source, target) = (self.bucket.key(from)?, self.bucket.key(to)?);
        match self.bucket.client.head(&target).await {
            Ok(_) => {
                return Err(Error::Exists {
                    url: self.bucket.url.clone(),
                    path: to.to_owned(),
                });
            }
            Err(Cause::NotFound { .. }) => {}
            Err(cause) => return Err(self.bucket.reading(to, cause)),
        }
        self.bucket
            .client
            .copy(&source, &target)
            .await
            .map_err(|error| self.bucket.reading(from, error))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>, Error> {
        let below = path::prefix(&self.bucket.url, prefix)?;
        let key = match (below.is_empty(), self.bucket.prefix.is_empty()) {
            (true, true) => None,
            (true, false) => {
                Some(Key::parse(&self.bucket.prefix).map_err(|error| self.bucket.reading(prefix, error.into()))?)
            }
            (false, _) => Some(self.bucket.key(below)?),
        };
        let metas: Vec<_> = self
            .bucket
            .client
            .list(key.as_ref())
            .try_collect()
            .await
            .map_err(|error| self.bucket.writing(prefix, error))?;
        let mut objects: Vec<Object> = metas.into_iter().map(|meta| self.bucket.object(meta)).collect();
        objects.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        Ok(objects)
    }

    async fn delete(&self, path: &str) -> Result<(), Error> {
        match self.bucket.client.delete(&self.bucket.key(path)?).await {
            Ok(()) | Err(Cause::NotFound { .. }) => Ok(()),
            Err(cause) => Err(self.bucket.reading(path, cause)),
        }
    }
}

#[cfg(test)]
mod tests;
