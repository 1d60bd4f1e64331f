//! `filter`: keeps the rows for which a condition is true.

use dataflow::recipe::{Filter, Recipe};

use crate::logical::{Binder, Bound, Checked, Input, Reads, Scope};

pub(crate) fn observe(binder: &mut Binder<'_>, condition: Option<&Checked<'_>>, input: &Scope) -> Scope {
    if let Some(condition) = condition {
        binder.decides(input, condition);
    }
    input.clone()
}

pub(crate) fn bind(binder: &mut Binder<'_>, condition: &Checked<'_>, input: &Input) -> Option<Bound> {
    binder.condition(condition, input)?;
    let reads = Reads::of(condition.parsed.paths());
    Some(Bound::new(
        Recipe::Filter(Filter {
            predicate: condition.expression(),
        }),
        reads,
        input.clone(),
    ))
}
