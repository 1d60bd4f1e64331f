//! What can go wrong at a store, by what the caller does about it.

use std::error::Error as StdError;

use super::open::NoKeys;
use crate::error::Failure;

/// A store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such object.
    #[error("{url}: there is no `{path}`")]
    Missing {
        /// The store.
        url: String,
        /// What was asked for.
        path: String,
    },
    /// The object to be created is already there.
    #[error("{url}: `{path}` is already there")]
    Exists {
        /// The store.
        url: String,
        /// What was to be created.
        path: String,
    },
    /// Permission or credentials are missing.
    #[error("{url}: no permission for `{path}`")]
    Denied {
        /// The store.
        url: String,
        /// What was asked for.
        path: String,
        /// The cause.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// No room is left.
    #[error("{url}: no space left for `{path}`")]
    Full {
        /// The store.
        url: String,
        /// What was written.
        path: String,
        /// The cause.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The store could not be reached, or it is not known what came of the request.
    #[error("{url}: `{path}`: outcome unknown")]
    Unknown {
        /// The store.
        url: String,
        /// What was asked for.
        path: String,
        /// The cause.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The URL is not one that this process opens.
    #[error("`{url}` cannot be opened: {reason}")]
    Refused {
        /// The URL.
        url: String,
        /// Why.
        reason: String,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let failure = match error {
            Error::Missing { .. } | Error::Exists { .. } | Error::Refused { .. } => Self::fail(""),
            Error::Denied { .. } => {
                Self::fail("").help("give the user that runs Weir the right to read and write there")
            }
            // Whether it restarts is the job's affair, and not known here.
            Error::Full { .. } => Self::retry("").help(
                "free some space: a job that restarts then goes on by itself, one that has failed when it is run again",
            ),
            Error::Unknown { source, .. } if lacks_keys(&**source) => Self::retry("").help(
                "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (and `AWS_SESSION_TOKEN`, if the keys are temporary), \
                 or run Weir on a machine of Amazon's whose role may use the bucket",
            ),
            Error::Unknown { url, .. } if url.starts_with("s3://") => Self::retry("").help(
                "check that the object store answers, and that this machine reaches it; \
                 `AWS_ENDPOINT_URL_S3` says where it is, if not Amazon's own",
            ),
            Error::Unknown { .. } => Self::retry(""),
        };
        Self {
            message: chain(error),
            ..failure
        }
    }
}

/// Whether the request was never made, since nobody gave keys to sign it with.
fn lacks_keys(source: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(source);
    while let Some(error) = cause {
        if error.is::<NoKeys>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The error and its causes, joined by `: `.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Many crates repeat their source in their own text; a chain says each thing once.
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}
