//! What is wrong with a record, told so that a person finds the place.

use std::borrow::Cow;
use std::fmt;

/// Boxed because a result of the walk must stay one word.
pub(super) type Result<T> = std::result::Result<T, Box<Fault>>;

/// One mistake in one record.
#[derive(Debug)]
pub(super) struct Fault {
    /// Fields on the way to it, innermost first: each level adds its own while the fault travels up.
    path: Vec<String>,
    text: Cow<'static, str>,
    at: Option<usize>,
}

impl Fault {
    /// A record that is not JSON, from the byte `at` on.
    #[cold]
    pub(super) fn syntax(text: impl Into<Cow<'static, str>>, at: usize) -> Box<Self> {
        Box::new(Self {
            path: Vec::new(),
            text: text.into(),
            at: Some(at),
        })
    }

    /// A value that is not what the schema or an expression wants.
    #[cold]
    pub(super) fn value(text: impl Into<Cow<'static, str>>) -> Box<Self> {
        Box::new(Self {
            path: Vec::new(),
            text: text.into(),
            at: None,
        })
    }

    /// Something stands where something else must.
    #[cold]
    pub(super) fn expected(what: &'static str, found: Option<u8>, at: usize) -> Box<Self> {
        let text = match found {
            None => format!("the record is cut off: expected {what}"),
            Some(byte @ 0x21..0x7f) => format!("expected {what}, found `{}`", char::from(byte)),
            Some(byte) => format!("expected {what}, found the byte 0x{byte:02x}"),
        };
        Self::syntax(text, at)
    }

    /// Whether the record is no JSON at all.
    pub(super) fn is_syntax(&self) -> bool {
        self.at.is_some()
    }

    /// The fault, one level further out.
    #[cold]
    pub(super) fn inside(mut self: Box<Self>, name: &str) -> Box<Self> {
        self.path.push(name.to_owned());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            return write!(f, "not a JSON value: {} at byte {at}", self.text);
        }
        for (index, name) in self.path.iter().rev().enumerate() {
            let dot = if index > 0 && !name.starts_with('[') { "." } else { "" };
            write!(f, "{dot}{name}")?;
        }
        if !self.path.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&self.text)
    }
}

/// What a value that begins with this byte is, in the words of the messages.
pub(super) fn kind(byte: u8) -> &'static str {
    match byte {
        b'"' => "a string",
        b'{' => "an object",
        b'[' => "a list",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        _ => "a number",
    }
}
