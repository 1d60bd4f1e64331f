//! Keys where none are set: those of the machine's role, which only a machine of Amazon's can give.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::aws::{AmazonS3Builder, AwsCredential, AwsCredentialProvider};
use object_store::{BackoffConfig, ClientOptions, CredentialProvider, RetryConfig};

/// The machine is asked once more where the first answer does not come; then whoever wants the keys is told.
const RETRIES_MAX: usize = 1;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Nobody gives keys for S3.
#[derive(Debug, thiserror::Error)]
#[error("no keys for S3 are set, and this machine gives none")]
pub(crate) struct NoKeys(#[source] object_store::Error);

/// The keys of the machine's role.
#[derive(Debug)]
pub(super) struct OfMachine(AwsCredentialProvider);

impl OfMachine {
    /// Asks the machine at `endpoint`, if not at the address that all of Amazon's have.
    pub(super) fn new(endpoint: Option<&str>) -> object_store::Result<Self> {
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: RETRIES_MAX,
            retry_timeout: ANSWER_TIMEOUT,
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name("none")
            .with_retry(retry)
            .with_client_options(ClientOptions::new().with_timeout(ANSWER_TIMEOUT));
        if let Some(endpoint) = endpoint {
            builder = builder.with_metadata_endpoint(endpoint.trim_end_matches('/'));
        }
        Ok(Self(Arc::clone(builder.build()?.credentials())))
    }
}

#[async_trait]
impl CredentialProvider for OfMachine {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let keys = self.0.get_credential().await;
        keys.map_err(|error| object_store::Error::Generic {
            store: "S3",
            source: Box::new(NoKeys(error)),
        })
    }
}
