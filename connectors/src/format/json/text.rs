//! Strings of a record: what their escapes mean.

use std::borrow::Cow;

use super::tokens;

/// The string whose contents begin here, without its closing quote.
pub(super) fn contents(text: &[u8]) -> &[u8] {
    let mut at = 0;
    loop {
        match text.get(at) {
            None | Some(b'"') => return &text[..at],
            Some(b'\\') => at = (at + 2).min(text.len()),
            Some(_) => at += 1,
        }
    }
}

/// Appends what these contents of a string mean. Their escapes were checked: one that is wrong ends it.
pub(super) fn unescape(mut contents: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'\\', contents) {
        out.extend_from_slice(&contents[..at]);
        let length = match contents.get(at + 1) {
            Some(b'u') => {
                let Some((character, length)) = tokens::unicode(&contents[at..]) else {
                    return;
                };
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                length
            }
            Some(escape) => {
                out.push(match escape {
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => *other,
                });
                2
            }
            None => return,
        };
        contents = &contents[at + length..];
    }
    out.extend_from_slice(contents);
}

/// The text of a value, and what it means if that is a string.
pub(super) fn plain(value: &[u8]) -> Cow<'_, [u8]> {
    let Some(contents) = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else {
        return Cow::Borrowed(value);
    };
    if memchr::memchr(b'\\', contents).is_none() {
        return Cow::Borrowed(contents);
    }
    let mut plain = Vec::with_capacity(contents.len());
    unescape(contents, &mut plain);
    Cow::Owned(plain)
}

/// Whether two names mean the same; `raw` stands in a record, escapes and all.
pub(super) fn is_name(raw: &[u8], name: &str) -> bool {
    if memchr::memchr(b'\\', raw).is_none() {
        return raw == name.as_bytes();
    }
    let mut plain = Vec::new();
    unescape(raw, &mut plain);
    plain == name.as_bytes()
}
