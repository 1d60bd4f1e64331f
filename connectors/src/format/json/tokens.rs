//! The first pass over a record: where its tokens begin, and whether its strings are well formed.
//!
//! Whole blocks of 64 bytes are classified at once; string contents, which are most of the bytes, are never looked at again.
//! A token is an operator outside strings, an opening quote, or the first byte of anything else that is not white space
//! (also of what no JSON has: the walk sees such a byte and refuses it). What is checked here and not in the walk: control
//! characters inside strings, escapes, UTF-8, and that the last string has its end.

use super::fault::{Fault, Result};
use super::simd::{self, BLOCK};

/// How many bytes behind a record may be read: whole blocks, and whole loads at its last token.
pub(super) const PADDING: usize = BLOCK;

/// The tokens of one record. Its memory is used again for the next.
#[derive(Default)]
pub(super) struct Tokens {
    /// Where they begin; then the record's length, twice, so that the walk may look one ahead.
    starts: Vec<u32>,
    count: usize,
    escapes: bool,
}

/// What one block leaves to the next.
#[derive(Default)]
struct Carry {
    /// All ones inside a string.
    string: u64,
    /// One, if the first byte is escaped.
    escaped: u64,
    /// One, if the last byte belonged to a number, a literal or a string's contents.
    scalar: u64,
}

impl Tokens {
    /// Finds the tokens of the first `len` bytes; at least [`PADDING`] more must follow, and the first of them must be a
    /// line feed or a carriage return.
    pub(super) fn find(&mut self, bytes: &[u8], len: usize) -> Result<()> {
        debug_assert!(bytes.len() >= len + PADDING && matches!(bytes[len], b'\n' | b'\r'));
        // Every byte may be a token; a block writes up to 8 more than it has.
        if self.starts.len() < len + BLOCK + 8 {
            self.starts.resize(len + BLOCK + 8, 0);
        }
        self.count = 0;
        self.escapes = false;
        let mut carry = Carry::default();
        let (mut controls, mut high) = (0, 0);
        let mut at = 0;
        while at < len {
            let block = bytes[at..].first_chunk().expect("the padding is as long as a block");
            let mut masks = simd::classify(block);
            if len - at < BLOCK {
                let record = (1 << (len - at)) - 1;
                masks.quote &= record;
                masks.backslash &= record;
                masks.operator &= record;
                masks.space |= !record;
                masks.control &= record;
                masks.high &= record;
            }
            let escaped = if masks.backslash == 0 {
                std::mem::take(&mut carry.escaped)
            } else {
                self.escaped(masks.backslash, &mut carry)
            };
            let quote = masks.quote & !escaped;
            let string = simd::parity(quote) ^ carry.string;
            carry.string = if string >> 63 == 1 { !0 } else { 0 };
            controls |= masks.control & string;
            high |= masks.high;
            let scalar = !(masks.operator | masks.space);
            let inner = scalar & !quote;
            let follows = (inner << 1) | carry.scalar;
            carry.scalar = inner >> 63;
            // Of a string only its opening quote is left: inside and at the closing quote `string` and `quote` differ.
            let starts = (masks.operator | (scalar & !follows)) & !(string ^ quote);
            self.write(starts, at);
            at += BLOCK;
        }
        self.finish(bytes, len, [carry.string, controls, high])
    }

    /// The bytes that a backslash before them makes plain.
    #[cold]
    fn escaped(&mut self, backslash: u64, carry: &mut Carry) -> u64 {
        self.escapes = true;
        let mut escaped = carry.escaped;
        let mut rest = backslash & !escaped;
        carry.escaped = 0;
        while rest != 0 {
            let first = rest & rest.wrapping_neg();
            let next = first << 1;
            escaped |= next;
            carry.escaped = u64::from(next == 0);
            rest &= !(first | next);
        }
        escaped
    }

    /// Writes down the places of these bits, eight at a time whether there are so many or not: a loop per bit would be
    /// mispredicted once in every block.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a record is shorter than the 4 GiB that a view can name"
    )]
    fn write(&mut self, mut bits: u64, base: usize) {
        let count = bits.count_ones() as usize;
        let base = base as u32;
        let out: &mut [u32; BLOCK + 8] = self.starts[self.count..]
            .first_chunk_mut()
            .expect("room was made for every byte");
        let mut done = 0;
        loop {
            for place in &mut out[done..done + 8] {
                *place = base + bits.trailing_zeros();
                bits &= bits.wrapping_sub(1);
            }
            done += 8;
            if done >= count {
                break;
            }
        }
        self.count += count;
    }

    /// What can be said of the record as a whole: whether any bit says that a string is open, that one has control characters,
    /// or that there is more than ASCII.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a record is shorter than the 4 GiB that a view can name"
    )]
    fn finish(&mut self, bytes: &[u8], len: usize, [open, controls, high]: [u64; 3]) -> Result<()> {
        self.starts[self.count] = len as u32;
        self.starts[self.count + 1] = len as u32;
        if controls != 0 {
            return Err(control(bytes, len));
        }
        if high != 0
            && let Err(error) = simdutf8::compat::from_utf8(&bytes[..len])
        {
            return Err(Fault::syntax("bytes that are not UTF-8", error.valid_up_to()));
        }
        if open != 0 {
            return Err(Fault::syntax("the record is cut off inside a string", len));
        }
        if self.escapes { escapes(&bytes[..len]) } else { Ok(()) }
    }

    /// Where the tokens begin, and twice the record's length.
    #[inline]
    pub(super) fn starts(&self) -> &[u32] {
        &self.starts[..self.count + 2]
    }

    /// Whether there is a backslash anywhere.
    #[inline]
    pub(super) fn has_escapes(&self) -> bool {
        self.escapes
    }
}

/// Finds the control character again that makes the record bad.
#[cold]
fn control(bytes: &[u8], len: usize) -> Box<Fault> {
    let (mut string, mut escaped) = (false, false);
    for (at, byte) in bytes[..len].iter().enumerate() {
        match byte {
            _ if std::mem::take(&mut escaped) && *byte >= 0x20 => {}
            b'\\' => escaped = true,
            b'"' => string = !string,
            0..0x20 if string => {
                return Fault::syntax(
                    format!("the control character 0x{byte:02x} in a string, which must be written as an escape,"),
                    at,
                );
            }
            _ => {}
        }
    }
    Fault::syntax("a control character in a string", len)
}

/// Checks what follows each backslash. One outside a string the walk refuses, so all are taken for escapes.
fn escapes(record: &[u8]) -> Result<()> {
    let mut from = 0;
    while let Some(found) = memchr::memchr(b'\\', &record[from..]) {
        let at = from + found;
        from = match record.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at + 2,
            Some(b'u') => {
                let length = unicode(&record[at..])
                    .ok_or_else(|| Fault::syntax("`\\u` without the four hex digits of a character", at))?
                    .1;
                at + length
            }
            _ => {
                return Err(Fault::syntax(
                    "a backslash with nothing after it that it could escape",
                    at,
                ));
            }
        };
    }
    Ok(())
}

/// The character that begins with `\u` here, and the bytes it takes: two such for what UTF-16 writes as a pair.
pub(super) fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits
            .iter()
            .try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
    };
    let first = unit(0)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, 6));
    }
    let second = unit(6).filter(|unit| (0xdc00..0xe000).contains(unit))?;
    Some((
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?,
        12,
    ))
}
