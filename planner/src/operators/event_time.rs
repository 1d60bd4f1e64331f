//! `eventTime` beside a source: what the time of a record is. Its operator follows the decoder, and is left out where
//! nobody behind it asks what time it is.

use arrow_schema::DataType;
use dataflow::element::columns;
use dataflow::expr::type_name;
use dataflow::recipe::{EventTime, Recipe};

use crate::diagnostic::{Diagnostic, codes};
use crate::logical::{Binder, Bound, Input, Reads, Scope};
use crate::spec::{self, milliseconds};

pub(crate) fn observe(binder: &mut Binder<'_>, event_time: &spec::EventTime, input: &Scope) {
    binder.read(input, &event_time.field.value, Some(&columns::timestamp()));
}

pub(crate) fn bind(binder: &mut Binder<'_>, event_time: &spec::EventTime, input: &Input) -> Option<Bound> {
    let field = &event_time.field;
    let found = binder.field(field, input)?;
    if !matches!(found, DataType::Timestamp(_, _) | DataType::Date32 | DataType::Int64) {
        let message = format!("`{}` is {} and cannot be an event time", field.value, type_name(&found));
        binder.diagnostics.push(
            Diagnostic::new(codes::E0412, field.span, message).help("give it the type `timestamp` in the schema"),
        );
        return None;
    }
    Some(bound(
        EventTime {
            field: Some(field.value.clone()),
            max_out_of_orderness_ms: milliseconds(event_time.out_of_orderness_max),
            idle_timeout_ms: event_time.idle_timeout.map(milliseconds),
            max_drift_ms: event_time.drift_max.map(milliseconds),
        },
        input,
    ))
}

/// Of a source that knows the time of its rows, and gives them in its order.
pub(crate) fn of_source(input: &Input) -> Bound {
    bound(
        EventTime {
            field: None,
            max_out_of_orderness_ms: 0,
            idle_timeout_ms: None,
            max_drift_ms: None,
        },
        input,
    )
}

fn bound(event_time: EventTime, input: &Input) -> Bound {
    let reads = Reads::of(event_time.field.clone()).and(&[columns::SPLIT, columns::TIME]);
    let mut bound = Bound::new(Recipe::EventTime(event_time), reads, input.clone());
    bound.suffix = ".eventTime";
    bound
}
