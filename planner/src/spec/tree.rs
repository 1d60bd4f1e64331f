//! Text to trees of nodes, within bounds: the YAML half of parsing.
//!
//! The work is bounded by the text's length: nodes, depth and documents are counted, and an alias costs what it repeats.

use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput};

use super::node::{Entry, Node, Scalar, Style, Value};
use super::span::{Span, Spanned};
use super::syntax;
use crate::diagnostic::{Diagnostic, Diagnostics, codes};

/// The longest file that is read.
pub const BYTES_MAX: usize = 1 << 20;
/// How deep lists and maps may stand in each other.
pub const DEPTH_MAX: usize = 64;
/// How many nodes a file may have, those that aliases repeat among them.
pub const NODES_MAX: usize = 100_000;
/// How many documents a file may have.
pub const DOCUMENTS_MAX: usize = 100;

/// The documents of a file. After a mistake in the YAML itself only those before it are there.
pub(crate) fn read(text: &str, diagnostics: &mut Diagnostics) -> Vec<Node> {
    if let Some(refused) = refuse(text) {
        diagnostics.push(refused);
        return Vec::new();
    }
    // A byte order mark belongs to the file, not to its first key.
    let skipped = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    let mut builder = Builder::new(&text[skipped..], skipped);
    let ended = builder.run();
    builder
        .findings
        .into_iter()
        .for_each(|finding| diagnostics.push(finding));
    let documents = builder.documents;
    if let Err(stopped) = ended {
        diagnostics.push(*stopped);
        return documents;
    }
    if documents.is_empty() {
        let missing = Diagnostic::new(
            codes::E0114,
            Span::new(0, text.chars().next().map_or(0, char::len_utf8)),
            "the file holds no datastream",
        );
        diagnostics.push(missing.help("the smallest one has `datastreamName`, `sources` and `sinks`"));
    }
    documents
}

fn refuse(text: &str) -> Option<Diagnostic> {
    if text.len() > BYTES_MAX {
        let message = format!("the file has {} bytes; at most {BYTES_MAX} are read", text.len());
        return Some(Diagnostic::new(codes::E0101, Span::default(), message).help("split it into several files"));
    }
    let control = |character: char| character.is_control() && !matches!(character, '\n' | '\r' | '\t' | '\u{85}');
    let (at, character) = text.char_indices().find(|(_, character)| control(*character))?;
    let message = format!("the character U+{:04X} can't stand in a document", u32::from(character));
    let found = Diagnostic::new(codes::E0102, Span::new(at, at + character.len_utf8()), message);
    Some(
        found.help(
            "is the file YAML, in UTF-8? in double quotes such a character is written as an escape, like \"\\x01\"",
        ),
    )
}

/// What a mistake that ends the reading says.
type Stop = Box<Diagnostic>;

struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// The byte at which each character begins; none where each character is one byte.
    bytes: Option<Vec<u32>>,
    length: usize,
    skipped: usize,
    text: &'a str,
    open: Vec<Open>,
    anchors: BTreeMap<usize, (Node, Measure)>,
    nodes: usize,
    repeated_bytes: usize,
    documents: Vec<Node>,
    findings: Vec<Diagnostic>,
}

/// A list or map whose end has not come yet.
struct Open {
    start: usize,
    anchor: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        key: Option<Key>,
        /// Where each key stood first: a scan of the entries would make the work quadratic.
        taken: HashMap<String, Span>,
    },
}

/// A key that waits for its value.
enum Key {
    Word(Spanned<String>),
    /// One that a diagnostic spoke of: its value is read and forgotten.
    Refused,
}

/// What a node costs to repeat.
#[derive(Clone, Copy)]
struct Measure {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str, skipped: usize) -> Self {
        let offset =
            |(byte, _): (usize, char)| u32::try_from(byte).expect("the text is shorter than 4 GiB: checked above");
        Self {
            parser: Parser::new_from_str(text),
            bytes: (!text.is_ascii()).then(|| text.char_indices().map(offset).collect()),
            length: text.len(),
            skipped,
            text,
            open: Vec::new(),
            anchors: BTreeMap::new(),
            nodes: 0,
            repeated_bytes: 0,
            documents: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// The byte of the file where this character begins.
    fn byte(&self, character: usize) -> usize {
        let byte = match &self.bytes {
            None => character.min(self.length),
            Some(bytes) => bytes.get(character).map_or(self.length, |byte| *byte as usize),
        };
        byte + self.skipped
    }

    fn run(&mut self) -> Result<(), Stop> {
        while let Some(event) = self.parser.next_event() {
            let (event, place) = event.map_err(|error| self.explain(&error))?;
            let span = Span::new(self.byte(place.start.index()), self.byte(place.end.index()));
            self.on(event, span)?;
        }
        Ok(())
    }

    fn explain(&self, error: &ScanError) -> Stop {
        let innermost = self.open.last().map(|open| open.start - self.skipped);
        let mark = self.byte(error.marker().index()) - self.skipped;
        Box::new(syntax::explain(
            self.text,
            self.skipped,
            error.info(),
            (mark, innermost),
        ))
    }

    fn on(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(tag) = tag {
                    self.refuse_tag(&tag.to_string(), span);
                }
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                };
                let node = Node {
                    span,
                    value: Value::Scalar(Scalar {
                        text: text.into_owned(),
                        style,
                    }),
                };
                self.count(span, 1)?;
                self.finish(node, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                let tag = tag.map(|tag| tag.to_string());
                self.begin(
                    Open {
                        start: span.start,
                        anchor,
                        kind: Kind::List(Vec::new()),
                    },
                    tag,
                    span,
                )
            }
            Event::MappingStart(anchor, tag) => {
                let kind = Kind::Map {
                    entries: Vec::new(),
                    key: None,
                    taken: HashMap::new(),
                };
                let tag = tag.map(|tag| tag.to_string());
                self.begin(
                    Open {
                        start: span.start,
                        anchor,
                        kind,
                    },
                    tag,
                    span,
                )
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(anchor) => self.repeat(anchor, span),
            Event::DocumentStart(_) => {
                self.anchors.clear();
                if self.documents.len() >= DOCUMENTS_MAX {
                    let message = format!("more than {DOCUMENTS_MAX} documents in one file");
                    return Err(Diagnostic::new(codes::E0115, span, message)
                        .help("split it into several files")
                        .into());
                }
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn refuse_tag(&mut self, tag: &str, span: Span) {
        let message = format!("the tag `{tag}` means nothing here");
        self.findings
            .push(Diagnostic::new(codes::E0113, span, message).help("remove it: types follow from the key"));
    }

    fn count(&mut self, span: Span, nodes: usize) -> Result<(), Stop> {
        self.nodes += nodes;
        if self.nodes > NODES_MAX {
            let message = format!("the file has more than {NODES_MAX} values, with those that aliases repeat");
            return Err(Diagnostic::new(codes::E0104, span, message)
                .label("the first one too many")
                .into());
        }
        Ok(())
    }

    fn begin(&mut self, open: Open, tag: Option<String>, span: Span) -> Result<(), Stop> {
        if let Some(tag) = tag {
            self.refuse_tag(&tag, span);
        }
        self.count(span, 1)?;
        self.check_depth(1, span)?;
        self.open.push(open);
        Ok(())
    }

    fn check_depth(&self, more: usize, span: Span) -> Result<(), Stop> {
        if self.open.len() + more > DEPTH_MAX {
            let message = format!("lists and maps stand in each other more than {DEPTH_MAX} deep");
            return Err(Diagnostic::new(codes::E0103, span, message).into());
        }
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), Stop> {
        let open = self.open.pop().expect("the parser ends only what it began");
        let flow = matches!(self.text.as_bytes().get(open.start - self.skipped), Some(b'{' | b'['));
        let (value, last) = match open.kind {
            Kind::List(items) => {
                let last = items.last().map(|item| item.span.end);
                (Value::List(items), last)
            }
            Kind::Map { entries, .. } => {
                let last = entries.last().map(|entry| entry.value.span.end.max(entry.key.span.end));
                (Value::Map(entries), last)
            }
        };
        // A block ends, for the parser, where the next thing begins; for a person, behind its last value.
        let end = if flow { span.end } else { last.unwrap_or(span.start) };
        self.finish(
            Node {
                span: Span::new(open.start, end),
                value,
            },
            open.anchor,
        )
    }

    fn repeat(&mut self, anchor: usize, span: Span) -> Result<(), Stop> {
        let Some((node, measure)) = self.anchors.get(&anchor).cloned() else {
            let message = "an alias can't stand inside of what it repeats";
            return Err(Diagnostic::new(codes::E0112, span, message).into());
        };
        self.count(span, measure.nodes)?;
        self.check_depth(measure.depth, span)?;
        self.repeated_bytes += measure.bytes;
        if self.repeated_bytes > BYTES_MAX {
            let message = format!("aliases repeat more than {BYTES_MAX} bytes");
            return Err(Diagnostic::new(codes::E0104, span, message).into());
        }
        self.finish(node, 0)
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        if anchor > 0 {
            let measure = measure(&node);
            // Keeping it costs as much as repeating it once.
            self.count(node.span, measure.nodes)?;
            self.anchors.insert(anchor, (node.clone(), measure));
        }
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.documents.push(node),
            Some(Kind::List(items)) => items.push(node),
            Some(Kind::Map { entries, key, taken }) => match key.take() {
                None => *key = Some(take_key(node, taken, &mut self.findings)),
                Some(Key::Refused) => {}
                Some(Key::Word(key)) => {
                    // Where nothing stands, the key is what a person looks at.
                    let span = if node.is_null() && node.span.start == node.span.end {
                        key.span
                    } else {
                        node.span
                    };
                    entries.push(Entry {
                        key,
                        value: Node {
                            span,
                            value: node.value,
                        },
                    });
                }
            },
        }
        Ok(())
    }
}

fn take_key(node: Node, taken: &mut HashMap<String, Span>, findings: &mut Vec<Diagnostic>) -> Key {
    let Value::Scalar(scalar) = &node.value else {
        let message = format!("a key must be a word, not {}", node.kind());
        findings.push(
            Diagnostic::new(codes::E0111, node.span, message).help("text with `{`, `[` or `: ` in it stands in quotes"),
        );
        return Key::Refused;
    };
    if scalar.text == "<<" && scalar.style == Style::Plain {
        let found = Diagnostic::new(
            codes::E0110,
            node.span,
            "merge keys are not part of YAML 1.2 and are not read",
        );
        findings.push(found.help("write the keys out, or repeat a whole value with an alias: `key: *anchor`"));
        return Key::Refused;
    }
    if node.is_null() {
        findings.push(Diagnostic::new(
            codes::E0111,
            node.span,
            "a key is missing before the `:`",
        ));
        return Key::Refused;
    }
    if let Some(first) = taken.get(&scalar.text) {
        let found = Diagnostic::new(
            codes::E0109,
            node.span,
            format!("the key `{}` stands twice in one map", scalar.text),
        );
        findings.push(found.label("again").also(*first, "first").help("remove one of them"));
        return Key::Refused;
    }
    taken.insert(scalar.text.clone(), node.span);
    let Value::Scalar(scalar) = node.value else {
        return Key::Refused;
    };
    Key::Word(Spanned::new(scalar.text, node.span))
}

/// Recursion is bounded by `DEPTH_MAX`.
fn measure(node: &Node) -> Measure {
    let (nodes, bytes, depth) = match &node.value {
        Value::Scalar(scalar) => {
            return Measure {
                nodes: 1,
                bytes: scalar.text.len(),
                depth: 0,
            };
        }
        Value::List(items) => sum(items.iter().map(measure)),
        Value::Map(entries) => {
            let (nodes, bytes, depth) = sum(entries.iter().map(|entry| measure(&entry.value)));
            (
                nodes + entries.len(),
                bytes + entries.iter().map(|entry| entry.key.value.len()).sum::<usize>(),
                depth,
            )
        }
    };
    Measure {
        nodes: nodes + 1,
        bytes,
        depth: depth + 1,
    }
}

fn sum(parts: impl Iterator<Item = Measure>) -> (usize, usize, usize) {
    parts.fold((0, 0, 0), |(nodes, bytes, depth), part| {
        (nodes + part.nodes, bytes + part.bytes, depth.max(part.depth))
    })
}
