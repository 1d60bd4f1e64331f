//! Looking into what a sink has written: folders, files, what their footers say, a few rows. For people; no stream depends on it.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::error::Failure;
use crate::store::Stores;

/// Looks into what the sink of a connector has written. Bounded in what it reads and in what it tells.
#[async_trait]
pub trait Browse: Send + Sync {
    /// Folders and files, of the sink with these options.
    ///
    /// # Errors
    /// Where nothing can be read there.
    async fn list(&self, options: &Value, stores: Arc<dyn Stores>, asked: &Asked) -> Result<Listed, Failure>;

    /// The first rows of one of its files, each as JSON. A file that is not one of those it would list is refused.
    ///
    /// # Errors
    /// Where there is no such file, or it cannot be read.
    async fn sample(
        &self,
        options: &Value,
        stores: Arc<dyn Stores>,
        (file, rows): (&str, usize),
    ) -> Result<Vec<Value>, Failure>;
}

/// Which files are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Only those below this folder, by whole names.
    pub under: Option<String>,
    /// Only those behind this path.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed {
    /// The folder, as the document names it.
    pub path: String,
    /// The folders with files in them, in the order of their names; at most [`FOLDERS_MAX`].
    pub folders: Vec<Folder>,
    /// The files that are wanted, in the order of their paths.
    pub files: Vec<Filed>,
    /// How many files there are altogether.
    pub count: u64,
    /// How large they are altogether.
    pub bytes: u64,
    /// Whether more files are wanted than are told of.
    pub more: bool,
}

/// So many folders are told of.
pub const FOLDERS_MAX: usize = 2_000;

/// A folder with files in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// Its path below the sink's.
    pub path: String,
    /// How many files are in it.
    pub files: u64,
    /// How large they are.
    pub bytes: u64,
}

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filed {
    /// Its path below the sink's.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// How many rows it holds.
    pub rows: u64,
    /// The lowest and the highest event time in it, in milliseconds since 1970, where it says so.
    pub times: Option<(i64, i64)>,
    /// The job that wrote it, where it says so.
    pub job: Option<String>,
    /// The epoch that was restored when it was begun, where it says so.
    pub epoch: Option<u64>,
}
