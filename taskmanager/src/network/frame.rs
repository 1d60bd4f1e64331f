//! Frames: one message of the stream, as bytes.
//!
//! ```text
//!   kind (1 byte) | length of the header (4 bytes, little-endian) | header (protobuf) | body
//! ```
//! The headers are those of `exchange.proto`: `Hello` first, then `Sent`. Only a batch has a body: a piece of its
//! channel's Arrow IPC stream, whose CRC-32 stands in the header.
//! Must stay true: [`decode`] panics on no bytes, and takes no more memory than they have.

use arrow::buffer::{Buffer, MutableBuffer};
use bytes::BufMut;
use dataflow::element::{Barrier, Element, Roll, Watermark};
use dataflow::id::{BarrierId, Generation};
use prost::Message as _;
use proto::v1::{ChannelName, Hello, Sent};

/// The largest message either side takes. Batches aim at a MiB; this leaves room for one very large row.
pub const FRAME_BYTES_MAX: usize = 64 << 20;

/// The kind, and the length of the header.
const PREFIX: usize = 5;

const HELLO: u8 = 1;
const SENT: u8 = 2;

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
    /// A barrier of the channel's generation.
    Barrier {
        /// The counter of its id.
        counter: u64,
        /// What sinks do with open files.
        roll: Roll,
    },
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
    /// The body is not what was sent.
    #[error("the checksum of frame {sequence} of channel {channel} does not match: its bytes were damaged on the way")]
    Damaged {
        /// The channel's number.
        channel: u32,
        /// The element's number.
        sequence: u64,
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

    /// A batch as `body`; computes its checksum.
    pub(super) fn batch(header: Sent, body: Vec<Buffer>) -> Self {
        let mut crc = crc32fast::Hasher::new();
        body.iter().for_each(|part| crc.update(part));
        let header = Sent {
            kind: BATCH,
            crc: crc.finalize(),
            ..header
        };
        Self {
            header: Header::Sent(Box::new(header)),
            body,
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
        let length = u32::try_from(self.header_len()).expect("headers are small");
        let written = match &self.header {
            Header::Hello(hello) => {
                out.put_u8(HELLO);
                out.put_u32_le(length);
                hello.encode(out)
            }
            Header::Sent(sent) => {
                out.put_u8(SENT);
                out.put_u32_le(length);
                sent.encode(out)
            }
        };
        written.expect("the buffer was reserved for the length of the frame");
        self.body.iter().for_each(|part| out.put_slice(part));
    }
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
    pub(super) fn into_element(self, generation: Generation) -> Result<Element, (Buffer, u64, u64)> {
        Ok(match self {
            Self::Batch { body, cost, backlog } => return Err((body, cost, backlog)),
            Self::Watermark(watermark) => Element::Watermark(watermark),
            Self::Barrier { counter, roll } => Element::Barrier(Barrier {
                id: BarrierId { generation, counter },
                roll,
            }),
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
    let short = || Malformed::Short { bytes: bytes.len() };
    let (prefix, rest) = bytes.split_at_checked(PREFIX).ok_or_else(short)?;
    let length = u32::from_le_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    let length = usize::try_from(length).map_err(|_| short())?;
    let (header, body) = rest.split_at_checked(length).ok_or_else(short)?;
    match prefix[0] {
        HELLO => Hello::decode(header).map(Frame::Hello).map_err(Malformed::Header),
        SENT => sent(Sent::decode(header).map_err(Malformed::Header)?, body),
        kind => Err(Malformed::Kind { kind: u32::from(kind) }),
    }
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
            if crc32fast::hash(body) != header.crc {
                return Err(Malformed::Damaged { channel, sequence });
            }
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
            Content::Barrier {
                counter: header.barrier_counter,
                roll,
            }
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
