//! Items of `sources` and `sinks`: one component key, named siblings beside it, options by the component's schema.

use super::node::{Entry, Node, Value};
use super::options::{self, Subject};
use super::reader::{Reader, listed};
use super::span::Spanned;
use super::{Component, EventTime, Sink, Source};
use crate::catalog::{Options, PLANNED_CONNECTORS};
use crate::diagnostic::{Diagnostic, codes};

const SOURCE_SIBLINGS: &[&str] = &["name", "renamedFrom", "format", "eventTime", "parallelism"];
const SINK_SIBLINGS: &[&str] = &[
    "name",
    "renamedFrom",
    "input",
    "inputs",
    "format",
    "keyBy",
    "parallelism",
];

/// Which side of a connector an item wants.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Side {
    Source,
    Sink,
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
        }
    }

    fn siblings(self) -> &'static [&'static str] {
        match self {
            Self::Source => SOURCE_SIBLINGS,
            Self::Sink => SINK_SIBLINGS,
        }
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn source(&mut self, item: &Node) -> Source {
        let component = self.component(item, Side::Source);
        let format = item.get("format").and_then(|node| self.format(node, Side::Source));
        Source {
            name: item
                .get("name")
                .and_then(|node| self.name(node, "the name of a source")),
            renamed_from: item
                .get("renamedFrom")
                .and_then(|node| self.name(node, "the name of a source")),
            component,
            format,
            event_time: item.get("eventTime").and_then(|node| self.event_time(node)),
            parallelism: item.get("parallelism").and_then(|node| self.parallelism(node)),
            span: item.span,
        }
    }

    pub(crate) fn sink(&mut self, item: &Node) -> Sink {
        let component = self.component(item, Side::Sink);
        Sink {
            name: item.get("name").and_then(|node| self.name(node, "the name of a sink")),
            renamed_from: item
                .get("renamedFrom")
                .and_then(|node| self.name(node, "the name of a sink")),
            inputs: self.inputs(item),
            key_by: item.get("keyBy").map(|node| self.paths(node)).unwrap_or_default(),
            component,
            format: item.get("format").and_then(|node| self.format(node, Side::Sink)),
            parallelism: item.get("parallelism").and_then(|node| self.parallelism(node)),
            span: item.span,
        }
    }

    /// `input: a` or `inputs: [a, b]`, each naming a source, a step or a branch.
    pub(crate) fn inputs(&mut self, item: &Node) -> Vec<Spanned<String>> {
        let (one, many) = (item.entry("input"), item.entry("inputs"));
        if let (Some(one), Some(many)) = (one, many) {
            let found = Diagnostic::new(
                codes::E0218,
                many.key.span,
                "`input` and `inputs` stand beside each other",
            );
            self.report(found.also(one.key.span, "the other").help("name them all in `inputs`"));
        }
        let Some(entry) = many.or(one) else { return Vec::new() };
        let items = self.list(&entry.value, "names of steps");
        items
            .iter()
            .filter_map(|item| self.name(item, "the name of an input"))
            .collect()
    }

    fn event_time(&mut self, node: &Node) -> Option<EventTime> {
        self.map(
            node,
            "`eventTime`",
            &["field", "maxOutOfOrderness", "idleTimeout", "maxDrift"],
        )?;
        let out_of_orderness = node
            .get("maxOutOfOrderness")
            .map(|node| self.duration(node).map(|one| one.value));
        let idle_timeout = node
            .get("idleTimeout")
            .and_then(|node| self.interval(node))
            .map(|one| one.value);
        let drift_max = node
            .get("maxDrift")
            .and_then(|node| self.interval(node))
            .map(|one| one.value);
        let Some(field) = node.get("field") else {
            self.error(
                codes::E0203,
                node.span,
                "`eventTime` needs `field`",
                "the path of the time in a record, such as `eventTime`",
            );
            return None;
        };
        let field = self.path(field)?;
        Some(EventTime {
            field,
            out_of_orderness_max: out_of_orderness.flatten().unwrap_or_default(),
            idle_timeout,
            drift_max,
        })
    }

    /// Finds the item's component and checks its options.
    fn component(&mut self, item: &Node, side: Side) -> Option<Component> {
        let Value::Map(entries) = &item.value else {
            self.no_map(item, side);
            return None;
        };
        let entry = self.component_entry(item, entries, side)?;
        let options = self.side_options(&entry.key, side)?;
        let node = self.beside(entry, entries, side, options);
        self.options(side.word(), options, entry.key.clone(), node)
    }

    fn no_map(&mut self, item: &Node, side: Side) {
        let found = Diagnostic::new(
            codes::E0301,
            item.span,
            format!("a {} is a map with a connector's key", side.word()),
        );
        let found = match &item.value {
            Value::Scalar(scalar) if self.catalog.connector(&scalar.text).is_some() => {
                found.help(format!("write `- {}: {{}}`", scalar.text))
            }
            Value::Scalar(_) | Value::List(_) | Value::Map(_) => found.help("such as `- file: { path: … }`"),
        };
        self.report(found);
    }

    /// The one entry that is no sibling.
    fn component_entry<'n>(&mut self, item: &Node, entries: &'n [Entry], side: Side) -> Option<&'n Entry> {
        let others: Vec<&Entry> = entries
            .iter()
            .filter(|entry| !side.siblings().contains(&entry.key.value.as_str()))
            .collect();
        let known: Vec<&Entry> = others
            .iter()
            .filter(|entry| {
                let key = entry.key.value.as_str();
                self.catalog.connector(key).is_some() || PLANNED_CONNECTORS.contains(&key)
            })
            .copied()
            .collect();
        match (known.as_slice(), others.as_slice()) {
            ([one], _) => Some(one),
            ([first, second, ..], _) => {
                let message = format!(
                    "one {} with two connectors: `{}` and `{}`",
                    side.word(),
                    first.key.value,
                    second.key.value
                );
                let found =
                    Diagnostic::new(codes::E0302, second.key.span, message).also(first.key.span, "the first one");
                self.report(found.help("each begins with its own `- `"));
                None
            }
            ([], []) => {
                let span = entries.first().map_or(item.span, |entry| entry.key.span);
                let found = Diagnostic::new(codes::E0301, span, format!("the {} has no connector", side.word()));
                self.report(found.help(format!("beside it stands the key of one: {}", self.known(side))));
                None
            }
            ([], [first, ..]) => {
                // Maps look most like a component with its options.
                let entry = others
                    .iter()
                    .find(|entry| matches!(entry.value.value, Value::Map(_)))
                    .unwrap_or(first);
                self.unknown(&entry.key, side);
                None
            }
        }
    }

    fn known(&self, side: Side) -> String {
        let options = match side {
            Side::Source => self.catalog.sources(),
            Side::Sink => self.catalog.sinks(),
        };
        listed(options.iter().map(|options| options.name))
    }

    fn unknown(&mut self, key: &Spanned<String>, side: Side) {
        let options = if side == Side::Source {
            self.catalog.sources()
        } else {
            self.catalog.sinks()
        };
        let found = Diagnostic::new(
            codes::E0303,
            key.span,
            format!("there is no {} `{}`", side.word(), key.value),
        );
        let siblings = side.siblings().iter().copied();
        let found = found.did_you_mean(&key.value, options.iter().map(|options| options.name).chain(siblings));
        self.report(found.help(format!("{}s are {}", side.word(), self.known(side))));
    }

    /// The options of this connector's side, if it has that side and is there.
    fn side_options(&mut self, key: &Spanned<String>, side: Side) -> Option<&'a Options> {
        let catalog = self.catalog;
        let (this, other) = match side {
            Side::Source => (catalog.sources(), catalog.sinks()),
            Side::Sink => (catalog.sinks(), catalog.sources()),
        };
        let named = |options: &'a [Options]| options.iter().find(|options| options.name == key.value);
        let found = named(this);
        if found.is_none() && named(other).is_some() {
            let found = Diagnostic::new(
                codes::E0304,
                key.span,
                format!("`{}` can't be a {}", key.value, side.word()),
            );
            self.report(found.help(format!("{}s are {}", side.word(), self.known(side))));
        } else if found.is_none() {
            let found = Diagnostic::new(
                codes::E0210,
                key.span,
                format!("the connector `{}` is not built yet in this version", key.value),
            );
            self.report(found.help(format!("{}s are {}", side.word(), self.known(side))));
        }
        found
    }

    /// Checks options against their schema.
    pub(crate) fn options(
        &mut self,
        what: &str,
        options: &Options,
        key: Spanned<String>,
        node: Node,
    ) -> Option<Component> {
        let node = if node.is_null() {
            Node {
                span: key.span,
                value: Value::Map(Vec::new()),
            }
        } else {
            node
        };
        if !matches!(node.value, Value::Map(_)) {
            self.expected(&node, &format!("a map (the options of `{}`)", options.name));
            return None;
        }
        let written = node.to_json();
        let subject = Subject {
            what: &format!("the {what}"),
            key: key.span,
            node: &node,
            options,
        };
        let fine = options::check(subject, &written, self.diagnostics);
        fine.then_some(Component {
            connector: key,
            options: written,
            node,
        })
    }

    /// Options that stand beside an empty component key belong to it, as in `- kinesisStream:` with `streamName` beside.
    fn beside(&mut self, entry: &Entry, entries: &[Entry], side: Side, options: &Options) -> Node {
        let strays = entries
            .iter()
            .filter(|other| other.key.span != entry.key.span && !side.siblings().contains(&other.key.value.as_str()));
        if entry.value.is_null() {
            let strays: Vec<Entry> = strays.cloned().collect();
            let span = strays
                .last()
                .map_or(entry.key.span, |last| entry.key.span.to(last.value.span));
            return Node {
                span,
                value: Value::Map(strays),
            };
        }
        for stray in strays {
            let (key, name) = (&stray.key, options.name);
            if options.keys().any(|option| option == key.value) {
                let message = format!("`{}` is an option of `{name}` but stands beside it", key.value);
                self.error(
                    codes::E0309,
                    key.span,
                    message,
                    &format!("write it inside: `{name}: {{ {}: … }}`", key.value),
                );
            } else {
                let found = Diagnostic::new(
                    codes::E0202,
                    key.span,
                    format!("`{}` is no key of a {}", key.value, side.word()),
                );
                let known = side.siblings().iter().copied();
                let help = format!("beside the connector stand {}", listed(known.clone()));
                self.report(found.did_you_mean(&key.value, known).help(help));
            }
        }
        entry.value.clone()
    }
}
