//! `eventTypeFilters`: a filter behind each source that keeps the records of some types.

use arrow_schema::DataType;
use dataflow::expr::{Expression, type_name};
use dataflow::recipe::{Filter, Recipe};

use super::sql;
use crate::diagnostic::{Diagnostic, codes};
use crate::logical::{Binder, Bound, Input, Reads, Scope};
use crate::spec::EventTypes;

pub(crate) fn observe(binder: &mut Binder<'_>, event_types: &EventTypes, input: &Scope) -> Scope {
    binder.read(input, &event_types.field.value, Some(&DataType::Utf8View));
    input.clone()
}

pub(crate) fn bind(binder: &mut Binder<'_>, event_types: &EventTypes, input: &Input) -> Option<Bound> {
    let field = &event_types.field;
    let found = binder.field(field, input)?;
    if !matches!(found, DataType::Utf8View | DataType::Utf8 | DataType::LargeUtf8) {
        let message = format!(
            "`{}` is {}, and types of events are text",
            field.value,
            type_name(&found)
        );
        binder.diagnostics.push(
            Diagnostic::new(codes::E0412, field.span, message).help("name the field of the type in `eventTypeField:`"),
        );
        return None;
    }
    let mut types: Vec<String> = event_types
        .types
        .iter()
        .map(|one| format!("'{}'", one.value.replace('\'', "''")))
        .collect();
    types.dedup();
    let predicate = Expression::new(format!("{} IN ({})", sql(&field.value), types.join(", ")));
    let reads = Reads::of([field.value.clone()]);
    Some(Bound::new(Recipe::Filter(Filter { predicate }), reads, input.clone()))
}
