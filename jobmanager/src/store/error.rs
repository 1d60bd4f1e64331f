//! What can go wrong with what must survive.

use dataflow::{Failure, store};

/// Something that must survive cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed, also after some tries.
    #[error("the state folder fails")]
    Store(#[from] store::Error),
    /// An object is not what was written.
    #[error("`{path}` is damaged: {reason}")]
    Damaged {
        /// The object.
        path: String,
        /// What does not fit.
        reason: String,
    },
    /// An object is of another version of Weir.
    #[error("`{path}` is of version {found}, this build reads version {known}")]
    Version {
        /// The object.
        path: String,
        /// What it says.
        found: u32,
        /// What this build reads.
        known: u32,
    },
    /// Something that was there once is there no more.
    #[error("`{path}` is missing, and what came after it is known to have existed")]
    Gap {
        /// The object.
        path: String,
    },
    /// Another job manager has taken over.
    #[error("`{path}` was made by a job manager of a later term, {term}")]
    Deposed {
        /// The object.
        path: String,
        /// The later term.
        term: u64,
    },
    /// An object would be larger than any that is read back.
    #[error("`{path}` would be {bytes} bytes large, the limit is {limit}")]
    TooLarge {
        /// The object.
        path: String,
        /// How large.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
}

impl Error {
    /// The object that is missing.
    #[must_use]
    pub fn gap(path: String) -> Self {
        Self::Gap { path }
    }

    /// As a failure of a job, with what a person can do about it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let text = self.to_string();
        match self {
            Self::Store(error) => {
                let failure = Failure::from(error);
                Failure {
                    message: format!("{text}: {}", failure.message),
                    ..failure
                }
            }
            Self::Damaged { .. } | Self::Gap { .. } => Failure::fail(text).help(
                "restore the state folder from a copy, or start anew with `--fresh`, which processes the input again",
            ),
            Self::Version { .. } => Failure::fail(text).help("run the version of Weir that wrote it"),
            Self::Deposed { .. } => Failure::fail(text).help("this job manager steps down; ask the other one"),
            Self::TooLarge { .. } => {
                Failure::fail(text).help("let the source have fewer splits at a time, such as larger files")
            }
        }
    }
}
