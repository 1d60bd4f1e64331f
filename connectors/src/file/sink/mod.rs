//! Lines in files: each record a line, files rolled by size and age, visible once they are committed, exactly once.

mod compress;
mod options;

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use dataflow::Failure;
use dataflow::contract::format::Lines as Encoded;
use dataflow::contract::sink::Wants;
use dataflow::contract::{Committable, Cut, InvalidOptions, Prepared, Sink, SinkConnector, SinkContext, connector};
use dataflow::element::Roll as Closing;
use dataflow::store::Store;
use serde_json::Value;

use crate::segments::commit::{self, Stitch};
use crate::segments::{self, File, Names, Pending, Publish, Segment, Writer};
use compress::Compressor;
use options::Options;

/// The sink side of `file`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileSink;

impl SinkConnector for FileSink {
    fn schema(&self) -> Value {
        schemars::schema_for!(Options).to_value()
    }

    fn plan(&self, options: &Value, input: &SchemaRef) -> Result<Wants, InvalidOptions> {
        let options = connector::options::<Options>(options)?;
        options.check()?;
        Ok(segments::lines(input, options.changelog.into()))
    }

    fn sink(&self, options: &Value, context: SinkContext) -> Result<Box<dyn Sink>, Failure> {
        let options: Options = connector::options(options).map_err(|error| Failure::fail(error.message))?;
        let encoding = context
            .encoding
            .as_ref()
            .ok_or_else(|| Failure::bug("the file sink was planned without a format"))?;
        let extension = options.extension(&encoding.format);
        let store = context.stores.open(&options.path)?;
        let names = Names::new(&context, &options.prefix, &extension);
        let mut sink = LineSink {
            kind: extension,
            store,
            names,
            file: None,
            finished: Vec::new(),
            options,
            context,
        };
        sink.resume()?;
        Ok(Box::new(sink))
    }
}

/// A file sink of one subtask.
struct LineSink {
    options: Options,
    context: SinkContext,
    store: Arc<dyn Store>,
    names: Names,
    /// What a file must be to be gone on with: its format and compression.
    kind: String,
    file: Option<File<Lines>>,
    /// Finished since the last checkpoint.
    finished: Vec<Publish>,
}

/// A segment of lines.
struct Lines {
    pending: Pending,
    /// Away while it works on another thread.
    compressor: Option<Compressor>,
    waiting: usize,
    rows: u64,
}

impl Lines {
    async fn write(&mut self, text: Vec<u8>) -> Result<(), Failure> {
        let over = || Failure::bug("a sink was written to after it failed");
        let compressor = self.compressor.take().ok_or_else(over)?;
        let (compressor, written) = compressor.write(text).await?;
        self.compressor = Some(compressor);
        self.waiting = written.waiting;
        match written.chunk {
            Some(chunk) => self.pending.write(chunk).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Writer for Lines {
    fn bytes(&self) -> u64 {
        self.pending.bytes() + self.waiting as u64
    }

    async fn seal(mut self) -> Result<Segment, Failure> {
        if let Some(compressor) = self.compressor.take() {
            self.pending.write(compressor.finish().await?).await?;
        }
        self.pending.seal(self.rows).await
    }
}

impl LineSink {
    /// Goes on with what earlier attempts left open: one file; others, of before a change of parallelism or of the document, are finished.
    fn resume(&mut self) -> Result<(), Failure> {
        for file in segments::restored(&self.context.restored)? {
            if self.file.is_none() && file.kind == self.kind && file.root == self.options.path {
                self.file = Some(File::resume(file, self.context.clock.as_ref()));
            } else {
                self.finished.push(file.into());
            }
        }
        Ok(())
    }

    /// Takes the open file's segment out, to be written to.
    async fn take_lines(&mut self) -> Result<Lines, Failure> {
        let clock = self.context.clock.as_ref();
        let file = self
            .file
            .get_or_insert_with(|| File::begin(&self.options.path, self.names.file(clock.wall()), &self.kind, clock));
        if let Some(lines) = file.writer.take() {
            return Ok(lines);
        }
        let mut lines = Lines {
            pending: Pending::new(Arc::clone(&self.store), self.names.segment()),
            compressor: Some(Compressor::new(self.options.compression)?),
            waiting: 0,
            rows: 0,
        };
        let header = self
            .context
            .encoding
            .as_ref()
            .and_then(|encoding| encoding.header.clone());
        if let Some(header) = header.filter(|_| file.is_new()) {
            lines.write(header).await?;
        }
        Ok(lines)
    }

    async fn finish_file(&mut self) -> Result<(), Failure> {
        if let Some(file) = self.file.take() {
            self.finished.push(file.finish().await?);
        }
        Ok(())
    }
}

#[async_trait]
impl Sink for LineSink {
    async fn write(&mut self, batch: RecordBatch) -> Result<(), Failure> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let mut lines = self.take_lines().await?;
        lines.rows += batch.num_rows() as u64;
        let text = Encoded::take_bytes(batch).ok_or_else(|| Failure::bug("rows that were not encoded"))?;
        lines.write(text).await?;
        if let Some(file) = &mut self.file {
            file.writer = Some(lines);
            if file.is_full(&self.options.roll) {
                self.finish_file().await?;
            }
        }
        Ok(())
    }

    async fn prepare(&mut self, cut: Cut) -> Result<Prepared, Failure> {
        let clock = Arc::clone(&self.context.clock);
        let due = |file: &File<Lines>| cut.roll == Closing::All || file.is_due(&self.options.roll, clock.as_ref());
        if self.file.as_ref().is_some_and(due) {
            self.finish_file().await?;
        }
        if let Some(file) = &mut self.file {
            file.seal().await?;
        }
        let open: Vec<_> = self.file.iter().map(|file| file.state(clock.as_ref())).collect();
        let committables = self
            .finished
            .drain(..)
            .map(|publish| publish.committable())
            .collect::<Result<_, _>>()?;
        Ok(Prepared {
            committables,
            state: segments::state(&open)?,
        })
    }

    async fn commit(&mut self, committables: Vec<Committable>) -> Result<(), Failure> {
        commit::commit(&self.context.stores, Stitch::Concatenated, committables).await
    }
}

#[cfg(test)]
mod tests;
