//! What a YAML parser stumbles over, in a person's words.

use super::span::Span;
use crate::diagnostic::{Code, Diagnostic, codes};

/// Explains why the YAML ends at `mark`; `innermost` is where the list or map around it began.
///
/// Both count from behind a byte order mark of `skipped` bytes.
pub(crate) fn explain(text: &str, skipped: usize, info: &str, (mark, innermost): (usize, Option<usize>)) -> Diagnostic {
    let mark = floor(text, mark);
    let shift = |start: usize, end: usize| Span::new(start + skipped, end + skipped);
    if let Some(tab) = tab_near(text, mark) {
        let found = Diagnostic::new(codes::E0106, shift(tab, tab + 1), "a tab can't indent");
        return found.label("a tab").help("indent with spaces: two for each level");
    }
    let (code, message, help) = words(info);
    if code == codes::E0108 && !info.contains("misplaced") {
        let opened = innermost.filter(|_| info.contains("flow")).unwrap_or(mark);
        let opened = floor(text, opened);
        let end = text[opened..]
            .chars()
            .next()
            .map_or(opened, |first| opened + first.len_utf8());
        let found = Diagnostic::new(code, shift(opened, end), message).label("opened here");
        let found = if mark > opened {
            found.also(one(text, mark, skipped), "expected before this")
        } else {
            found
        };
        return help.map_or_else(|| found.clone(), |help| found.clone().help(help));
    }
    let found = Diagnostic::new(code, one(text, mark, skipped), message);
    match help {
        Some(help) => found.help(help),
        None => found,
    }
}

/// The word at the mark, or the last character before it where nothing stands.
fn one(text: &str, mark: usize, skipped: usize) -> Span {
    let word = text[mark..].find([' ', '\n', '\r', '\t']).unwrap_or(text.len() - mark);
    if word > 0 {
        let end = floor(text, mark + word.min(40));
        return Span::new(mark + skipped, end.max(mark + 1) + skipped);
    }
    let trimmed = text[..mark].trim_end();
    let start = trimmed.char_indices().next_back().map_or(0, |(start, _)| start);
    Span::new(start + skipped, trimmed.len() + skipped)
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A tab in the indentation of the marked line or of the one before it.
fn tab_near(text: &str, mark: usize) -> Option<usize> {
    let line = text[..mark].rfind('\n').map_or(0, |end| end + 1);
    let before = text[..line.saturating_sub(1)].rfind('\n').map_or(0, |end| end + 1);
    [line, before].into_iter().find_map(|start| {
        let rest = &text[start..];
        let indentation = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        rest[..indentation].find('\t').map(|tab| start + tab)
    })
}

/// What the parser's words contain, and what a person is told: the first that fits counts.
const WORDS: &[(&str, Code, &str, &str)] = &[
    (
        "tab",
        codes::E0106,
        "a tab can't stand here",
        "indent with spaces: two for each level",
    ),
    (
        "mapping values are not allowed",
        codes::E0105,
        "a `:` stands where no key can be",
        "put text that holds `: ` in quotes; or is the line before it indented differently?",
    ),
    (
        "unexpected end of stream",
        codes::E0108,
        "a quote is never closed",
        "close it; in double quotes, a quote of the text itself is written as \\\"",
    ),
    (
        "flow mapping",
        codes::E0108,
        "a `{` is not closed, or a comma is missing",
        "write `{ key: value, key: value }`",
    ),
    (
        "flow sequence",
        codes::E0108,
        "a `[` is not closed, or a comma is missing",
        "write `[one, two]`",
    ),
    (
        "misplaced bracket",
        codes::E0108,
        "a bracket closes nothing",
        "remove it, or put the text in quotes",
    ),
    (
        "did not find expected key",
        codes::E0107,
        "the indentation fits no line above",
        "keys of one map begin in one column; a list's items too",
    ),
    (
        "expected '-'",
        codes::E0107,
        "the indentation fits no line above",
        "the items of one list begin with `- ` in one column",
    ),
    (
        "ndentation",
        codes::E0107,
        "the indentation fits no line above",
        "two spaces more than the line it belongs to",
    ),
    (
        "indented line",
        codes::E0107,
        "the indentation fits no line above",
        "the lines of a block are indented alike",
    ),
    (
        "block sequence entries",
        codes::E0107,
        "an item of a list can't begin here",
        "items begin on a line of their own",
    ),
    (
        "simple key",
        codes::E0105,
        "a `:` is missing behind the key",
        "write `key: value`",
    ),
    (
        "unknown anchor",
        codes::E0112,
        "the alias names no anchor above it",
        "an anchor is set with `&name` before `*name`",
    ),
    (
        "unknown escape",
        codes::E0105,
        "unknown escape in double quotes",
        "write `\\\\` for a backslash, or use single quotes",
    ),
    (
        "hexadecimal",
        codes::E0105,
        "an escape needs hexadecimal digits",
        "such as \\x41 or \\u00e9",
    ),
    (
        "unexpected character",
        codes::E0105,
        "text can't begin with this character",
        "put it in quotes",
    ),
    (
        "expected node content",
        codes::E0105,
        "a value is missing, or begins with a character that needs quotes",
        "put text that begins with `,`, `]` or `}` in quotes",
    ),
    (
        "<document start>",
        codes::E0105,
        "the document was over before this",
        "is it indented less than the first line?",
    ),
    (
        "anchor or alias",
        codes::E0105,
        "`&` and `*` begin anchors and aliases",
        "put text that begins with them in quotes",
    ),
    (
        "tag",
        codes::E0113,
        "`!` begins a tag",
        "put text that begins with it in quotes",
    ),
];

fn words(info: &str) -> (Code, String, Option<&'static str>) {
    match WORDS.iter().find(|(part, ..)| info.contains(part)) {
        Some((_, code, message, help)) => (*code, (*message).to_owned(), Some(help)),
        None => (codes::E0105, format!("this is not YAML: {info}"), None),
    }
}
