//! Items of `steps`: one key that says what the step does, named siblings beside it.

use dataflow::expr::Path;
use serde_json::Value as Json;

use super::node::{Entry, Node, Value};
use super::reader::{Reader, listed};
use super::span::Spanned;
use super::{Branch, Operation, Projection, Step};
use crate::diagnostic::{Diagnostic, codes};

const SIBLINGS: &[&str] = &[
    "name",
    "renamedFrom",
    "input",
    "inputs",
    "keyBy",
    "parallelism",
    "window",
];
/// The steps of this version.
pub(crate) const STEPS: &[&str] = &[
    "filter",
    "select",
    "drop",
    "unnest",
    "route",
    "union",
    "sample",
    "dedup",
    "aggregate",
    "topN",
    "delay",
    "rateLimit",
];
/// Steps that later versions bring.
const PLANNED: &[&str] = &["join", "enrich", "parse"];

/// What an unknown key of an item stands beside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Company {
    /// No step's key: it was probably meant to be one.
    None,
    /// A step's key.
    Step,
}

impl Reader<'_> {
    pub(crate) fn step(&mut self, item: &Node) -> Step {
        let entry = self.step_entry(item);
        let key_by = item.get("keyBy").map(|node| self.paths(node)).unwrap_or_default();
        let mut step = Step {
            name: item.get("name").and_then(|node| self.name(node, "the name of a step")),
            renamed_from: item
                .get("renamedFrom")
                .and_then(|node| self.name(node, "the name of a step")),
            inputs: self.inputs(item),
            key_by,
            parallelism: item.get("parallelism").and_then(|node| self.parallelism(node)),
            operation: Operation::Broken,
            key: entry.map_or(item.span, |entry| entry.key.span),
            span: item.span,
        };
        if let Some(entry) = entry {
            step.operation = self
                .operation(item, entry, &mut step.inputs)
                .unwrap_or(Operation::Broken);
        }
        self.window_beside(item, entry);
        self.key_beside(item, entry, &step.operation);
        step
    }

    fn step_entry<'n>(&mut self, item: &'n Node) -> Option<&'n Entry> {
        let Value::Map(entries) = &item.value else {
            let found = Diagnostic::new(
                codes::E0301,
                item.span,
                "a step is a map with the key that says what it does",
            );
            self.report(found.help(format!(
                "such as `- filter: \"payload.total > 0\"`; steps are {}",
                listed(STEPS.iter().copied())
            )));
            return None;
        };
        let others: Vec<&Entry> = entries
            .iter()
            .filter(|entry| !SIBLINGS.contains(&entry.key.value.as_str()))
            .collect();
        let planned: Vec<&&Entry> = others
            .iter()
            .filter(|entry| PLANNED.contains(&entry.key.value.as_str()))
            .collect();
        for entry in &planned {
            let found = Diagnostic::new(
                codes::E0210,
                entry.key.span,
                format!("`{}` is not built yet in this version", entry.key.value),
            );
            self.report(found.help(format!("steps are {}", listed(STEPS.iter().copied()))));
        }
        if !planned.is_empty() {
            return None;
        }
        let known: Vec<&Entry> = others
            .iter()
            .filter(|entry| STEPS.contains(&entry.key.value.as_str()))
            .copied()
            .collect();
        for stray in others.iter().filter(|entry| !STEPS.contains(&entry.key.value.as_str())) {
            self.stray(stray, if known.is_empty() { Company::None } else { Company::Step });
        }
        match known.as_slice() {
            [one] => Some(one),
            [] if others.is_empty() => {
                let span = entries.first().map_or(item.span, |entry| entry.key.span);
                let found = Diagnostic::new(codes::E0301, span, "the step has no key that says what it does");
                self.report(found.help(format!("steps are {}", listed(STEPS.iter().copied()))));
                None
            }
            [] => None,
            [first, second, ..] => {
                let message = format!(
                    "one step with two things to do: `{}` and `{}`",
                    first.key.value, second.key.value
                );
                let found =
                    Diagnostic::new(codes::E0302, second.key.span, message).also(first.key.span, "the first one");
                self.report(found.help("each begins with its own `- `"));
                None
            }
        }
    }

    fn stray(&mut self, entry: &Entry, company: Company) {
        let alone = company == Company::None;
        let key = &entry.key;
        if matches!(key.value.as_str(), "format" | "eventTime") {
            let message = format!("`{}` stands beside sources and sinks, not beside steps", key.value);
            self.report(Diagnostic::new(codes::E0309, key.span, message));
            return;
        }
        let words = STEPS.iter().chain(SIBLINGS).copied();
        let (code, message) = if alone {
            (codes::E0303, format!("there is no step `{}`", key.value))
        } else {
            (codes::E0202, format!("`{}` is no key of a step", key.value))
        };
        let help = if alone {
            format!("steps are {}", listed(STEPS.iter().copied()))
        } else {
            format!("beside it stand {}", listed(SIBLINGS.iter().copied()))
        };
        self.report(
            Diagnostic::new(code, key.span, message)
                .did_you_mean(&key.value, words)
                .help(help),
        );
    }

    fn operation(&mut self, item: &Node, entry: &Entry, inputs: &mut Vec<Spanned<String>>) -> Option<Operation> {
        let node = &entry.value;
        match entry.key.value.as_str() {
            "filter" => self.expression(node).map(Operation::Filter),
            "select" => self.select(node),
            "drop" => Some(self.paths(node))
                .filter(|paths| !paths.is_empty())
                .map(Operation::Drop),
            "unnest" => self.path(node).map(Operation::Unnest),
            "route" => self.route(node),
            "union" => self.union(entry, inputs),
            "sample" => self.sample(node),
            "dedup" => self.dedup(node).map(Operation::Dedup),
            "aggregate" => self.aggregate(item, node).map(Operation::Aggregate),
            "topN" => self.top_n(item, node).map(Operation::TopN),
            "delay" => self.delay(node).map(Operation::Delay),
            "rateLimit" => self.rate_limit(node).map(Operation::RateLimit),
            _ => None,
        }
    }

    /// A map of names and expressions, or a list of paths and of `expression AS name`.
    fn select(&mut self, node: &Node) -> Option<Operation> {
        let mut projections: Vec<Projection> = Vec::new();
        let mut fine = true;
        let mut take = |reader: &mut Self, projection: Option<Projection>| match projection {
            Some(projection) => fine &= reader.take_column(projection, &mut projections),
            None => fine = false,
        };
        match &node.value {
            Value::Map(entries) => {
                for Entry { key, value } in entries {
                    let expression = self.expression(value);
                    take(
                        self,
                        expression.map(|expression| Projection {
                            name: key.clone(),
                            expression,
                        }),
                    );
                }
            }
            Value::List(_) | Value::Scalar(_) => {
                for item in self.list(node, "paths or expressions") {
                    let projection = self.listed_projection(item);
                    take(self, projection);
                }
            }
        }
        if projections.is_empty() && fine && matches!(node.value, Value::Map(_)) {
            self.error(
                codes::E0214,
                node.span,
                "a select without columns",
                "write `{ name: expression }`",
            );
        }
        (fine && !projections.is_empty()).then_some(Operation::Select(projections))
    }

    /// Whether a column may have this name.
    pub(crate) fn column_name(&mut self, name: &Spanned<String>) -> bool {
        let fits = !name.value.is_empty() && !name.value.starts_with('$');
        if !fits {
            let message = format!("a column can't be called `{}`", name.value);
            self.error(codes::E0215, name.span, message, "names with `$` are reserved");
        }
        fits
    }

    fn take_column(&mut self, projection: Projection, taken: &mut Vec<Projection>) -> bool {
        let name = &projection.name;
        if !self.column_name(name) {
            return false;
        }
        if let Some(first) = taken.iter().find(|other| other.name.value == name.value) {
            let found = Diagnostic::new(
                codes::E0404,
                name.span,
                format!("two columns are called `{}`", name.value),
            );
            self.report(
                found
                    .also(first.name.span, "the first one")
                    .help("name one of them with `expression AS name`"),
            );
            return false;
        }
        taken.push(projection);
        true
    }

    fn listed_projection(&mut self, item: &Node) -> Option<Projection> {
        let text = self.expression(item)?;
        let value = text.value.trim_end();
        if let Some(path) = plain_path(value) {
            let last = path.parts()[path.parts().len() - 1].clone();
            return Some(Projection {
                name: Spanned::new(last, item.span),
                expression: text,
            });
        }
        let Some((expression_end, name_start)) = alias(value) else {
            self.error(
                codes::E0403,
                item.span,
                "an expression in a list needs a name",
                "write `expression AS name`, or `{ name: expression }`",
            );
            return None;
        };
        let name = Spanned::new(
            value[name_start..].trim_matches('"').to_owned(),
            text.place(name_start..value.len()),
        );
        Some(Projection {
            name,
            expression: text.prefix(expression_end),
        })
    }

    fn route(&mut self, node: &Node) -> Option<Operation> {
        let Value::Map(entries) = &node.value else {
            self.expected(node, "a map (each branch and its condition)");
            return None;
        };
        let mut branches = Vec::new();
        let mut otherwise: Option<Spanned<String>> = None;
        let mut fine = true;
        for Entry { key, value } in entries {
            if key.value == "else" {
                otherwise = self.name(value, "the name of a branch");
                fine &= otherwise.is_some();
                continue;
            }
            let named = self.check_name(key, "the name of a branch");
            match self.expression(value).filter(|_| named) {
                Some(condition) => branches.push(Branch {
                    name: key.clone(),
                    condition,
                }),
                None => fine = false,
            }
        }
        if branches.is_empty() && fine {
            let help = "write `route: { big: \"payload.total > 100\", else: small }`";
            self.error(codes::E0214, node.span, "a route without conditions", help);
        }
        if let Some(name) = &otherwise
            && let Some(first) = branches.iter().find(|branch| branch.name.value == name.value)
        {
            let found = Diagnostic::new(
                codes::E0404,
                name.span,
                format!("two branches are called `{}`", name.value),
            );
            self.report(found.also(first.name.span, "the first one"));
            return None;
        }
        (fine && !branches.is_empty()).then_some(Operation::Route { branches, otherwise })
    }

    /// `union: [a, b]`, or `union:` with `inputs` beside it.
    fn union(&mut self, entry: &Entry, inputs: &mut Vec<Spanned<String>>) -> Option<Operation> {
        if !entry.value.is_null() {
            if !inputs.is_empty() {
                self.error(
                    codes::E0218,
                    entry.value.span,
                    "a union with inputs in two places",
                    "name them all in `union: [a, b]`",
                );
                return None;
            }
            let items = self.list(&entry.value, "names of steps");
            *inputs = items
                .iter()
                .filter_map(|item| self.name(item, "the name of an input"))
                .collect();
            if inputs.len() < items.len() || items.is_empty() {
                return None;
            }
        }
        if inputs.len() < 2 {
            self.error(
                codes::E0501,
                entry.key.span,
                "a union needs two inputs or more",
                "write `union: [a, b]`",
            );
            return None;
        }
        Some(Operation::Union)
    }

    /// A share, or a map with more.
    fn sample(&mut self, node: &Node) -> Option<Operation> {
        let Value::Map(_) = &node.value else {
            return self.share(node).map(|share| Operation::Sample {
                share,
                by: None,
                seed: 0,
            });
        };
        self.map(node, "`sample`", &["share", "by", "seed"])?;
        let by = node.get("by").map(|node| self.path(node));
        let seed = node.get("seed").map(|node| {
            let seed = node.to_json().as_u64();
            if seed.is_none() {
                self.report(Diagnostic::new(
                    codes::E0209,
                    node.span,
                    "a seed is a whole number from 0 on",
                ));
            }
            seed
        });
        let Some(share) = node.get("share") else {
            self.error(
                codes::E0203,
                node.span,
                "`sample` needs `share`",
                "such as `share: 0.1`",
            );
            return None;
        };
        let share = self.share(share)?;
        if matches!(by, Some(None)) || matches!(seed, Some(None)) {
            return None;
        }
        Some(Operation::Sample {
            share,
            by: by.flatten(),
            seed: seed.flatten().unwrap_or_default(),
        })
    }

    pub(super) fn share(&mut self, node: &Node) -> Option<Spanned<f64>> {
        let share = match node.to_json() {
            Json::Number(number) => number.as_f64().filter(|share| (0.0..=1.0).contains(share)),
            _ => None,
        };
        if share.is_none() {
            self.error(
                codes::E0209,
                node.span,
                "a share is a number from 0 to 1",
                "a tenth is `0.1`",
            );
        }
        share.map(|share| Spanned::new(share, node.span))
    }
}

/// Text that is a path and no other expression: outside of quotes it holds words and dots only.
fn plain_path(text: &str) -> Option<Path> {
    let word = |character: char| character.is_alphanumeric() || matches!(character, '.' | '_' | '-' | '$' | '@');
    let bare = text.split('"').step_by(2).all(|outside| outside.chars().all(word));
    text.parse::<Path>().ok().filter(|_| bare)
}

/// Where the expression of `expression AS name` ends and its name begins.
fn alias(value: &str) -> Option<(usize, usize)> {
    let name_start = if let Some(open) = value.strip_suffix('"') {
        open.rfind('"')?
    } else {
        value.rfind(|character: char| character.is_whitespace())? + 1
    };
    let before = value.get(..name_start)?.trim_end();
    let end = before.len().checked_sub(2)?;
    let spaced = before
        .get(..end)?
        .ends_with(|character: char| character.is_whitespace() || character == ')');
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '"' || c == '-';
    let named = value[name_start..].chars().all(plain) && name_start < value.len();
    (before.get(end..)?.eq_ignore_ascii_case("as") && spaced && named)
        .then(|| (before[..end].trim_end().len(), name_start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_the_last_word_behind_as() {
        for (text, expected) in [
            ("a + b AS c", Some(("a + b", "c"))),
            ("lower(a) as \"b c\"", None),
            ("lower(a) as \"b\"", Some(("lower(a)", "\"b\""))),
            ("cast(a AS int)", None),
            ("a AS", None),
            ("as b", None),
            ("é as b", Some(("é", "b"))),
        ] {
            assert_eq!(
                alias(text).map(|(end, start)| (&text[..end], &text[start..])),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn text_knows_where_it_stands() {
        let text = super::super::Text::new("ab".to_owned(), super::super::Span::new(4, 8), vec![(0, 5)]);
        assert_eq!(text.place(1..2), super::super::Span::new(6, 7));
    }
}
