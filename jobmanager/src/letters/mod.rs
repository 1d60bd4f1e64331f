//! Dead letters, read back for people: the newest first, a part of them at a time.
//!
//! ```text
//!   files of the folder, newest first ──blocks, from their ends──> lines ──> letters ──filter──> a page, and where it goes on
//! ```
//!
//! Enters: the folder that a document names, what is asked for. Leaves: letters, hidden fields covered. Who calls: `jobs`, for
//! REST. Must stay true: only lines of this datastream in committed files are shown; bytes read and letters given are bounded,
//! whatever lies there; a name of a file that is asked for never leaves the folder. Not here: how letters are written.

mod back;
mod letter;
mod page;
#[cfg(test)]
mod tests;

pub use page::{Query, list, show};

/// Why there are no letters to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The document has no `deadLetter`.
    #[error("the datastream keeps no dead letters")]
    Nowhere,
    /// No such place.
    #[error("there is no dead letter `{0}`")]
    Unknown(String),
    /// The folder cannot be read.
    #[error("the job manager cannot read the folder of the dead letters")]
    Store,
}

impl Error {
    /// What a person can do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Nowhere => {
                "`deadLetter: { path: DIR }` in its document keeps them; without it they are counted, and \
                the first few are in `weir describe`"
                    .to_owned()
            }
            Self::Unknown(_) => "`weir dlq list` shows those there are; files may have been taken away".to_owned(),
            Self::Store => {
                "it must be able to reach it as task managers do, by the same path, and with `--allow-path`; \
                its log says what is wrong"
                    .to_owned()
            }
        }
    }
}

impl From<dataflow::store::Error> for Error {
    fn from(error: dataflow::store::Error) -> Self {
        // Not in the answer: it names paths of the machine.
        tracing::warn!(%error, "dead letters cannot be read back");
        Self::Store
    }
}
