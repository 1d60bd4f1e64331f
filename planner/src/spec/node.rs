//! A document as a tree of nodes with places: what YAML says, before anybody asks what it means.

use std::ops::Range;

use serde_json::{Number, Value as Json};

use super::span::{Span, Spanned};

/// One value of the document.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A word, a number, text.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the document; its keys are unique.
    Map(Vec<Entry>),
}

/// One key of a map and what stands there.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Spanned<String>,
    /// The value.
    pub value: Node,
}

/// Text, and how it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// What it says, without quotes and indentation.
    pub text: String,
    /// How it was written; only plain scalars can be numbers.
    pub style: Style,
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In single quotes.
    Single,
    /// In double quotes, with escapes.
    Double,
    /// Behind a `|`: lines stay lines.
    Literal,
    /// Behind a `>`: lines become one.
    Folded,
}

impl Node {
    /// What stands at this key, if the node is a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of this key, if the node is a map.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key.value == key),
            Value::Scalar(_) | Value::List(_) => None,
        }
    }

    /// Whether nothing stands there: an empty value, `~` or `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.to_json() == Json::Null)
    }

    /// What it is, for a person: `a list`, `a number`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Scalar(scalar) => match scalar.to_json() {
                Json::Null => "nothing",
                Json::Bool(_) => "a boolean",
                Json::Number(_) => "a number",
                Json::String(_) | Json::Array(_) | Json::Object(_) => "text",
            },
        }
    }

    /// The node as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Scalar(scalar) => scalar.to_json(),
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(entries) => Json::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.value.clone(), entry.value.to_json()))
                    .collect(),
            ),
        }
    }

    /// The node at a JSON pointer, or the last one on the way to it that is there.
    #[must_use]
    pub fn at(&self, pointer: &str) -> &Self {
        let mut node = self;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            let next = match &node.value {
                Value::List(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
                Value::Map(_) => node.get(&part),
                Value::Scalar(_) => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }
}

impl Scalar {
    /// The value by the rules of YAML 1.2: `on`, `yes` and `no` are words, so are numbers with zeros in front.
    #[must_use]
    pub fn to_json(&self) -> Json {
        if self.style != Style::Plain {
            return Json::String(self.text.clone());
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Json::Null,
            "true" | "True" | "TRUE" => Json::Bool(true),
            "false" | "False" | "FALSE" => Json::Bool(false),
            text => number(text).map_or_else(|| Json::String(text.to_owned()), Json::Number),
        }
    }
}

/// A number as YAML 1.2 writes it; integers beyond 64 bits become floating point, as in JSON.
fn number(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = digits.strip_prefix(prefix) {
            let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            return u64::from_str_radix(digits, radix)
                .ok()
                .filter(|_| plain && !negative)
                .map(Number::from);
        }
    }
    let first = digits.bytes().next()?;
    let padded = first == b'0' && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    if padded || !(first.is_ascii_digit() || first == b'.') || !digits.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let exact = if negative {
            text.parse::<i64>().ok().map(Number::from)
        } else {
            digits.parse::<u64>().ok().map(Number::from)
        };
        if exact.is_some() {
            return exact;
        }
    }
    let written = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    let float = digits.parse::<f64>().ok().filter(|_| digits.bytes().all(written))?;
    Number::from_f64(if negative { -float } else { float })
}

/// Where the runs of a scalar's text stand: see [`super::span::Text`].
pub(crate) fn runs(file: &str, span: Span, scalar: &Scalar) -> Vec<(usize, usize)> {
    let Some(raw) = file.get(Range::from(span)) else {
        return Vec::new();
    };
    let inner = match scalar.style {
        Style::Single | Style::Double => 1,
        // The header line (`|-`, `>2`) and the indentation belong to the block, not to its text.
        Style::Literal | Style::Folded if raw.starts_with(['|', '>']) => {
            raw.find('\n').map_or(raw.len(), |end| end + 1)
        }
        Style::Literal | Style::Folded | Style::Plain => 0,
    };
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut from = inner;
    let mut expected = None;
    for (offset, character) in scalar.text.char_indices() {
        let Some(found) = next(raw, from, character, scalar.style) else {
            break;
        };
        if expected != Some(found.start) {
            runs.push((offset, span.start + found.start));
        }
        // A run goes on only where one character of the file gave one character of the text.
        expected = (found.end - found.start == character.len_utf8()).then_some(found.end);
        from = found.end;
    }
    runs
}

/// The next characters of the file that became this character of the text.
fn next(raw: &str, from: usize, character: char, style: Style) -> Option<Range<usize>> {
    let rest = raw.get(from..)?;
    let escaped = |length: usize| Some(from..(from + length).min(raw.len()));
    match style {
        Style::Double if rest.starts_with('\\') && !rest.starts_with("\\\n") => {
            let length = match rest.as_bytes().get(1) {
                Some(b'x') => 4,
                Some(b'u') => 6,
                Some(b'U') => 10,
                _ => 2,
            };
            if rest.is_char_boundary(length.min(rest.len())) {
                escaped(length)
            } else {
                None
            }
        }
        Style::Single if character == '\'' && rest.starts_with("''") => escaped(2),
        // A line break was folded into a space: the break and the indentation behind it are the space.
        _ if character == ' '
            && rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n')
            && !rest.starts_with("  \n") =>
        {
            let folded = rest.len() - rest.trim_start().len();
            escaped(folded.max(1))
        }
        _ => {
            let found = rest.find(character)?;
            Some(from + found..from + found + character.len_utf8())
        }
    }
}
