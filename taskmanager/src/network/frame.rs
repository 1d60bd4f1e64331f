//! Frames: the messages of the stream, as bytes.
//!
//! ```text
//!   kind (1 byte) | CRC-32 (4) of all behind it | length of the header (4) | header (protobuf) | body
//! ```
//! Numbers are little-endian. The headers are those of `exchange.proto`: to the receiver `Hello` first, then `Sent`;
//! back to the sender `Granted`. Only a batch has a body: a piece of its channel's Arrow IPC stream. The checksum covers
//! headers too: a flipped bit in a number of a frame would lose rows as surely as one in a row.
//! Must stay true: [`decode`] panics on no bytes, and takes no more memory than they have.

use arrow::buffer::{Buffer, MutableBuffer};
use bytes::BufMut;
use dataflow::element::{Barrier, Element, Roll, Watermark};
use dataflow::id::{BarrierId, Generation};
use prost::Message as _;
use proto::v1::{ChannelName, Granted, Hello, Sent};

/// The largest message either side takes. Batches aim at a MiB; this leaves room for one very large row.
pub const FRAME_BYTES_MAX: usize = 64 << 20;

/// The kind, the checksum, and the length of the header.
const PREFIX: usize = 9;

const HELLO: u8 = 1;
const SENT: u8 = 2;
const GRANTED: u8 = 3;

/// Values of `Sent.kind`.
const BATCH: u32 = 1;
const WATERMARK: u32 = 2;
const BARRIER: u32 = 3;
const IDLE: u32 = 4;
const END: u32 = 5;
const OPEN: u32 = 6;
const CLOSE: u32 = 7;

/// One message of the stream, understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// The first of a connection: who sends, and to whom it believes to send.
    Hello(Hello),
    /// From now on this number means this channel.
    Open {
        /// The number, chosen by the sender; the same on all its connections.
        channel: u32,
        /// Which channel.
        name: ChannelName,
    },
    /// An element of a channel.
    Content {
        /// The channel's number.
        channel: u32,
        /// The element's number in its channel, from 1.
        sequence: u64,
        /// What it is.
        content: Content,
    },
    /// The sender of this channel is gone before its end.
    Close {
        /// The channel's number.
        channel: u32,
    },
}

/// An element on the wire.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Rows.
    Batch {
        /// A piece of the channel's Arrow IPC stream, 64-byte aligned.
        body: Buffer,
        /// What it costs in credit.
        cost: u64,
        /// What waits behind it at the sender.
        backlog: u64,
    },
    /// Time.
    Watermark(Watermark),
    /// A barrier, of the channel's generation or of a later one that has adopted its subtasks.
    Barrier(Barrier),
    /// Nothing to say about time.
    Idle,
    /// The channel is complete.
    End,
}

/// Why bytes are not a frame.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Fewer bytes than the frame says it has.
    #[error("a frame of {bytes} bytes is cut off")]
    Short {
        /// How many there are.
        bytes: usize,
    },
    /// A header that protobuf cannot read.
    #[error("a frame's header cannot be read")]
    Header(#[source] prost::DecodeError),
    /// A kind that nobody sends.
    #[error("a frame is of unknown kind {kind}")]
    Kind {
        /// The number.
        kind: u32,
    },
    /// These are not the bytes that were sent.
    #[error("the checksum of a frame of {bytes} bytes does not match: it was damaged on the way")]
    Damaged {
        /// How many there are.
        bytes: usize,
    },
    /// A body where none belongs, or none where one does, or a number that is missing.
    #[error("frame {sequence} of channel {channel} contradicts itself")]
    Contradiction {
        /// The channel's number.
        channel: u32,
        /// The element's number.
        sequence: u64,
    },
}

/// A frame on its way out: the body is the columns' own buffers, copied once, into the connection's.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    header: Header,
    body: Vec<Buffer>,
    /// Of the body alone: computed once, on the thread of the subtask, however often the frame is sent.
    body_crc: crc32fast::Hasher,
}

#[derive(Clone, Debug)]
enum Header {
    Hello(Hello),
    Sent(Box<Sent>),
}

impl Outgoing {
    pub(super) fn hello(hello: Hello) -> Self {
        Self {
            header: Header::Hello(hello),
            body: Vec::new(),
            body_crc: crc32fast::Hasher::new(),
        }
    }

    pub(super) fn open(channel: u32, name: ChannelName) -> Self {
        Self::sent(Sent {
            channel,
            kind: OPEN,
            open: Some(name),
            ..Sent::default()
        })
    }

    pub(super) fn close(channel: u32) -> Self {
        Self::sent(Sent {
            channel,
            kind: CLOSE,
            ..Sent::default()
        })
    }

    /// A batch as `body`.
    pub(super) fn batch(header: Sent, body: Vec<Buffer>) -> Self {
        let mut crc = crc32fast::Hasher::new();
        body.iter().for_each(|part| crc.update(part));
        Self {
            header: Header::Sent(Box::new(Sent { kind: BATCH, ..header })),
            body,
            body_crc: crc,
        }
    }

    /// The frame with its number in its channel.
    pub(super) fn numbered(mut self, sequence: u64) -> Self {
        if let Header::Sent(sent) = &mut self.header {
            sent.sequence = sequence;
        }
        self
    }

    /// Any element but a batch.
    pub(super) fn signal(channel: u32, sequence: u64, element: &Element) -> Option<Self> {
        let header = Sent {
            channel,
            sequence,
            ..Sent::default()
        };
        Some(Self::sent(match element {
            Element::Batch(_) => return None,
            Element::Watermark(watermark) => Sent {
                kind: WATERMARK,
                watermark: watermark.0,
                ..header
            },
            Element::Barrier(barrier) => Sent {
                kind: BARRIER,
                barrier_counter: barrier.id.counter,
                barrier_term: barrier.id.generation.term,
                barrier_deployment: barrier.id.generation.deployment,
                barrier_roll_all: barrier.roll == Roll::All,
                ..header
            },
            Element::Idle => Sent { kind: IDLE, ..header },
            Element::End => Sent { kind: END, ..header },
        }))
    }

    fn sent(sent: Sent) -> Self {
        Self {
            header: Header::Sent(Box::new(sent)),
            body: Vec::new(),
            body_crc: crc32fast::Hasher::new(),
        }
    }

    /// Whether it is a statement about time, which a later one makes worthless while it waits.
    pub(super) fn time(&self) -> Time {
        match &self.header {
            Header::Sent(sent) if sent.kind == WATERMARK => Time::Watermark(sent.watermark),
            Header::Sent(sent) if sent.kind == IDLE => Time::Idle,
            Header::Hello(_) | Header::Sent(_) => Time::Other,
        }
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> usize {
        PREFIX + self.header_len() + self.body.iter().map(Buffer::len).sum::<usize>()
    }

    fn header_len(&self) -> usize {
        match &self.header {
            Header::Hello(hello) => hello.encoded_len(),
            Header::Sent(sent) => sent.encoded_len(),
        }
    }

    /// Appends the bytes.
    pub(super) fn write(&self, out: &mut impl BufMut) {
        let (kind, header) = match &self.header {
            Header::Hello(hello) => (HELLO, hello.encode_to_vec()),
            Header::Sent(sent) => (SENT, sent.encode_to_vec()),
        };
        write_head(kind, &header, &self.body_crc, out);
        self.body.iter().for_each(|part| out.put_slice(part));
    }
}

/// Appends everything before the body.
fn write_head(kind: u8, header: &[u8], body_crc: &crc32fast::Hasher, out: &mut impl BufMut) {
    let length = u32::try_from(header.len()).expect("headers are small").to_le_bytes();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length);
    crc.update(header);
    crc.combine(body_crc);
    out.put_u8(kind);
    out.put_u32_le(crc.finalize());
    out.put_slice(&length);
    out.put_slice(header);
}

/// Appends a receipt.
pub(super) fn write_receipt(granted: &Granted, out: &mut impl BufMut) {
    write_head(GRANTED, &granted.encode_to_vec(), &crc32fast::Hasher::new(), out);
}

/// What a waiting frame says about time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    Watermark(i64),
    Idle,
    Other,
}

impl Content {
    /// The element, unless it is a batch, whose rows are read later.
    pub(super) fn into_element(self) -> Result<Element, (Buffer, u64, u64)> {
        Ok(match self {
            Self::Batch { body, cost, backlog } => return Err((body, cost, backlog)),
            Self::Watermark(watermark) => Element::Watermark(watermark),
            Self::Barrier(barrier) => Element::Barrier(barrier),
            Self::Idle => Element::Idle,
            Self::End => Element::End,
        })
    }
}

/// Reads one frame and checks that it is what was sent. The body is copied once, to where Arrow wants it aligned.
///
/// # Errors
/// The bytes are not a frame, or were damaged.
pub fn decode(bytes: &[u8]) -> Result<Frame, Malformed> {
    let (kind, header, body) = open(bytes)?;
    match kind {
        HELLO => Hello::decode(header).map(Frame::Hello).map_err(Malformed::Header),
        SENT => sent(Sent::decode(header).map_err(Malformed::Header)?, body),
        kind => Err(Malformed::Kind { kind: u32::from(kind) }),
    }
}

/// Reads a receipt and checks that it is what was sent.
///
/// # Errors
/// The bytes are not a receipt, or were damaged.
pub fn decode_receipt(bytes: &[u8]) -> Result<Granted, Malformed> {
    match open(bytes)? {
        (GRANTED, header, _) => Granted::decode(header).map_err(Malformed::Header),
        (kind, _, _) => Err(Malformed::Kind { kind: u32::from(kind) }),
    }
}

/// The kind, the header and the body of bytes that are whole.
fn open(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), Malformed> {
    let short = || Malformed::Short { bytes: bytes.len() };
    let (prefix, rest) = bytes.split_first_chunk::<PREFIX>().ok_or_else(short)?;
    let [kind, crc @ .., l0, l1, l2, l3] = *prefix;
    if crc32fast::hash(&bytes[PREFIX - 4..]) != u32::from_le_bytes(crc) {
        return Err(Malformed::Damaged { bytes: bytes.len() });
    }
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3]))
        .ok()
        .ok_or_else(short)?;
    let (header, body) = rest.split_at_checked(length).ok_or_else(short)?;
    Ok((kind, header, body))
}

fn sent(header: Sent, body: &[u8]) -> Result<Frame, Malformed> {
    let Sent { channel, sequence, .. } = header;
    let contradiction = || Malformed::Contradiction { channel, sequence };
    let control = matches!(header.kind, OPEN | CLOSE);
    if (header.kind == BATCH) == body.is_empty() || control != (sequence == 0) {
        return Err(contradiction());
    }
    let content = match header.kind {
        OPEN => {
            return Ok(Frame::Open {
                channel,
                name: header.open.ok_or_else(contradiction)?,
            });
        }
        CLOSE => return Ok(Frame::Close { channel }),
        BATCH => {
            let mut aligned = MutableBuffer::new(body.len());
            aligned.extend_from_slice(body);
            Content::Batch {
                body: aligned.into(),
                cost: header.row_bytes,
                backlog: header.backlog_bytes,
            }
        }
        WATERMARK => Content::Watermark(Watermark(header.watermark)),
        BARRIER => {
            let roll = if header.barrier_roll_all { Roll::All } else { Roll::Keep };
            let generation = Generation {
                term: header.barrier_term,
                deployment: header.barrier_deployment,
            };
            let counter = header.barrier_counter;
            Content::Barrier(Barrier {
                id: BarrierId { generation, counter },
                roll,
            })
        }
        IDLE => Content::Idle,
        END => Content::End,
        kind => return Err(Malformed::Kind { kind }),
    };
    Ok(Frame::Content {
        channel,
        sequence,
        content,
    })
}
