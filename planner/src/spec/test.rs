//! `tests`: rows given, time that passes, rows expected.

use std::time::Duration;

use dataflow::quantity::Time;
use serde_json::Value as Json;

use super::node::{Entry, Node, Value};
use super::reader::{Reader, listed};
use super::span::{Span, Spanned};
use crate::diagnostic::{Diagnostic, codes};

/// The most tests of one datastream.
pub const TESTS_MAX: usize = 200;
/// The most items of `given`, `expect` or `then` in one place.
pub const ITEMS_MAX: usize = 500;
/// The most rows that one item gives or expects.
pub const TEST_ROWS_MAX: usize = 1_000;
/// The most subtasks of a step in a test.
const PARALLELISM_MAX: u32 = 16;
/// The longest time that passes in one item.
const WAIT_MAX: Duration = Duration::from_secs(366 * 24 * 3_600);

/// An item of `tests`.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// `name`, unique among the tests of the datastream.
    pub name: Spanned<String>,
    /// `parallelism`; one subtask of each step unless given.
    pub parallelism: Option<Spanned<u32>>,
    /// `clock`: the time of day at which it begins, in milliseconds since 1970.
    pub clock: Option<Spanned<i64>>,
    /// `given` and `expect` of the test itself, then those of `then`; never empty.
    pub acts: Vec<Act>,
}

/// What is given, and what is expected of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// `given`, in order.
    pub given: Vec<Given>,
    /// `expect`.
    pub expected: Vec<Expected>,
}

/// An item of `given`.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// `rows`, with `source` beside it where there are several.
    Rows {
        /// The source.
        source: Option<Spanned<String>>,
        /// Its records.
        rows: Vec<Spanned<Record>>,
        /// The key `rows`.
        key: Span,
    },
    /// `watermark`: event time comes to here.
    Watermark {
        /// The source; all of them unless given.
        source: Option<Spanned<String>>,
        /// Milliseconds since 1970.
        at: Spanned<i64>,
    },
    /// `wait`: the clock goes on.
    Wait(Spanned<Duration>),
    /// `end`: all input is over.
    End(Span),
}

/// A record of a source.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A map, a list, a number or a boolean: written as JSON.
    Json(Json),
    /// Text: the record as it is.
    Text(String),
}

impl Record {
    /// The record's bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Json(json) => json.to_string().into_bytes(),
            Self::Text(text) => text.clone().into_bytes(),
        }
    }
}

/// An item of `expect`.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// `rows`, with `sink` beside it where there are several, and `inOrder`.
    Rows {
        /// The sink.
        sink: Option<Spanned<String>>,
        /// What its rows hold: fields that are not named may hold anything; `null` is also what is not there.
        rows: Vec<Spanned<Json>>,
        /// Whether their order counts.
        order: Order,
        /// The key `rows`.
        key: Span,
    },
    /// `deadLetters`, in any order.
    DeadLetters {
        /// All of them.
        letters: Vec<Letter>,
        /// The key `deadLetters`.
        key: Span,
    },
}

/// Whether the order of rows counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// They come in any order.
    Any,
    /// They come as written.
    AsWritten,
}

/// One expected dead letter.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// `step`: the step that could not take the record.
    pub step: Option<Spanned<String>>,
    /// `error`: text that stands in the reason.
    pub error: Option<Spanned<String>>,
    /// `record`: the record, or what it holds.
    pub record: Option<Spanned<Json>>,
    /// The whole item.
    pub span: Span,
}

impl Reader<'_> {
    pub(crate) fn tests(&mut self, node: &Node) -> Vec<Test> {
        let Some(entry) = node.entry("tests") else {
            return Vec::new();
        };
        let items = self.bounded(&entry.value, "tests", TESTS_MAX);
        let tests: Vec<Test> = items.iter().filter_map(|item| self.test(item)).collect();
        for (index, test) in tests.iter().enumerate() {
            if let Some(first) = tests[..index].iter().find(|first| first.name.value == test.name.value) {
                let message = format!("two tests are called `{}`", test.name.value);
                let found =
                    Diagnostic::new(codes::E0805, test.name.span, message).also(first.name.span, "the first one");
                self.report(found.help("`weir test --filter` picks by name: give one of them another"));
            }
        }
        tests
    }

    /// A list of at most so many items, perhaps of none.
    fn bounded<'n>(&mut self, node: &'n Node, what: &str, most: usize) -> &'n [Node] {
        let Value::List(items) = &node.value else {
            self.expected(node, &format!("a list ({what})"));
            return &[];
        };
        let Some(first) = items.get(most) else { return items };
        let message = format!("{} {what} in one list; at most {most} are read", items.len());
        self.error(codes::E0217, first.span, message, "split them up");
        &[]
    }

    fn test(&mut self, item: &Node) -> Option<Test> {
        self.map(
            item,
            "a test",
            &["name", "parallelism", "clock", "given", "expect", "then"],
        )?;
        let name = match item.get("name") {
            Some(name) => self.title(name),
            None => {
                let help = "say what it shows, such as `name: late rows are left out`";
                self.error(codes::E0203, item.span, "a test needs `name`", help);
                None
            }
        };
        let parallelism = item
            .get("parallelism")
            .map(|node| self.number(node, (1, PARALLELISM_MAX)));
        let clock = item.get("clock").map(|node| self.instant(node));
        let mut acts: Vec<Act> = self.act(item).into_iter().collect();
        if let Some(then) = item.get("then") {
            for act in self.bounded(then, "acts", ITEMS_MAX) {
                if self.map(act, "an item of `then`", &["given", "expect"]).is_some() {
                    acts.extend(self.act(act));
                }
            }
        }
        self.in_time(&acts);
        Some(Test {
            name: name?,
            parallelism: parallelism.flatten(),
            clock: clock.flatten(),
            acts,
        })
    }

    /// A sentence of one line.
    fn title(&mut self, node: &Node) -> Option<Spanned<String>> {
        let title = self.string(node, "what the test shows")?;
        let fits =
            !title.value.trim().is_empty() && title.value.len() <= 200 && !title.value.contains(char::is_control);
        if !fits {
            self.error(
                codes::E0205,
                title.span,
                "this can't be the name of a test",
                "write one line of at most 200 bytes",
            );
        }
        fits.then_some(title)
    }

    fn act(&mut self, node: &Node) -> Option<Act> {
        let given = node
            .get("given")
            .map(|given| self.bounded(given, "what is given", ITEMS_MAX));
        let given = given
            .unwrap_or_default()
            .iter()
            .filter_map(|item| self.given(item))
            .collect();
        let Some(expect) = node.get("expect") else {
            let help = "`expect: [{ rows: [...] }]`; `rows: []` expects none";
            self.error(
                codes::E0203,
                node.span,
                "nothing is expected of what is given: `expect` is missing",
                help,
            );
            return None;
        };
        let items = self.bounded(expect, "expectations", ITEMS_MAX);
        let expected = items.iter().filter_map(|item| self.expectation(item)).collect();
        Some(Act { given, expected })
    }

    /// The one key of an item that says what it is about.
    fn said<'n>(&mut self, item: &'n Node, (what, words, others): (&str, &[&str], &[&str])) -> Option<&'n Entry> {
        let allowed: Vec<&str> = words.iter().chain(others).copied().collect();
        let entries = self.map(item, what, &allowed)?;
        let mut said = entries.iter().filter(|entry| words.contains(&entry.key.value.as_str()));
        let Some(first) = said.next() else {
            if entries.iter().all(|entry| allowed.contains(&entry.key.value.as_str())) {
                let help = format!("one of {}", listed(words.iter().copied()));
                self.error(codes::E0803, item.span, format!("{what} says nothing"), &help);
            }
            return None;
        };
        if let Some(second) = said.next() {
            let message = format!(
                "{what} says two things: `{}` and `{}`",
                first.key.value, second.key.value
            );
            let found = Diagnostic::new(codes::E0803, second.key.span, message).also(first.key.span, "the first one");
            self.report(found.help("each begins with its own `- `, so that their order is clear"));
            return None;
        }
        for other in entries
            .iter()
            .filter(|entry| others.contains(&entry.key.value.as_str()))
        {
            let fits = match other.key.value.as_str() {
                "source" => matches!(first.key.value.as_str(), "rows" | "watermark"),
                _ => first.key.value == "rows",
            };
            if !fits {
                let message = format!("`{}` means nothing beside `{}`", other.key.value, first.key.value);
                self.error(codes::E0202, other.key.span, message, "remove it");
            }
        }
        Some(first)
    }

    fn given(&mut self, item: &Node) -> Option<Given> {
        if matches!(&item.value, Value::Scalar(word) if word.text == "end") {
            return Some(Given::End(item.span));
        }
        let words = ["rows", "watermark", "wait", "end"];
        let entry = self.said(item, ("an item of `given`", &words, &["source"]))?;
        let source = item.get("source").map(|node| self.name(node, "the name of a source"));
        match entry.key.value.as_str() {
            "rows" => {
                let items = self.bounded(&entry.value, "rows", TEST_ROWS_MAX);
                let rows = items.iter().filter_map(|row| self.record(row)).collect();
                Some(Given::Rows {
                    source: settled(source)?,
                    rows,
                    key: entry.key.span,
                })
            }
            "watermark" => Some(Given::Watermark {
                at: self.instant(&entry.value)?,
                source: settled(source)?,
            }),
            "wait" => {
                let wait = self.interval(&entry.value)?;
                if wait.value > WAIT_MAX {
                    self.error(
                        codes::E0209,
                        wait.span,
                        "more than a year at once",
                        "let less time pass",
                    );
                    return None;
                }
                Some(Given::Wait(wait))
            }
            _ => {
                if !entry.value.is_null() {
                    self.expected(&entry.value, "nothing: `end` alone is the end of all input");
                }
                Some(Given::End(entry.key.span))
            }
        }
    }

    fn record(&mut self, node: &Node) -> Option<Spanned<Record>> {
        let record = match node.to_json() {
            Json::Null => {
                self.expected(node, "a row: a map, or the record as text");
                return None;
            }
            Json::String(text) => Record::Text(text),
            json => Record::Json(json),
        };
        Some(Spanned::new(record, node.span))
    }

    fn expectation(&mut self, item: &Node) -> Option<Expected> {
        let words = ["rows", "deadLetters"];
        let entry = self.said(item, ("an item of `expect`", &words, &["sink", "inOrder"]))?;
        if entry.key.value == "deadLetters" {
            let items = self.bounded(&entry.value, "dead letters", TEST_ROWS_MAX);
            return Some(Expected::DeadLetters {
                letters: items.iter().filter_map(|item| self.letter(item)).collect(),
                key: entry.key.span,
            });
        }
        let sink = item.get("sink").map(|node| self.name(node, "the name of a sink"));
        let order = item.get("inOrder").map(|node| match node.to_json() {
            Json::Bool(true) => Some(Order::AsWritten),
            Json::Bool(false) => Some(Order::Any),
            _ => {
                self.expected(node, "`true` or `false`");
                None
            }
        });
        let mut rows = Vec::new();
        for row in self.bounded(&entry.value, "rows", TEST_ROWS_MAX) {
            match row.to_json() {
                json @ (Json::Object(_) | Json::String(_)) => rows.push(Spanned::new(json, row.span)),
                _ => self.expected(
                    row,
                    "a row: a map of what it holds, or the line that is written as text",
                ),
            }
        }
        Some(Expected::Rows {
            sink: settled(sink)?,
            rows,
            order: settled(order)?.unwrap_or(Order::Any),
            key: entry.key.span,
        })
    }

    /// `{ step, error, record }`, or a part of the error alone.
    fn letter(&mut self, item: &Node) -> Option<Letter> {
        if let Value::Scalar(_) = &item.value {
            let error = self.string(item, "a part of the error")?;
            return Some(Letter {
                step: None,
                error: Some(error),
                record: None,
                span: item.span,
            });
        }
        self.map(item, "a dead letter", &["step", "error", "record"])?;
        let text = |reader: &mut Self, key, what| item.get(key).map(|node| reader.string(node, what));
        let (step, error) = (
            text(self, "step", "the name of a step"),
            text(self, "error", "a part of the error"),
        );
        Some(Letter {
            step: settled(step)?,
            error: settled(error)?,
            record: item.get("record").map(|node| Spanned::new(node.to_json(), node.span)),
            span: item.span,
        })
    }

    /// A point in time: RFC 3339, or milliseconds since 1970.
    fn instant(&mut self, node: &Node) -> Option<Spanned<i64>> {
        let at = match node.to_json() {
            Json::Number(number) => number.as_i64(),
            Json::String(text) => text.parse::<Time>().ok().map(|time| time.0),
            _ => None,
        };
        if at.is_none() {
            let help = "write it as `2026-01-31T12:00:00Z`, or as milliseconds since 1970";
            self.error(codes::E0802, node.span, "not a point in time", help);
        }
        at.map(|at| Spanned::new(at, node.span))
    }

    /// Nothing comes after the end, and watermarks do not go back.
    fn in_time(&mut self, acts: &[Act]) {
        let mut ended: Option<Span> = None;
        let mut reached: Vec<(Option<&str>, Spanned<i64>)> = Vec::new();
        for given in acts.iter().flat_map(|act| &act.given) {
            let place = match given {
                Given::Rows { key, .. } => *key,
                Given::Watermark { at, .. } => at.span,
                Given::Wait(wait) => wait.span,
                Given::End(end) => *end,
            };
            if let Some(end) = ended {
                let found = Diagnostic::new(codes::E0804, place, "nothing can be given behind the end of all input");
                self.report(found.also(end, "the end").help("move it before the end"));
                return;
            }
            match given {
                Given::End(end) => ended = Some(*end),
                Given::Watermark { source, at } => {
                    let source = source.as_ref().map(|source| source.value.as_str());
                    let meets = |other: &Option<&str>| other.is_none() || source.is_none() || *other == source;
                    let before = reached
                        .iter()
                        .rev()
                        .find(|(other, before)| meets(other) && before.value > at.value);
                    if let Some((_, before)) = before {
                        let found = Diagnostic::new(codes::E0804, at.span, "a watermark never goes back");
                        self.report(
                            found
                                .also(before.span, "time has come to here")
                                .help("give it earlier, or a later one"),
                        );
                    }
                    reached.push((source, *at));
                }
                Given::Rows { .. } | Given::Wait(_) => {}
            }
        }
    }
}

/// What may be left out, and is fine if it is there; none where it is not, which is told.
fn settled<T>(written: Option<Option<T>>) -> Option<Option<T>> {
    match written {
        Some(None) => None,
        Some(fine) => Some(fine),
        None => Some(None),
    }
}
