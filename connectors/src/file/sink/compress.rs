//! Lines into the bytes of a segment: as they are, or compressed off the async threads.

use std::io::{self, Write};

use dataflow::Failure;
use flate2::write::GzEncoder;

use super::options::Compression;
use crate::offload::offload;
use crate::segments::CHUNK_BYTES;

/// What a segment's bytes go through; each segment is a member or frame of its own, so that segments can be joined.
pub(super) enum Compressor {
    None(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

/// As fast as a sink should be; more is a reader's wish that the option may one day take.
const ZSTD_LEVEL: i32 = 1;

/// What came of writing lines.
pub(super) struct Written {
    /// Bytes for the store, if enough have come together.
    pub(super) chunk: Option<Vec<u8>>,
    /// How many bytes wait to become a chunk.
    pub(super) waiting: usize,
}

impl Compressor {
    pub(super) fn new(compression: Compression) -> Result<Self, Failure> {
        Ok(match compression {
            Compression::None => Self::None(Vec::new()),
            Compression::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::default())),
            Compression::Zstd => {
                let encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL);
                Self::Zstd(Box::new(encoder.map_err(|error| stopped(&error))?))
            }
        })
    }

    /// Takes lines in; hands out what has come together once it is a chunk.
    pub(super) async fn write(mut self, text: Vec<u8>) -> Result<(Self, Written), Failure> {
        match &mut self {
            // A large text passes without a copy.
            Self::None(waiting) if waiting.is_empty() => *waiting = text,
            Self::None(waiting) => waiting.extend_from_slice(&text),
            Self::Gzip(_) | Self::Zstd(_) => {
                self = offload(move || self.compress(&text).map_err(|error| stopped(&error))).await??;
            }
        }
        let ready = self.ready();
        let chunk = (ready.len() >= CHUNK_BYTES).then(|| std::mem::take(ready));
        let waiting = ready.len();
        Ok((self, Written { chunk, waiting }))
    }

    fn compress(mut self, text: &[u8]) -> io::Result<Self> {
        match &mut self {
            Self::None(bytes) => bytes.write_all(text)?,
            Self::Gzip(encoder) => encoder.write_all(text)?,
            Self::Zstd(encoder) => encoder.write_all(text)?,
        }
        Ok(self)
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
    pub(super) async fn finish(self) -> Result<Vec<u8>, Failure> {
        let rest = match self {
            Self::None(bytes) => return Ok(bytes),
            Self::Gzip(encoder) => offload(move || encoder.finish()).await?,
            Self::Zstd(encoder) => offload(move || encoder.finish()).await?,
        };
        rest.map_err(|error| stopped(&error))
    }
}

fn stopped(error: &io::Error) -> Failure {
    Failure::bug("compression to memory stopped").because(error)
}
