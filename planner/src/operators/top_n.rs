//! `topN`: keeps the best rows of each key, by window or as changes.

use arrow_schema::{DataType, Field, FieldRef, Fields};
use dataflow::element::columns;
use dataflow::expr::{Path, Slot};
use dataflow::recipe::{Emission, Order, Recipe, Ties, TopN};

use super::aggregate::{WINDOW_END, WINDOW_START, one_subtask};
use super::time;
use crate::diagnostic::{Diagnostic, codes};
use crate::logical::{Binder, Bound, Changing, Input, Reads, Scope, Stage, Stream};
use crate::spec::{self, Span, Spanned};

pub(crate) fn observe(binder: &mut Binder<'_>, top_n: &spec::TopN, input: &Scope) -> Scope {
    for order in &top_n.order {
        binder.read(input, &order.value.0, None);
    }
    let Scope::Columns(known) = input else {
        return input.clone();
    };
    let bounds = [WINDOW_START, WINDOW_END].map(|name| (name.to_owned(), Slot::Known(columns::timestamp())));
    let bounds = bounds.into_iter().filter(|_| top_n.window.is_some());
    let rank = top_n.rank.iter();
    let rank = rank.map(|rank| (rank.value.clone(), Slot::Known(DataType::Int64)));
    Scope::Columns(known.iter().cloned().chain(bounds).chain(rank).collect())
}

pub(crate) fn bind(binder: &mut Binder<'_>, stage: &Stage<'_>, top_n: &spec::TopN, input: &Input) -> Option<Bound> {
    if input.open.is_some() {
        let message = "a `topN` of records as bytes: it keeps columns, and what they are is not said";
        let found = Diagnostic::new(codes::E0612, stage.span, message);
        binder
            .diagnostics
            .push(found.help("name the columns with a `select` before, or give the source a `schema`"));
        return None;
    }
    let order = order(binder, top_n, input);
    let fields = given(binder, top_n, input);
    let emission = emission(binder, stage, top_n, input)?;
    let (order, fields) = (order?, fields?);
    let mut keys: Vec<Path> = stage.key_by.iter().map(|key| key.value.clone()).collect();
    if emission == Emission::Window && top_n.window.is_none() {
        keys.extend(
            Path::new(vec![WINDOW_END.to_owned()])
                .ok()
                .filter(|end| !keys.contains(end)),
        );
    }
    if keys.is_empty() {
        one_subtask(binder, stage, "topN");
    }
    let reads = Reads::of(keys.iter().cloned().chain(order.iter().map(|order| order.path.clone())));
    // Whoever waits for watermarks reads the time, so that somebody upstream keeps it.
    let reads = match emission {
        Emission::Window => reads.and(&[columns::TIME]),
        Emission::Changes => reads,
    };
    let mut output = input.made(fields);
    output.stream = match emission {
        Emission::Window => Stream::Results,
        Emission::Changes => Stream::Changes(Changing {
            step: Spanned::new(stage.name.clone(), stage.span),
            instead: format!("order the results of windows in `{}`, which come once", stage.name),
        }),
    };
    let recipe = Recipe::TopN(TopN {
        window: top_n.window.as_ref().map(|window| window.value.clone()),
        keys: keys.clone(),
        order,
        limit: top_n.limit,
        ties: top_n.ties.value,
        rank: top_n.rank.as_ref().map(|rank| rank.value.clone()),
        emission,
    });
    let mut bound = Bound::new(recipe, reads, output);
    bound.key_by = Some(keys);
    Some(bound)
}

/// What rows are ordered by: single values of a known type.
fn order(binder: &mut Binder<'_>, top_n: &spec::TopN, input: &Input) -> Option<Vec<Order>> {
    let mut orders = Vec::new();
    for one in &top_n.order {
        let (path, direction) = &one.value;
        let place = Spanned::new(path.clone(), one.span);
        let Some(found) = binder.field(&place, input) else {
            continue;
        };
        let field = dataflow::expr::find(path, &input.schema())?;
        if found.is_nested() || columns::is_any(&field) {
            let what = dataflow::expr::field_type_name(&field);
            let message = format!("`{path}` is {what}: nothing says which value is before another");
            let found = Diagnostic::new(codes::E0613, one.span, message);
            binder
                .diagnostics
                .push(found.help("order by a number, a time or a text; a `select` before says what a field is"));
            continue;
        }
        orders.push(Order {
            path: path.clone(),
            direction: *direction,
        });
    }
    (orders.len() == top_n.order.len()).then_some(orders)
}

/// The columns of the input, and behind them the bounds of the window that is made here, and the rank.
fn given(binder: &mut Binder<'_>, top_n: &spec::TopN, input: &Input) -> Option<Fields> {
    let mut fields: Vec<FieldRef> = input.fields.iter().cloned().collect();
    let before = binder.diagnostics.error_count();
    let mut add = |field: Field, span: Span, help: &str| {
        if fields.iter().any(|known| known.name() == field.name()) {
            let message = format!("the rows have a column `{}` already", field.name());
            let found = Diagnostic::new(codes::E0404, span, message);
            binder.diagnostics.push(found.help(help));
        }
        fields.push(field.into());
    };
    if let Some(window) = &top_n.window {
        for name in [WINDOW_START, WINDOW_END] {
            let help = "rows that have `window_end` are ordered by that window: remove `window`, or call the column something else";
            add(Field::new(name, columns::timestamp(), false), window.span, help);
        }
    }
    if let Some(rank) = &top_n.rank {
        let field = Field::new(&rank.value, DataType::Int64, false);
        add(field, rank.span, "give the rank another name");
    }
    (binder.diagnostics.error_count() == before).then(|| fields.into())
}

/// By window where one is made here or rows name one, else at every change.
fn emission(binder: &mut Binder<'_>, stage: &Stage<'_>, top_n: &spec::TopN, input: &Input) -> Option<Emission> {
    if let Some(window) = &top_n.window {
        let goes = ("the best rows of each window are given", "or remove `window`");
        time::settled(binder, goes, (None, window.span), input)?;
        return Some(Emission::Window);
    }
    let windowed = input
        .fields
        .iter()
        .any(|field| field.name() == WINDOW_END && *field.data_type() == columns::timestamp());
    if !windowed {
        if top_n.ties.value == Ties::Kept {
            let message = "ties are kept only by window: these rows have no `window_end`";
            let found = Diagnostic::new(codes::E0615, top_n.ties.span, message);
            binder
                .diagnostics
                .push(found.help(
                    "write `window: { tumbling: 10s }` beside it, remove `ties`, or aggregate in windows before",
                ));
            return None;
        }
        return Some(Emission::Changes);
    }
    if let Stream::Refined(step) = &input.stream {
        let message = format!(
            "`{}` gives the results of a window more than once, and the best of them once",
            step.value
        );
        let found = Diagnostic::new(codes::E0616, stage.span, message).also(step.span, "these come again");
        let help = "remove `emitEvery` and `allowedLateness` from its window";
        binder.diagnostics.push(found.help(help));
        return None;
    }
    let goes = (
        "the best rows of each window are given",
        "or call the column `window_end` something else",
    );
    time::settled(binder, goes, (None, stage.span), input)?;
    Some(Emission::Window)
}
