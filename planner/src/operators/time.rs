//! Whose time a step goes by, and whether its rows have it.

use dataflow::recipe::Clocked;

use crate::diagnostic::{Diagnostic, codes};
use crate::logical::{Binder, Input};
use crate::spec::{Span, Spanned};

/// The clock of a step: event time unless written. None where rows have no event time, which is told.
///
/// `what` begins the sentence, such as `these windows go`; the place is that of `time:`, or else the given one.
pub(crate) fn settled(
    binder: &mut Binder<'_>,
    what: &str,
    (written, place): (Option<Spanned<Clocked>>, Span),
    input: &Input,
) -> Option<Clocked> {
    let clock = written.map_or(Clocked::Event, |written| written.value);
    let Some((without, span)) = input.untimed().filter(|_| clock == Clocked::Event) else {
        return Some(clock);
    };
    let place = written.map_or(place, |written| written.span);
    let message = format!("{what} by event time, and `{without}` gives its rows none");
    let found = Diagnostic::new(codes::E0607, place, message).also(span, "without `eventTime`");
    binder.diagnostics.push(found.help(format!(
        "add `eventTime: {{ field: … }}` to the source `{without}`, or write `time: processing` here"
    )));
    None
}
