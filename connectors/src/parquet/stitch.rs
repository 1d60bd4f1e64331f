//! Several segments into one file: their row groups are copied as they are, their footers merged.

use bytes::Bytes;
use dataflow::Failure;
use dataflow::store::{Error, Store, Upload};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use super::footer::{Facts, Origin};
use crate::offload::offload;
use crate::segments::Segment;

/// The file on its way.
struct Joined {
    writer: SerializedFileWriter<Vec<u8>>,
    origin: Origin,
    facts: Facts,
}

impl Joined {
    /// A file of the schema of its first segment.
    fn begin(metadata: &ParquetMetaData) -> Result<Self> {
        let file = metadata.file_metadata();
        let properties = WriterProperties::builder()
            .set_created_by(file.created_by().unwrap_or("weir").to_owned())
            .build();
        let writer = SerializedFileWriter::new(Vec::new(), file.schema_descr().root_schema_ptr(), properties.into())?;
        let (origin, _) = Facts::read(file.key_value_metadata().map_or(&[], Vec::as_slice));
        Ok(Self {
            writer,
            origin,
            facts: Facts::default(),
        })
    }

    /// Appends the row groups of a segment.
    fn append(&mut self, segment: &Bytes, metadata: &ParquetMetaData) -> Result<()> {
        let (_, facts) = Facts::read(metadata.file_metadata().key_value_metadata().map_or(&[], Vec::as_slice));
        self.facts.merge(&facts);
        for (group, row_group) in metadata.row_groups().iter().enumerate() {
            let mut target = self.writer.next_row_group()?;
            for (index, column) in row_group.columns().iter().enumerate() {
                let close = ColumnCloseResult {
                    bytes_written: u64::try_from(column.compressed_size()).unwrap_or(0),
                    rows_written: u64::try_from(row_group.num_rows()).unwrap_or(0),
                    metadata: column.clone(),
                    bloom_filter: None,
                    column_index: metadata
                        .column_index()
                        .and_then(|groups| groups.get(group)?.get(index))
                        .cloned(),
                    offset_index: metadata
                        .offset_index()
                        .and_then(|groups| groups.get(group)?.get(index))
                        .cloned(),
                };
                target.append_column(segment, close)?;
            }
            target.close()?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<u8>> {
        for entry in self.facts.footer(&self.origin) {
            self.writer.append_key_value_metadata(entry);
        }
        self.writer.finish()?;
        Ok(std::mem::take(self.writer.inner_mut()))
    }
}

/// Makes the file `to` of `segments`, of which one at a time is in memory.
pub(crate) async fn stitch(store: &dyn Store, segments: &[Segment], to: &str) -> std::result::Result<(), Error> {
    let mut upload = store.upload(to).await?;
    match copy(store, segments, upload.as_mut(), to).await {
        Ok(()) => upload.finish().await,
        Err(error) => {
            upload.abort().await;
            Err(error)
        }
    }
}

async fn copy(
    store: &dyn Store,
    segments: &[Segment],
    upload: &mut dyn Upload,
    to: &str,
) -> std::result::Result<(), Error> {
    let unknown = |failure: Failure| Error::Unknown {
        url: store.url().to_owned(),
        path: to.to_owned(),
        source: Box::new(failure),
    };
    let mut joined: Option<Joined> = None;
    for segment in segments {
        let bytes = store.read(&segment.path).await?;
        let before = joined.take();
        let outcome = offload(move || {
            let metadata = ParquetMetaDataReader::new()
                .with_page_index_policy(PageIndexPolicy::Optional)
                .parse_and_finish(&bytes)?;
            let mut joined = before.map_or_else(|| Joined::begin(&metadata), Ok)?;
            joined.append(&bytes, &metadata)?;
            let copied = std::mem::take(joined.writer.inner_mut());
            Ok((joined, copied))
        });
        let (after, copied) = outcome
            .await
            .and_then(|outcome| readable(outcome, &segment.path))
            .map_err(unknown)?;
        joined = Some(after);
        upload.write(copied.into()).await?;
    }
    if let Some(joined) = joined {
        let finished = offload(move || joined.finish())
            .await
            .and_then(|outcome| readable(outcome, to))
            .map_err(unknown)?;
        upload.write(finished.into()).await?;
    }
    Ok(())
}

fn readable<T>(outcome: Result<T>, path: &str) -> std::result::Result<T, Failure> {
    outcome.map_err(|error| Failure::fail(format!("`{path}` is not Parquet that this version wrote")).because(&error))
}
