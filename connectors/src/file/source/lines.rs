//! Cuts content into records, as views into the buffer it was read into: the only bytes copied are those of a line that goes on in the next buffer.

use arrow::buffer::Buffer;
use dataflow::Failure;
use dataflow::contract::Framing;
use dataflow::element::BATCH_ROWS_MAX;

use crate::coordinates::Records;

/// A record is cut off here: bounded memory whatever the input. What is cut off is no JSON, so it becomes a dead letter.
pub(super) const RECORD_BYTES_MAX: usize = 16 << 20;

/// The mark that some programs put before UTF-8 text. It is no part of the first record.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Cuts one split.
#[derive(Debug)]
pub(super) struct Cutter {
    quote: Option<u8>,
    header: Option<Vec<u8>>,
    block: Buffer,
    /// Where in the content the block begins.
    origin: u64,
    /// Where in the block the next record begins.
    at: usize,
    /// Records that begin here or later belong to another split.
    end: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// In the middle of a line of the split before: up to its line feed nothing is ours.
    Aligning,
    /// At the beginning of a record.
    Cutting,
    /// Behind the bound of a record that is too long: its kept part, and where it began.
    Overlong(Buffer, u64),
}

/// What a look at the block came to.
#[derive(Debug)]
pub(super) enum Found {
    /// Records, and the buffer that they are views of.
    Records(Records, Buffer),
    /// Nothing more without more content.
    Starved,
    /// The split is at its end.
    End,
}

/// Where the content of a cutter begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// At the first byte of a record.
    AtRecord,
    /// Perhaps inside one, which belongs to the split before.
    InRecord,
}

/// Whether content will still come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum More {
    /// It will.
    Coming,
    /// What was fed is all there is.
    None,
}

impl Cutter {
    /// Cuts content that will be given from byte `origin` on.
    pub(super) fn new(framing: &Framing, origin: u64, end: u64, begin: Begin) -> Self {
        let (quote, header) = match framing {
            Framing::Lines => (None, None),
            Framing::QuotedLines { quote, header } => (Some(*quote), header.clone()),
        };
        let state = match begin {
            Begin::AtRecord => State::Cutting,
            Begin::InRecord => State::Aligning,
        };
        Self {
            quote,
            header,
            block: Buffer::from_vec(Vec::<u8>::new()),
            origin,
            at: 0,
            end,
            state,
        }
    }

    /// Where the next record begins; none where that is not known yet.
    pub(super) fn position(&self) -> Option<u64> {
        match &self.state {
            State::Aligning => None,
            State::Cutting => Some(self.origin + self.at as u64),
            State::Overlong(_, start) => Some(*start),
        }
    }

    /// The bytes that belong to the next block, in a vector with room for `room` more.
    pub(super) fn carry(&self, room: usize) -> Vec<u8> {
        let rest = &self.block[self.at..];
        let mut block = Vec::with_capacity(rest.len() + room);
        block.extend_from_slice(rest);
        block
    }

    /// How many bytes [`Cutter::carry`] would copy.
    pub(super) fn rest(&self) -> usize {
        self.block.len() - self.at
    }

    /// Goes on with a block that begins with what [`Cutter::carry`] gave.
    pub(super) fn feed(&mut self, block: Vec<u8>) {
        self.origin += self.at as u64;
        self.at = 0;
        self.block = Buffer::from_vec(block);
    }

    /// The next records of what was fed.
    pub(super) fn cut(&mut self, more: More) -> Result<Found, Failure> {
        loop {
            match &self.state {
                State::Aligning => {
                    if !self.skip_line() {
                        return Ok(if more == More::None { Found::End } else { Found::Starved });
                    }
                    self.state = State::Cutting;
                }
                State::Overlong(kept, start) => {
                    let (kept, start) = (kept.clone(), *start);
                    if !self.skip_line() && more == More::Coming {
                        return Ok(Found::Starved);
                    }
                    self.state = State::Cutting;
                    let mut records = Records::new();
                    records.push(&kept, 0, start);
                    return Ok(Found::Records(records, kept));
                }
                State::Cutting => return self.cut_block(more),
            }
        }
    }

    /// Moves behind the next line feed, or to the end of the block; whether there was one.
    fn skip_line(&mut self) -> bool {
        let end = memchr::memchr(b'\n', &self.block[self.at..]);
        self.at = end.map_or(self.block.len(), |end| self.at + end + 1);
        end.is_some()
    }

    fn cut_block(&mut self, more: More) -> Result<Found, Failure> {
        let complete = more == More::None;
        let block = self.block.clone();
        let bytes = block.as_slice();
        let mut records = Records::new();
        let mut ended = false;
        while records.len() < BATCH_ROWS_MAX {
            let begin = self.at;
            ended = self.origin + begin as u64 >= self.end || (complete && begin == bytes.len());
            if ended {
                break;
            }
            let line_end = line_end(&bytes[begin..], self.quote).map(|length| begin + length);
            let Some(end) = line_end.or_else(|| (complete && begin < bytes.len()).then_some(bytes.len())) else {
                break;
            };
            if end - begin > RECORD_BYTES_MAX {
                break;
            }
            self.at = (end + 1).min(bytes.len());
            self.take(&bytes[begin..end], begin, &mut records)?;
        }
        if records.len() > 0 {
            return Ok(Found::Records(records, block));
        }
        if ended {
            return Ok(Found::End);
        }
        if bytes.len() - self.at > RECORD_BYTES_MAX {
            return self.cut_off(more);
        }
        Ok(Found::Starved)
    }

    /// Adds a line to the records, if it is one.
    fn take(&self, line: &[u8], begin: usize, records: &mut Records) -> Result<(), Failure> {
        let position = self.origin + begin as u64;
        let mut line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut begin = begin;
        if position == 0 {
            if let Some(rest) = line.strip_prefix(BYTE_ORDER_MARK) {
                line = rest;
                begin += BYTE_ORDER_MARK.len();
            }
            if let Some(header) = &self.header {
                return check_header(header, line);
            }
        }
        if !line.is_empty() {
            records.push(line, begin, position);
        }
        Ok(())
    }

    /// Keeps the first part of a record that is too long, and goes on behind its line feed.
    fn cut_off(&mut self, more: More) -> Result<Found, Failure> {
        let start = self.origin + self.at as u64;
        tracing::warn!(
            position = start,
            bytes_max = RECORD_BYTES_MAX,
            "a record is too long and is cut off"
        );
        let kept = self.block.slice_with_length(self.at, RECORD_BYTES_MAX);
        self.at += RECORD_BYTES_MAX;
        self.state = State::Overlong(kept, start);
        self.cut(more)
    }
}

fn check_header(header: &[u8], line: &[u8]) -> Result<(), Failure> {
    if header == line {
        return Ok(());
    }
    let (found, expected) = (
        String::from_utf8_lossy(&line[..line.len().min(200)]),
        String::from_utf8_lossy(header),
    );
    Err(Failure::fail(format!(
        "the first line is `{found}`, and should be the header `{expected}`"
    ))
    .help("every file of the source needs the same header; without headers write `header: false` in the format"))
}

/// The length of the first line; none where it does not end in `bytes`.
fn line_end(bytes: &[u8], quote: Option<u8>) -> Option<usize> {
    let Some(quote) = quote else {
        return memchr::memchr(b'\n', bytes);
    };
    let mut quoted = false;
    for place in memchr::memchr2_iter(b'\n', quote, bytes) {
        if bytes[place] == quote {
            quoted = !quoted;
        } else if !quoted {
            return Some(place);
        }
    }
    None
}
