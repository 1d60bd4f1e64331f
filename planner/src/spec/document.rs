//! The top level of a document: its keys, and what holds for the whole job.

use std::time::Duration;

use dataflow::expr::Path;

use super::node::{Node, Value};
use super::reader::{KEY_GROUPS_MAX, Reader};
use super::span::{Span, Spanned};
use super::{Archive, Component, DeadLetter, DesiredState, EventTypes, Settings, Spec};
use crate::catalog::{ARCHIVE, DEAD_LETTER};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::job::Restart;

/// The most items that `sources`, `steps` and `sinks` may have together.
pub const STEPS_MAX: usize = 500;

/// The keys of a document, in the order in which they are usually written.
pub const KEYS: &[&str] = &[
    "apiVersion",
    "datastreamName",
    "contactName",
    "description",
    "desiredState",
    "parallelism",
    "maxParallelism",
    "memory",
    "checkpoint",
    "restart",
    "bufferTimeout",
    "lossAlarm",
    "hidden",
    "sources",
    "eventTypeFilters",
    "eventTypeField",
    "steps",
    "sinks",
    "archive",
    "deadLetter",
    "tests",
];

impl Reader<'_> {
    /// One document. None where it is no map at all.
    pub(crate) fn document(&mut self, node: &Node) -> Option<Spec> {
        let before = self.diagnostics.error_count();
        if !matches!(node.value, Value::Map(_)) {
            let found = Diagnostic::new(
                codes::E0201,
                node.span,
                format!("a datastream is a map, not {}", node.kind()),
            );
            self.report(found.help("it begins with `datastreamName: a-name`"));
            return None;
        }
        self.map(node, "a datastream", KEYS)?;
        self.version(node);
        let name = self.datastream_name(node);
        let items = ["sources", "steps", "sinks"].map(|key| self.items(node, key));
        self.count(&items);
        let [sources, steps, sinks] = items;
        let mut spec = Spec {
            name,
            contact: self.contact(node),
            description: node
                .get("description")
                .and_then(|node| self.string(node, "what it is for")),
            desired: node
                .get("desiredState")
                .map(|node| self.desired(node))
                .unwrap_or_default(),
            sources: sources.iter().map(|item| self.source(item)).collect(),
            event_types: self.event_types(node),
            steps: steps.iter().map(|item| self.step(item)).collect(),
            sinks: sinks.iter().map(|item| self.sink(item)).collect(),
            archive: self.archive(node),
            dead_letter: self.dead_letter(node),
            settings: self.settings(node),
            tests: self.tests(node),
            span: node.span,
            broken: false,
        };
        if spec.sinks.is_empty()
            && spec.archive.is_none()
            && node.get("sinks").is_none()
            && !Self::misspelt(node, "sinks")
        {
            let found = Diagnostic::new(codes::E0203, self.head(node), "the datastream has no `sinks`");
            self.report(found.help("a list of where it goes; `archive` alone would do too"));
        }
        spec.broken = self.diagnostics.error_count() > before;
        Some(spec)
    }

    /// Whether a missing key stands there misspelt: that was told already.
    fn misspelt(node: &Node, missing: &str) -> bool {
        let Value::Map(entries) = &node.value else { return false };
        let unknown = entries
            .iter()
            .map(|entry| entry.key.value.as_str())
            .filter(|key| !KEYS.contains(key));
        unknown
            .take(KEYS.len())
            .any(|key| nearest(key, KEYS.iter().copied()) == Some(missing))
    }

    /// What stands for the whole document: its first key.
    fn head(&self, node: &Node) -> Span {
        match &node.value {
            Value::Map(entries) => entries.first().map_or(node.span, |entry| entry.key.span),
            Value::List(_) | Value::Scalar(_) => node.span,
        }
    }

    fn version(&mut self, node: &Node) {
        let Some(node) = node.get("apiVersion") else { return };
        if let Some(version) = self.string(node, "the version of the document's language")
            && !matches!(version.value.as_str(), "weir/v1" | "v1")
        {
            let found = Diagnostic::new(
                codes::E0213,
                node.span,
                format!("this build does not know version `{}`", version.value),
            );
            self.report(found.help("write `apiVersion: weir/v1`, or leave it out"));
        }
    }

    fn datastream_name(&mut self, node: &Node) -> Spanned<String> {
        let missing = Spanned::new(String::new(), self.head(node));
        let Some(entry) = node.entry("datastreamName") else {
            if Self::misspelt(node, "datastreamName") {
                return missing;
            }
            let found = Diagnostic::new(codes::E0203, missing.span, "the datastream has no `datastreamName`");
            self.report(found.help("its name is its identity: state and archives belong to it"));
            return missing;
        };
        self.name(&entry.value, "the name of a datastream").unwrap_or(missing)
    }

    fn contact(&mut self, node: &Node) -> Option<Spanned<String>> {
        let Some(contact) = node.get("contactName") else {
            if Self::misspelt(node, "contactName") {
                return None;
            }
            let found = Diagnostic::new(codes::W0201, self.head(node), "nobody is named as contact");
            self.report(found.help("add `contactName`: who is asked when it stops"));
            return None;
        };
        self.string(contact, "a team or a person")
    }

    /// YAML 1.1 readers make booleans of ON and OFF, so both forms are in use.
    fn desired(&mut self, node: &Node) -> DesiredState {
        let written = match &node.value {
            Value::Scalar(scalar) => scalar.text.to_ascii_lowercase(),
            Value::List(_) | Value::Map(_) => String::new(),
        };
        match written.as_str() {
            "on" | "true" => DesiredState::On,
            "off" | "false" => DesiredState::Off,
            _ => {
                self.error(
                    codes::E0206,
                    node.span,
                    "`desiredState` is ON or OFF",
                    "OFF takes a last checkpoint and keeps the state",
                );
                DesiredState::Off
            }
        }
    }

    fn items<'n>(&mut self, node: &'n Node, key: &str) -> &'n [Node] {
        let Some(entry) = node.entry(key) else {
            if key == "sources" && !Self::misspelt(node, key) {
                let found = Diagnostic::new(codes::E0203, self.head(node), "the datastream has no `sources`");
                self.report(found.help("a list of where it comes from"));
            }
            return &[];
        };
        match &entry.value.value {
            Value::List(items) if items.is_empty() && key != "steps" => {
                let help = format!("write one of them with `- ` in front, or remove `{key}`");
                self.error(codes::E0214, entry.value.span, format!("`{key}` is empty"), &help);
                items
            }
            Value::List(items) => items,
            Value::Scalar(_) if entry.value.is_null() && key == "steps" => &[],
            Value::Scalar(_) | Value::Map(_) => {
                let found = Diagnostic::new(
                    codes::E0204,
                    entry.value.span,
                    format!("expected a list, found {}", entry.value.kind()),
                );
                self.report(found.help(format!("the items of `{key}` begin with `- `")));
                &[]
            }
        }
    }

    fn count(&mut self, items: &[&[Node]; 3]) {
        let total: usize = items.iter().map(|items| items.len()).sum();
        if total > STEPS_MAX {
            let first_too_many = items.iter().flat_map(|items| items.iter()).nth(STEPS_MAX);
            let span = first_too_many.map_or_else(Span::default, |node| node.span);
            let message = format!("{total} sources, steps and sinks; at most {STEPS_MAX} fit into one datastream");
            self.error(codes::E0217, span, message, "split it into several datastreams");
        }
    }

    fn event_types(&mut self, node: &Node) -> Option<EventTypes> {
        let field = node.entry("eventTypeField");
        let Some(entry) = node.entry("eventTypeFilters") else {
            if let Some(field) = field {
                let found = Diagnostic::new(
                    codes::W0203,
                    field.key.span,
                    "`eventTypeField` has no effect without `eventTypeFilters`",
                );
                self.report(found);
            }
            return None;
        };
        let mut types: Vec<Spanned<String>> = Vec::new();
        for item in self.list(&entry.value, "types of events") {
            let Some(kind) = self.event_type(item) else { continue };
            if let Some(first) = types.iter().find(|other| other.value == kind.value) {
                let found = Diagnostic::new(
                    codes::W0202,
                    kind.span,
                    format!("`{}` stands twice in the list", kind.value),
                );
                self.report(found.also(first.span, "first"));
                continue;
            }
            types.push(kind);
        }
        let field = match field {
            Some(field) => self.path(&field.value)?,
            None => Spanned::new(Path::new(vec!["eventType".to_owned()]).ok()?, entry.key.span),
        };
        (!types.is_empty()).then_some(EventTypes {
            field,
            types,
            key: entry.key.span,
        })
    }

    /// Types of events are words, also those that YAML takes for numbers.
    fn event_type(&mut self, node: &Node) -> Option<Spanned<String>> {
        match &node.value {
            Value::Scalar(scalar) if !node.is_null() && !scalar.text.is_empty() => {
                Some(Spanned::new(scalar.text.clone(), node.span))
            }
            Value::Scalar(_) | Value::List(_) | Value::Map(_) => {
                self.expected(node, "text (a type of events)");
                None
            }
        }
    }

    fn archive(&mut self, node: &Node) -> Option<Archive> {
        let entry = node.entry("archive")?;
        let own = ["of", "parallelism", "retention"];
        let retained = self
            .catalog
            .sinks()
            .iter()
            .any(|sink| sink.name == ARCHIVE && sink.keys().any(|key| key == "retention"));
        if let Some(retention) = entry.value.entry("retention").filter(|_| !retained) {
            self.duration(&retention.value);
            let found = Diagnostic::new(
                codes::W0205,
                retention.key.span,
                "`retention` is not applied yet in this version",
            );
            self.report(found.help("remove old partitions by hand until then"));
        }
        let own = if retained { &own[..2] } else { &own[..] };
        Some(Archive {
            of: entry
                .value
                .get("of")
                .and_then(|node| self.name(node, "the name of a step")),
            component: self.alias(ARCHIVE, "archive", &entry.key, &without(&entry.value, own)),
            parallelism: entry.value.get("parallelism").and_then(|node| self.parallelism(node)),
            key: entry.key.span,
        })
    }

    fn dead_letter(&mut self, node: &Node) -> Option<DeadLetter> {
        let entry = node.entry("deadLetter")?;
        Some(DeadLetter {
            component: self.alias(DEAD_LETTER, "dead letter sink", &entry.key, &entry.value),
            key: entry.key.span,
        })
    }

    /// A key of the document that is short for a sink.
    fn alias(&mut self, connector: &str, what: &str, key: &Spanned<String>, node: &Node) -> Option<Component> {
        let catalog = self.catalog;
        let Some(options) = catalog.sinks().iter().find(|sink| sink.name == connector) else {
            let message = format!(
                "`{}` needs the connector `{connector}`, which this build does not have",
                key.value
            );
            self.report(Diagnostic::new(codes::E0315, key.span, message));
            return None;
        };
        self.options(
            what,
            options,
            Spanned::new(connector.to_owned(), key.span),
            node.clone(),
        )
    }

    fn settings(&mut self, node: &Node) -> Settings {
        let checkpoint = node.get("checkpoint").filter(|node| {
            self.map(node, "`checkpoint`", &["interval", "alignedTimeout"])
                .is_some()
        });
        let inside = |key: &str| checkpoint.and_then(|node| node.get(key));
        let alarm = node
            .get("lossAlarm")
            .filter(|node| self.map(node, "`lossAlarm`", &["above", "settle"]).is_some());
        let of_alarm = |key: &str| alarm.and_then(|node| node.get(key));
        let mut settings = Settings {
            parallelism: node.get("parallelism").and_then(|node| self.parallelism(node)),
            max_parallelism: node
                .get("maxParallelism")
                .and_then(|node| self.number(node, (1, KEY_GROUPS_MAX))),
            memory: node.get("memory").and_then(|node| self.bytes(node)),
            checkpoint_interval: inside("interval").and_then(|node| self.interval(node)),
            aligned_timeout: inside("alignedTimeout").and_then(|node| self.duration_or_off(node)),
            restart: node.get("restart").and_then(|node| self.restart(node)),
            buffer_timeout: node.get("bufferTimeout").and_then(|node| self.duration(node)),
            loss_above: of_alarm("above").and_then(|node| self.share(node)),
            loss_settle: of_alarm("settle").and_then(|node| self.duration(node)),
            hidden: node.get("hidden").map(|node| self.paths(node)).unwrap_or_default(),
        };
        if let (Some(parallelism), Some(most)) = (settings.parallelism, settings.max_parallelism)
            && parallelism.value > most.value
        {
            let message = format!(
                "`parallelism` {} is more than `maxParallelism` {}",
                parallelism.value, most.value
            );
            let found = Diagnostic::new(codes::E0209, parallelism.span, message);
            self.report(found.also(most.span, "there are no more key groups than this"));
            settings.parallelism = None;
        }
        settings
    }

    /// `restart: never`, `{ fixed: { attempts, delay } }` or `{ exponential: { first, longest, quiet, attempts } }`.
    fn restart(&mut self, node: &Node) -> Option<Spanned<Restart>> {
        let help =
            "write `never`, `fixed: { attempts: 3, delay: 10s }` or `exponential: { first: 100ms, longest: 1m }`";
        let (form, inside) = match &node.value {
            Value::Scalar(scalar) => (scalar.text.as_str(), None),
            Value::Map(entries) if entries.len() == 1 => (entries[0].key.value.as_str(), Some(&entries[0].value)),
            Value::Map(_) | Value::List(_) => ("", None),
        };
        let restart = match (form, inside) {
            ("never", None) => Restart::Never,
            ("exponential", None) => Restart::default(),
            ("fixed", Some(inside)) => self.fixed(inside)?,
            ("exponential", Some(inside)) => self.exponential(inside)?,
            _ => {
                self.error(codes::E0212, node.span, "`restart` takes one of three forms", help);
                return None;
            }
        };
        Some(Spanned::new(restart, node.span))
    }

    fn fixed(&mut self, node: &Node) -> Option<Restart> {
        self.map(node, "`fixed`", &["attempts", "delay"])?;
        let attempts = node
            .get("attempts")
            .map_or(Some(3), |node| self.number(node, (1, u32::MAX)).map(|one| one.value));
        let delay = node.get("delay").map_or(Some(Duration::from_secs(10)), |node| {
            self.duration(node).map(|one| one.value)
        });
        Some(Restart::Fixed {
            attempts: attempts?,
            delay: delay?,
        })
    }

    fn exponential(&mut self, node: &Node) -> Option<Restart> {
        self.map(node, "`exponential`", &["first", "longest", "quiet", "attempts"])?;
        let Restart::Exponential {
            mut first,
            mut longest,
            mut quiet,
            mut attempts,
        } = Restart::default()
        else {
            return None;
        };
        let mut fine = true;
        for (key, into) in [("first", &mut first), ("longest", &mut longest), ("quiet", &mut quiet)] {
            match node.get(key).map(|node| self.interval(node)) {
                Some(Some(written)) => *into = written.value,
                Some(None) => fine = false,
                None => {}
            }
        }
        if let Some(node) = node.get("attempts") {
            attempts = self.number(node, (1, u32::MAX)).map(|one| one.value);
            fine &= attempts.is_some();
        }
        if first > longest {
            self.error(
                codes::E0209,
                node.span,
                "`first` is longer than `longest`",
                "delays grow from `first` to `longest`",
            );
            fine = false;
        }
        fine.then_some(Restart::Exponential {
            first,
            longest,
            quiet,
            attempts,
        })
    }
}

/// A map without these keys.
fn without(node: &Node, keys: &[&str]) -> Node {
    match &node.value {
        Value::Map(entries) => {
            let others = entries
                .iter()
                .filter(|entry| !keys.contains(&entry.key.value.as_str()))
                .cloned()
                .collect();
            Node {
                span: node.span,
                value: Value::Map(others),
            }
        }
        Value::List(_) | Value::Scalar(_) => node.clone(),
    }
}
