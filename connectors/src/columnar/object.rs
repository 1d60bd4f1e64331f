//! A Parquet file in a store, as the Parquet library reads it: ranges of bytes on demand.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use dataflow::Failure;
use dataflow::store::Store;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

/// The end of a file is fetched in one go of this size: most footers fit.
const FOOTER_BYTES: usize = 64 << 10;
/// So many ranges are fetched at once.
const RANGES_AT_ONCE: usize = 8;

/// An object of a store.
#[derive(Clone, Debug)]
pub(crate) struct ObjectFile {
    pub(super) store: Arc<dyn Store>,
    pub(super) path: String,
    pub(super) size: u64,
}

impl ObjectFile {
    async fn fetch(&self, range: Range<u64>) -> Result<Bytes> {
        let bytes = self.store.read_range(&self.path, range).await;
        bytes.map_err(|error| ParquetError::External(Box::new(Failure::from(error))))
    }
}

impl AsyncFileReader for ObjectFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.fetch(range).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        let this: &Self = self;
        futures::stream::iter(ranges)
            .map(|range| this.fetch(range))
            .buffered(RANGES_AT_ONCE)
            .try_collect()
            .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let mut reader = ParquetMetaDataReader::new().with_prefetch_hint(Some(FOOTER_BYTES));
            if let Some(options) = options {
                reader = reader
                    .with_column_index_policy(options.column_index_policy())
                    .with_offset_index_policy(options.offset_index_policy())
                    .with_metadata_options(Some(options.metadata_options().clone()));
            }
            let size = self.size;
            reader.load_and_finish(self, size).await.map(Arc::new)
        }
        .boxed()
    }
}
