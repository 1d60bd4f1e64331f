//! A segment of Parquet: a whole small file, written row group by row group.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use dataflow::Failure;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::columns::Columns;
use super::footer::{Facts, Origin};
use crate::offload::offload;
use crate::segments::{CHUNK_BYTES, Pending, Segment, Writer};

/// Writes one segment.
pub(super) struct RowGroups {
    /// Away while it encodes on another thread.
    encoder: Option<Box<Encoder>>,
    pending: Pending,
    /// About the size of the segment so far.
    bytes: u64,
    /// Bytes of memory held.
    memory: usize,
}

/// The part that computes.
struct Encoder {
    writer: ArrowWriter<Vec<u8>>,
    columns: Arc<Columns>,
    origin: Arc<Origin>,
    facts: Facts,
    rows: u64,
}

impl Encoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.writer
            .write(&self.columns.of(batch)?)
            .map_err(|error| encoding(&error))?;
        self.facts.add(batch);
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// What has come together for the store, if it is worth a call.
    fn take(&mut self, bytes_min: usize) -> Option<Vec<u8>> {
        let ready = self.writer.inner_mut();
        (ready.len() >= bytes_min.max(1)).then(|| std::mem::take(ready))
    }

    fn finish(mut self) -> Result<(Vec<u8>, u64), Failure> {
        for entry in self.facts.footer(&self.origin) {
            self.writer.append_key_value_metadata(entry);
        }
        self.writer.finish().map_err(|error| encoding(&error))?;
        Ok((std::mem::take(self.writer.inner_mut()), self.rows))
    }
}

fn encoding(error: &ParquetError) -> Failure {
    Failure::bug("rows cannot be encoded as Parquet").because(error)
}

impl RowGroups {
    /// A segment without rows.
    pub(super) fn new(
        pending: Pending,
        columns: Arc<Columns>,
        origin: Arc<Origin>,
        properties: WriterProperties,
    ) -> Result<Self, Failure> {
        // Outside readers take types from Parquet's own; Arrow's would make them read views, which few can.
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(columns.schema()), options)
            .map_err(|error| encoding(&error))?;
        let encoder = Box::new(Encoder {
            writer,
            columns,
            origin,
            facts: Facts::default(),
            rows: 0,
        });
        Ok(Self {
            encoder: Some(encoder),
            pending,
            bytes: 0,
            memory: 0,
        })
    }

    /// Bytes of memory held.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// Appends rows.
    pub(super) async fn write(&mut self, batch: RecordBatch) -> Result<(), Failure> {
        self.compute(move |encoder| encoder.write(&batch)).await
    }

    /// Ends the row group, to free its memory.
    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        self.compute(|encoder| encoder.writer.flush().map_err(|error| encoding(&error)))
            .await
    }

    async fn compute(
        &mut self,
        work: impl FnOnce(&mut Encoder) -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), Failure> {
        let mut encoder = self
            .encoder
            .take()
            .ok_or_else(|| Failure::bug("a sink was written to after it failed"))?;
        let (mut encoder, outcome) = offload(move || {
            let outcome = work(&mut encoder);
            (encoder, outcome)
        })
        .await?;
        outcome?;
        let chunk = encoder.take(CHUNK_BYTES);
        let in_progress = encoder.writer.in_progress_size() + encoder.writer.inner().len();
        self.memory = encoder.writer.memory_size() + encoder.writer.inner().len();
        self.encoder = Some(encoder);
        if let Some(chunk) = chunk {
            self.pending.write(chunk).await?;
        }
        self.bytes = self.pending.bytes() + in_progress as u64;
        Ok(())
    }
}

#[async_trait]
impl Writer for RowGroups {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    async fn seal(mut self) -> Result<Segment, Failure> {
        let encoder = self
            .encoder
            .take()
            .ok_or_else(|| Failure::bug("a sink was written to after it failed"))?;
        let (rest, rows) = offload(move || encoder.finish()).await??;
        self.pending.write(rest).await?;
        self.pending.seal(rows).await
    }
}
