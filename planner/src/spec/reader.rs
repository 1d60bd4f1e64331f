//! Reads nodes as what they should be, and says so where they are not. Each reading reports; none stops the others.

use std::time::Duration;

use dataflow::element::columns;
use dataflow::expr::Path;
use dataflow::quantity;
use serde_json::Value as Json;

use super::node::{self, Entry, Node, Value};
use super::span::{Span, Spanned, Text};
use crate::catalog::Catalog;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, codes};

/// The longest expression.
pub const EXPRESSION_BYTES_MAX: usize = 16 << 10;
/// The longest name.
pub const NAME_LENGTH_MAX: usize = 128;
/// The most subtasks a step may have.
pub const PARALLELISM_MAX: u32 = 1024;
/// The most key groups a job may have.
pub const KEY_GROUPS_MAX: u32 = 32_768;

/// A hundred years: longer durations are slips, and sums of instants must not overflow.
const DURATION_MAX: Duration = Duration::from_secs(100 * 366 * 24 * 3_600);

/// What reading needs, and what it finds.
pub(crate) struct Reader<'a> {
    pub(crate) text: &'a str,
    pub(crate) catalog: &'a Catalog,
    pub(crate) diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    pub(crate) fn error(&mut self, code: Code, span: Span, message: impl Into<String>, help: &str) {
        self.report(Diagnostic::new(code, span, message).help(help));
    }

    /// Says that something else was expected.
    pub(crate) fn expected(&mut self, node: &Node, what: &str) {
        let found = Diagnostic::new(
            codes::E0204,
            node.span,
            format!("expected {what}, found {}", node.kind()),
        );
        let number = matches!(node.kind(), "a number" | "a boolean") && what.contains("text");
        self.report(if number {
            found.help("put it in quotes if it is meant as text")
        } else {
            found
        });
    }

    /// The entries of a map; unknown keys are reported.
    pub(crate) fn map<'n>(&mut self, node: &'n Node, what: &str, allowed: &[&str]) -> Option<&'n [Entry]> {
        let Value::Map(entries) = &node.value else {
            self.expected(node, &format!("a map ({what})"));
            return None;
        };
        for entry in entries {
            let key = &entry.key;
            if !allowed.contains(&key.value.as_str()) {
                let message = format!("`{}` is no key of {what}", key.value);
                let found =
                    Diagnostic::new(codes::E0202, key.span, message).did_you_mean(&key.value, allowed.iter().copied());
                self.report(found.help(format!("it has {}", listed(allowed.iter().copied()))));
            }
        }
        Some(entries)
    }

    /// The items of a list with at least one; a single value counts as a list of one.
    pub(crate) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.value {
            Value::List(items) if items.is_empty() => {
                self.error(
                    codes::E0214,
                    node.span,
                    "an empty list",
                    &format!("write {what}, or remove the key"),
                );
                items
            }
            Value::List(items) => items,
            Value::Scalar(_) if !node.is_null() => std::slice::from_ref(node),
            Value::Scalar(_) | Value::Map(_) => {
                self.expected(node, &format!("a list ({what})"));
                &[]
            }
        }
    }

    /// Words: plain text, also where YAML would see a boolean or a number in it, if `loose`.
    fn scalar<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n node::Scalar> {
        match &node.value {
            Value::Scalar(scalar) if matches!(scalar.to_json(), Json::String(_)) => Some(scalar),
            Value::Scalar(_) | Value::List(_) | Value::Map(_) => {
                self.expected(node, what);
                None
            }
        }
    }

    pub(crate) fn string(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        self.scalar(node, &format!("text ({what})"))
            .map(|scalar| Spanned::new(scalar.text.clone(), node.span))
    }

    /// A name: the identity of state, and part of files, metrics and addresses.
    pub(crate) fn name(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        let name = match &node.value {
            // A name may look like a number (`2024`), and is one word either way.
            Value::Scalar(scalar) if matches!(scalar.to_json(), Json::Number(_)) => {
                Spanned::new(scalar.text.clone(), node.span)
            }
            Value::Scalar(_) | Value::List(_) | Value::Map(_) => self.string(node, what)?,
        };
        self.check_name(&name, what).then_some(name)
    }

    pub(crate) fn check_name(&mut self, name: &Spanned<String>, what: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let begins = name
            .value
            .starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
        let fits = begins && name.value.len() <= NAME_LENGTH_MAX && name.value.chars().all(plain);
        if !fits {
            let shown: String = name.value.chars().take(40).collect();
            let help = "a name begins with a letter, digit or `_`, goes on with those, `.` or `-`, and has at most 128 characters";
            self.error(codes::E0205, name.span, format!("`{shown}` can't be {what}"), help);
        }
        fits
    }

    pub(crate) fn path(&mut self, node: &Node) -> Option<Spanned<Path>> {
        let text = self.string(node, "a path such as `payload.total`")?;
        if text.value.trim_start_matches('"').starts_with('$') || text.value.split('.').any(columns::is_reserved) {
            self.error(
                codes::E0215,
                node.span,
                format!("`{}` is a name of Weir's own", text.value),
                "names with `$` are reserved",
            );
            return None;
        }
        match text.value.parse::<Path>() {
            Ok(path) if !text.value.contains(char::is_whitespace) || text.value.contains('"') => {
                Some(Spanned::new(path, node.span))
            }
            Ok(_) | Err(_) => {
                let shown: String = text.value.chars().take(60).collect();
                let help = "a path is `field` or `field.inner`; other characters than letters, digits, `_` and `-` stand in double quotes";
                self.error(codes::E0215, node.span, format!("`{shown}` is not a path"), help);
                None
            }
        }
    }

    pub(crate) fn paths(&mut self, node: &Node) -> Vec<Spanned<Path>> {
        let items = self.list(node, "paths such as `payload.total`");
        items.iter().filter_map(|item| self.path(item)).collect()
    }

    pub(crate) fn duration(&mut self, node: &Node) -> Option<Spanned<Duration>> {
        let written = match &node.value {
            Value::Scalar(scalar) => scalar.text.parse::<quantity::Span>().ok().map(|written| written.0),
            Value::List(_) | Value::Map(_) => None,
        };
        let written = written.filter(|duration| *duration <= DURATION_MAX);
        if written.is_none() {
            self.error(
                codes::E0207,
                node.span,
                "not a duration",
                "write a number with its unit: `250ms`, `5s`, `1m30s`, `24h`, `90d`",
            );
        }
        written.map(|duration| Spanned::new(duration, node.span))
    }

    /// A duration, or `off`.
    pub(crate) fn duration_or_off(&mut self, node: &Node) -> Option<Spanned<Option<Duration>>> {
        if matches!(&node.value, Value::Scalar(scalar) if scalar.text == "off") {
            return Some(Spanned::new(None, node.span));
        }
        let duration = self.duration(node)?;
        Some(Spanned::new(Some(duration.value), node.span))
    }

    /// A duration that is not zero.
    pub(crate) fn interval(&mut self, node: &Node) -> Option<Spanned<Duration>> {
        let duration = self.duration(node)?;
        if duration.value.is_zero() {
            self.error(codes::E0209, node.span, "must be longer than zero", "such as `1s`");
            return None;
        }
        Some(duration)
    }

    pub(crate) fn bytes(&mut self, node: &Node) -> Option<Spanned<u64>> {
        let written = match &node.value {
            Value::Scalar(scalar) => scalar.text.parse::<quantity::ByteCount>().ok().map(|written| written.0),
            Value::List(_) | Value::Map(_) => None,
        };
        let written = written.filter(|bytes| i64::try_from(*bytes).is_ok());
        if written.is_none() {
            self.error(
                codes::E0208,
                node.span,
                "not an amount of bytes",
                "write a number with its unit: `64KiB`, `128MB`, `4GiB`",
            );
        }
        written.map(|bytes| Spanned::new(bytes, node.span))
    }

    pub(crate) fn number(&mut self, node: &Node, (least, most): (u32, u32)) -> Option<Spanned<u32>> {
        let Json::Number(written) = node.to_json() else {
            self.expected(node, "a whole number");
            return None;
        };
        let number = written
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let message = format!("must be a whole number from {least} to {most}");
            self.report(Diagnostic::new(codes::E0209, node.span, message));
        }
        number.map(|number| Spanned::new(number, node.span))
    }

    pub(crate) fn parallelism(&mut self, node: &Node) -> Option<Spanned<u32>> {
        self.number(node, (1, PARALLELISM_MAX))
    }

    /// An SQL expression: text that is not empty and not too long. Numbers and booleans are expressions too.
    pub(crate) fn expression(&mut self, node: &Node) -> Option<Text> {
        let Value::Scalar(scalar) = &node.value else {
            self.expected(node, "an expression (text)");
            return None;
        };
        if scalar.text.trim().is_empty() {
            self.error(
                codes::E0402,
                node.span,
                "an expression is missing",
                "such as `payload.total > 0`",
            );
            return None;
        }
        if scalar.text.len() > EXPRESSION_BYTES_MAX {
            let message = format!(
                "the expression has {} bytes; at most {EXPRESSION_BYTES_MAX} are read",
                scalar.text.len()
            );
            self.error(codes::E0401, node.span, message, "split it over several steps");
            return None;
        }
        Some(Text::new(
            scalar.text.clone(),
            node.span,
            node::runs(self.text, node.span, scalar),
        ))
    }
}

/// Names as a person reads them: `a`, `b` and `c`.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}
