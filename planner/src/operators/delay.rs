//! `delay`: holds rows back for a while.

use dataflow::element::columns;
use dataflow::recipe::{Clocked, Delay, Recipe};

use super::time;
use crate::logical::{Binder, Bound, Input, Reads, Scope, Stage};
use crate::spec::{self, milliseconds};

pub(crate) fn observe(input: &Scope) -> Scope {
    input.clone()
}

pub(crate) fn bind(binder: &mut Binder<'_>, stage: &Stage<'_>, delay: &spec::Delay, input: &Input) -> Option<Bound> {
    let clock = time::settled(binder, ("rows wait", time::OR_ELSE), (delay.time, stage.span), input)?;
    let reads = match clock {
        Clocked::Event => Reads::default().and(&[columns::TIME]),
        Clocked::Processing => Reads::default(),
    };
    let recipe = Recipe::Delay(Delay {
        by_ms: milliseconds(delay.by.value),
        clock,
    });
    Some(Bound::new(recipe, reads, input.clone()))
}
