//! `rateLimit`: lets so many rows through in a second, of the stream or of each key.

use dataflow::expr::Path;
use dataflow::recipe::{Excess, RateLimit, Recipe};

use crate::diagnostic::{Diagnostic, codes};
use crate::logical::{Binder, Bound, Input, Reads, Scope, Stage};
use crate::spec;

pub(crate) fn observe(input: &Scope) -> Scope {
    input.clone()
}

pub(crate) fn bind(
    binder: &mut Binder<'_>,
    stage: &Stage<'_>,
    limit: &spec::RateLimit,
    input: &Input,
) -> Option<Bound> {
    let keys: Vec<Path> = stage.key_by.iter().map(|key| key.value.clone()).collect();
    // One key that waits would hold up all others, so with keys rows are dropped.
    let usual = if keys.is_empty() { Excess::Wait } else { Excess::Drop };
    let excess = limit.excess.map_or(usual, |excess| excess.value);
    if let (Some(written), Excess::Wait, [_, ..]) = (limit.excess, excess, keys.as_slice()) {
        let message = "rows of one key that wait would hold up those of all others";
        let found = Diagnostic::new(codes::E0617, written.span, message);
        let by = stage.key_by[0].span;
        binder.diagnostics.push(
            found
                .also(by, "the key")
                .help("write `excess: drop`, or remove `keyBy`"),
        );
        return None;
    }
    if let (Some(changed), Excess::Drop) = (input.changes(), excess) {
        let message = format!(
            "a change of `{}` that is dropped leaves a wrong table behind",
            changed.step.value
        );
        let found =
            Diagnostic::new(codes::E0608, stage.span, message).also(changed.step.span, "these rows are changes");
        binder
            .diagnostics
            .push(found.help("write `excess: wait`, without `keyBy`"));
        return None;
    }
    let reads = Reads::of(keys.clone());
    let recipe = Recipe::RateLimit(RateLimit {
        keys,
        rows_per_second: limit.per_second,
        burst: limit.burst,
        excess,
    });
    Some(Bound::new(recipe, reads, input.clone()))
}
