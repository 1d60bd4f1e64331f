//! `route`: rows go to the first branch whose condition is true. It has no runtime: each branch is a filter.

use dataflow::recipe::{Filter, Recipe};

use super::joined;
use crate::logical::{Binder, Bound, Checked, Input, Reads, Scope};

pub(crate) fn observe(binder: &mut Binder<'_>, own: Option<&Option<Checked<'_>>>, input: &Scope) -> Scope {
    if let Some(Some(condition)) = own {
        binder.decides(input, condition);
    }
    input.clone()
}

/// `own` is none for the branch that takes the rest. A condition that is NULL is not true.
pub(crate) fn bind(
    binder: &mut Binder<'_>,
    own: Option<&Option<Checked<'_>>>,
    earlier: &[Checked<'_>],
    input: &Input,
) -> Option<Bound> {
    let mut conditions = Vec::new();
    let mut paths = Vec::new();
    for condition in earlier {
        conditions.push(format!("({}) IS NOT TRUE", condition.expression().sql));
        paths.extend(condition.parsed.paths());
    }
    if let Some(own) = own {
        let own = own.as_ref()?;
        binder.condition(own, input)?;
        conditions.push(format!("({})", own.expression().sql));
        paths.extend(own.parsed.paths());
    }
    let predicate = joined(&conditions, " AND ");
    Some(Bound::new(
        Recipe::Filter(Filter { predicate }),
        Reads::of(paths),
        input.clone(),
    ))
}
