//! `select`: computes the columns of the output. Behind it a stream is typed.

use arrow_schema::{DataType, Field, Fields};
use dataflow::element::columns::{any, is_any};
use dataflow::expr::Slot;
use dataflow::recipe::{Projection, Recipe, Select};

use crate::diagnostic::{Diagnostic, codes};
use crate::logical::{Binder, Bound, Column, Input, Reads, Scope};

pub(crate) fn observe(binder: &mut Binder<'_>, columns: &[Column<'_>], input: &Scope) -> Scope {
    let slots = columns.iter().map(|(name, checked)| {
        let Some(checked) = checked else {
            return (name.value.clone(), Slot::Unknown);
        };
        binder.computes(input, checked);
        // A field under another name is still that field: what is done with it further on says what it is.
        let slot = checked.parsed.as_path().map_or(Slot::Unknown, |path| input.slot(path));
        (name.value.clone(), slot)
    });
    Scope::Columns(slots.collect())
}

pub(crate) fn bind(binder: &mut Binder<'_>, columns: &[Column<'_>], input: &Input) -> Option<Bound> {
    let mut fields = Vec::new();
    let mut projections = Vec::new();
    let mut paths = Vec::new();
    for (name, checked) in columns {
        let Some(checked) = checked else { continue };
        let Some(bound) = binder.expression(checked, input) else {
            continue;
        };
        if input.open.is_some() && matches!(bound.data_type, DataType::Struct(_)) {
            let message = format!(
                "`{}` is a record of which only the fields that are named are known",
                checked.text.value.trim()
            );
            let found = Diagnostic::new(codes::E0411, checked.span(), message);
            binder
                .diagnostics
                .push(found.help("select its fields one by one, or give the source a `schema`"));
            continue;
        }
        fields.push(match &bound.field {
            Some(copied) if is_any(copied) => any(&name.value),
            _ => Field::new(&name.value, bound.data_type, bound.nullable),
        });
        projections.push(Projection {
            name: name.value.clone(),
            expression: checked.expression(),
        });
        paths.extend(checked.parsed.paths());
    }
    (fields.len() == columns.len()).then(|| {
        Bound::new(
            Recipe::Select(Select { projections }),
            Reads::of(paths),
            input.made(Fields::from(fields)),
        )
    })
}
