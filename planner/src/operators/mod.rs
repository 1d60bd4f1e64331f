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
pub(crate) mod sink;

use dataflow::expr::{Expression, Path};

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
    let bound = match &stage.kind {
        Kind::EventTypes(event_types) => event_type_filters::bind(binder, event_types, input)?,
        Kind::Filter(condition) => filter::bind(binder, condition.as_ref()?, input)?,
        Kind::Select(projections) => select::bind(binder, projections, input)?,
        Kind::Drop(paths) => drop::bind(binder, paths, input)?,
        Kind::Unnest(path) => return unnest::bind(binder, path, input, scope),
        Kind::Branch { own, earlier } => route::bind(binder, own.as_ref(), earlier, input)?,
        Kind::Sample { share, by, seed } => sample::bind(binder, (*share, *by, *seed), input)?,
        Kind::Sink(item) => sink::bind(binder, *item, input)?,
        Kind::Source(_) | Kind::Union | Kind::Broken => return None,
    };
    Some(vec![bound])
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
