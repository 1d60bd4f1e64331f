//! Findings for people (the line itself, marked) and for programs (JSON with lines and columns).

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Code, Diagnostic, Diagnostics, Severity};
use crate::spec::Span;

/// How text for people looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Plain text.
    Plain,
    /// With colours, for terminals.
    Colours,
}

/// A place as editors count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
}

impl Position {
    /// The place of a byte.
    #[must_use]
    pub fn of(text: &str, byte: usize) -> Self {
        let before = &text[..floor(text, byte)];
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
        }
    }
}

/// Of a line longer than this only the surroundings of the mark are shown.
const SHOWN_BYTES_MAX: usize = 400;
/// Other places further away than this are named by their line, not shown.
const NEAR_BYTES_MAX: usize = 4_000;

impl Diagnostics {
    /// The findings in the order of their places.
    fn sorted(&self) -> Vec<&Diagnostic> {
        let mut sorted: Vec<&Diagnostic> = self.iter().collect();
        sorted.sort_by_key(|diagnostic| diagnostic.span);
        sorted
    }

    /// The findings in the order of their places, errors and warnings alike, and how many there are.
    #[must_use]
    pub fn render(&self, file: &str, text: &str, look: Look) -> String {
        let renderer = match look {
            Look::Plain => Renderer::plain(),
            Look::Colours => Renderer::styled(),
        };
        let mut out = String::new();
        for diagnostic in self.sorted() {
            out.push_str(&renderer.render(&[group(diagnostic, file, text)]));
            out.push_str("\n\n");
        }
        out.push_str(&self.summary());
        out
    }

    /// One line: how many errors and warnings, and where more is said of the first one that stands in the way.
    #[must_use]
    pub fn summary(&self) -> String {
        let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let (errors, warnings) = (self.error_count(), self.warning_count());
        let counts = match (errors, warnings) {
            (0, 0) => "no mistakes".to_owned(),
            (0, warnings) => plural(warnings, "warning"),
            (errors, 0) => plural(errors, "error"),
            (errors, warnings) => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
        };
        let more = self.dropped();
        let sorted = self.sorted();
        let error = sorted.iter().find(|found| found.severity() == Severity::Error);
        let example = error
            .or_else(|| sorted.first())
            .map(|first| format!("; `weir explain {}` says more", first.code.as_str()));
        let hidden = if more > 0 {
            format!(" ({more} of them not shown)")
        } else {
            String::new()
        };
        format!("{counts}{hidden}{}\n", example.unwrap_or_default())
    }

    /// The findings for programs: code, severity, message, place, help and what to write instead.
    #[must_use]
    pub fn to_json(&self, file: &str, text: &str) -> Value {
        let place = |span: Span| {
            let (start, end) = (Position::of(text, span.start), Position::of(text, span.end));
            json!({
                "line": start.line, "column": start.column, "endLine": end.line, "endColumn": end.column,
                "start": span.start, "end": span.end,
            })
        };
        let findings: Vec<Value> = self
            .iter()
            .map(|one| {
                let also: Vec<Value> = one.also.iter().map(|(span, label)| json!({"label": label, "place": place(*span)})).collect();
                json!({
                    "code": one.code, "severity": one.severity(), "message": one.message, "file": file,
                    "place": place(one.span), "label": one.label, "also": also, "help": one.help, "suggestion": one.suggestion,
                })
            })
            .collect();
        json!({"errors": self.error_count(), "warnings": self.warning_count(), "findings": findings})
    }
}

/// What [`Diagnostics::to_json`] wrote, read again by whoever has the same text: to be shown under another name, or in colours.
#[derive(Deserialize)]
struct Told {
    findings: Vec<ToldOne>,
}

#[derive(Deserialize)]
struct ToldOne {
    code: String,
    message: String,
    place: Place,
    label: Option<String>,
    also: Vec<ToldPlace>,
    help: Vec<String>,
    suggestion: Option<String>,
}

#[derive(Deserialize)]
struct ToldPlace {
    label: String,
    place: Place,
}

#[derive(Clone, Copy, Deserialize)]
struct Place {
    start: usize,
    end: usize,
}

impl Place {
    fn span(self) -> Span {
        Span::new(self.start, self.end.max(self.start))
    }
}

impl ToldOne {
    fn diagnostic(self) -> Option<Diagnostic> {
        Some(Diagnostic {
            code: Code::known(&self.code)?,
            span: self.place.span(),
            message: self.message,
            label: self.label,
            also: self.also.into_iter().map(|one| (one.place.span(), one.label)).collect(),
            help: self.help,
            suggestion: self.suggestion,
        })
    }
}

impl Diagnostics {
    /// The findings that another process told with [`Diagnostics::to_json`]; none where they are of another version, or not of
    /// a text.
    #[must_use]
    pub fn from_json(told: &Value) -> Option<Self> {
        let told = Told::deserialize(told).ok()?;
        let mut diagnostics = Self::default();
        for one in told.findings {
            diagnostics.push(one.diagnostic()?);
        }
        Some(diagnostics)
    }
}

fn group<'a>(diagnostic: &'a Diagnostic, file: &'a str, text: &'a str) -> Group<'a> {
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let (near, far): (Vec<_>, Vec<_>) = diagnostic.also.iter().partition(|(span, _)| {
        span.start.abs_diff(diagnostic.span.start) <= NEAR_BYTES_MAX
            && span.end.abs_diff(diagnostic.span.start) <= NEAR_BYTES_MAX
    });
    let whole = near.iter().fold(diagnostic.span, |whole, (span, _)| whole.to(*span));
    let shown = excerpt(text, diagnostic.span, whole);
    let inside = |span: Span| {
        let clamp = |byte: usize| floor(text, byte.clamp(shown.start, shown.end)) - shown.start;
        let (start, end) = (clamp(span.start), clamp(span.end));
        // Of what spans several lines the first one is marked.
        let line = text[shown.start + start..shown.start + end]
            .find('\n')
            .unwrap_or(end - start);
        start..start + line
    };
    let mut primary = AnnotationKind::Primary.span(inside(diagnostic.span));
    if let Some(label) = &diagnostic.label {
        primary = primary.label(label.as_str());
    }
    let others = near
        .iter()
        .map(|(span, label)| AnnotationKind::Context.span(inside(*span)).label(label.as_str()));
    let snippet = Snippet::source(&text[shown.start..shown.end])
        .line_start(Position::of(text, shown.start).line)
        .annotation(primary)
        .annotations(others);
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code.as_str());
    // Of a window into a long line the renderer can't know the column.
    let whole_lines = shown.start == 0 || text[..shown.start].ends_with('\n');
    let mut group = if whole_lines {
        title.element(snippet.path(file))
    } else {
        let position = Position::of(text, diagnostic.span.start);
        title
            .element(Origin::path(file).line(position.line).char_column(position.column))
            .element(snippet)
    };
    for (span, label) in far {
        group = group.element(Level::NOTE.message(format!("line {}: {label}", Position::of(text, span.start).line)));
    }
    if let Some(suggestion) = &diagnostic.suggestion {
        group = group.element(Level::HELP.message(format!("did you mean `{suggestion}`?")));
    }
    diagnostic
        .help
        .iter()
        .fold(group, |group, help| group.element(Level::HELP.message(help.as_str())))
}

/// The lines that hold the marks; a window around the mark where they are very long.
fn excerpt(text: &str, mark: Span, whole: Span) -> Span {
    let line_start = |byte: usize| text[..floor(text, byte)].rfind('\n').map_or(0, |end| end + 1);
    let line_end = |byte: usize| {
        text[floor(text, byte)..]
            .find('\n')
            .map_or(text.len(), |end| floor(text, byte) + end)
    };
    let last = whole.end.max(whole.start + 1) - 1;
    let (start, end) = (line_start(whole.start), line_end(last.min(text.len())));
    if end - start <= SHOWN_BYTES_MAX + 2 * NEAR_BYTES_MAX
        && text[start..end].lines().all(|line| line.len() <= SHOWN_BYTES_MAX)
    {
        return Span::new(start, end);
    }
    let (start, end) = (line_start(mark.start), line_end(mark.start));
    let (before, behind) = (
        mark.start.saturating_sub(SHOWN_BYTES_MAX / 2),
        mark.start + SHOWN_BYTES_MAX / 2,
    );
    Span::new(floor(text, start.max(before)), floor(text, end.min(behind)))
}

fn floor(text: &str, mut byte: usize) -> usize {
    byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}
