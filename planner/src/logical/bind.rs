//! Stages to nodes, in two walks: first every use of a field is observed, then types are known and everything is bound.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Fields, Schema, SchemaRef};
use dataflow::element::columns;
use dataflow::expr::{self, Inference, Path};
use dataflow::recipe::{Port, Recipe};

use super::fields::{begins_with, nested, without};
use super::input::{Input, difference};
use super::outline::{Kind, Stage, outline};
use super::scope::Scope;
use super::{Checked, LogicalPlan, Node, Outlet, Places, Reads};
use crate::catalog::Catalog;
use crate::diagnostic::{Diagnostic, Diagnostics, codes};
use crate::job::{LossAlarm, Settings};
use crate::operators;
use crate::spec::{Span, Spanned, Spec};

/// What binding needs, and what it learns.
pub(crate) struct Binder<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) discovered: &'a BTreeMap<String, SchemaRef>,
    pub(crate) diagnostics: &'a mut Diagnostics,
    pub(crate) inference: Inference,
    streams: usize,
    /// Expressions whose use of a field contradicts another one: nothing more is said of their types.
    contradicted: Vec<Span>,
}

/// An operator of a stage, bound.
pub(crate) struct Bound {
    /// What is appended to the stage's name, where it has several operators.
    pub(crate) suffix: &'static str,
    pub(crate) recipe: Recipe,
    pub(crate) reads: Reads,
    pub(crate) output: Input,
    /// The key its rows are dealt out by, where that is not the stage's.
    pub(crate) key_by: Option<Vec<Path>>,
}

impl Bound {
    pub(crate) fn new(recipe: Recipe, reads: Reads, output: Input) -> Self {
        Self {
            suffix: "",
            recipe,
            reads,
            output,
            key_by: None,
        }
    }
}

/// Binds a document; none where it has mistakes.
pub fn bind(
    spec: &Spec,
    catalog: &Catalog,
    discovered: &BTreeMap<String, SchemaRef>,
    diagnostics: &mut Diagnostics,
) -> Option<LogicalPlan> {
    let errors = diagnostics.error_count();
    super::test::check(spec, diagnostics);
    let stages = outline(spec, diagnostics)?;
    let mut binder = Binder {
        catalog,
        discovered,
        diagnostics,
        inference: Inference::default(),
        streams: 0,
        contradicted: Vec::new(),
    };
    let scopes = binder.observe(&stages);
    let nodes = binder.nodes(spec, &stages, &scopes);
    let dead_letter = spec
        .dead_letter
        .as_ref()
        .and_then(|item| operators::sink::dead_letter(&mut binder, item));
    let missing = nodes.iter().any(Option::is_none) || (spec.dead_letter.is_some() && dead_letter.is_none());
    if missing || diagnostics.error_count() > errors || spec.broken {
        return None;
    }
    let plan = LogicalPlan {
        name: spec.name.value.clone(),
        contact: spec.contact.as_ref().map(|contact| contact.value.clone()),
        nodes: nodes.into_iter().flatten().collect(),
        dead_letter,
        settings: settings(spec),
        places: Places {
            name: spec.name.span,
            items: stages.iter().map(|stage| (stage.name.clone(), stage.span)).collect(),
        },
    };
    super::hidden::check(spec, &plan, diagnostics);
    Some(plan)
}

fn settings(spec: &Spec) -> Settings {
    let (written, default) = (&spec.settings, Settings::default());
    Settings {
        max_parallelism: written
            .max_parallelism
            .map_or(default.max_parallelism, |number| number.value),
        memory_bytes: written.memory.map(|bytes| bytes.value),
        checkpoint_interval: written
            .checkpoint_interval
            .map_or(default.checkpoint_interval, |duration| duration.value),
        aligned_timeout: written
            .aligned_timeout
            .map_or(default.aligned_timeout, |timeout| timeout.value),
        buffer_timeout: written
            .buffer_timeout
            .map_or(default.buffer_timeout, |duration| duration.value),
        loss_alarm: LossAlarm {
            above: written.loss_above.map_or(default.loss_alarm.above, |share| share.value),
            settle: written
                .loss_settle
                .map_or(default.loss_alarm.settle, |duration| duration.value),
        },
        restart: written.restart.clone().map_or(default.restart, |restart| restart.value),
        renamed: renamed(spec),
        hidden: super::hidden::marked(spec),
    }
}

/// What named items were called before.
fn renamed(spec: &Spec) -> BTreeMap<String, String> {
    let sources = spec.sources.iter().map(|item| (&item.name, &item.renamed_from));
    let steps = spec.steps.iter().map(|item| (&item.name, &item.renamed_from));
    let sinks = spec.sinks.iter().map(|item| (&item.name, &item.renamed_from));
    let all = sources.chain(steps).chain(sinks);
    all.filter_map(|(name, before)| Some((name.as_ref()?.value.clone(), before.as_ref()?.value.clone())))
        .collect()
}

impl Binder<'_> {
    /// A new open stream.
    pub(crate) fn stream(&mut self) -> usize {
        self.streams += 1;
        self.streams
    }

    /// The first walk: what rows look like at each stage, and what is done with their fields.
    fn observe(&mut self, stages: &[Stage<'_>]) -> Vec<Scope> {
        let mut scopes: Vec<Scope> = Vec::with_capacity(stages.len());
        for stage in stages {
            // Late rows are as they came: those that the aggregate reads.
            let inputs = match stage.kind {
                Kind::Late => &stages[stage.inputs[0]].inputs,
                _ => &stage.inputs,
            };
            let input = self.joined(inputs.iter().map(|input| scopes[*input].clone()).collect());
            for key in stage.key_by {
                self.read(&input, &key.value, None);
            }
            scopes.push(operators::observe(self, stage, &input));
        }
        scopes
    }

    /// What several inputs are together: open streams become one, and their fields have one type each.
    fn joined(&mut self, scopes: Vec<Scope>) -> Scope {
        let mut scopes = scopes.into_iter();
        let Some(mut whole) = scopes.next() else {
            return Scope::Unknown;
        };
        for next in scopes {
            whole = self.join(whole, next);
        }
        whole
    }

    fn join(&mut self, left: Scope, right: Scope) -> Scope {
        match (left, right) {
            (left, right) if left == right => left,
            (Scope::Open(left), Scope::Open(right)) => {
                self.inference.join(left, right);
                Scope::Open(left)
            }
            (
                Scope::Unnested { list, element, before },
                Scope::Unnested {
                    list: other_list,
                    element: other,
                    before: other_before,
                },
            ) if list == other_list => {
                self.inference.join(element, other);
                let before = self.join(*before, *other_before);
                Scope::Unnested {
                    list,
                    element,
                    before: Box::new(before),
                }
            }
            // What was removed on one side only is still absent there, and reads as NULL.
            (Scope::Without(_, left), right) if left.is_open() && right.is_open() => self.join(*left, right),
            (left, Scope::Without(_, right)) if left.is_open() && right.is_open() => self.join(left, *right),
            (Scope::Columns(left), Scope::Columns(right)) => {
                let agreed = |(name, slot): (String, expr::Slot)| {
                    let other = right.iter().find(|(other, _)| *other == name);
                    let slot = other.map_or(expr::Slot::Unknown, |(_, other)| self.agreed(slot, other));
                    (name, slot)
                };
                Scope::Columns(left.into_iter().map(agreed).collect())
            }
            // Open and typed streams do not go together; the second walk says so.
            (left, _) => left,
        }
    }

    /// What a column is that comes from two sides: fields of open streams get one type, that of the other side if it has one.
    fn agreed(&mut self, left: expr::Slot, right: &expr::Slot) -> expr::Slot {
        use expr::Slot::{Known, Open, Unknown};
        match (left, right) {
            (left, right) if left == *right => left,
            (Open(one, path), Open(other, other_path)) => {
                self.inference.meet((one, &path), (*other, other_path));
                Open(one, path)
            }
            (Known(known), Open(stream, path)) => {
                self.inference.read(*stream, path, Some(&known));
                Known(known)
            }
            (Open(stream, path), Known(known)) => {
                self.inference.read(stream, &path, Some(known));
                Known(known.clone())
            }
            (Known(_) | Open(_, _) | Unknown, _) => Unknown,
        }
    }

    /// A field is read, as a value of this type if that is known.
    pub(crate) fn read(&mut self, scope: &Scope, path: &Path, data_type: Option<&DataType>) {
        if let expr::Slot::Open(stream, path) = scope.slot(path) {
            self.inference.read(stream, &path, data_type);
        }
    }

    /// An expression is computed.
    pub(crate) fn computes(&mut self, scope: &Scope, checked: &Checked<'_>) {
        let observed = self.inference.observe(&checked.parsed, &|path: &Path| scope.slot(path));
        self.observed(scope, checked, observed);
    }

    /// An expression decides: it must be true or false.
    pub(crate) fn decides(&mut self, scope: &Scope, checked: &Checked<'_>) {
        let observed = self
            .inference
            .observe_predicate(&checked.parsed, &|path: &Path| scope.slot(path));
        self.observed(scope, checked, observed);
    }

    /// An expression is folded: it must be a number.
    pub(crate) fn counts(&mut self, scope: &Scope, checked: &Checked<'_>) {
        let observed = self
            .inference
            .observe_number(&checked.parsed, &|path: &Path| scope.slot(path));
        self.observed(scope, checked, observed);
    }

    fn observed(&mut self, scope: &Scope, checked: &Checked<'_>, observed: Result<(), expr::Error>) {
        if let Err(error) = observed {
            checked.tell(&error, self.diagnostics);
            self.contradicted.push(checked.span());
        }
        for path_use in checked
            .parsed
            .uses()
            .iter()
            .filter(|path_use| path_use.quoted_word && scope.is_open())
        {
            let span = checked.text.place(path_use.range.clone());
            let message = format!("`{}` in double quotes is read as a field, not as text", path_use.path);
            let help = format!("text stands in single quotes: '{}'; a field needs none", path_use.path);
            self.diagnostics
                .push(Diagnostic::new(codes::W0502, span, message).help(help));
        }
    }

    /// The columns of a scope whose types are known by now.
    pub(crate) fn fields(&self, scope: &Scope) -> Fields {
        match scope {
            Scope::Open(stream) => nested(&self.inference.types(*stream)),
            Scope::Unnested { list, element, before } => {
                let mut types = Vec::new();
                leaves(&self.fields(before), &mut Vec::new(), &mut types);
                types.retain(|(path, _)| !begins_with(path, list));
                types.extend(self.inference.types(*element));
                nested(&types)
            }
            Scope::Without(paths, before) => without(&self.fields(before), paths),
            Scope::Columns(_) | Scope::Unknown => Fields::empty(),
        }
    }

    /// The second walk. A stage whose inputs are wrong yields nothing, and nothing more is said of it.
    fn nodes(&mut self, spec: &Spec, stages: &[Stage<'_>], scopes: &[Scope]) -> Vec<Option<Node>> {
        let mut nodes: Vec<Option<Node>> = Vec::new();
        let mut made: Vec<Made> = Vec::new();
        for (stage, scope) in stages.iter().zip(scopes) {
            let input = self.input(stage, stages, &made);
            let parallelism = parallelism(spec, stage, &made);
            let inputs: Vec<Outlet> = stage
                .inputs
                .iter()
                .flat_map(|input| made[*input].nodes.clone())
                .collect();
            let mut key_by = self.keys(stage, input.as_ref());
            if let ([only], true) = (stage.inputs.as_slice(), key_by.is_empty()) {
                key_by.clone_from(&made[*only].key_by);
            }
            match stage.kind {
                Kind::Union => {
                    made.push(Made {
                        nodes: inputs,
                        output: input,
                        parallelism,
                        key_by,
                    });
                    continue;
                }
                // What is late is as it came: the rows of the aggregate's own input.
                Kind::Late => {
                    let output = self.input(&stages[stage.inputs[0]], stages, &made);
                    let late = |outlet: Outlet| Outlet {
                        port: Port::Late,
                        ..outlet
                    };
                    made.push(Made {
                        nodes: inputs.into_iter().map(late).collect(),
                        output,
                        parallelism: made[stage.inputs[0]].parallelism,
                        key_by: Vec::new(),
                    });
                    continue;
                }
                _ => {}
            }
            let begins = matches!(stage.kind, Kind::Source(_));
            let bound = if begins || input.is_some() {
                operators::bind(self, stage, input.as_ref(), scope)
            } else {
                None
            };
            let taken = Made {
                nodes: inputs,
                output: None,
                parallelism,
                key_by,
            };
            made.push(place(stage, bound, taken, &mut nodes));
        }
        nodes
    }

    /// What reaches a stage from all its inputs, which must be alike.
    fn input(&mut self, stage: &Stage<'_>, stages: &[Stage<'_>], made: &[Made]) -> Option<Input> {
        let (first, others) = stage.inputs.split_first()?;
        let mut whole = made[*first].output.clone()?;
        for other in others {
            let next = made[*other].output.clone()?;
            let Some(difference) = difference(&whole, &next) else {
                whole = whole.meet(next);
                continue;
            };
            let (left, right) = (&stages[*first].name, &stages[*other].name);
            let found = Diagnostic::new(
                codes::E0506,
                stage.span,
                format!("`{left}` and `{right}` give different rows: {difference}"),
            );
            self.diagnostics
                .push(found.help("make them alike with `select` before they meet"));
            return None;
        }
        Some(whole)
    }

    fn keys(&mut self, stage: &Stage<'_>, input: Option<&Input>) -> Vec<Path> {
        let Some(input) = input else { return Vec::new() };
        for key in stage.key_by {
            if let Some(found) = self.field(key, input)
                && matches!(found, DataType::Struct(_) | DataType::List(_))
            {
                let message = format!(
                    "`{}` is {}: rows cannot be dealt out by it",
                    key.value,
                    expr::type_name(&found)
                );
                self.diagnostics.push(
                    Diagnostic::new(codes::E0412, key.span, message).help("a key is one value, such as `payload.id`"),
                );
            }
        }
        stage.key_by.iter().map(|key| key.value.clone()).collect()
    }

    /// The type of the field at a path; told if there is none.
    pub(crate) fn field(&mut self, path: &Spanned<Path>, input: &Input) -> Option<DataType> {
        let schema = input.schema();
        if let Some(missing) = expr::missing(&path.value, &schema) {
            let found = Diagnostic::new(codes::E0408, path.span, missing.message);
            self.diagnostics.push(match missing.help {
                Some(help) => found.help(help),
                None => found,
            });
            return None;
        }
        expr::find(&path.value, &schema).map(|field| field.data_type().clone())
    }

    /// Binds an expression; its mistakes are told.
    pub(crate) fn expression(&mut self, checked: &Checked<'_>, input: &Input) -> Option<expr::Bound> {
        if self.contradicted.contains(&checked.span()) {
            return None;
        }
        match expr::bind(&checked.parsed, &input.schema()) {
            Ok(bound) => Some(bound),
            Err(errors) => {
                errors.iter().for_each(|error| checked.tell(error, self.diagnostics));
                None
            }
        }
    }

    /// Binds a condition: an expression that is true or false.
    pub(crate) fn condition(&mut self, checked: &Checked<'_>, input: &Input) -> Option<()> {
        let bound = self.expression(checked, input)?;
        if bound.data_type != DataType::Boolean {
            let message = format!(
                "a condition is true or false, and this is {}",
                expr::type_name(&bound.data_type)
            );
            self.diagnostics.push(
                Diagnostic::new(codes::E0410, checked.span(), message)
                    .help("compare it: `field = 'value'`, `field > 0`"),
            );
            return None;
        }
        if let Some(value) = bound.constant {
            let message = format!("this condition is {value} for every row");
            self.diagnostics
                .push(Diagnostic::new(codes::W0503, checked.span(), message));
        }
        Some(())
    }

    /// Tells of options that their schema allows but that cannot work.
    pub(crate) fn invalid(
        &mut self,
        node: &crate::spec::Node,
        key: Span,
        invalid: &dataflow::contract::InvalidOptions,
    ) {
        let span = if invalid.pointer.is_empty() {
            key
        } else {
            node.at(&invalid.pointer).span
        };
        let found = Diagnostic::new(codes::E0314, span, &invalid.message);
        self.diagnostics.push(match &invalid.help {
            Some(help) => found.help(help),
            None => found,
        });
    }
}

/// How many subtasks a stage has: its own number, the datastream's, or that of what it reads.
fn parallelism(spec: &Spec, stage: &Stage<'_>, made: &[Made]) -> u32 {
    let of_all = || spec.settings.parallelism.map(|number| number.value);
    let inherited = || stage.inputs.iter().map(|input| made[*input].parallelism).max();
    stage.parallelism.or_else(of_all).or_else(inherited).unwrap_or(1)
}

/// Adds the operators of a stage to the plan, each behind the one before it, the first behind what the stage takes.
fn place(stage: &Stage<'_>, bound: Option<Vec<Bound>>, taken: Made, nodes: &mut Vec<Option<Node>>) -> Made {
    let Made {
        nodes: mut inputs,
        mut output,
        mut parallelism,
        mut key_by,
    } = taken;
    let Some(bound) = bound else {
        nodes.push(None);
        return Made {
            nodes: vec![Outlet::main(nodes.len() - 1)],
            output: None,
            parallelism,
            key_by: Vec::new(),
        };
    };
    for one in bound {
        let schema = if matches!(one.recipe, Recipe::Sink(_)) {
            Arc::new(Schema::empty())
        } else {
            one.output.rows()
        };
        let stage_key = std::mem::take(&mut key_by);
        // Rows of all keys meet in one place where there is no key.
        if is_keyless(&one.recipe) {
            parallelism = 1;
        }
        nodes.push(Some(Node {
            name: format!("{}{}", stage.name, one.suffix),
            recipe: one.recipe,
            inputs,
            key_by: one.key_by.unwrap_or(stage_key),
            parallelism,
            output: schema,
            reads: one.reads,
            note: None,
        }));
        inputs = vec![Outlet::main(nodes.len() - 1)];
        output = Some(one.output);
    }
    Made {
        nodes: inputs,
        output,
        parallelism,
        key_by: Vec::new(),
    }
}

/// Whether an operator sees the rows of all keys together.
fn is_keyless(recipe: &Recipe) -> bool {
    match recipe {
        Recipe::Aggregate(aggregate) => aggregate.keys.is_empty(),
        Recipe::TopN(top_n) => top_n.keys.is_empty(),
        _ => false,
    }
}

/// What became of a stage: who gives its rows, and what they are.
struct Made {
    nodes: Vec<Outlet>,
    output: Option<Input>,
    parallelism: u32,
    /// Of a union, whose readers deal out in its place.
    key_by: Vec<Path>,
}

fn leaves(fields: &Fields, above: &mut Vec<String>, found: &mut Vec<(Path, Option<DataType>)>) {
    for field in fields {
        above.push(field.name().clone());
        match (field.data_type(), Path::new(above.clone())) {
            (DataType::Struct(inner), _) => leaves(inner, above, found),
            (_, Ok(path)) if columns::is_any(field) => found.push((path, None)),
            (data_type, Ok(path)) => found.push((path, Some(data_type.clone()))),
            (_, Err(_)) => {}
        }
        above.pop();
    }
}
