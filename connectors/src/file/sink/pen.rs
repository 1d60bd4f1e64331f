//! Rows into the bytes of a segment: encoded, and compressed if so wished.

use std::io::{self, Write as _};

use arrow::record_batch::RecordBatch;
use dataflow::Failure;
use dataflow::contract::Encoder;
use flate2::write::GzEncoder;

use super::options::Compression;

/// What a segment's bytes go through; each segment is a member or frame of its own, so that segments can be joined.
pub(super) enum Compressor {
    None(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

/// As fast as a sink should be; more is a reader's wish that the option may one day take.
const ZSTD_LEVEL: i32 = 1;

impl Compressor {
    pub(super) fn new(compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None(Vec::new()),
            Compression::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::default())),
            Compression::Zstd => Self::Zstd(Box::new(zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?)),
        })
    }

    /// What has come out so far and was not taken.
    fn ready(&mut self) -> &mut Vec<u8> {
        match self {
            Self::None(bytes) => bytes,
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        }
    }

    /// Ends the member or frame.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::None(bytes) => Ok(bytes),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

/// Encodes the rows of one sink.
pub(super) struct Pen {
    encoder: Box<dyn Encoder>,
    scratch: Vec<u8>,
}

/// What came of writing a batch.
pub(super) struct Written {
    /// Bytes for the store, if enough have come together.
    pub(super) chunk: Option<Vec<u8>>,
    /// How many bytes wait to become a chunk.
    pub(super) waiting: usize,
}

impl Pen {
    pub(super) fn new(encoder: Box<dyn Encoder>) -> Self {
        Self {
            encoder,
            scratch: Vec::new(),
        }
    }

    /// Begins a file, if files of this format begin with something.
    pub(super) fn header(&self, into: &mut Compressor) -> Result<(), Failure> {
        let header = self.encoder.header().unwrap_or_default();
        match into {
            Compressor::None(bytes) => {
                bytes.extend_from_slice(&header);
                Ok(())
            }
            Compressor::Gzip(encoder) => encoder.write_all(&header).map_err(|error| compressing(&error)),
            Compressor::Zstd(encoder) => encoder.write_all(&header).map_err(|error| compressing(&error)),
        }
    }

    /// Appends the rows; hands out what has come together once it is `chunk_bytes`.
    pub(super) fn write(
        &mut self,
        rows: &RecordBatch,
        into: &mut Compressor,
        chunk_bytes: usize,
    ) -> Result<Written, Failure> {
        match into {
            Compressor::None(bytes) => self.encode(rows, Some(bytes))?,
            Compressor::Gzip(encoder) => {
                self.encode(rows, None)?;
                encoder.write_all(&self.scratch).map_err(|error| compressing(&error))?;
            }
            Compressor::Zstd(encoder) => {
                self.encode(rows, None)?;
                encoder.write_all(&self.scratch).map_err(|error| compressing(&error))?;
            }
        }
        let ready = into.ready();
        if ready.len() < chunk_bytes {
            return Ok(Written {
                chunk: None,
                waiting: ready.len(),
            });
        }
        // The next chunk will be about as large as this one: its room is made at once, not by doubling.
        let room = Vec::with_capacity(ready.len() + ready.len() / 8);
        Ok(Written {
            chunk: Some(std::mem::replace(ready, room)),
            waiting: 0,
        })
    }

    /// Encodes to `out`, or to the scratch memory.
    fn encode(&mut self, rows: &RecordBatch, out: Option<&mut Vec<u8>>) -> Result<(), Failure> {
        let out = out.unwrap_or_else(|| {
            self.scratch.clear();
            &mut self.scratch
        });
        self.encoder.encode(rows, out).map_err(|bad| {
            Failure::fail(format!("a row cannot be written: {}", bad.error))
                .help("leave such rows out with a `filter`, or make other columns of them with `select`")
        })
    }
}

fn compressing(error: &io::Error) -> Failure {
    Failure::bug("compression to memory stopped").because(error)
}
