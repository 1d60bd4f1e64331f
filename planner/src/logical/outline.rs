//! The document as stages in the order in which rows pass them: names given and found, no circle.

use std::collections::BTreeMap;

use dataflow::expr::Path;
use dataflow::recipe::{Clocked, Role, Spans};

use super::checked::{Checked, CheckedAggregate};
use crate::diagnostic::{Diagnostic, Diagnostics, codes};
use crate::spec::{self, Component, EventTypes, Format, Operation, Span, Spanned, Spec};

/// One station of rows, before types are known.
pub(crate) struct Stage<'a> {
    pub(crate) name: String,
    /// What stands for it in the document.
    pub(crate) span: Span,
    /// The stages it reads.
    pub(crate) inputs: Vec<usize>,
    pub(crate) key_by: &'a [Spanned<Path>],
    pub(crate) parallelism: Option<u32>,
    pub(crate) kind: Kind<'a>,
}

/// What a stage does.
pub(crate) enum Kind<'a> {
    Source(&'a spec::Source),
    EventTypes(&'a EventTypes),
    Filter(Option<Checked<'a>>),
    Select(Vec<Column<'a>>),
    Drop(&'a [Spanned<Path>]),
    Unnest(&'a Spanned<Path>),
    /// One branch of a route: its own condition, unless it takes the rest, and those tried before it.
    Branch {
        own: Option<Option<Checked<'a>>>,
        earlier: Vec<Checked<'a>>,
    },
    Union,
    Sample {
        share: f64,
        by: Option<&'a Spanned<Path>>,
        seed: u64,
    },
    Dedup(&'a spec::Dedup),
    Aggregate {
        written: &'a spec::Aggregate,
        measures: Vec<Measure<'a>>,
    },
    /// The late rows of the aggregate that it reads. It has no runtime: they are another output of the aggregate.
    Late,
    TopN(&'a spec::TopN),
    Delay(&'a spec::Delay),
    RateLimit(&'a spec::RateLimit),
    Sink(SinkItem<'a>),
    /// Told already.
    Broken,
}

/// A column of a `select`: its name, and how it is computed if that could be parsed.
pub(crate) type Column<'a> = (&'a Spanned<String>, Option<Checked<'a>>);

/// A column of an `aggregate`: its name, and how it is folded if that could be parsed.
pub(crate) type Measure<'a> = (&'a Spanned<String>, Option<CheckedAggregate<'a>>);

/// A sink, whichever key of the document asked for it.
#[derive(Clone, Copy)]
pub(crate) struct SinkItem<'a> {
    pub(crate) component: Option<&'a Component>,
    pub(crate) format: Option<&'a Format>,
    pub(crate) role: Role,
}

/// What a name stands for.
#[derive(Clone)]
enum Port {
    Stages(Vec<usize>),
    Route(Vec<String>),
    Sink,
}

/// What stands behind the name of an aggregate for its late rows.
const LATE: &str = "late";

struct Outline<'a, 'd> {
    diagnostics: &'d mut Diagnostics,
    stages: Vec<Stage<'a>>,
    /// What each stage reads, as written; none for what comes before it.
    written: Vec<Option<&'a [Spanned<String>]>>,
    before: Vec<Option<Spanned<Port>>>,
    ports: BTreeMap<String, (Port, Span)>,
}

/// The stages of a document, each behind the ones it reads; none where names or order are wrong.
pub(crate) fn outline<'a>(spec: &'a Spec, diagnostics: &mut Diagnostics) -> Option<Vec<Stage<'a>>> {
    let errors = diagnostics.error_count();
    let mut outline = Outline {
        diagnostics,
        stages: Vec::new(),
        written: Vec::new(),
        before: Vec::new(),
        ports: BTreeMap::new(),
    };
    let mut last = outline.sources(spec);
    for (index, step) in spec.steps.iter().enumerate() {
        last = outline.step(index, step, &last);
    }
    outline.sinks(spec, &last);
    outline.connect();
    // With a name that was not found, it is not known who is not read.
    if outline.diagnostics.error_count() == errors && !spec.broken {
        outline.unread();
    }
    let ordered = outline.order();
    ordered.filter(|_| diagnostics.error_count() == errors)
}

impl<'a> Outline<'a, '_> {
    fn add(&mut self, stage: Stage<'a>, written: &'a [Spanned<String>], before: Option<Spanned<Port>>) -> usize {
        self.stages.push(stage);
        self.written.push((!written.is_empty()).then_some(written));
        self.before.push(before);
        self.stages.len() - 1
    }

    fn name(&mut self, name: String, span: Span, port: Port) {
        if let Some((_, first)) = self.ports.get(&name) {
            let found = Diagnostic::new(
                codes::E0504,
                span,
                format!("two parts of the datastream are called `{name}`"),
            );
            self.diagnostics.push(
                found
                    .also(*first, "the first one")
                    .help("a name is an identity: give one of them another"),
            );
            return;
        }
        self.ports.insert(name, (port, span));
    }

    fn sources(&mut self, spec: &'a Spec) -> Spanned<Port> {
        let mut all = Vec::new();
        for (index, source) in spec.sources.iter().enumerate() {
            let name = given(source.name.as_ref(), "source", index);
            let span = source.name.as_ref().map_or(source.span, |name| name.span);
            let parallelism = source.parallelism.map(|number| number.value);
            let kind = if source.component.is_some() {
                Kind::Source(source)
            } else {
                Kind::Broken
            };
            let stage = Stage {
                name: name.clone(),
                span,
                inputs: Vec::new(),
                key_by: &[],
                parallelism,
                kind,
            };
            let mut port = self.add(stage, &[], None);
            if let Some(event_types) = &spec.event_types {
                let filter = Stage {
                    name: format!("{name}.eventTypeFilters"),
                    span: event_types.key,
                    inputs: vec![port],
                    key_by: &[],
                    parallelism,
                    kind: Kind::EventTypes(event_types),
                };
                port = self.add(filter, &[], None);
            }
            self.name(name, span, Port::Stages(vec![port]));
            all.push(port);
        }
        Spanned::new(Port::Stages(all), spec.span)
    }

    fn step(&mut self, index: usize, step: &'a spec::Step, last: &Spanned<Port>) -> Spanned<Port> {
        let name = given(step.name.as_ref(), word(&step.operation), index);
        let span = step.name.as_ref().map_or(step.key, |name| name.span);
        let kinds = self.kinds(&step.operation);
        let key_by = match &step.operation {
            Operation::Dedup(dedup) => &dedup.keys,
            _ => &step.key_by,
        };
        let mut branches = Vec::new();
        let mut only = Vec::new();
        for (branch, kind) in kinds {
            let name = branch.map_or_else(|| name.clone(), |branch| format!("{name}.{}", branch.value));
            let parallelism = step.parallelism.map(|number| number.value);
            let span = branch.map_or(span, |branch| branch.span);
            let stage = Stage {
                name: name.clone(),
                span,
                inputs: Vec::new(),
                key_by,
                parallelism,
                kind,
            };
            let stage = self.add(stage, &step.inputs, Some(last.clone()));
            if branch.is_some() {
                self.name(name.clone(), span, Port::Stages(vec![stage]));
                branches.push(name);
            }
            only.push(stage);
        }
        if let ([aggregate], true) = (only.as_slice(), has_late_rows(&step.operation)) {
            self.late(*aggregate, &name, span);
        }
        let port = if branches.is_empty() {
            Port::Stages(only)
        } else {
            Port::Route(branches)
        };
        self.name(name, span, port.clone());
        Spanned::new(port, span)
    }

    /// The second output of an aggregate.
    fn late(&mut self, aggregate: usize, name: &str, span: Span) {
        let name = format!("{name}.{LATE}");
        let stage = Stage {
            name: name.clone(),
            span,
            inputs: vec![aggregate],
            key_by: &[],
            parallelism: None,
            kind: Kind::Late,
        };
        let stage = self.add(stage, &[], None);
        self.name(name, span, Port::Stages(vec![stage]));
    }

    fn kinds(&mut self, operation: &'a Operation) -> Vec<(Option<&'a Spanned<String>>, Kind<'a>)> {
        let diagnostics = &mut *self.diagnostics;
        let kind = match operation {
            Operation::Filter(text) => Kind::Filter(Checked::parse(text, diagnostics)),
            Operation::Select(projections) => Kind::Select(
                projections
                    .iter()
                    .map(|projection| (&projection.name, Checked::parse(&projection.expression, diagnostics)))
                    .collect(),
            ),
            Operation::Drop(paths) => Kind::Drop(paths),
            Operation::Unnest(path) => Kind::Unnest(path),
            Operation::Union => Kind::Union,
            Operation::Sample { share, by, seed } => Kind::Sample {
                share: share.value,
                by: by.as_ref(),
                seed: *seed,
            },
            Operation::Dedup(dedup) => Kind::Dedup(dedup),
            Operation::Aggregate(written) => Kind::Aggregate {
                written,
                measures: written
                    .measures
                    .iter()
                    .map(|measure| (&measure.name, CheckedAggregate::parse(&measure.aggregate, diagnostics)))
                    .collect(),
            },
            Operation::TopN(top_n) => Kind::TopN(top_n),
            Operation::Delay(delay) => Kind::Delay(delay),
            Operation::RateLimit(limit) => Kind::RateLimit(limit),
            Operation::Broken => Kind::Broken,
            Operation::Route { branches, otherwise } => {
                let mut earlier: Vec<Checked<'a>> = Vec::new();
                let mut kinds = Vec::new();
                for branch in branches {
                    let own = Checked::parse(&branch.condition, diagnostics);
                    kinds.push((
                        Some(&branch.name),
                        Kind::Branch {
                            own: Some(own.clone()),
                            earlier: earlier.clone(),
                        },
                    ));
                    earlier.extend(own);
                }
                kinds.extend(
                    otherwise
                        .as_ref()
                        .map(|name| (Some(name), Kind::Branch { own: None, earlier })),
                );
                return kinds;
            }
        };
        vec![(None, kind)]
    }

    fn sinks(&mut self, spec: &'a Spec, last: &Spanned<Port>) {
        for (index, sink) in spec.sinks.iter().enumerate() {
            let name = given(sink.name.as_ref(), "sink", index);
            let span = sink.name.as_ref().map_or(sink.span, |name| name.span);
            let item = SinkItem {
                component: sink.component.as_ref(),
                format: sink.format.as_ref(),
                role: Role::Sink,
            };
            let parallelism = sink.parallelism.map(|number| number.value);
            let kind = if item.component.is_some() {
                Kind::Sink(item)
            } else {
                Kind::Broken
            };
            let stage = Stage {
                name: name.clone(),
                span,
                inputs: Vec::new(),
                key_by: &sink.key_by,
                parallelism,
                kind,
            };
            self.add(stage, &sink.inputs, Some(last.clone()));
            self.name(name, span, Port::Sink);
        }
        let Some(archive) = &spec.archive else { return };
        let item = SinkItem {
            component: archive.component.as_ref(),
            format: None,
            role: Role::Archive,
        };
        let parallelism = archive.parallelism.map(|number| number.value);
        let kind = if item.component.is_some() {
            Kind::Sink(item)
        } else {
            Kind::Broken
        };
        let stage = Stage {
            name: "archive".to_owned(),
            span: archive.key,
            inputs: Vec::new(),
            key_by: &[],
            parallelism,
            kind,
        };
        let of = archive.of.as_ref().map(std::slice::from_ref);
        let taken: Vec<&[Spanned<String>]> = spec.sinks.iter().map(|sink| sink.inputs.as_slice()).collect();
        let same = taken.windows(2).all(|pair| names(pair[0]) == names(pair[1]));
        if of.is_none() && !same {
            let found = Diagnostic::new(
                codes::E0507,
                archive.key,
                "the sinks take different rows, so what is archived is not clear",
            );
            self.diagnostics
                .push(found.help("write `of: NAME` in `archive`, with the name of a step or source"));
        }
        self.add(
            stage,
            of.or_else(|| taken.first().copied()).unwrap_or_default(),
            Some(last.clone()),
        );
        self.name("archive".to_owned(), archive.key, Port::Sink);
    }

    /// Finds what each stage reads.
    fn connect(&mut self) {
        for index in 0..self.stages.len() {
            let mut inputs = match (self.written[index], self.before[index].clone()) {
                (Some(written), _) => written.iter().flat_map(|name| self.find(index, name)).collect(),
                (None, Some(before)) => match before.value {
                    Port::Stages(stages) => stages,
                    Port::Route(branches) => {
                        self.branch_wanted(self.stages[index].span, &branches);
                        Vec::new()
                    }
                    Port::Sink => Vec::new(),
                },
                // What a source and its own filter read is known.
                (None, None) => continue,
            };
            inputs.dedup();
            self.stages[index].inputs = inputs;
        }
    }

    fn find(&mut self, reader: usize, name: &Spanned<String>) -> Vec<usize> {
        match self.ports.get(&name.value).map(|(port, _)| port.clone()) {
            Some(Port::Stages(stages)) => stages,
            Some(Port::Route(branches)) => {
                self.branch_wanted(name.span, &branches);
                Vec::new()
            }
            Some(Port::Sink) => {
                let found = Diagnostic::new(
                    codes::E0502,
                    name.span,
                    format!("`{}` is a sink: nothing comes out of it", name.value),
                );
                self.diagnostics
                    .push(found.help("name the step or source that the sink reads"));
                Vec::new()
            }
            None if self.is_never_late(&name.value) => {
                let message = format!("`{}` has no rows: nothing comes late there", name.value);
                let found = Diagnostic::new(codes::E0606, name.span, message);
                self.diagnostics
                    .push(found.help("only an aggregate with a window by event time has late rows"));
                Vec::new()
            }
            None => {
                let own = &self.stages[reader].name;
                let known: Vec<&str> = self
                    .ports
                    .iter()
                    .filter(|(known, (port, _))| matches!(port, Port::Stages(_)) && *known != own)
                    .map(|(known, _)| known.as_str())
                    .collect();
                let found = Diagnostic::new(
                    codes::E0502,
                    name.span,
                    format!("there is no step or source `{}`", name.value),
                );
                let found = found.did_you_mean(&name.value, known.iter().copied());
                self.diagnostics
                    .push(found.help(format!("there are {}", listed(&known))));
                Vec::new()
            }
        }
    }

    /// Whether a name asks for the late rows of a part that has none.
    fn is_never_late(&self, name: &str) -> bool {
        let of = name.strip_suffix(LATE).and_then(|name| name.strip_suffix('.'));
        of.is_some_and(|of| self.ports.contains_key(of))
    }

    fn branch_wanted(&mut self, span: Span, branches: &[String]) {
        let known: Vec<&str> = branches.iter().map(String::as_str).collect();
        let found = Diagnostic::new(
            codes::E0505,
            span,
            "a route has several outputs: which branch is read is not clear",
        );
        self.diagnostics
            .push(found.help(format!("write `input:` with one of {}", listed(&known))));
    }

    /// Warns of what nobody reads.
    fn unread(&mut self) {
        for (index, stage) in self.stages.iter().enumerate() {
            let reads = |reader: &Stage<'_>| reader.inputs.contains(&index) && !matches!(reader.kind, Kind::Late);
            let read = self.stages.iter().any(reads);
            if !read && !matches!(stage.kind, Kind::Sink(_) | Kind::Late | Kind::Broken) {
                let found = Diagnostic::new(codes::W0501, stage.span, format!("nobody reads `{}`", stage.name));
                self.diagnostics
                    .push(found.help("it is left out; read it in an `input:`, or remove it"));
            }
        }
    }

    /// Puts each stage behind the ones it reads, and else leaves the order of the document.
    fn order(self) -> Option<Vec<Stage<'a>>> {
        let count = self.stages.len();
        let mut place: Vec<Option<usize>> = vec![None; count];
        let mut order = Vec::with_capacity(count);
        while let Some(next) = (0..count).find(|index| {
            place[*index].is_none() && self.stages[*index].inputs.iter().all(|input| place[*input].is_some())
        }) {
            place[next] = Some(order.len());
            order.push(next);
        }
        if order.len() < count {
            self.circle(&place);
            return None;
        }
        let mut stages: Vec<Option<Stage<'a>>> = self.stages.into_iter().map(Some).collect();
        let ordered = order.into_iter().filter_map(|index| stages[index].take());
        let moved = |mut stage: Stage<'a>| {
            stage.inputs = stage.inputs.iter().filter_map(|input| place[*input]).collect();
            stage
        };
        Some(ordered.map(moved).collect())
    }

    /// Walks back from a stage that could not be placed until one comes again.
    fn circle(self, place: &[Option<usize>]) {
        let open = |index: &usize| place[*index].is_none();
        let Some(start) = (0..place.len()).find(open) else {
            return;
        };
        let mut walked = vec![start];
        while let Some(next) = self.stages[walked[walked.len() - 1]].inputs.iter().copied().find(open) {
            if let Some(first) = walked.iter().position(|index| *index == next) {
                let mut names: Vec<&str> = walked[first..]
                    .iter()
                    .map(|index| self.stages[*index].name.as_str())
                    .collect();
                names.push(&self.stages[next].name);
                let found = Diagnostic::new(codes::E0503, self.stages[next].span, "rows would go round in a circle");
                self.diagnostics
                    .push(found.help(format!("`{}`", names.join("` reads `"))));
                return;
            }
            walked.push(next);
        }
    }
}

/// The name that was given, or one from kind and position.
pub(super) fn given(name: Option<&Spanned<String>>, kind: &str, index: usize) -> String {
    name.map_or_else(|| format!("{kind}-{}", index + 1), |name| name.value.clone())
}

/// Whether rows can come too late for it.
fn has_late_rows(operation: &Operation) -> bool {
    let window = match operation {
        Operation::Aggregate(aggregate) => aggregate.window.as_ref(),
        _ => None,
    };
    window.is_some_and(|window| window.value.clock == Clocked::Event && window.value.spans != Spans::Global)
}

fn word(operation: &Operation) -> &'static str {
    match operation {
        Operation::Filter(_) => "filter",
        Operation::Select(_) => "select",
        Operation::Drop(_) => "drop",
        Operation::Unnest(_) => "unnest",
        Operation::Route { .. } => "route",
        Operation::Union => "union",
        Operation::Sample { .. } => "sample",
        Operation::Dedup(_) => "dedup",
        Operation::Aggregate(_) => "aggregate",
        Operation::TopN(_) => "topN",
        Operation::Delay(_) => "delay",
        Operation::RateLimit(_) => "rateLimit",
        Operation::Broken => "step",
    }
}

fn names(inputs: &[Spanned<String>]) -> Vec<&str> {
    inputs.iter().map(|input| input.value.as_str()).collect()
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        format!("`{}`", names.join("`, `"))
    }
}
