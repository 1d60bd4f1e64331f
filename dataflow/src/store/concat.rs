//! Objects joined to one, for stores that cannot do that by themselves.

use super::{Error, Store, Upload};

/// So much of an object is in memory at a time.
const CHUNK_BYTES: u64 = 8 << 20;

/// Reads all of `from`, piece by piece, and uploads them as `to`.
pub(super) async fn through_memory<S: Store + ?Sized>(store: &S, from: &[String], to: &str) -> Result<(), Error> {
    match store.head(to).await {
        Ok(_) => {
            return Err(Error::Exists {
                url: store.url().to_owned(),
                path: to.to_owned(),
            });
        }
        Err(Error::Missing { .. }) => {}
        Err(error) => return Err(error),
    }
    let mut upload = store.upload(to).await?;
    for path in from {
        if let Err(error) = append(store, path, upload.as_mut()).await {
            upload.abort().await;
            return Err(error);
        }
    }
    upload.finish().await
}

async fn append<S: Store + ?Sized>(store: &S, path: &str, upload: &mut dyn Upload) -> Result<(), Error> {
    let size = store.head(path).await?.size;
    let mut offset = 0;
    while offset < size {
        let end = size.min(offset + CHUNK_BYTES);
        upload.write(store.read_range(path, offset..end).await?).await?;
        offset = end;
    }
    Ok(())
}
