//! Copies state files, from one store into itself or into another, in bounded memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use dataflow::Failure;
use dataflow::store::{Error, Store};
use futures::{StreamExt as _, TryStreamExt as _, stream};

/// Copies at the same time: a store answers each in milliseconds, whatever the size.
const AT_ONCE: usize = 8;

/// Between two stores a file is read and written in pieces of this many bytes.
const PIECE: u64 = 8 << 20;

/// A folder in a store.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    pub(super) store: Arc<dyn Store>,
    pub(super) path: String,
}

impl Folder {
    fn file(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}/{name}"),
        }
    }

    /// The folder below this one.
    pub(super) fn below(&self, name: &str) -> Self {
        Self {
            store: self.store.clone(),
            path: self.file(name),
        }
    }
}

/// Copies files of these names; says how many bytes they have.
pub(super) async fn copy_all(names: BTreeSet<String>, from: &Folder, to: &Folder) -> Result<u64, Failure> {
    // Owned by each copy: a stream of borrowed names cannot be sent between threads.
    let copies = names.into_iter().map(|name| one(name, from.clone(), to.clone()));
    let sizes: Vec<u64> = stream::iter(copies).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(sizes.into_iter().fold(0, u64::saturating_add))
}

async fn one(name: String, from: Folder, to: Folder) -> Result<u64, Failure> {
    let copied = copy(&from.file(&name), &from, &to.file(&name), &to).await;
    copied.map_err(|error| {
        let failure = Failure::from(&error);
        let message = format!("the state file `{name}` cannot be copied: {}", failure.message);
        Failure { message, ..failure }
    })
}

async fn copy(source: &str, from: &Folder, target: &str, to: &Folder) -> Result<u64, Error> {
    let size = from.store.head(source).await?.size;
    let copied = if from.store.url() == to.store.url() {
        from.store.copy(source, target).await
    } else {
        transfer(source, from, target, to, size).await
    };
    match copied {
        Ok(()) => Ok(size),
        // Names are never used again: what is there of this size is a copy of an earlier try.
        Err(error @ (Error::Exists { .. } | Error::Unknown { .. })) => match to.store.head(target).await {
            Ok(there) if there.size == size => Ok(size),
            Ok(_) | Err(_) => Err(error),
        },
        Err(error) => Err(error),
    }
}

async fn transfer(source: &str, from: &Folder, target: &str, to: &Folder, size: u64) -> Result<(), Error> {
    let mut upload = to.store.upload(target).await?;
    let mut at = 0;
    while at < size {
        let end = (at + PIECE).min(size);
        let written = match from.store.read_range(source, at..end).await {
            Ok(piece) => upload.write(piece).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            upload.abort().await;
            return Err(error);
        }
        at = end;
    }
    upload.finish().await
}
