//! The second pass over a record: do its tokens make one JSON value?
//!
//! The walk goes from token to token. What nobody reads is skipped in one flat loop; what somebody reads, [`super::read`]
//! takes from here value by value. Both check the same, so that a record is bad whatever is read of it.

use super::fault::{Fault, Result};
use super::simd;
use super::tokens::{PADDING, Tokens};

/// How deep lists and objects may nest: as `serde_json`, so that no record passes that others refuse.
pub(super) const DEPTH: usize = 127;

/// One record on its way.
pub(super) struct Walk<'a> {
    /// The record and at least [`PADDING`] bytes behind it.
    bytes: &'a [u8],
    starts: &'a [u32],
    next: usize,
    depth: usize,
    len: usize,
    /// Whether names and strings may hold escapes.
    pub(super) escapes: bool,
}

/// Where a skip begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// Before a value.
    Value,
    /// Behind a member of an object that is open: the skip ends with the object.
    Member,
}

/// A number of the record.
#[derive(Clone, Copy)]
pub(super) struct Number<'a> {
    /// Its text.
    pub(super) text: &'a [u8],
    /// Whether it is written without point and exponent.
    pub(super) is_integer: bool,
}

impl<'a> Walk<'a> {
    /// A walk over the tokens that [`Tokens::find`] found in these bytes.
    pub(super) fn new(bytes: &'a [u8], len: usize, tokens: &'a Tokens) -> Self {
        debug_assert!(bytes.len() >= len + PADDING);
        Self {
            bytes,
            starts: tokens.starts(),
            next: 0,
            depth: 0,
            len,
            escapes: tokens.has_escapes(),
        }
    }

    /// The record.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The place of the next token, and the byte there; at the end the record's length and a line end.
    #[inline(always)]
    pub(super) fn peek(&self) -> (usize, u8) {
        let at = self.starts[self.next] as usize;
        (at, self.bytes[at])
    }

    /// Goes behind the next token. Of the two ends none but a missing name steps over the first, and is a fault.
    #[inline(always)]
    pub(super) fn step(&mut self) {
        self.next += 1;
    }

    #[inline(always)]
    fn take(&mut self) -> (usize, u8) {
        let token = self.peek();
        self.step();
        token
    }

    /// That `what` was wanted where another byte is.
    #[cold]
    pub(super) fn expected(&self, what: &'static str, at: usize) -> Box<Fault> {
        Fault::expected(what, (at < self.len).then(|| self.bytes[at]), at)
    }

    /// Whether no token was taken yet.
    pub(super) fn is_at_start(&self) -> bool {
        self.next == 0
    }

    /// That nothing follows.
    pub(super) fn end(&self) -> Result<()> {
        let (at, _) = self.peek();
        if at == self.len {
            Ok(())
        } else {
            Err(Fault::syntax("text behind the end of the value", at))
        }
    }

    /// Goes into the object or list that begins here.
    #[inline(always)]
    pub(super) fn enter(&mut self) -> Result<()> {
        if self.depth == DEPTH {
            return Err(Fault::syntax(
                "lists and objects nested more than 127 deep",
                self.peek().0,
            ));
        }
        self.depth += 1;
        self.step();
        Ok(())
    }

    /// Goes out of the object or list that ends here.
    #[inline(always)]
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
        self.step();
    }

    /// Takes a member's name and the colon; gives the place behind the opening quote.
    #[inline(always)]
    pub(super) fn name(&mut self) -> Result<usize> {
        let (at, quote) = self.take();
        if quote != b'"' {
            return Err(self.expected("the name of a member in double quotes", at));
        }
        let (colon, byte) = self.take();
        if byte != b':' {
            return Err(self.expected("`:`", colon));
        }
        Ok(at + 1)
    }

    /// Checks the value that begins here and goes behind it.
    #[inline]
    pub(super) fn skip(&mut self) -> Result<()> {
        self.run(Entry::Value)
    }

    /// Checks the value that begins here; gives where its text begins and ends.
    pub(super) fn value(&mut self) -> Result<(usize, usize)> {
        let (at, byte) = self.peek();
        let end = match byte {
            b'"' => self.string().1 + 1,
            b'-' | b'0'..=b'9' => at + self.number()?.text.len(),
            b't' | b'f' | b'n' => {
                self.literal()?;
                at + if byte == b'f' { 5 } else { 4 }
            }
            _ => {
                self.skip()?;
                // The token before the next is the bracket that closed it.
                self.starts[self.next - 1] as usize + 1
            }
        };
        Ok((at, end))
    }

    /// Checks the rest of an object, behind one of its members, and goes out of it.
    #[inline]
    pub(super) fn skip_members(&mut self) -> Result<()> {
        self.run(Entry::Member)
    }

    fn run(&mut self, entry: Entry) -> Result<()> {
        let outside = if entry == Entry::Member {
            self.depth - 1
        } else {
            self.depth
        };
        // Bit 0 says whether the innermost open one is an object; deeper ones are in the bits above.
        let mut objects = u128::from(entry == Entry::Member);
        let mut is_value = entry == Entry::Value;
        loop {
            if std::mem::replace(&mut is_value, true) {
                let (at, byte) = self.peek();
                match byte {
                    b'"' => self.step(),
                    b'-' | b'0'..=b'9' => {
                        self.number()?;
                    }
                    b'{' => {
                        self.enter()?;
                        objects = (objects << 1) | 1;
                        if self.peek().1 != b'}' {
                            self.name()?;
                            continue;
                        }
                    }
                    b'[' => {
                        self.enter()?;
                        objects <<= 1;
                        if self.peek().1 != b']' {
                            continue;
                        }
                    }
                    b't' | b'f' | b'n' => self.literal()?,
                    _ => return Err(self.expected("a value", at)),
                }
            }
            // Behind a value, or at the end of an empty list or object.
            while self.depth != outside {
                let is_object = objects & 1 == 1;
                let (at, byte) = self.peek();
                if byte == b',' {
                    self.step();
                    if is_object {
                        self.name()?;
                    }
                    break;
                }
                if byte != if is_object { b'}' } else { b']' } {
                    return Err(self.expected(if is_object { "`,` or `}`" } else { "`,` or `]`" }, at));
                }
                objects >>= 1;
                self.leave();
            }
            if self.depth == outside {
                return Ok(());
            }
        }
    }

    /// Takes `true`, `false` or `null`.
    #[inline]
    pub(super) fn literal(&mut self) -> Result<()> {
        let (at, first) = self.take();
        let text: &[u8; 5] = self.bytes[at..].first_chunk().expect("the padding is longer");
        let is_literal = match first {
            b't' => text.starts_with(b"true") && ends(text[4]),
            b'n' => text.starts_with(b"null") && ends(text[4]),
            _ => text == b"false" && ends(self.bytes[at + 5]),
        };
        if is_literal {
            Ok(())
        } else {
            Err(Fault::syntax("a word that is neither `true`, `false` nor `null`", at))
        }
    }

    /// Takes a number.
    #[inline(always)]
    pub(super) fn number(&mut self) -> Result<Number<'a>> {
        let (at, first) = self.take();
        let text: &[u8; 32] = self.bytes[at..].first_chunk().expect("the padding is longer");
        let digits = simd::digits(text);
        // Runs of digits are counted, not walked: a loop would be mispredicted at the end of each number.
        let run = |from: u32| (!(digits >> from)).trailing_zeros();
        let sign = u32::from(first == b'-');
        let whole = run(sign);
        let mut end = sign + whole;
        let point = text[end as usize & 31] == b'.';
        if point {
            end += 1 + run((end + 1) & 31);
        }
        let last = text[end as usize & 31];
        let zeros = first == b'0' || (sign == 1 && text[1] == b'0');
        // An exponent, what is long, and all mistakes: digit by digit.
        if end >= 30 || whole == 0 || (zeros && whole > 1) || (point && text[end as usize - 1] == b'.') || !ends(last) {
            return self.slow_number(at);
        }
        Ok(Number {
            text: &self.bytes[at..at + end as usize],
            is_integer: !point,
        })
    }

    #[cold]
    fn slow_number(&self, at: usize) -> Result<Number<'a>> {
        let text = &self.bytes[at..self.len];
        let run = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let fault = |what, end: usize| Err(self.expected(what, at + end));
        let mut end = usize::from(text[0] == b'-');
        let whole = run(end);
        if whole == 0 {
            return fault("a digit", end);
        }
        if whole > 1 && text[end] == b'0' {
            return Err(Fault::syntax("a number with a zero before it", at));
        }
        end += whole;
        let mut is_integer = true;
        if text.get(end) == Some(&b'.') {
            is_integer = false;
            let fraction = run(end + 1);
            if fraction == 0 {
                return fault("a digit behind the point", end + 1);
            }
            end += 1 + fraction;
        }
        if let Some(b'e' | b'E') = text.get(end) {
            is_integer = false;
            end += 1 + usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
            let exponent = run(end.min(text.len()));
            if exponent == 0 {
                return fault("a digit of the exponent", end);
            }
            end += exponent;
        }
        if text.get(end).is_some_and(|byte| !ends(*byte)) {
            return Err(Fault::syntax("a number that goes on with something else", at + end));
        }
        Ok(Number {
            text: &text[..end],
            is_integer,
        })
    }

    /// Takes a string; gives where its contents begin and end, escapes and all.
    #[inline]
    pub(super) fn string(&mut self) -> (usize, usize) {
        let (at, _) = self.take();
        // Between the closing quote and the next token there is only white space, or that would be a token.
        let mut end = self.peek().0 - 1;
        while self.bytes[end] != b'"' {
            end -= 1;
        }
        (at + 1, end)
    }
}

/// Whether a number or a literal may end before this byte.
#[inline]
fn ends(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')
}
