//! `dedup`: keeps the first row of each key within a span of time.

use dataflow::element::columns;
use dataflow::expr::Path;
use dataflow::recipe::{Clocked, Dedup, Recipe};

use super::time;
use crate::diagnostic::{Diagnostic, codes};
use crate::logical::{Binder, Bound, Input, Reads, Scope, Stage, Untimed};
use crate::spec::{self, milliseconds};

pub(crate) fn observe(input: &Scope) -> Scope {
    input.clone()
}

pub(crate) fn bind(binder: &mut Binder<'_>, stage: &Stage<'_>, dedup: &spec::Dedup, input: &Input) -> Option<Bound> {
    let clock = clock(binder, stage, dedup, input)?;
    let keys: Vec<Path> = dedup.keys.iter().map(|key| key.value.clone()).collect();
    let mut reads = Reads::of(keys.clone());
    if clock == Clocked::Event {
        reads = reads.and(&[columns::TIME]);
    }
    let recipe = Recipe::Dedup(Dedup {
        keys,
        within_ms: milliseconds(dedup.within.value),
        clock,
    });
    Some(Bound::new(recipe, reads, input.clone()))
}

/// By event time where there is one. Duplicates are found by any clock, so it is no error where there is none.
fn clock(binder: &mut Binder<'_>, stage: &Stage<'_>, dedup: &spec::Dedup, input: &Input) -> Option<Clocked> {
    if let (None, Some(Untimed::Source(part) | Untimed::Step(part))) = (dedup.time, input.untimed.first()) {
        let source = &part.value;
        let message = format!("`{source}` gives no event time, so keys are remembered by processing time");
        let found = Diagnostic::new(codes::W0601, stage.span, message);
        binder.diagnostics.push(found.help(format!(
            "a replay may then keep other rows: give `{source}` an `eventTime`, or write `time: processing`"
        )));
        return Some(Clocked::Processing);
    }
    let goes = ("the span of a `dedup` goes", time::OR_ELSE);
    time::settled(binder, goes, (dedup.time, stage.span), input)
}
