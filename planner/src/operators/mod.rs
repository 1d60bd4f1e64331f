//! The operators of a document: how each is observed and bound. One file for each, of the operator's one name.

pub(crate) mod source;
pub(crate) mod event_type_filters;
pub(crate) mod decode;
pub(crate) mod event_time;
pub(crate) mod filter;
pub(crate) mod select;
pub(crate) mod drop;
pub(crate) mod unnest;
pub(crate) mod route;
pub(crate) mod union;
pub(crate) mod sample;
mod time;
pub(crate) mod dedup;
pub(crate) mod aggregate;
pub(crate) mod top_n;
pub(crate) mod delay;
pub(crate) mod rate_limit;
pub(crate) mod sink;

use dataflow::expr::{Expression, Path};

use crate::diagnostic::{Diagnostic, codes};
use crate::logical::{Binder, Bound, Input, Kind, Scope, Stage};

/// What rows look like behind a stage, and what it does with the fields of open streams.
pub(crate) fn observe(binder: &mut Binder<'_>, stage: &Stage<'_>, input: &Scope) -> Scope {
    match &stage.kind {
        Kind::Source(source) => source::observe(binder, stage, source),
        Kind::EventTypes(event_types) => event_type_filters::observe(binder, event_types, input),
        Kind::Filter(condition) => filter::observe(binder, condition.as_ref(), input),
        Kind::Select(projections) => select::observe(binder, projections, input),
        Kind::Drop(paths) => drop::observe(paths, input),
        Kind::Unnest(path) => unnest::observe(binder, &path.value, input),
        Kind::Branch { own, .. } => route::observe(binder, own.as_ref(), input),
        Kind::Union => union::observe(input),
        Kind::Sample { by, .. } => sample::observe(binder, *by, input),
        Kind::Dedup(_) => dedup::observe(input),
        Kind::Aggregate { written, measures } => aggregate::observe(binder, stage, (written, measures), input),
        // The caller gave what reaches the aggregate: late rows are that.
        Kind::Late => input.clone(),
        Kind::TopN(top_n) => top_n::observe(binder, top_n, input),
        Kind::Delay(_) => delay::observe(input),
        Kind::RateLimit(_) => rate_limit::observe(input),
        Kind::Sink(item) => sink::observe(binder, *item, input),
        Kind::Broken => Scope::Unknown,
    }
}

/// The operators of a stage, each reading the one before it; none where something is wrong, which is told.
pub(crate) fn bind(
    binder: &mut Binder<'_>,
    stage: &Stage<'_>,
    input: Option<&Input>,
    scope: &Scope,
) -> Option<Vec<Bound>> {
    if let Kind::Source(source) = &stage.kind {
        return source::bind(binder, stage, source, scope);
    }
    let input = input?;
    if let Some(step) = no_changes(&stage.kind) {
        unchanged(binder, stage, step, input)?;
    }
    let bound = match &stage.kind {
        Kind::EventTypes(event_types) => event_type_filters::bind(binder, event_types, input)?,
        Kind::Filter(condition) => filter::bind(binder, condition.as_ref()?, input)?,
        Kind::Select(projections) => select::bind(binder, projections, input)?,
        Kind::Drop(paths) => drop::bind(binder, paths, input)?,
        Kind::Unnest(path) => return unnest::bind(binder, path, input, scope),
        Kind::Branch { own, earlier } => route::bind(binder, own.as_ref(), earlier, input)?,
        Kind::Sample { share, by, seed } => sample::bind(binder, stage, (*share, *by, *seed), input)?,
        Kind::Dedup(dedup) => dedup::bind(binder, stage, dedup, input)?,
        Kind::Aggregate { written, measures } => aggregate::bind(binder, stage, (written, measures), input)?,
        Kind::TopN(top_n) => top_n::bind(binder, stage, top_n, input)?,
        Kind::Delay(delay) => delay::bind(binder, stage, delay, input)?,
        Kind::RateLimit(limit) => rate_limit::bind(binder, stage, limit, input)?,
        Kind::Sink(item) => sink::bind(binder, *item, input)?,
        Kind::Source(_) | Kind::Union | Kind::Late | Kind::Broken => return None,
    };
    Some(vec![bound])
}

/// The word of a step that takes new rows only.
fn no_changes(kind: &Kind<'_>) -> Option<&'static str> {
    match kind {
        Kind::Unnest(_) => Some("unnest"),
        Kind::Sample { .. } => Some("sample"),
        Kind::Dedup(_) => Some("dedup"),
        Kind::Aggregate { .. } => Some("aggregate"),
        Kind::TopN(_) => Some("topN"),
        Kind::Delay(_) => Some("delay"),
        // Each row by itself, whatever it says of earlier ones.
        Kind::Source(_)
        | Kind::EventTypes(_)
        | Kind::Filter(_)
        | Kind::Select(_)
        | Kind::Drop(_)
        | Kind::Branch { .. }
        | Kind::Union
        | Kind::Late
        | Kind::RateLimit(_)
        // A sink says so itself.
        | Kind::Sink(_)
        | Kind::Broken => None,
    }
}

/// Refuses rows that take back or replace earlier ones.
fn unchanged(binder: &mut Binder<'_>, stage: &Stage<'_>, step: &str, input: &Input) -> Option<()> {
    let Some(changed) = input.changes() else {
        return Some(());
    };
    let message = format!(
        "`{step}` takes new rows only, and `{}` changes rows that it gave before",
        changed.step.value
    );
    let found = Diagnostic::new(codes::E0608, stage.span, message).also(changed.step.span, "these rows are changes");
    binder
        .diagnostics
        .push(found.help(format!("{}, or read what is before it", changed.instead)));
    None
}

/// A path in SQL: every part in quotes, so that no name is a keyword or a sum.
fn sql(path: &Path) -> String {
    let parts: Vec<String> = path
        .parts()
        .iter()
        .map(|part| format!("\"{}\"", part.replace('"', "\"\"")))
        .collect();
    parts.join(".")
}

/// Expressions joined by a word.
fn joined(expressions: &[String], word: &str) -> Expression {
    Expression::new(expressions.join(word))
}
