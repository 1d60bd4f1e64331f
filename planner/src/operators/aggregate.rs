//! `aggregate`: folds the rows of each key, in windows or for ever. Behind it a stream is typed.

use arrow_schema::{DataType, Field, Fields};
use dataflow::element::columns;
use dataflow::expr::{self, Path, Slot, field_type_name};
use dataflow::recipe::{self, Aggregate, Clocked, Function, GroupKey, Phase, Recipe, Spans, Window};

use super::time;
use crate::diagnostic::{Diagnostic, codes};
use crate::logical::{Binder, Bound, Changing, CheckedAggregate, Input, Measure, Reads, Scope, Stage, Stream, Untimed};
use crate::spec::{self, Spanned};

/// Where a window begins, in its results.
pub(crate) const WINDOW_START: &str = "window_start";
/// Where it ends.
pub(crate) const WINDOW_END: &str = "window_end";

pub(crate) fn observe(
    binder: &mut Binder<'_>,
    stage: &Stage<'_>,
    (written, measures): (&spec::Aggregate, &[Measure<'_>]),
    input: &Scope,
) -> Scope {
    // A key under another name is still that field: what is done with it further on says what it is.
    let keys = stage
        .key_by
        .iter()
        .map(|key| (last(&key.value), input.slot(&key.value)));
    let mut slots: Vec<(String, Slot)> = keys.collect();
    if written.window.is_some() {
        slots.extend([WINDOW_START, WINDOW_END].map(|name| (name.to_owned(), Slot::Known(columns::timestamp()))));
    }
    for (name, measure) in measures {
        let slot = measure
            .as_ref()
            .map_or(Slot::Unknown, |measure| fold(binder, measure, input));
        slots.push((name.value.clone(), slot));
    }
    Scope::Columns(slots)
}

/// What a measure does with the fields of its rows, and what it is itself.
fn fold(binder: &mut Binder<'_>, measure: &CheckedAggregate<'_>, input: &Scope) -> Slot {
    if let Some(filter) = &measure.filter {
        binder.decides(input, filter);
    }
    let Some(argument) = &measure.argument else {
        return Slot::Known(DataType::Int64);
    };
    match measure.function {
        Function::Min | Function::Max | Function::First | Function::Last => {
            binder.computes(input, argument);
            argument.parsed.as_path().map_or(Slot::Unknown, |path| input.slot(path))
        }
        Function::Count | Function::CountDistinct | Function::ApproxDistinct => {
            binder.computes(input, argument);
            Slot::Known(DataType::Int64)
        }
        Function::Sum
        | Function::Avg
        | Function::Stddev
        | Function::StddevPop
        | Function::Variance
        | Function::VariancePop
        | Function::ApproxPercentile(_) => {
            binder.counts(input, argument);
            // Whole or not, it is a number: that is all that is asked before types are known.
            Slot::Known(DataType::Float64)
        }
    }
}

pub(crate) fn bind(
    binder: &mut Binder<'_>,
    stage: &Stage<'_>,
    (written, measures): (&spec::Aggregate, &[Measure<'_>]),
    input: &Input,
) -> Option<Bound> {
    let window = window(binder, written.window.as_ref(), input);
    let names = distinct_names(binder, stage, written);
    let keys = keys(stage, input);
    let mut reads: Vec<Path> = Vec::new();
    let folded: Vec<Option<(recipe::Measure, Field)>> = measures
        .iter()
        .map(|(name, measure)| bind_measure(binder, (name, measure.as_ref()?), input, &mut reads))
        .collect();
    let (window, keys) = (window?, keys?);
    let folded: Vec<(recipe::Measure, Field)> = folded.into_iter().collect::<Option<_>>()?;
    names.then_some(())?;
    if stage.key_by.is_empty() {
        one_subtask(binder, stage, "aggregate");
    }
    let mut fields: Vec<Field> = keys.iter().map(|(_, field)| field.clone()).collect();
    if let Some(window) = &window {
        // All of time has no bounds.
        let boundless = window.spans == Spans::Global;
        fields.extend([WINDOW_START, WINDOW_END].map(|name| Field::new(name, columns::timestamp(), boundless)));
    }
    fields.extend(folded.iter().map(|(_, field)| field.clone()));
    let measures: Vec<recipe::Measure> = folded.into_iter().map(|(measure, _)| measure).collect();
    let timed = input.untimed.is_empty() && goes_by_time(window.as_ref(), &measures);
    reads.extend(stage.key_by.iter().map(|key| key.value.clone()));
    let reads = Reads::of(reads).and(if timed { &[columns::TIME] } else { &[] });
    let output = output(stage, window.as_ref(), input, fields.into());
    let recipe = Recipe::Aggregate(Aggregate {
        keys: keys.into_iter().map(|(key, _)| key).collect(),
        window,
        measures,
        phase: Phase::Whole,
    });
    Some(Bound::new(recipe, reads, output))
}

/// The window, if there is one and rows have the time it goes by.
fn window(binder: &mut Binder<'_>, written: Option<&Spanned<Window>>, input: &Input) -> Option<Option<Window>> {
    let Some(window) = written else { return Some(None) };
    // All of time is one window by any clock.
    if window.value.spans == Spans::Global && !input.untimed.is_empty() {
        return Some(Some(Window {
            clock: Clocked::Processing,
            ..window.value.clone()
        }));
    }
    let clock = Some(Spanned::new(window.value.clock, window.span));
    time::settled(binder, ("these windows go", time::OR_ELSE), (clock, window.span), input)?;
    Some(Some(window.value.clone()))
}

fn last(path: &Path) -> String {
    path.parts()[path.parts().len() - 1].clone()
}

/// Columns of one name: keys are called by the last part of their paths.
fn distinct_names(binder: &mut Binder<'_>, stage: &Stage<'_>, written: &spec::Aggregate) -> bool {
    let mut taken: Vec<Spanned<String>> = Vec::new();
    if let Some(window) = &written.window {
        taken.extend([WINDOW_START, WINDOW_END].map(|name| Spanned::new(name.to_owned(), window.span)));
    }
    let keys = stage.key_by.iter().map(|key| Spanned::new(last(&key.value), key.span));
    let measures = written.measures.iter().map(|measure| measure.name.clone());
    let before = binder.diagnostics.error_count();
    for name in keys.chain(measures) {
        if let Some(first) = taken.iter().find(|other| other.value == name.value) {
            let message = format!("two columns of the result are called `{}`", name.value);
            let found = Diagnostic::new(codes::E0404, name.span, message).also(first.span, "the first one");
            let is_key = stage.key_by.iter().any(|key| key.span == name.span);
            binder.diagnostics.push(found.help(if is_key {
                "a key is called by the last part of its path: give it another name with a `select` before"
            } else {
                "give it another name; keys are called by the last parts of their paths, and windows have `window_start` and `window_end`"
            }));
        } else {
            taken.push(name);
        }
    }
    binder.diagnostics.error_count() == before
}

/// The keys and their columns. That they are fields of one value was looked at where rows are dealt out.
fn keys(stage: &Stage<'_>, input: &Input) -> Option<Vec<(GroupKey, Field)>> {
    let schema = input.schema();
    let key = |key: &Spanned<Path>| {
        let field = expr::find(&key.value, &schema).filter(|field| !field.data_type().is_nested())?;
        let name = last(&key.value);
        // A field inside a record is absent where the record is.
        let nullable = field.is_nullable() || key.value.parts().len() > 1;
        let field = field.as_ref().clone().with_name(&name).with_nullable(nullable);
        let path = key.value.clone();
        Some((GroupKey { name, path }, field))
    };
    stage.key_by.iter().map(key).collect()
}

fn bind_measure(
    binder: &mut Binder<'_>,
    (name, measure): (&Spanned<String>, &CheckedAggregate<'_>),
    input: &Input,
    reads: &mut Vec<Path>,
) -> Option<(recipe::Measure, Field)> {
    let filter = match &measure.filter {
        Some(filter) => {
            reads.extend(filter.parsed.paths());
            binder.condition(filter, input).map(|()| Some(filter.expression()))
        }
        None => Some(None),
    };
    let mut argument_type = None;
    let mut argument = None;
    if let Some(checked) = &measure.argument {
        let bound = binder.expression(checked, input)?;
        let field = Field::new(&name.value, bound.data_type.clone(), true);
        argument_type = Some(match bound.field {
            Some(field) => field.as_ref().clone(),
            None => field,
        });
        argument = Some(checked.expression());
        reads.extend(checked.parsed.paths());
    }
    let gives = gives(binder, measure, argument_type.as_ref())?;
    let counts = matches!(
        measure.function,
        Function::Count | Function::CountDistinct | Function::ApproxDistinct
    );
    let field = Field::new(&name.value, gives, !counts);
    let measure = recipe::Measure {
        name: name.value.clone(),
        function: measure.function,
        argument,
        argument_type: argument_type.as_ref().map(|field| field.data_type().clone()),
        filter: filter?,
    };
    Some((measure, field))
}

/// The type of a measure, if its function takes what it is given.
fn gives(binder: &mut Binder<'_>, measure: &CheckedAggregate<'_>, argument: Option<&Field>) -> Option<DataType> {
    let keeps = matches!(
        measure.function,
        Function::Min | Function::Max | Function::First | Function::Last
    );
    let text = measure.text.value.trim();
    let span = measure
        .argument
        .as_ref()
        .map_or(measure.text.span, |argument| argument.span());
    if argument.is_some_and(|field| keeps && columns::is_any(field)) {
        let message = format!("nothing says of what type the values of `{text}` are");
        let found = Diagnostic::new(codes::E0611, span, message);
        let name = measure
            .argument
            .as_ref()
            .map_or("x", |argument| argument.text.value.trim());
        binder.diagnostics.push(found.help(format!(
            "say what they are, such as `CAST({name} AS DOUBLE)`, or give the source a `schema`"
        )));
        return None;
    }
    let gives = measure.function.gives(argument.map(Field::data_type));
    if gives.is_none() {
        let found = argument.map_or_else(|| "*".to_owned(), field_type_name);
        let takes = if keeps || matches!(measure.function, Function::CountDistinct | Function::ApproxDistinct) {
            "single values"
        } else {
            "numbers"
        };
        let message = format!("`{text}` folds {takes}, and this is {found}");
        let nested = argument.is_some_and(|field| field.data_type().is_nested());
        let help = if nested {
            "name a field inside it; the elements of a list become rows with `unnest`"
        } else {
            "make a number of it: `CAST(… AS DOUBLE)`"
        };
        binder
            .diagnostics
            .push(Diagnostic::new(codes::E0610, span, message).help(help));
    }
    gives
}

/// Whether what comes out depends on the time of rows.
fn goes_by_time(window: Option<&Window>, measures: &[recipe::Measure]) -> bool {
    let windowed = window.is_some_and(|window| window.clock == Clocked::Event && window.spans != Spans::Global);
    let ordered = |measure: &recipe::Measure| matches!(measure.function, Function::First | Function::Last);
    windowed || measures.iter().any(ordered)
}

fn output(stage: &Stage<'_>, window: Option<&Window>, input: &Input, fields: Fields) -> Input {
    let name = || Spanned::new(stage.name.clone(), stage.span);
    let mut output = input.made(fields);
    output.stream = match window {
        None => Stream::Changes(Changing {
            step: name(),
            instead: format!("give `{}` a `window`, so that each result comes once", stage.name),
        }),
        Some(window) if window.emit_every_ms.is_some() || window.allowed_lateness_ms > 0 => Stream::Refined(name()),
        Some(_) => Stream::Results,
    };
    // Results of windows by the machine's clock have no time that a replay would give them again.
    if window.is_some_and(|window| window.clock == Clocked::Processing || window.spans == Spans::Global) {
        output.untimed = vec![Untimed::Step(name())];
    }
    output
}

/// Says that more subtasks than one were asked for where all rows must meet.
pub(crate) fn one_subtask(binder: &mut Binder<'_>, stage: &Stage<'_>, step: &str) {
    if stage.parallelism.is_some_and(|number| number > 1) {
        let message = format!("without `keyBy` all rows of the `{step}` meet in one subtask");
        let found = Diagnostic::new(codes::W0602, stage.span, message);
        binder
            .diagnostics
            .push(found.help("remove `parallelism`, or say by what rows are dealt out"));
    }
}
