//! Places in a document: byte ranges, values that know theirs, and text that knows the place of each character.

use std::ops::Range;

use serde::Serialize;

/// A range of bytes of the whole file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte behind the last one.
    pub end: usize,
}

impl Span {
    /// A span of these bytes.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self {
            start,
            end: end.max(start),
        }
    }

    /// The smallest span that holds both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.start..span.end
    }
}

/// A value and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value that stands there.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// Another value at the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned {
            value: change(self.value),
            span: self.span,
        }
    }
}

/// Text (an expression) that knows where in the file each of its characters stands, also in quotes and in blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What it says.
    pub value: String,
    /// Where it stands, with its quotes or its block's bar.
    pub span: Span,
    /// Runs of characters that stand in the file as they do in the value: where each begins in both, in order.
    runs: Vec<(usize, usize)>,
}

impl Text {
    /// Text whose runs are known.
    pub(crate) fn new(value: String, span: Span, runs: Vec<(usize, usize)>) -> Self {
        Self { value, span, runs }
    }

    /// Its first bytes.
    pub(crate) fn prefix(self, bytes: usize) -> Self {
        let span = self.place(0..bytes);
        Self {
            value: self.value[..bytes].to_owned(),
            span,
            runs: self.runs,
        }
    }

    /// A part of it, which knows its places too.
    #[must_use]
    pub fn part(&self, bytes: Range<usize>) -> Self {
        let first = self
            .runs
            .partition_point(|(value, _)| *value <= bytes.start)
            .saturating_sub(1);
        let runs = self.runs[first.min(self.runs.len())..].iter();
        let runs = runs.map(|(value, file)| match bytes.start.checked_sub(*value) {
            Some(inside) => (0, file + inside),
            None => (value - bytes.start, *file),
        });
        Self {
            value: self.value[bytes.clone()].to_owned(),
            span: self.place(bytes.clone()),
            runs: runs.collect(),
        }
    }

    /// Where these bytes of the value stand in the file.
    #[must_use]
    pub fn place(&self, bytes: Range<usize>) -> Span {
        let start = self.byte(bytes.start);
        // The end is the place behind the last byte, which may stand in an earlier run than the next byte.
        let end = if bytes.end > bytes.start {
            self.byte(bytes.end - 1) + 1
        } else {
            start
        };
        let inside = |byte: usize| byte.clamp(self.span.start, self.span.end);
        Span::new(inside(start), inside(end))
    }

    /// The byte of the value at this line and column (both from 1, columns in characters), as SQL parsers count them.
    #[must_use]
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let mut start = 0;
        for (index, text) in self.value.split_inclusive('\n').enumerate() {
            if index + 1 == line {
                let inside = text
                    .char_indices()
                    .nth(column.saturating_sub(1))
                    .map_or(text.len(), |(byte, _)| byte);
                return start + inside;
            }
            start += text.len();
        }
        self.value.len()
    }

    fn byte(&self, offset: usize) -> usize {
        let run = self.runs.partition_point(|(value, _)| *value <= offset).checked_sub(1);
        match run.map(|index| self.runs[index]) {
            Some((value, file)) => file + (offset - value),
            None => self.span.start,
        }
    }
}
