//! Makes a savepoint of a record.

use std::sync::Arc;

use bytes::Bytes;
use dataflow::Failure;
use dataflow::store::{Error as StoreError, Store};
use dataflow::time::WallTime;
use serde::{Deserialize, Serialize};

use super::copy::{Folder, copy_all};
use super::{FOLDER, named, state_folder};
use crate::store::{self, Document, Record, open, seal};

/// A checkpoint that is kept by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Savepoint {
    /// Its name.
    pub label: String,
    /// When it was made.
    pub at: WallTime,
    /// The bytes of its state files.
    pub state_bytes: u64,
    /// The checkpoint, with its document, without committables. Its state files lie in the folder of the label.
    pub record: Record,
}

fn path(label: &str) -> String {
    format!("{FOLDER}/{label}.record")
}

/// Whether a label is taken.
///
/// # Errors
/// When the store fails.
pub async fn is_there(store: &dyn Store, label: &str) -> Result<bool, Failure> {
    match store.head(&path(label)).await {
        Ok(_) => Ok(true),
        Err(StoreError::Missing { .. }) => Ok(false),
        Err(error) => Err(Failure::from(&error)),
    }
}

/// Makes a savepoint of a record whose commits are done; says where it is.
///
/// # Errors
/// When the label is taken, or the store fails.
pub async fn make(
    store: &Arc<dyn Store>,
    label: &str,
    record: Record,
    document: Document,
    at: WallTime,
) -> Result<String, Failure> {
    let names = named(&record)?;
    let folder = |path: String| Folder {
        store: store.clone(),
        path,
    };
    let (from, to) = (folder(state_folder(&record.job)), folder(format!("{FOLDER}/{label}")));
    let state_bytes = copy_all(names, &from, &to).await?;
    let mut record = record.published();
    record.document = Some(document);
    let savepoint = Savepoint {
        label: label.to_owned(),
        at,
        state_bytes,
        record,
    };
    let (path, bytes) = (path(label), Bytes::from(seal(&savepoint)));
    let url = format!("{}/{FOLDER}/{label}", store.url().trim_end_matches('/'));
    let Err(error) = store.create(&path, bytes.clone()).await else {
        return Ok(url);
    };
    // Whatever it says, it may have been made.
    match store.read(&path).await {
        Ok(there) if there == bytes => Ok(url),
        Ok(_) => Err(taken(label)),
        Err(_) => Err(Failure::from(&error)),
    }
}

/// A label that is taken.
pub(crate) fn taken(label: &str) -> Failure {
    Failure::fail(format!("there is a savepoint `{label}` already"))
        .help("a savepoint is never replaced: give this one another name with `--as`")
}

/// Reads a savepoint of this label in a folder of savepoints.
pub(super) async fn read(folder: &Folder, label: &str) -> Result<Savepoint, Failure> {
    let path = folder.below(&format!("{label}.record")).path;
    let bytes = match folder.store.read(&path).await {
        Ok(bytes) => bytes,
        Err(StoreError::Missing { .. }) => {
            let place = folder.store.url();
            return Err(Failure::fail(format!("there is no savepoint `{label}` in {place}"))
                .help("`weir describe` shows the savepoints that a datastream has made lately"));
        }
        Err(error) => return Err(Failure::from(&error)),
    };
    open(&bytes, &path).map_err(|error: store::Error| error.failure())
}
