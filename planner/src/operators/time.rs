//! Whose time a step goes by, and whether its rows have it.

use dataflow::recipe::Clocked;

use crate::diagnostic::{Diagnostic, codes};
use crate::logical::{Binder, Input, Untimed};
use crate::spec::{Span, Spanned};

/// What to do where there is no event time and a step can do without.
pub(crate) const OR_ELSE: &str = "or write `time: processing` here";

/// The clock of a step: event time unless written. None where rows have no event time, which is told.
///
/// The first words begin the sentence, such as `these windows go`, and the others end the help. The place is that of
/// `time:`, or else the given one.
pub(crate) fn settled(
    binder: &mut Binder<'_>,
    (goes, or_else): (&str, &str),
    (written, place): (Option<Spanned<Clocked>>, Span),
    input: &Input,
) -> Option<Clocked> {
    let clock = written.map_or(Clocked::Event, |written| written.value);
    let Some(untimed) = input.untimed.first().filter(|_| clock == Clocked::Event) else {
        return Some(clock);
    };
    let place = written.map_or(place, |written| written.span);
    let (part, label, help) = match untimed {
        Untimed::Source(source) => {
            let help = format!("add `eventTime: {{ field: … }}` to the source `{}`", source.value);
            (source, "without `eventTime`", help)
        }
        Untimed::Step(step) => {
            let help = format!("let the windows of `{}` go by event time", step.value);
            (step, "by the clock of the machine", help)
        }
    };
    let message = format!("{goes} by event time, and `{}` gives its rows none", part.value);
    let found = Diagnostic::new(codes::E0607, place, message).also(part.span, label);
    binder.diagnostics.push(found.help(format!("{help}, {or_else}")));
    None
}
