//! `unnest`: one row of each element of a list. In open streams the bytes are rewritten, and read anew behind it.

use arrow_schema::{DataType, Fields};
use dataflow::element::columns;
use dataflow::expr::{Path, type_name};
use dataflow::recipe::{Recipe, Unnest};

use super::decode;
use crate::diagnostic::{Diagnostic, codes};
use crate::logical::{Binder, Bound, Input, Reads, Scope, replace};
use crate::spec::Spanned;

pub(crate) fn observe(binder: &mut Binder<'_>, path: &Path, input: &Scope) -> Scope {
    match input {
        Scope::Unknown => Scope::Unknown,
        // The elements' type is known only from a schema; the second walk has it.
        Scope::Columns(known) => {
            let known = known.iter().map(|(name, slot)| {
                let changed = name == path.column();
                (name.clone(), if changed { element(slot, path) } else { slot.clone() })
            });
            Scope::Columns(known.collect())
        }
        open => Scope::Unnested {
            list: path.clone(),
            element: binder.stream(),
            before: Box::new(open.clone()),
        },
    }
}

fn element(slot: &dataflow::expr::Slot, path: &Path) -> dataflow::expr::Slot {
    use dataflow::expr::Slot;
    match slot {
        Slot::Known(data_type) => {
            let column: Fields = vec![arrow_schema::Field::new(path.column(), data_type.clone(), true)].into();
            let item = dataflow::expr::find(path, &arrow_schema::Schema::new(column.clone()));
            match item.as_ref().map(|field| field.data_type()) {
                Some(DataType::List(item)) => {
                    Slot::Known(replace(&column, path.parts(), item.data_type())[0].data_type().clone())
                }
                _ => Slot::Unknown,
            }
        }
        Slot::Open(_, _) | Slot::Unknown => Slot::Unknown,
    }
}

pub(crate) fn bind(binder: &mut Binder<'_>, path: &Spanned<Path>, input: &Input, scope: &Scope) -> Option<Vec<Bound>> {
    let recipe = Recipe::Unnest(Unnest {
        path: path.value.clone(),
    });
    if let Some(format) = &input.open {
        let bytes = input.with(Fields::empty());
        let reads = Reads::default().and(&[columns::RAW]);
        let read = input.with(binder.fields(scope));
        return Some(vec![
            Bound::new(recipe, reads, bytes),
            decode::bound(format.clone(), read),
        ]);
    }
    let found = binder.field(path, input)?;
    let DataType::List(item) = &found else {
        let message = format!("`{}` is {}, not a list", path.value, type_name(&found));
        binder
            .diagnostics
            .push(Diagnostic::new(codes::E0412, path.span, message).help("`unnest` takes the path of a list"));
        return None;
    };
    let fields = replace(&input.fields, path.value.parts(), item.data_type());
    Some(vec![Bound::new(
        recipe,
        Reads::of([path.value.clone()]),
        input.made(fields),
    )])
}
