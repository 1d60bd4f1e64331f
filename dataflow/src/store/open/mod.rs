//! Opens stores by URL, within what this process may open.

mod keys;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use parking_lot::Mutex;
use url::Url;

use super::{Error, Local, Remote, Store, Stores};
pub(crate) use keys::NoKeys;
use keys::OfMachine;

/// So many stores are kept open for the next who asks; a store in use lives as long as it is used.
const OPEN_MAX: usize = 256;

/// One request gets this long, its connection a part of it; a part of an upload is 8 MiB.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A request is tried this often and for this long; then the job decides.
const RETRIES_MAX: usize = 5;
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);

/// Which folders of this machine documents may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowPaths {
    /// Every folder: `weir run`, where who writes the document runs the process.
    All,
    /// These folders and what is below them, after symbolic links are resolved.
    Only(Vec<PathBuf>),
}

/// How S3 is reached. Empty settings mean Amazon's own, with the credentials of the machine.
#[derive(Clone, Default)]
pub struct S3 {
    /// The server, such as `http://127.0.0.1:8333`, where it is not Amazon's.
    pub endpoint: Option<String>,
    /// The region; `us-east-1` unless given.
    pub region: Option<String>,
    /// The access key's id.
    pub access_key: Option<String>,
    /// The access key's secret.
    pub secret_key: Option<String>,
    /// The token that goes with temporary keys.
    pub session_token: Option<String>,
    /// Who is asked for the keys of the machine's role, where none are set and it is not where Amazon's machines have it.
    pub metadata: Option<String>,
}

impl fmt::Debug for S3 {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// Opens `file://` URLs, plain paths and `s3://` URLs, and keeps what it opened.
pub struct OpenStores {
    allowed: AllowPaths,
    s3: S3,
    stores: Mutex<BTreeMap<String, Arc<dyn Store>>>,
    buckets: Mutex<BTreeMap<String, Arc<dyn ObjectStore>>>,
}

impl OpenStores {
    /// A door that lets documents into `allowed` folders and to S3 as `s3` says.
    #[must_use]
    pub fn new(allowed: AllowPaths, s3: S3) -> Self {
        Self {
            allowed,
            s3,
            stores: Mutex::default(),
            buckets: Mutex::default(),
        }
    }

    fn open_new(&self, url: &str) -> Result<Arc<dyn Store>, Error> {
        if let Some(rest) = url.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            return Ok(Arc::new(Remote::new(
                url.trim_end_matches('/'),
                &below(url, prefix)?,
                self.bucket(url, bucket)?,
            )));
        }
        let folder = if url.contains("://") || url.starts_with("file:") {
            file_path(url)?
        } else {
            PathBuf::from(url)
        };
        if folder.as_os_str().is_empty() || url.contains('\0') {
            return Err(refused(url, "it names no folder"));
        }
        self.check(url, &folder)?;
        Ok(Arc::new(Local::named(url, folder)))
    }

    /// Holds a folder against the list of those that are allowed.
    fn check(&self, url: &str, folder: &Path) -> Result<(), Error> {
        let AllowPaths::Only(roots) = &self.allowed else {
            return Ok(());
        };
        let resolved = resolve(folder).ok_or_else(|| refused(url, "its path cannot be resolved"))?;
        if roots
            .iter()
            .filter_map(|root| resolve(root))
            .any(|root| resolved.starts_with(root))
        {
            return Ok(());
        }
        let reason = match roots.as_slice() {
            [] => "this process opens no local folders; start it with `--allow-path FOLDER`".to_owned(),
            roots => {
                let list: Vec<_> = roots.iter().map(|root| format!("`{}`", root.display())).collect();
                format!(
                    "local folders must be below {}; `--allow-path FOLDER` allows another",
                    list.join(" or ")
                )
            }
        };
        Err(Error::Refused {
            url: url.to_owned(),
            reason,
        })
    }

    /// The client of a bucket, shared by all stores in it.
    fn bucket(&self, url: &str, name: &str) -> Result<Arc<dyn ObjectStore>, Error> {
        if name.is_empty() || name.contains(['@', '?', '#', ':']) {
            return Err(refused(url, "it is written `s3://bucket/prefix`"));
        }
        let halves = (self.s3.access_key.is_some(), self.s3.secret_key.is_some());
        let lacking = match halves {
            (true, false) => Some(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
            (false, true) => Some(("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")),
            (true, true) | (false, false) => None,
        };
        if let Some((set, lacking)) = lacking {
            return Err(refused(url, &format!("`{set}` is set, and `{lacking}` is not")));
        }
        let mut buckets = self.buckets.lock();
        if let Some(client) = buckets.get(name) {
            return Ok(Arc::clone(client));
        }
        let client: Arc<dyn ObjectStore> =
            Arc::new(connect(&self.s3, name).map_err(|error| refused(url, &error.to_string()))?);
        remember(&mut buckets, name, &client);
        Ok(client)
    }
}

impl Stores for OpenStores {
    fn open(&self, url: &str) -> Result<Arc<dyn Store>, Error> {
        if let Some(store) = self.stores.lock().get(url) {
            return Ok(Arc::clone(store));
        }
        let store = self.open_new(url)?;
        remember(&mut self.stores.lock(), url, &store);
        Ok(store)
    }
}

impl fmt::Debug for OpenStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenStores")
            .field("allowed", &self.allowed)
            .field("s3", &self.s3)
            .finish_non_exhaustive()
    }
}

/// Keeps what was opened, without growing for ever.
fn remember<T: Clone>(open: &mut BTreeMap<String, T>, name: &str, opened: &T) {
    if open.len() >= OPEN_MAX {
        open.clear();
    }
    open.insert(name.to_owned(), opened.clone());
}

/// A client that gives up in bounded time. No I/O.
fn connect(settings: &S3, bucket: &str) -> object_store::Result<impl ObjectStore + use<>> {
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_TIMEOUT,
    };
    let plain = settings
        .endpoint
        .as_deref()
        .is_some_and(|endpoint| endpoint.starts_with("http://"));
    let options = ClientOptions::new()
        .with_timeout(REQUEST_TIMEOUT)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_allow_http(plain);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(settings.region.as_deref().unwrap_or("us-east-1"))
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(retry)
        .with_client_options(options);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(key) = &settings.access_key {
        builder = builder.with_access_key_id(key);
    }
    if let Some(secret) = &settings.secret_key {
        builder = builder.with_secret_access_key(secret);
    }
    if let Some(token) = &settings.session_token {
        builder = builder.with_token(token);
    }
    if settings.access_key.is_none() && settings.secret_key.is_none() {
        let keys = OfMachine::new(settings.metadata.as_deref())?;
        builder = builder.with_credentials(Arc::new(keys));
    }
    builder.build()
}

/// A checked prefix in a bucket.
fn below(url: &str, prefix: &str) -> Result<String, Error> {
    super::path::prefix(url, prefix).map(str::to_owned)
}

fn file_path(url: &str) -> Result<PathBuf, Error> {
    let parsed = Url::parse(url).map_err(|error| refused(url, &error.to_string()))?;
    if parsed.scheme() != "file" {
        return Err(refused(
            url,
            "Weir opens folders (a path or `file:///folder`) and `s3://bucket/prefix`",
        ));
    }
    parsed
        .to_file_path()
        .map_err(|()| refused(url, "a folder of this machine is written `file:///folder`"))
}

fn refused(url: &str, reason: &str) -> Error {
    Error::Refused {
        url: url.to_owned(),
        reason: reason.to_owned(),
    }
}

/// The path without symbolic links: its part that is there resolved, the rest as written. `None` where that rest climbs.
fn resolve(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let there = absolute
        .ancestors()
        .find_map(|above| above.canonicalize().ok().map(|real| (above, real)));
    let (above, real) = there?;
    let rest = absolute.strip_prefix(above).ok()?;
    let plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
    plain.then(|| {
        if rest.as_os_str().is_empty() {
            real.clone()
        } else {
            real.join(rest)
        }
    })
}

#[cfg(test)]
mod tests;
