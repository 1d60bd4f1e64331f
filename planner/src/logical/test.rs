//! The names in `tests`: which source gives rows, and which sink is looked at.

use super::outline::given;
use crate::diagnostic::{Diagnostic, Diagnostics, codes};
use crate::operators::source::FORMAT;
use crate::spec::{Expected, Given, Record, Span, Spanned, Spec};

/// The name of the archive among the sinks.
const ARCHIVE: &str = "archive";
/// The format of records that may be anything.
const RAW: &str = "raw";

/// The names of a datastream's sources, in order.
#[must_use]
pub fn source_names(spec: &Spec) -> Vec<String> {
    let sources = spec.sources.iter().enumerate();
    sources
        .map(|(index, source)| given(source.name.as_ref(), "source", index))
        .collect()
}

/// The names of a datastream's sinks, in order; the archive is one.
#[must_use]
pub fn sink_names(spec: &Spec) -> Vec<String> {
    let sinks = spec.sinks.iter().enumerate();
    let named = sinks.map(|(index, sink)| given(sink.name.as_ref(), "sink", index));
    named.chain(spec.archive.iter().map(|_| ARCHIVE.to_owned())).collect()
}

/// Finds what the tests name.
pub(crate) fn check(spec: &Spec, diagnostics: &mut Diagnostics) {
    let (sources, sinks) = (source_names(spec), sink_names(spec));
    for act in spec.tests.iter().flat_map(|test| &test.acts) {
        for item in &act.given {
            match item {
                Given::Rows { source, rows, key } => {
                    if let Some(index) = find(("source", &sources), source.as_ref(), *key, diagnostics) {
                        records(spec, index, rows, diagnostics);
                    }
                }
                Given::Watermark {
                    source: Some(source), ..
                } => {
                    find(("source", &sources), Some(source), source.span, diagnostics);
                }
                Given::Watermark { source: None, .. } | Given::Wait(_) | Given::End(_) => {}
            }
        }
        let mut seen: Vec<(Option<usize>, Span)> = Vec::new();
        for item in &act.expected {
            let (about, place) = match item {
                Expected::DeadLetters { key, .. } => (None, *key),
                Expected::Rows { sink, key, .. } => match find(("sink", &sinks), sink.as_ref(), *key, diagnostics) {
                    Some(sink) => (Some(sink), *key),
                    None => continue,
                },
            };
            if let Some((_, first)) = seen.iter().find(|(other, _)| *other == about) {
                let what = about.map_or_else(
                    || "dead letters".to_owned(),
                    |sink| format!("rows of `{}`", sinks[sink]),
                );
                let message = format!("all {what} are expected twice at one time");
                let found = Diagnostic::new(codes::E0803, place, message).also(*first, "the first time");
                diagnostics.push(found.help("write all of them in one item; what comes later is expected in `then`"));
            }
            seen.push((about, place));
        }
    }
}

/// The one that is named, or the only one.
fn find(
    (what, known): (&str, &[String]),
    named: Option<&Spanned<String>>,
    place: Span,
    diagnostics: &mut Diagnostics,
) -> Option<usize> {
    let all = || {
        known
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match named {
        Some(named) => {
            let found = known.iter().position(|name| *name == named.value);
            if found.is_none() {
                let message = format!("the datastream has no {what} `{}`", named.value);
                let missing = Diagnostic::new(codes::E0801, named.span, message);
                let missing = missing.did_you_mean(&named.value, known.iter().map(String::as_str));
                diagnostics.push(missing.help(format!("it has {}", all())));
            }
            found
        }
        None if known.len() <= 1 => (!known.is_empty()).then_some(0),
        None => {
            let message = format!(
                "the datastream has {} {what}s, and it is not said which one",
                known.len()
            );
            let found = Diagnostic::new(codes::E0801, place, message);
            diagnostics.push(found.help(format!("write `{what}:` beside it, with one of {}", all())));
            None
        }
    }
}

/// Whether rows can be written as records of their source.
fn records(spec: &Spec, source: usize, rows: &[Spanned<Record>], diagnostics: &mut Diagnostics) {
    let Some(format) = spec.sources.get(source).and_then(|source| source.format.as_ref()) else {
        return;
    };
    let name = format.name.value.as_str();
    if name == FORMAT || name == RAW {
        return;
    }
    if let Some(row) = rows.iter().find(|row| matches!(row.value, Record::Json(_))) {
        let message = format!("a row of a source in `{name}` is written as the text of its record");
        let found = Diagnostic::new(codes::E0806, row.span, message).also(format.name.span, "its format");
        diagnostics.push(found.help("put the record in quotes, as it would stand in the input"));
    }
}
