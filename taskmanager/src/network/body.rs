//! The bodies of a channel's batches: one Arrow IPC stream, cut where the batches end.
//!
//! The schema travels with the first batch, a dictionary when it changes. Since frames arrive once and in order, whatever
//! connections do, the reader is always where the writer was.

use arrow::buffer::Buffer;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamEncoder;
use arrow::record_batch::RecordBatch;

use crate::channel::compact_for_wire;

/// The sender's end of a channel's IPC stream.
#[derive(Default)]
pub(super) struct Writer {
    encoder: Option<StreamEncoder>,
}

impl Writer {
    /// The buffers of `records` in the stream, shared with it where they need not be cut.
    pub(super) fn write(&mut self, records: &RecordBatch) -> Result<Vec<Buffer>, ArrowError> {
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            empty @ None => empty.insert(StreamEncoder::try_new(&records.schema())?),
        };
        // Only the bytes that the rows reach travel, not the reader's buffer that they are views of.
        encoder.encode(&compact_for_wire(records))
    }
}

/// The receiver's end of a channel's IPC stream.
#[derive(Default)]
pub(crate) struct Reader {
    decoder: StreamDecoder,
}

/// Why a body is not a batch.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// Not Arrow IPC.
    #[error("the body is not the next piece of an Arrow IPC stream")]
    Arrow(#[source] ArrowError),
    /// No batch, or more than one.
    #[error("the body holds {batches} batches")]
    Count { batches: usize },
}

impl Reader {
    /// The batch in `body`; its columns share the body's memory.
    pub(crate) fn read(&mut self, mut body: Buffer) -> Result<RecordBatch, Unreadable> {
        let mut found = None;
        let mut batches = 0;
        while !body.is_empty() {
            if let Some(records) = self.decoder.decode(&mut body).map_err(Unreadable::Arrow)? {
                found = Some(records);
                batches += 1;
            }
        }
        found.filter(|_| batches == 1).ok_or(Unreadable::Count { batches })
    }
}
