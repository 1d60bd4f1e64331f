//! `window:` beside an aggregate or a `topN`: which spans of time its results are of, and when they are given.

use std::time::Duration;

use dataflow::recipe::{Clocked, Origin, Spans, Window};
use dataflow::time::{is_zone, zones};

use super::node::{Entry, Node, Value};
use super::reader::{Reader, listed};
use super::span::Spanned;
use crate::diagnostic::{Diagnostic, codes};

/// The forms of a window.
const FORMS: &[&str] = &["tumbling", "sliding", "session", "cumulative", "global"];
/// What stands beside a form.
const OPTIONS: &[&str] = &["allowedLateness", "offset", "timeZone", "time", "emitEvery"];

/// Milliseconds, the smallest step of time.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Reader<'_> {
    /// A window beside what has none.
    pub(crate) fn window_beside(&mut self, item: &Node, step: Option<&Entry>) {
        let (Some(window), Some(step)) = (item.entry("window"), step) else {
            return;
        };
        if matches!(step.key.value.as_str(), "aggregate" | "topN") {
            return;
        }
        let message = format!(
            "`window` stands beside `aggregate` and `topN`, not beside `{}`",
            step.key.value
        );
        let found = Diagnostic::new(codes::E0605, window.key.span, message);
        self.report(found.help("write `aggregate: { name: count(*) }` beside it, or remove it"));
    }

    /// The window beside a `topN`: what it gives is final, and a row is in one window.
    pub(crate) fn plain_window(&mut self, entry: &Entry) -> Option<Spanned<Window>> {
        let window = self.window(entry)?;
        let node = &entry.value;
        let stray = |key: &str| node.entry(key).map(|entry| entry.key.span);
        let (place, what) = match &window.value {
            Window {
                spans: Spans::Tumbling { .. },
                clock: Clocked::Event,
                allowed_lateness_ms: 0,
                emit_every_ms: None,
            } => return Some(window),
            Window { spans, .. } if !matches!(spans, Spans::Tumbling { .. }) => {
                let form = FORMS.iter().copied().find_map(stray);
                (form, "a row may be in several of these windows, or in one that grows")
            }
            Window {
                clock: Clocked::Processing,
                ..
            } => (stray("time"), "these windows go by the clock of the machine"),
            Window {
                emit_every_ms: Some(_), ..
            } => (stray("emitEvery"), "the best rows of a window are given once"),
            Window { .. } => (stray("allowedLateness"), "the best rows of a window are given once"),
        };
        let message = format!("{what}: the windows of a `topN` are tumbling ones by event time");
        let found = Diagnostic::new(codes::E0619, place.unwrap_or(window.span), message);
        self.report(
            found.help("write `window: { tumbling: 10s }`, or order the results of an `aggregate` with such windows"),
        );
        None
    }

    /// `window: { tumbling: 1m, allowedLateness: 30s }`, or `window: global`.
    pub(crate) fn window(&mut self, entry: &Entry) -> Option<Spanned<Window>> {
        let node = &entry.value;
        let entries = match &node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Scalar(scalar) if scalar.text == "global" => &[],
            Value::Scalar(_) | Value::List(_) => {
                self.formless(node);
                return None;
            }
        };
        let known: Vec<&str> = FORMS.iter().chain(OPTIONS).copied().collect();
        self.map_if_any(node, &known);
        let forms: Vec<&Entry> = entries
            .iter()
            .filter(|entry| FORMS.contains(&entry.key.value.as_str()))
            .collect();
        let spans = match forms.as_slice() {
            [] if matches!(node.value, Value::Scalar(_)) => Some(Spans::Global),
            [] => {
                self.formless(node);
                None
            }
            [form] => self.spans(form),
            [first, second, ..] => {
                let message = format!(
                    "one window of two forms: `{}` and `{}`",
                    first.key.value, second.key.value
                );
                let found = Diagnostic::new(codes::E0601, second.key.span, message);
                self.report(found.also(first.key.span, "the first one").help("keep one of them"));
                None
            }
        };
        let global = if spans.is_some() { "global" } else { "" };
        let form = forms.first().map_or(global, |form| form.key.value.as_str());
        let window = self.around(node, form, spans);
        window.map(|window| Spanned::new(window, entry.key.span))
    }

    fn map_if_any(&mut self, node: &Node, known: &[&str]) {
        if let Value::Map(_) = &node.value {
            self.map(node, "`window`", known);
        }
    }

    fn formless(&mut self, node: &Node) {
        let found = Diagnostic::new(codes::E0601, node.span, "the window has no form");
        self.report(found.help(format!(
            "windows are {}: `{{ tumbling: 1m }}`, `{{ sliding: {{ size: 10m, every: 1m }} }}`, `{{ session: 30s }}`, `{{ cumulative: {{ size: 1d, step: 1h }} }}`, `global`",
            listed(FORMS.iter().copied())
        )));
    }

    /// The spans of a form, without offset and zone.
    fn spans(&mut self, form: &Entry) -> Option<Spans> {
        let (node, origin) = (&form.value, Origin::default());
        match form.key.value.as_str() {
            "tumbling" => {
                let size_ms = milliseconds(self.interval(node)?.value);
                Some(Spans::Tumbling { size_ms, origin })
            }
            "sliding" => {
                let (size_ms, slide_ms) = self.lengths(form, "every")?;
                Some(Spans::Sliding {
                    size_ms,
                    slide_ms,
                    origin,
                })
            }
            "cumulative" => {
                let (size_ms, step_ms) = self.lengths(form, "step")?;
                Some(Spans::Cumulative {
                    size_ms,
                    step_ms,
                    origin,
                })
            }
            "session" => {
                let node = if matches!(node.value, Value::Map(_)) {
                    self.map(node, "`session`", &["gap"])?;
                    let Some(gap) = node.get("gap") else {
                        self.error(
                            codes::E0203,
                            node.span,
                            "`session` needs `gap`",
                            "such as `session: 30s`",
                        );
                        return None;
                    };
                    gap
                } else {
                    node
                };
                let gap_ms = milliseconds(self.interval(node)?.value);
                Some(Spans::Session { gap_ms })
            }
            _ => {
                if !node.is_null() && !matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
                    self.expected(node, "nothing: `global` has no lengths");
                    return None;
                }
                Some(Spans::Global)
            }
        }
    }

    /// `{ size: 10m, every: 1m }`: the second length divides the first, so that windows share panes.
    fn lengths(&mut self, form: &Entry, part: &str) -> Option<(u64, u64)> {
        let (name, node) = (&form.key.value, &form.value);
        let help = format!("write `{name}: {{ size: 10m, {part}: 1m }}`");
        if !matches!(node.value, Value::Map(_)) {
            let found = Diagnostic::new(
                codes::E0601,
                node.span,
                format!("`{name}` has two lengths: `size` and `{part}`"),
            );
            self.report(found.help(help));
            return None;
        }
        self.map(node, &format!("`{name}`"), &["size", part])?;
        let mut length = |key: &str| {
            let Some(written) = node.get(key) else {
                self.error(codes::E0203, form.key.span, format!("`{name}` needs `{key}`"), &help);
                return None;
            };
            self.interval(written)
        };
        let (size, step) = (length("size"), length(part));
        let (size, step) = (size?, step?);
        let (size_ms, step_ms) = (milliseconds(size.value), milliseconds(step.value));
        if !size_ms.is_multiple_of(step_ms) {
            let message = format!("`size` is not a whole number of times `{part}`");
            let found = Diagnostic::new(codes::E0602, step.span, message).also(size.span, "the size");
            // The next shorter length that does.
            let most = size_ms.div_ceil(step_ms).max(1);
            let near = (most..most + PARTS_MAX).find(|parts| size_ms.is_multiple_of(*parts));
            let near = near.map(|parts| dataflow::quantity::Span(Duration::from_millis(size_ms / parts)));
            self.report(match near {
                Some(near) => found.help(format!("such as `{part}: {near}`: windows share what lies between")),
                None => found.help("windows share what lies between"),
            });
            return None;
        }
        Some((size_ms, step_ms))
    }

    /// The window with what stands beside its form.
    fn around(&mut self, node: &Node, form: &str, spans: Option<Spans>) -> Option<Window> {
        let clock = self.time(node);
        let lateness = node.entry("allowedLateness").map(|entry| self.duration(&entry.value));
        let emit_every = node.entry("emitEvery").map(|entry| self.interval(&entry.value));
        let origin = self.origin(node, form, spans.as_ref());
        if let (
            Some(entry),
            Some(Some(Spanned {
                value: Clocked::Processing,
                ..
            })),
        ) = (node.entry("allowedLateness"), &clock)
        {
            let message = "by processing time nothing comes late";
            self.error(
                codes::E0603,
                entry.key.span,
                message,
                "remove `allowedLateness`, or go by event time",
            );
            return None;
        }
        if let (Some(entry), "global") = (node.entry("allowedLateness"), form) {
            let message = "the window of all time has no end that a row could miss";
            self.error(codes::E0603, entry.key.span, message, "remove `allowedLateness`");
            return None;
        }
        let mut spans = spans?;
        if let Spans::Tumbling { origin: own, .. }
        | Spans::Sliding { origin: own, .. }
        | Spans::Cumulative { origin: own, .. } = &mut spans
        {
            *own = origin?;
        } else {
            origin?;
        }
        Some(Window {
            spans,
            clock: clock.map_or(Some(Clocked::Event), |written| Some(written?.value))?,
            allowed_lateness_ms: milliseconds(lateness.map_or(Some(Duration::ZERO), |written| Some(written?.value))?),
            emit_every_ms: match emit_every {
                Some(written) => Some(milliseconds(written?.value)),
                None => None,
            },
        })
    }

    /// `offset` and `timeZone`; none where something is wrong with them.
    fn origin(&mut self, node: &Node, form: &str, spans: Option<&Spans>) -> Option<Origin> {
        let (offset, zone) = (node.entry("offset"), node.entry("timeZone"));
        if matches!(form, "session" | "global") {
            let strays: Vec<&Entry> = [offset, zone].into_iter().flatten().collect();
            for stray in &strays {
                let message = format!(
                    "`{}` moves where windows begin, and `{form}` follows the rows",
                    stray.key.value
                );
                self.error(codes::E0603, stray.key.span, message, "remove it");
            }
            return strays.is_empty().then(Origin::default);
        }
        let mut origin = Origin::default();
        let mut fine = true;
        if let Some(entry) = offset {
            let size = match spans {
                Some(
                    Spans::Tumbling { size_ms, .. }
                    | Spans::Sliding { size_ms, .. }
                    | Spans::Cumulative { size_ms, .. },
                ) => *size_ms,
                Some(Spans::Session { .. } | Spans::Global) | None => u64::MAX,
            };
            match self.duration(&entry.value) {
                Some(offset) if milliseconds(offset.value) >= size => {
                    let message = "an offset as long as the window moves it onto another one";
                    self.error(codes::E0602, offset.span, message, "make it shorter than the window");
                    fine = false;
                }
                Some(offset) => origin.offset_ms = i64::try_from(offset.value.as_millis()).unwrap_or(i64::MAX),
                None => fine = false,
            }
        }
        if let Some(entry) = zone {
            origin.zone = self.zone(&entry.value);
            fine &= origin.zone.is_some();
        }
        fine.then_some(origin)
    }

    fn zone(&mut self, node: &Node) -> Option<String> {
        let zone = self.string(node, "a time zone such as `Europe/Berlin`")?;
        if !is_zone(&zone.value) {
            let found = Diagnostic::new(
                codes::E0604,
                zone.span,
                format!("there is no time zone `{}`", zone.value),
            );
            self.report(
                found
                    .did_you_mean(&zone.value, zones())
                    .help("zones have the names of the IANA data base, such as `Europe/Berlin`"),
            );
            return None;
        }
        Some(zone.value)
    }

    /// `time: event` or `time: processing`; the inner none where it is something else, which is told.
    pub(crate) fn time(&mut self, node: &Node) -> Option<Option<Spanned<Clocked>>> {
        let node = node.get("time")?;
        let written = self.string(node, "`event` or `processing`");
        Some(written.and_then(|written| {
            let clock = match written.value.as_str() {
                "event" => Clocked::Event,
                "processing" => Clocked::Processing,
                other => {
                    let found = Diagnostic::new(codes::E0308, node.span, "`time` is `event` or `processing`");
                    let found = found.did_you_mean(other, ["event", "processing"]);
                    self.report(found.help("by event time a replay gives the same rows"));
                    return None;
                }
            };
            Some(Spanned::new(clock, written.span))
        }))
    }
}

/// So many lengths are tried for one that fits.
const PARTS_MAX: u64 = 1_000;
